#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Tells whether a kernel has what include/kernel_private.h declares.
#
# usage: check-layout.sh <kernel_private.h> <bindings made from it>
#        check-layout.sh --btf
#
# The second prints the file with the kernel's BTF, and exits 1 if there is none.
# KDIR is the kernel's build tree, SRCTREE its source, CC the compiler with the
# flags for a module. Layouts are those that bindgen noted in the bindings. The
# kernel's own are taken from its BTF, with pahole; a kernel without BTF is
# compared with the headers of its source, by the compiler. Prints one line for
# each thing that differs, and exits 1. SYSROOT is where the files of installed
# packages are looked for, and empty but in tests.

set -u

header=$1
bindings=${2:-}
name=include/$(basename -- "$header")
root=${SYSROOT:-}

temp=$(mktemp -d) || exit 1
trap 'rm -rf "$temp"' EXIT

fail() {
	printf 'dax_hmem: %s\n' "$1" >&2
	shift
	for line; do
		printf '          %s\n' "$line" >&2
	done
	exit 1
}

# Structures and enumerations that the header defines.
types() {
	sed -n "s/^$1 \([a-z_0-9]*\) {\$/\1/p" "$header"
}

# "struct field offset" for each field, "struct - size" for each structure, and
# "enum constant value". Rust's keywords have an underscore behind them.
ours() {
	# With rustfmt an entry may have two lines, without it all are in one.
	tr -s '\n ' ' ' <"$bindings" | grep -o '\["[SO][a-z]* of [^]]*\] *\[[^]]*usize\]' | sed -n \
		-e 's/^\["Size of \(.*\)"\].* - \([0-9]*\)usize\]$/\1 - \2/p' \
		-e 's/^\["Offset of field: \(.*\)::\(.*\)"\].* - \([0-9]*\)usize\]$/\1 \2 \3/p' |
		sed 's/^\([^ ]* [^ ]*[^ _]\)_ /\1 /'
	for enum in $(types enum); do
		grep -o "pub const ${enum}_[A-Z_0-9]*: $enum = [0-9]*" "$bindings" |
			sed "s/pub const ${enum}_\([A-Z_0-9]*\): \($enum\) = /\2 \1 /"
	done
}

# Prototypes, one a line, without the names of parameters.
prototypes() {
	sed -n '/^\/\* Prototypes/,$p' "$header" |
		grep -v -e '^#' -e '^extern' -e '\*/$' | tr '\n\t' '  ' | tr ';' '\n' |
		grep '(' | normalize
}

normalize() {
	sed -e 's/long unsigned int/unsigned long/g; s/  */ /g; s/ *\* */ */g; s/^ //; s/;* *$//' \
		-e 's/\([ *]\)[a-z_0-9]*\([,)]\)/\1\2/g; s/ \([,)]\)/\1/g'
}

# What pahole prints of BTF, in the form of ours().
pahole_layout() {
	awk '
		/^(struct|enum) [a-z_0-9]+ \{/ { type = $2; kind = $1; next }
		/^}/ { type = "" }
		type == "" { next }
		/\/\* size: / { sub(/,.*/, ""); print type, "-", $3; next }
		kind == "enum" && /=/ { gsub(/[,=]/, " "); print type, $1, $2; next }
		match($0, /\/\* +[0-9]+ +[0-9]+ \*\/$/) {
			split(substr($0, RSTART), at, " ")
			text = substr($0, 1, RSTART - 1)
			if (match(text, /\(\*[a-z_0-9]+\)/))
				field = substr(text, RSTART + 2, RLENGTH - 3)
			else {
				sub(/(\[[0-9]*\])*; *$/, "", text)
				n = split(text, words, /[ *]+/)
				field = words[n]
			}
			print type, field, at[2]
		}'
}

# Files with BTF: first what is built into the kernel, then the two modules that
# may have the rest.
btf_base() {
	release=$(cat "$KDIR/include/config/kernel.release")
	set -- "$KDIR/vmlinux" "$root/usr/lib/debug/boot/vmlinux-$release"
	[ "$release" != "$(uname -r)" ] || set -- "$@" "$root/sys/kernel/btf/vmlinux"
	for file; do
		[ -f "$file" ] || continue
		# The answer matters, not the noise about tags it does not know.
		[ -n "$(pahole -F btf -C list_head "$file" 2>/dev/null)" ] || continue
		echo "$file"
		return
	done
}

# Unpacks the module of this path, in the build tree or as installed.
btf_module() {
	for file in "$KDIR/$1.ko" "$root/lib/modules/$release/kernel/$1.ko"*; do
		[ -f "$file" ] || continue
		case $file in
		*.ko) cat "$file" ;;
		*.xz) xz -dc "$file" ;;
		*.zst) zstd -dcq "$file" ;;
		*.gz) gzip -dc "$file" ;;
		esac >"$temp/$(basename "$1").ko" && echo "$temp/$(basename "$1").ko"
		return
	done
}

# dump PROGRAM OPTION NAMES: what the BTF files say about names
dump() {
	program=$1 option=$2
	shift 2
	for file in $files; do
		base=
		[ "$file" = "$base_file" ] || base=--btf_base=$base_file
		for want; do
			# shellcheck disable=SC2086
			"$program" $base -F btf "$option" "$want" "$file" 2>/dev/null
			echo
		done
	done
}

check_btf() {
	files=$base_file
	for module in CXL_BUS:drivers/cxl/core/cxl_core DAX:drivers/dax/dax; do
		grep -qs "^CONFIG_${module%%:*}=m" "$KDIR/include/config/auto.conf" || continue
		file=$(btf_module "${module#*:}")
		[ -n "$file" ] || fail "the BTF of ${module##*/}, a module of this kernel, is not here" \
			"Install the modules of $release: $root/lib/modules/$release/kernel/${module#*:}.ko"
		files="$files $file"
	done
	# Without CXL there are neither these types nor any use of them.
	others='^$'
	grep -qs '^CONFIG_CXL_BUS=' "$KDIR/include/config/auto.conf" || others='^cxl_'
	all=$( (types struct; types enum) | grep -v "$others" | paste -sd,)
	ours >"$temp/ours"
	[ -s "$temp/ours" ] || fail "no layout tests in $bindings" \
		"The bindgen in use does not write them; 0.71.1 to 0.72.1 are known to."
	dump pahole -C "$all" | pahole_layout >"$temp/theirs"
	awk -v names="$all" -v header="$name" '
		FNR == NR {
			if (!($1 in has)) order[++count] = $1
			has[$1] = 1; theirs[$1, $2] = $3; next
		}
		BEGIN { n = split(names, list, ","); for (i = 1; i <= n; i++) checked[list[i]] = 1 }
		!($1 in checked) || ($1 in told) { next }
		$2 == "dax_rest" { partial[$1] = 1; next }
		$2 == "-" { size[$1] = $3; next }
		!($1 in has) { say($1, "this kernel has no such type"); next }
		!(($1, $2) in theirs) { say($1, "this kernel has no " $2 " in it"); next }
		theirs[$1, $2] != $3 {
			say($1, $2 " is " theirs[$1, $2] " in this kernel, " $3 " in " header)
		}
		function say(type, text) { print type ": " text; told[type] = 1 }
		END {
			for (type in size) {
				if (!(type in checked) || (type in told) || (type in partial)) continue
				if (!(type in has)) { say(type, "this kernel has no such type"); continue }
				if (theirs[type, "-"] != size[type])
					say(type, "has " theirs[type, "-"] " bytes in this kernel, " \
						size[type] " in " header)
			}
		}' "$temp/theirs" "$temp/ours" >"$temp/differs"

	prototypes | while read -r line; do
		function=$(echo "$line" | sed 's/(.*//; s/.*[ *]//')
		echo "$symbols" | grep -qx "$function" || continue
		found=$(dump pfunct -f "$function" | grep -m 1 "[ *]$function(" | normalize)
		[ "$found" = "$line" ] ||
			echo "$function(): '${found:-not in the BTF}' in this kernel, '$line' in $name"
	done >>"$temp/differs"
}

# The kernel's own headers beside the numbers of ours: the compiler tells.
check_source() {
	{
		for file in dax/bus.h cxl/cxl.h cxl/cxlmem.h; do
			echo "#include \"$SRCTREE/drivers/$file\""
		done
		echo '#define DAX_CHECK_PROTOTYPES'
		echo "#include \"$header\""
		all=" $(types struct | paste -sd' ') "
		enums=" $(types enum | paste -sd' ') "
		partial=" $(ours | sed -n 's/ dax_rest .*//p' | paste -sd' ') "
		ours | while read -r type field at; do
			case $all in
			*" $type "*) want="offsetof(struct $type, $field)" ;;
			*)
				case $enums in
				*" $type "*) want=$field ;;
				*) continue ;;
				esac
				;;
			esac
			case $field in
			dax_rest) continue ;;
			-)
				case $partial in *" $type "*) continue ;; esac
				want="sizeof(struct $type)"
				;;
			esac
			echo "static_assert($want == $at, \"$type: $field is not $at in this kernel\");"
		done
	} >"$temp/check.c"
	$CC -Werror -fsyntax-only "$temp/check.c" 2>"$temp/errors" && return
	grep -o 'error: .*' "$temp/errors" |
		sed 's/^error: static assertion failed[^"]*"\(.*\)"$/\1/; s/^error: static assertion failed[^:]*: \(.*\)$/\1/; s/^error: //' |
		awk -F: '!seen[$1]++' >"$temp/differs"
	[ -s "$temp/differs" ] || cat "$temp/errors" >"$temp/differs"
}

if [ "$1" = --btf ]; then
	file=$(btf_base)
	[ -n "$file" ] && echo "$file"
	exit
fi

# Exported functions; what is not has no BTF to look for.
symbols=$(cut -f2 "$KDIR/Module.symvers")
: >"$temp/differs"

base_file=
if command -v pahole >/dev/null; then
	base_file=$(btf_base)
	release=$(cat "$KDIR/include/config/kernel.release")
fi
if [ -n "$base_file" ]; then
	check_btf
elif [ -f "$SRCTREE/drivers/cxl/cxl.h" ]; then
	check_source
else
	fail "cannot tell the layout of the kernel of '$KDIR'" \
		"It needs pahole and the kernel's BTF (in '$KDIR/vmlinux', in its debug symbols, or of" \
		"the kernel that runs), or its source tree."
fi
[ -s "$temp/differs" ] || exit 0
sed 's/^/dax_hmem: /' "$temp/differs" >&2
fail "the kernel of '$KDIR' differs from $name, see above" \
	"These modules are not for this version of the kernel: take newer ones," \
	"or correct $name."
