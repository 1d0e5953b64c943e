#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Makes sure that make, a C compiler, cargo and rustc are there, builds the lab and runs it with
# the arguments given. As root it installs what is missing, else it prints the command that does.
# Everything beyond that the lab finds and installs itself.

set -eu

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
lab=$top/tools/target/debug/lab
need_minor=85

die()
{
	printf 'error: %s\n' "$1" >&2
	exit 1
}

have()
{
	command -v "$1" >/dev/null 2>&1
}

# A rustc that the kernel takes too, with its cargo.
rust_is_new()
{
	have cargo && have rustc || return 1
	minor=$(rustc --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')
	[ -n "$minor" ] && [ "$minor" -ge "$need_minor" ]
}

rust_packages()
{
	codename=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}") || codename=
	case $codename in
	bookworm)
		# Its rustc is too old; these are kept new for the browsers.
		echo rustc-web cargo-web rust-web-src
		;;
	trixie)
		echo rustc cargo rust-src
		;;
	*)
		die "rustc and cargo 1.$need_minor or later are needed: install them and run this again"
		;;
	esac
}

missing()
{
	have make || echo make
	have cc || echo gcc libc6-dev
	# cargo fetches what the lab is made of over HTTPS.
	[ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
	rust_is_new || rust_packages
}

install_packages()
{
	command_line="apt-get update && apt-get install -y --no-install-recommends $*"
	have apt-get || die "these programs are needed: $*"
	if [ "$(id -u)" -ne 0 ]; then
		printf 'To build the lab, packages are missing; this command installs them:\n\n' >&2
		if have sudo; then
			printf "  sudo sh -c '%s'\n\n" "$command_line" >&2
		else
			printf "  su -c '%s'\n\n" "$command_line" >&2
		fi
		exit 1
	fi
	printf '==> Installing %s: a minute or two, once\n' "$*" >&2
	log=$(mktemp)
	# A compiler that is already here may be somebody's choice: nothing is removed for ours.
	if ! {
		apt-get update -qq &&
			DEBIAN_FRONTEND=noninteractive apt-get install -y \
				--no-install-recommends --no-remove "$@"
	} >"$log" 2>&1 </dev/null; then
		tail -n 15 "$log" >&2
		die "packages could not be installed (whole log: $log); correct that, then run: $command_line"
	fi
	rm -f "$log"
	rust_is_new || die "$(command -v rustc) is older than 1.$need_minor: remove it, or put a newer one first in PATH"
}

packages=$(missing)
# One word a package from here on.
# shellcheck disable=SC2086
[ -z "$packages" ] || install_packages $packages

# Without a terminal, or when nothing is likely to be compiled, cargo speaks up on errors only.
quiet=--quiet
if [ ! -x "$lab" ]; then
	printf '==> Building the lab: about a minute, once\n' >&2
	[ ! -t 2 ] || quiet=
fi
# shellcheck disable=SC2086
cargo build $quiet --locked --package lab \
	--manifest-path "$top/tools/Cargo.toml" --target-dir "$top/tools/target"

[ $# -eq 0 ] || exec "$lab" "$@"
