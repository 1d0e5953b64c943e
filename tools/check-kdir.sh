#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tells whether the modules can be built against a kernel tree.
#
# usage: check-kdir.sh <kernel tree> <origin of make's LLVM>
#
# Prints the toolchain arguments for make on success. On failure prints one
# message that names what is missing and the way out, and exits 1.

kdir=$1
llvm_origin=$2

fail() {
	printf 'dax_hmem: %s\n' "$1" >&2
	shift
	for line; do
		printf '          %s\n' "$line" >&2
	done
	exit 1
}

conf=$kdir/include/config/auto.conf

# The value of an option without its quotes; empty if it is not set.
option() {
	sed -n "s/^CONFIG_$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$conf"
}

[ -d "$kdir" ] ||
	fail "no kernel tree at '$kdir'" \
		"Give one that is built: make KDIR=<tree>"
[ -f "$kdir/Makefile" ] ||
	fail "'$kdir' is no kernel tree: it has no Makefile" \
		"Give one that is built: make KDIR=<tree>"
[ -f "$conf" ] ||
	fail "the kernel tree '$kdir' is not configured" \
		"Configure and build it first."

release=$(cat "$kdir/include/config/kernel.release" 2>/dev/null)
[ -n "$release" ] ||
	fail "the kernel tree '$kdir' is not built" "Build it first."
case $release in
7.[23] | 7.[23].* | 7.[23]-*) ;;
*)
	fail "unsupported version: '$kdir' is Linux $release" \
		"The modules replace those of Linux 7.2 and 7.3."
	;;
esac

[ "$(option RUST)" = y ] ||
	fail "the kernel tree '$kdir' is without Rust" \
		"Set CONFIG_RUST=y; 'make rustavailable' there says what Rust needs."

for opt in MODULES ZONE_DEVICE MEMORY_HOTPLUG; do
	[ "$(option $opt)" = y ] ||
		fail "CONFIG_$opt is not set in '$kdir'" "Set it and build the kernel anew."
done
[ -n "$(option DEV_DAX)" ] ||
	fail "CONFIG_DEV_DAX is not set in '$kdir'" "Set it to m and build the kernel anew."

# Only modules can be replaced.
case $(option DEV_DAX_HMEM) in
m) ;;
y)
	fail "dax_hmem is built into the kernel of '$kdir', it cannot be replaced" \
		"Set CONFIG_DEV_DAX_HMEM=m and build the kernel anew."
	;;
*)
	fail "CONFIG_DEV_DAX_HMEM is not set in '$kdir'" \
		"Set it to m, the platform side of dax_hmem comes with it."
	;;
esac
[ "$(option DEV_DAX_CXL)" != y ] ||
	fail "dax_cxl is built into the kernel of '$kdir', it cannot be replaced" \
		"Set CONFIG_DEV_DAX_CXL=m and build the kernel anew."

[ -f "$kdir/rust/libkernel.rmeta" ] ||
	fail "the kernel tree '$kdir' has no Rust metadata: rust/libkernel.rmeta is missing" \
		"Build it there, with 'make'. For a headers package of Debian's," \
		"'tools/rust-headers $release <directory>' makes it, and KDIR=<directory>/build."
[ -f "$kdir/Module.symvers" ] ||
	fail "the kernel tree '$kdir' is not built: Module.symvers is missing" \
		"Build it there, with 'make'."
# `make prepare` leaves a tree that looks built, and fails when the modules are
# linked. Debian has the linker script elsewhere.
for file in module.lds mod/modpost; do
	[ -f "$kdir/scripts/$file" ] || [ -f "$kdir/arch/x86/$file" ] ||
		fail "the kernel tree '$kdir' is only half prepared: scripts/$file is missing" \
			"Run 'make modules_prepare' there, with the arguments that built it."
done
# Something must tell how the kernel's private structures are laid out.
source=
for tree in "$kdir" "$kdir/source"; do
	[ ! -f "$tree/drivers/cxl/cxl.h" ] || source=$tree
done
if [ -z "$source" ]; then
	[ "$(option DEBUG_INFO_BTF)" = y ] ||
		fail "'$kdir' has neither the kernel's source nor its BTF" \
			"Build against the source tree: make KDIR=<tree>"
	command -v pahole >/dev/null ||
		fail "no pahole, which reads the kernel's BTF" "apt install pahole"
	KDIR=$kdir "$(dirname "$0")/check-layout.sh" --btf >/dev/null ||
		fail "the BTF of $release is not here" \
			"Its headers may have none. Boot that kernel and build there, or install its" \
			"debug symbols: /usr/lib/debug/boot/vmlinux-$release"
fi

# The rmeta of the kernel crate can be read by the compiler that wrote it only.
rustc=${RUSTC:-rustc}
want=$(option RUSTC_VERSION_TEXT)
have=$($rustc --version 2>/dev/null)
[ -n "$have" ] ||
	fail "no Rust compiler: '$rustc' does not run" \
		"The kernel was built with $want; put that into PATH or set RUSTC=."
[ "$have" = "$want" ] ||
	fail "the kernel was built with another Rust compiler" \
		"kernel: $want" "here:   $have" \
		"Put that one into PATH or set RUSTC=, or build the kernel anew."

bindgen=${BINDGEN:-bindgen}
version=$($bindgen --version 2>/dev/null | sed -n 's/^bindgen \([0-9.]*\).*/\1/p')
[ -n "$version" ] ||
	fail "no bindgen: '$bindgen' does not run" \
		"Install bindgen 0.71.1 or newer (cargo install bindgen-cli), or set BINDGEN=."
lowest=$(printf '0.71.1\n%s\n' "$version" | sort -V | head -n 1)
[ "$lowest" = 0.71.1 ] ||
	fail "bindgen $version is too old, 0.71.1 is needed" \
		"Install it (cargo install bindgen-cli), or set BINDGEN=."

# The C compiler of the kernel, unless the caller chose one.
[ "$llvm_origin" = undefined ] || exit 0
[ "$(option CC_IS_CLANG)" = y ] || exit 0

want=$(option CC_VERSION_TEXT)
for suffix in '' -22 -21 -20 -19 -18 -17; do
	have=$("clang$suffix" --version 2>/dev/null | head -n 1)
	if [ "$have" = "$want" ]; then
		if [ -n "$suffix" ]; then
			echo "LLVM=$suffix"
		else
			echo "LLVM=1"
		fi
		exit 0
	fi
done
fail "the C compiler of the kernel is not here: $want" \
	"Install it, or choose another clang with LLVM=1 or LLVM=-<version>."
