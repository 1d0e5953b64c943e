#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# dax_hmem is unloaded while somebody uses it: that waits, is refused, or works.
#
# Holds: R18, R20

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

TRACING=/sys/kernel/tracing

# unload_or_be_refused: false if it does neither
unload_or_be_refused() {
	local pid
	rmmod dax_hmem 2>/dev/null &
	pid=$!
	wait_for gone $pid || fail "rmmod waits for good"
}

# again: loaded, and as before
again() {
	is_loaded dax_hmem || load dax_hmem || return
	[ -z "${HAD_DAX_CXL:-}" ] || is_loaded dax_cxl || load dax_cxl || return
	bind_host && online_again && comes_back "$TMP/before"
}

away() {
	offline && forbid_autoload || return
	! is_loaded dax_cxl || unload dax_cxl
}

open_ledger() {
	away || return
	exec 3<"$LEDGER" || return
	head -c 1 <&3 >/dev/null
	unload_or_be_refused || return
	cat <&3 >/dev/null 2>&1
	exec 3<&-
	allow_autoload
	again
}

unbound_ledger() {
	away || return
	exec 3<"$LEDGER" || return
	unbind_host || return
	unload_or_be_refused || return
	cat <&3 >/dev/null 2>&1
	exec 3<&-
	allow_autoload
	again
}

open_attribute() {
	[ -e $HOST/ownership ] || skip "no attribute ownership" || return
	away || return
	exec 3<$HOST/ownership || return
	unload_or_be_refused || return
	cat <&3 >/dev/null 2>&1
	exec 3<&-
	allow_autoload
	again
}

polled() {
	[ -e "$OWNERSHIP" ] || skip "no attribute ownership" || return
	needs_perl && away || return
	background poll_for_change
	wait_for grep -q '^reads' "$TMP/poll" || return
	unload_or_be_refused || return
	kill "$PID" 2>/dev/null
	allow_autoload
	again
}

# write_parameters: what they are, over and over, while there is a module; counts in $TMP/written
write_parameters() {
	local parameter value
	while [ -e "$TMP/writing" ]; do
		for parameter in "$PARAMS"/*; do
			[ -w "$parameter" ] && value=$(<"$parameter") && store "$parameter" "$value" &&
				printf . >>"$TMP/written"
		done
	done
} 2>/dev/null

# Whoever has written since rmmod was called, and the module is gone, was at it when rmmod came.
written() {
	local before round met=
	away || return
	: >"$TMP/written"
	: >"$TMP/writing"
	background write_parameters
	for round in 1 2 3 4 5 6 7 8; do
		before=$(stat -c %s "$TMP/written")
		unload_or_be_refused || return
		[ "$(stat -c %s "$TMP/written")" = "$before" ] || met=1
		[ -z "$met" ] || break
		load dax_hmem && wait_for is_settled && offline || return
	done
	rm "$TMP/writing"
	wait "$PID"
	allow_autoload
	again || return
	[ -n "$met" ] || fail "no parameter was written in $round rounds"
}

traced() {
	[ -d $TRACING/events/dax_hmem ] || skip "no trace events" || return
	away || return
	store $TRACING/events/dax_hmem/enable 1 || return
	background cat $TRACING/trace_pipe >/dev/null
	unload_or_be_refused || return
	kill "$PID"
	[ ! -d $TRACING/events/dax_hmem ] || store $TRACING/events/dax_hmem/enable 0
	allow_autoload
	again
}

probed() {
	local function n=0
	[ -w $TRACING/kprobe_events ] || skip "no kprobe events" || return
	away || return
	for function in $(awk '$4 == "[dax_hmem]" && tolower($2) == "t" { print $3 }' \
		/proc/kallsyms | grep -v cfi | head -n 20); do
		# What is not to be traced cannot be probed.
		echo "p:dax_hmem_test/f$n dax_hmem:$function" 2>/dev/null >>$TRACING/kprobe_events &&
			: $((n += 1))
	done
	[ $n -gt 0 ] || skip "no function can be probed" || return
	store $TRACING/events/dax_hmem_test/enable 1 || return
	unload_or_be_refused || return
	store $TRACING/events/dax_hmem_test/enable 0
	while [ $n -gt 0 ]; do
		: $((n -= 1))
		echo "-:dax_hmem_test/f$n" >>$TRACING/kprobe_events
	done
	allow_autoload
	again
}

# Any device that no driver has will do: the drivers know what is theirs.
overridden() {
	local device driver
	device=$(for device in "$PLATFORM"/devices/*; do
		[ -e "$device/driver" ] || [ ! -w "$device/driver_override" ] || basename "$device"
	done | grep -v hmem | head -n 1)
	[ -n "$device" ] || skip "every platform device has a driver" || return
	for driver in hmem hmem_platform; do
		store "$PLATFORM/devices/$device/driver_override" $driver || return
		refuses $PLATFORM/drivers/$driver/bind "$device" || fail "$driver took $device" || return
		[ ! -e "$PLATFORM/devices/$device/driver" ] || fail "$device has a driver" || return
	done
	store "$PLATFORM/devices/$device/driver_override" ""
	same_as "$TMP/before" || comes_back "$TMP/before"
}

start_opted_in 9
at_rest
snapshot >"$TMP/before"

run "the ledger is open" open_ledger
run "the ledger is open, and hmem_platform is unbound" unbound_ledger
run "the attribute ownership is open" open_attribute
run "the attribute ownership is polled" polled
run "parameters are written" written
run "the trace pipe is read with all events enabled" traced
run "functions are probed" probed
run "a platform device of somebody else is refused by both drivers" overridden
run "the log holds no report" log_is_clean
ktap_finished
