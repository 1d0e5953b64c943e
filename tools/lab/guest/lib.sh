# SPDX-License-Identifier: GPL-2.0
#
# What the guest's scripts share. Under TCG a process costs some 10 ms, hence the builtins.

failed=

# share TAG DIRECTORY OPTIONS: mounts a directory of the host
share() {
	mount -t 9p -o "trans=virtio,version=9p2000.L,msize=262144,$3" "$1" "$2" ||
		fail "cannot mount the share $1"
}

# Opens the channel to the host as descriptor 7, and 8 as one that never has data.
open_control() {
	local port name
	for port in /sys/class/virtio-ports/*; do
		read -r name <"$port/name" && [ "$name" = lab ] && exec 7<>"/dev/${port##*/}"
	done
	mkfifo /run/lab-never
	exec 8<>/run/lab-never
}

# say WORDS: tells the host
say() {
	echo "$*" >&7
}

# load_kernel OPTIONS: kexec's load of the kernel under test
load_kernel() {
	[ ! -e /lab/in/initramfs ] || set -- "$@" --initrd=/lab/in/initramfs
	kexec -a "$@" /lab/in/kernel
}

# pause SECONDS: lets time pass between two looks at a condition
pause() {
	read -r -t "$1" -u 8 _
}

# fail REASON: ends the guest, with the state as it is
fail() {
	failed=$1
	say "fail $1"
	echo "lab: $1" >/dev/kmsg
	capture end
	dmesg >/lab/out/dmesg
	echo "$failed" >/lab/out/done
	power_off
}

power_off() {
	exec 7>&-
	echo o >/proc/sysrq-trigger
	while :; do pause 60; done
}

# link_name LINK: the last component of what LINK leads to, empty if there is none
link_name() {
	local name=
	[ -e "$1" ] && cd -P "$1" && name=${PWD##*/}
	cd /
	REPLY=$name
}

# value FILE: its first line
value() {
	REPLY=
	[ -e "$1" ] && read -r REPLY 2>/dev/null <"$1"
}

. /lab/in/guest/capture.sh
