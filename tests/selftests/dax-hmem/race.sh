#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Drivers and modules come and go while others read what they show, and while others make them
# come and go. In the end everything is as before, and the kernel has nothing to report.
#
# Holds: R18

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CYCLES=${CYCLES:-30}

# until_stopped COMMAND...: again and again
until_stopped() {
	while [ ! -e "$TMP/stop" ]; do
		"$@"
	done
}

# read_regions: the attributes that the DAX core serves from the driver data of the parent. Of a
# driver that touches that data, they show nonsense, or worse.
read_regions() {
	local device value=
	for device in $PLATFORM/devices/hmem.[0-9]* $CXL/dax_region[0-9]*; do
		read -r value <"$device/dax_region/id" && [ "$value" != "${device##*[!0-9]}" ] &&
			echo "$device/dax_region/id is $value" >>"$TMP/wrong"
		read -r value <"$device/dax_region/align" && [ $((value & (value - 1))) != 0 ] &&
			echo "$device/dax_region/align is $value" >>"$TMP/wrong"
		read -r value <"$device/dax_region/size" && [ $((value % 2097152)) != 0 ] &&
			echo "$device/dax_region/size is $value" >>"$TMP/wrong"
		read -r value <"$device/dax_region/available_size"
		read -r value <"$device/dax_region/seed"
		read -r value <"$device/dax_region/create"
		: $((READS += 1))
	done
	[ -e "$TMP/read" ] || [ "$READS" -lt 10 ] || : >"$TMP/read"
} 2>/dev/null

# read_ledger: what one reader gets is of one moment
read_ledger() {
	local text line
	# "read" alone would seek back to the end of the line, in a text that is another by then.
	text=$(<"$LEDGER")
	while read -r line; do
		case $line in
		'' | '# dax_hmem ledger 1' | 'region=region'*' outcome='* | 'range='*' served_ns='[0-9]*) ;;
		*) echo "in the ledger: $line" >>"$TMP/wrong" ;;
		esac
	done <<<"$text"
	line=
	read -r line <$HOST/ownership
	case $line in
	settled | pending | '') ;;
	*) echo "ownership is $line" >>"$TMP/wrong" ;;
	esac
} 2>/dev/null

start_readers() {
	rm -f "$TMP/stop" "$TMP/wrong" "$TMP/read"
	READERS=()
	background until_stopped read_regions
	READERS+=("$PID")
	background until_stopped read_regions
	READERS+=("$PID")
	background until_stopped read_ledger
	READERS+=("$PID")
	wait_for test -e "$TMP/read"
}

stop_readers() {
	: >"$TMP/stop"
	wait "${READERS[@]}"
	[ ! -e "$TMP/wrong" ] || fail "$(sort "$TMP/wrong" | uniq -c | head)"
}

bind_under_readers() {
	local cycle device rc=0
	offline && unbind_host || return
	# Without kmem a cycle takes a tenth of the time.
	store $PARAMS/region_idle 1 && bind_host && wait_for is_idle_and_bound || return
	start_readers || fail "nothing to read" || return
	for ((cycle = 1; cycle <= CYCLES && rc == 0; cycle++)); do
		for device in $(hmem_devices); do
			store $HMEM_DRIVER/unbind "$device" && store $HMEM_DRIVER/bind "$device" ||
				{ echo "$device in cycle $cycle" && rc=1; }
		done
	done
	stop_readers || rc=1
	store $PARAMS/region_idle 0
	unbind_host && bind_host && online_again && comes_back "$TMP/before" && [ $rc = 0 ]
}

is_idle_and_bound() {
	local device
	[ -n "$(hmem_devices)" ] || return
	for device in $(hmem_devices); do
		[ -e "$HMEM_DRIVER/$device" ] || return
	done
}

rebind_under_readers() {
	local cycle rc=0
	offline && no_online || return
	start_readers || fail "nothing to read" || return
	for ((cycle = 1; cycle <= CYCLES && rc == 0; cycle++)); do
		unbind_host && bind_host || { echo "in cycle $cycle" && rc=1; }
	done
	stop_readers || rc=1
	store $AUTO_ONLINE "$ONLINE_WANTED"
	unbind_host && bind_host && online_again && comes_back "$TMP/before" && [ $rc = 0 ]
}

reload_cxl_under_readers() {
	local cycle rc=0
	[ -n "${HAD_DAX_CXL:-}" ] || skip "dax_cxl is not loaded" || return
	offline && forbid_autoload && no_online || return
	start_readers || fail "nothing to read" || return
	for ((cycle = 1; cycle <= CYCLES / 3 && rc == 0; cycle++)); do
		rmmod dax_cxl && modprobe dax_cxl || { echo "in cycle $cycle" && rc=1; }
	done
	stop_readers || rc=1
	allow_autoload
	store $AUTO_ONLINE "$ONLINE_WANTED"
	online_again
	comes_back "$TMP/before" && [ $rc = 0 ]
}

# The workers of everyone_at_once. Most of what they try fails, as others are in the way; what
# counts is that some of it succeeds.
did() {
	"$@" 2>/dev/null && echo >>"$TMP/did.$1.${2##*/}"
	true
}

work_cxl() {
	did modprobe dax_cxl
	did rmmod dax_cxl
}

work_hmem() {
	did rmmod dax_hmem
	did modprobe dax_hmem
}

work_host() {
	did store $HOST_DRIVER/unbind hmem_platform.0
	did store $HOST_DRIVER/bind hmem_platform.0
}

work_devices() {
	local device
	for device in $(hmem_devices); do
		did store $HMEM_DRIVER/unbind "$device"
		did store $HMEM_DRIVER/bind "$device"
	done
}

work_idle() {
	did store $PARAMS/region_idle 1
	did store $PARAMS/region_idle 0
}

# A slow machine comes to fewer cycles.
work() {
	local cycle
	for ((cycle = 1; cycle <= CYCLES && SECONDS < $2; cycle++)); do
		"$1"
	done
}

everyone_at_once() {
	local pids=() pid work rc=0 end=$((SECONDS + TIMEOUT))
	offline && forbid_autoload && no_online || return
	start_readers || fail "nothing to read" || return
	rm -f "$TMP"/did.*
	for work in work_hmem work_host work_devices work_idle ${HAD_DAX_CXL:+work_cxl}; do
		background work $work $end
		pids+=("$PID")
	done
	for pid in "${pids[@]}"; do
		wait_for gone "$pid" || wait_for gone "$pid" || { fail "a worker hangs:" "$(cat "/proc/$pid/stack" 2>&1)"; rc=1; }
	done
	stop_readers || rc=1
	allow_autoload
	store $AUTO_ONLINE "$ONLINE_WANTED"
	load dax_hmem && store $PARAMS/region_idle 0
	# Whatever was left half-way is decided anew.
	[ ! -e $HOST/driver ] || { offline && unbind_host; }
	[ -z "${HAD_DAX_CXL:-}" ] || { is_loaded dax_cxl && unload dax_cxl; }
	bind_host && load dax_hmem ${HAD_DAX_CXL:+dax_cxl} && online_again
	comes_back "$TMP/before" && [ $rc = 0 ]
}

# Else the test above said nothing.
everyone_did_something() {
	local what
	for what in rmmod.dax_hmem modprobe.dax_hmem store.bind store.unbind store.region_idle \
		${HAD_DAX_CXL:+modprobe.dax_cxl rmmod.dax_cxl}; do
		[ -s "$TMP/did.$what" ] || fail "never: $what" || return
	done
}

start_opted_in 6
at_rest
snapshot >"$TMP/before"

run "hmem devices bound and unbound $CYCLES times under readers" bind_under_readers
run "hmem_platform bound and unbound $CYCLES times under readers" rebind_under_readers
run "dax_cxl loaded and unloaded $((CYCLES / 3)) times under readers" reload_cxl_under_readers
run "everyone at once: load, unload, bind, unbind, read; then all is as before" everyone_at_once
run "everyone succeeded at some time" everyone_did_something
run "the log holds no report" log_is_clean
ktap_finished
