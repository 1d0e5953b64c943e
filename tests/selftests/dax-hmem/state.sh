# SPDX-License-Identifier: GPL-2.0
#
# Reads and changes who serves Soft Reserved memory. Sourced by lib.sh.
# shellcheck shell=bash disable=SC2034

PLATFORM=/sys/bus/platform
HOST=$PLATFORM/devices/hmem_platform.0
OWNERSHIP=$HOST/ownership
HOST_DRIVER=$PLATFORM/drivers/hmem_platform
HMEM_DRIVER=$PLATFORM/drivers/hmem
CXL=/sys/bus/cxl/devices
CXL_DRIVER=/sys/bus/cxl/drivers/cxl_dax_region
DAX=/sys/bus/dax/devices
LEDGER=/sys/kernel/debug/dax_hmem/ledger
AUTO_ONLINE=/sys/devices/system/memory/auto_online_blocks
PARAMS=/sys/module/dax_hmem/parameters

is_loaded() {
	[ -e "/sys/module/$1/initstate" ]
}

# driver_of DEVICE: name of its driver, empty if it has none
driver_of() {
	local link
	link=$(readlink "$1/driver" 2>/dev/null) && echo "${link##*/}"
}

# names DIRECTORY PATTERN: entries of that name, one a line
names() {
	local entry
	for entry in "$1"/$2; do
		[ -e "$entry" ] && echo "${entry##*/}"
	done
}

hmem_devices() {
	names $PLATFORM/devices 'hmem.[0-9]*'
}

# dax_of DEVICE: the dax devices below a parent
dax_of() {
	names "$1" 'dax[0-9]*.[0-9]*'
}

# range_of DAX: its addresses as first-last in hex, one mapping a line
range_of() {
	local mapping
	for mapping in "$DAX/$1"/mapping[0-9]*; do
		[ -e "$mapping" ] && echo "$(<"$mapping/start")-$(<"$mapping/end")"
	done
}

# iomem: /proc/iomem as "first last depth name", numbers decimal
iomem() {
	awk --non-decimal-data '{
		match($0, /^ */); depth = RLENGTH / 2
		split($1, at, "-"); name = $0; sub(/^[^:]* : /, "", name)
		printf "%d %d %d %s\n", "0x" at[1], "0x" at[2], depth, name
	}' /proc/iomem
}

# iomem_tree: what /proc/iomem shows of DAX, CXL and Soft Reserved memory: one line for each
# entry, with its ancestors, and without the numbers that change from one binding to the next
iomem_tree() {
	awk '{
		match($0, /^ */); depth = RLENGTH / 2
		name = $0; sub(/^[^:]* : /, "", name)
		sub(/^dax[0-9]+\./, "dax*.", name); sub(/^region[0-9]+$/, "region*", name)
		path[depth] = name
		if (name !~ /^(Soft Reserved|dax\*|region\*|CXL Window|System RAM \(kmem\))/) next
		line = $1
		for (i = 0; i <= depth; i++) line = line (i ? " > " : " ") path[i]
		print line
	}' /proc/iomem
}

# online_mib: how much memory of dax devices is System RAM
online_mib() {
	iomem | awk '/ System RAM \(kmem\)$/ { sum += $2 - $1 + 1 } END { print sum / 1048576 }'
}

# ledger: its lines without times and without the numbers of devices
ledger() {
	sed -E -e '/^#/d' -e 's/ [a-z]+_ns=[0-9]+//g' -e 's/=hmem\.[0-9]+/=hmem.*/' \
		-e 's/=region[0-9]+/=region*/' "$LEDGER" 2>/dev/null
}

# field NAME LINE: the value of NAME= in a line of the ledger
field() {
	case " $2 " in
	*" $1="*)
		set -- "${2##*"$1="}"
		echo "${1%% *}"
		;;
	esac
}

# snapshot: everything that must be the same again after a rebind or reload
snapshot() {
	local device name
	iomem_tree
	for device in "$DAX"/dax*; do
		[ -e "$device" ] || continue
		name=$(readlink -f "$device")
		name=${name%/*}
		name=${name##*/}
		echo "dax of ${name%%[0-9.]*} $(range_of "${device##*/}")" \
			"driver=$(driver_of "$device") state=$(cat "$device/state" 2>/dev/null)" \
			"node=$(<"$device/target_node")"
	done | sort
	for device in $(hmem_devices); do
		echo "hmem driver=$(driver_of "$PLATFORM/devices/$device")"
	done
	for device in "$CXL"/dax_region*; do
		[ -e "$device" ] && echo "dax_region driver=$(driver_of "$device")"
	done
	ledger
} 2>/dev/null

# same_as FILE: whether the snapshot is what it was
same_as() {
	snapshot >"$TMP/now"
	cmp -s "$1" "$TMP/now"
}

# comes_back FILE: waits until the snapshot is as in FILE; says what differs if it does not
comes_back() {
	wait_for same_as "$1" || {
		diff "$1" "$TMP/now"
		return 1
	}
}

is_settled() {
	[ "$(cat $HOST/ownership 2>/dev/null)" = settled ]
}

# at_rest: nothing undecided, nothing left for udev to do, memory as the policy has it
at_rest() {
	local one two=
	udevadm settle --timeout="$TIMEOUT"
	# Without the attribute, two equal looks in a row must do.
	[ ! -e $HOST/ownership ] || wait_for is_settled || return 1
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		one=$(snapshot)
		[ "$one" != "$two" ] || return 0
		two=$one
		pause 0.5
	done
	return 1
}

# keep_online_policy: memory that comes back is to be online as it is now
keep_online_policy() {
	local device state
	ONLINE_POLICY=$(cat $AUTO_ONLINE 2>/dev/null)
	for device in "$DAX"/dax*; do
		state=$(cat "$device/state" 2>/dev/null)
		case $state in
		online*)
			ONLINE_WANTED=$state
			[ "$state" = "$ONLINE_POLICY" ] || { CHANGED=1; store $AUTO_ONLINE "$state"; }
			return
			;;
		esac
	done
	ONLINE_WANTED=$ONLINE_POLICY
}

# no_online: memory that comes is to stay offline, so that drivers can go at any moment
no_online() {
	store $AUTO_ONLINE offline
}

restore_online_policy() {
	[ -z "${ONLINE_POLICY:-}" ] || store $AUTO_ONLINE "$ONLINE_POLICY"
}

# offline [DAX...]: takes memory offline and removes it, of all dax devices by default
offline() {
	local device
	CHANGED=1
	# shellcheck disable=SC2046
	[ $# -gt 0 ] || set -- $(names $DAX 'dax*')
	for device; do
		[ -e "$DAX/$device/state" ] || continue
		store "$DAX/$device/state" unplugged || fail "$device: memory is in use" || return
	done
}

unbind_host() {
	CHANGED=1
	store $HOST_DRIVER/unbind hmem_platform.0
}

bind_host() {
	[ -e $HOST/driver ] || store $HOST_DRIVER/bind hmem_platform.0
}

# unload MODULE...: in that order, after udev has done what could load them again
unload() {
	CHANGED=1
	local module
	udevadm settle --timeout="$TIMEOUT"
	for module; do
		! is_loaded "$module" || rmmod "$module" || return
	done
}

load() {
	modprobe -a "$@"
}

# Without it every "add" event of a device loads the driver again.
MODPROBE_CONF=/run/modprobe.d/dax-hmem-selftest.conf
forbid_autoload() {
	CHANGED=1
	mkdir -p "${MODPROBE_CONF%/*}" &&
		printf 'blacklist %s\n' dax_hmem dax_cxl >$MODPROBE_CONF &&
		udevadm control --reload
}

allow_autoload() {
	[ ! -e $MODPROBE_CONF ] || { rm -f $MODPROBE_CONF && udevadm control --reload; }
}

# online_again: what kmem has and was taken offline, or came offline
online_again() {
	local dax
	for dax in $(names $DAX 'dax*'); do
		case $(cat "$DAX/$dax/state" 2>/dev/null) in
		unplugged) ;;
		offline) [ "$ONLINE_WANTED" = offline ] || store "$DAX/$dax/state" unplugged ;;
		*) continue ;;
		esac
		store "$DAX/$dax/state" "$ONLINE_WANTED"
	done
}

# restore: drivers loaded and bound as they were, memory online again
restore() {
	local device
	allow_autoload
	load dax_hmem ${HAD_DAX_CXL:+dax_cxl}
	[ "$(cat $PARAMS/region_idle)" = N ] || store $PARAMS/region_idle 0
	[ -z "${EXCLUDED:-}" ] || store $PARAMS/exclude ""
	[ -e $HOST/driver ] || bind_host
	for device in $(hmem_devices); do
		[ -e "$HMEM_DRIVER/$device" ] || store $HMEM_DRIVER/bind "$device"
	done
	at_rest
	online_again
}

# needs_undecided: skips where no range has to wait for CXL, as told by a ledger from before
needs_undecided() {
	grep -q 'CXL Window' /proc/iomem || skip "no CXL window: nothing is ever undecided" || return
	[ ! -s "$TMP/ledger" ] ||
		grep -Eq 'state=(hmem|failed) reason=(no-region|partly-covered|unaligned|too-small)' "$TMP/ledger" ||
		skip "no range that CXL leaves to HMEM: nothing has to wait"
}

# hold_probe: keeps device probing from settling, until release_probe
hold_probe() {
	[ -e "$DIR/hold_probe/hold_probe.ko" ] ||
		skip "hold_probe.ko was not built: install with KDIR set to the built kernel tree" ||
		return
	insmod "$DIR/hold_probe/hold_probe.ko" &
	HOLDER=$!
	wait_for probe_is_held || fail "hold_probe does not wait"
}

probe_is_held() {
	[ "$(cat /sys/module/hold_probe/parameters/holding 2>/dev/null)" = Y ]
}

release_probe() {
	[ -n "${HOLDER:-}" ] || return 0
	store /sys/module/hold_probe/parameters/hold 0
	wait "$HOLDER"
	HOLDER=
	rmmod hold_probe
}

# decimal: turns the first two numbers on each line of the input into decimal ones
decimal() {
	local first last rest
	while read -r first last rest; do
		echo "$((first)) $((last))${rest:+ $rest}"
	done
}

# firmware_ranges: "first last" of what the kernel log of the boot says is Soft Reserved, ascending
firmware_ranges() {
	local map
	map=$(dmesg | grep -E '(BIOS-e820|user): \[mem 0x[0-9a-f]+-0x[0-9a-f]+\]')
	! grep -q 'user: ' <<<"$map" || map=$(grep 'user: ' <<<"$map")
	sed -nE 's/.*\[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\] +soft reserved.*/\1 \2/Ip' <<<"$map" |
		decimal | sort -n
}

needs_perl() {
	command -v perl >/dev/null || skip "no perl to poll with"
}

# poll_for_change: ends with 0 when the attribute changes, with 1 after TIMEOUT
poll_for_change() {
	perl -e '
		open(my $f, "<", $ARGV[0]) or exit 2;
		sysread($f, my $text, 64);
		$| = 1; print "reads $text";
		my $set = ""; vec($set, fileno($f), 1) = 1;
		# An attribute is "exceptional" when it has changed since it was read.
		my $n = select(undef, undef, my $got = $set, $ARGV[1]);
		exit 1 unless $n;
		sysseek($f, 0, 0); sysread($f, $text, 64); print "then $text";' $OWNERSHIP "$TIMEOUT" >"$TMP/poll"
}
