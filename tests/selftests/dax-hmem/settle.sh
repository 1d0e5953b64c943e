#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# User space can wait until ownership is settled: by attribute, by poll and by uevent.
#
# Holds: R10

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

is_there() {
	[ -e $OWNERSHIP ] || fail "there is no attribute ownership" || return
	[ "$(stat -c %a $OWNERSHIP)" = 444 ] || fail "its mode is $(stat -c %a $OWNERSHIP)" || return
	is_settled || fail "it reads $(<$OWNERSHIP)" || return
	! store $OWNERSHIP settled 2>/dev/null || fail "it can be written"
}

monitor() {
	background udevadm monitor --kernel --property --subsystem-match=platform >"$TMP/uevents"
	wait_for grep -q '^KERNEL' "$TMP/uevents"
}

# settled_events: how many change events of the host said so
settled_events() {
	awk -v RS= '/ACTION=change/ && /DEVPATH=\/devices\/platform\/hmem_platform.0\n/ &&
		/OWNERSHIP=settled/ { n++ } END { print n + 0 }' "$TMP/uevents"
}

has_events() {
	[ "$(settled_events)" -ge "$1" ]
}

sends_a_uevent() {
	offline && unbind_host && monitor || return
	bind_host || return
	wait_for has_events 1 || fail "no change event with OWNERSHIP=settled:" "$(<"$TMP/uevents")" || return
	is_settled || fail "it came before ownership was settled" || return
	# When an event of our own has come, all before it have.
	store $HOST/uevent change && wait_for grep -q SYNTH_UUID "$TMP/uevents" || return
	[ "$(settled_events)" = 1 ] || fail "$(settled_events) events for one decision"
}

# The decision waits for device probing, which hold_probe keeps from ending.
pending() {
	needs_perl || return
	needs_undecided || return
	offline && unbind_host && hold_probe || return
	bind_host || fail "cannot bind while a probe is slow" || return
	[ "$(<$OWNERSHIP)" = pending ] || fail "reads $(<$OWNERSHIP)" || return
	background poll_for_change
	POLLER=$PID
	wait_for grep -q 'reads pending' "$TMP/poll"
}

# What regions cover is CXL's at once: only a "no" has to wait.
yes_is_early() {
	needs_undecided || return
	probe_is_held || fail "the probe is not held" || return
	grep -q 'state=cxl reason=covered' "$TMP/ledger" || skip "no range that a region covers" || return
	wait_for grep -q 'state=cxl reason=covered' "$LEDGER" || fail "$(<"$LEDGER")"
}

no_has_to_wait() {
	needs_undecided || return
	probe_is_held || fail "the probe is not held" || return
	grep -q 'state=deferred reason=awaiting-cxl' "$LEDGER" || fail "$(<"$LEDGER")" || return
	! gone "$POLLER" || fail "poll has returned already" || return
	[ "$(<$OWNERSHIP)" = pending ] || fail "reads $(<$OWNERSHIP)"
}

poll_wakes_up() {
	needs_undecided || return
	release_probe
	wait "$POLLER" || fail "poll has not returned:" "$(<"$TMP/poll")" || return
	grep -qx 'then settled' "$TMP/poll" || fail "$(<"$TMP/poll")"
}

# A reader that keeps the file open does not keep the driver from going.
goes_under_a_reader() {
	needs_perl || return
	background poll_for_change
	wait_for grep -q 'reads settled' "$TMP/poll" || return
	offline && timeout "$TIMEOUT" bash -c "echo hmem_platform.0 >$HOST_DRIVER/unbind" ||
		fail "cannot be unbound under a reader" || return
	[ ! -e $OWNERSHIP ] || fail "the attribute is left" || return
	kill "$PID" 2>/dev/null
	bind_host
}

as_before() {
	online_again
	comes_back "$TMP/before" && log_is_clean
}

start_opted_in 8
at_rest
snapshot >"$TMP/before"
cat "$LEDGER" >"$TMP/ledger" 2>/dev/null

run "the attribute ownership is read-only and says settled" is_there
run "binding ends with one change event OWNERSHIP=settled" sends_a_uevent
run "while a probe is slow, ownership is pending" pending
run "what regions cover is CXL's already" yes_is_early
run "what none covers waits, and so does poll" no_has_to_wait
run "poll returns when ownership is settled" poll_wakes_up
run "an open attribute keeps nobody from unbinding" goes_under_a_reader
run "everything is as before, and the log without a report" as_before
ktap_finished
