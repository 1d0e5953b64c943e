#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The modules can go and come in any order, also while the decision waits; the end is the same.
#
# Holds: R18, C7

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CYCLES=${CYCLES:-10}

needs_dax_cxl() {
	[ -n "${HAD_DAX_CXL:-}" ] || skip "dax_cxl is not loaded"
}

hmem_cannot_go_first() {
	needs_dax_cxl || return
	! rmmod dax_hmem 2>/dev/null || fail "dax_hmem was unloaded under dax_cxl" || return
	same_as "$TMP/before" || diff "$TMP/before" "$TMP/now"
}

# nothing_of MODULE: what must not be there without it
nothing_of() {
	! is_loaded "$1" || fail "$1 is loaded" || return
	case $1 in
	dax_hmem)
		[ -z "$(hmem_devices)" ] || fail "left: $(hmem_devices)" || return
		[ ! -e "$LEDGER" ] && [ ! -e $HOST/ownership ] || fail "files of it are left" || return
		! iomem_tree | grep -q 'Soft Reserved' || fail "$(iomem_tree)"
		;;
	dax_cxl)
		[ -z "$(names $CXL 'dax_region*/dax[0-9]*')" ] || fail "a dax device of it is left"
		;;
	esac
}

# reload "MODULES TO UNLOAD" "MODULES TO LOAD"
reload() {
	local module
	needs_dax_cxl || return
	offline || return
	for module in $1; do
		unload "$module" && nothing_of "$module" || return
	done
	for module in $2; do
		modprobe "$module" || return
	done
	online_again
	comes_back "$TMP/before"
}

reload_at_once() {
	local one
	needs_dax_cxl || return
	offline && unload dax_cxl dax_hmem || return
	background modprobe dax_cxl
	one=$PID
	background modprobe dax_hmem
	wait "$one" "$PID" || return
	online_again
	comes_back "$TMP/before"
}

reload_hmem_only() {
	[ -z "${HAD_DAX_CXL:-}" ] || offline || return
	[ -z "${HAD_DAX_CXL:-}" ] || unload dax_cxl || return
	online_again
	at_rest
	snapshot >"$TMP/alone"
	offline && unload dax_hmem && nothing_of dax_hmem || return
	load dax_hmem && online_again && comes_back "$TMP/alone" || return
	[ -z "${HAD_DAX_CXL:-}" ] || load dax_cxl || return
	online_again
	comes_back "$TMP/before"
}

# What CXL's regions cover stays CXL's while its driver is away.
hmem_leaves_it_to_cxl() {
	local ranges
	needs_dax_cxl || return
	ranges=$(cxl_ranges)
	[ -n "$ranges" ] || skip "CXL serves nothing here" || return
	offline && unload dax_cxl || return
	unbind_host && bind_host && wait_for settled_without_cxl || return
	! hmem_serves "$ranges" || fail "HMEM took what CXL's regions cover:" "$(snapshot)" || return
	load dax_cxl && online_again && comes_back "$TMP/before"
}

settled_without_cxl() {
	[ ! -e $HOST/ownership ] || is_settled
}

cxl_ranges() {
	local device dax
	for device in $(names $CXL 'dax_region[0-9]*'); do
		for dax in $(dax_of "$CXL/$device"); do
			range_of "$dax"
		done
	done
}

# hmem_serves RANGES: whether an hmem device serves one of them
hmem_serves() {
	local device dax range
	for device in $(hmem_devices); do
		for dax in $(dax_of "$PLATFORM/devices/$device"); do
			for range in $(range_of "$dax"); do
				! contains " $(echo "$1" | tr '\n' ' ') " " $range " || return 0
			done
		done
	done
	return 1
}

# While the decision waits, loading returns, and dax_cxl has no driver yet: the order in which
# the two are loaded cannot let it overtake HMEM.
load_while_waiting() {
	needs_undecided && needs_dax_cxl || return
	offline && unload dax_cxl dax_hmem && hold_probe || return
	timeout "$TIMEOUT" modprobe "$1" || fail "modprobe $1 does not return" || return
	timeout "$TIMEOUT" modprobe -a dax_hmem dax_cxl || fail "modprobe does not return" || return
	udevadm settle
	[ ! -e $CXL_DRIVER ] || fail "dax_cxl has its driver before HMEM has decided" || return
	release_probe
	wait_for test -e $CXL_DRIVER || fail "dax_cxl has no driver afterwards" || return
	online_again
	comes_back "$TMP/before"
}

unbind_while_waiting() {
	needs_undecided || return
	offline && unbind_host && no_online && hold_probe || return
	bind_host || return
	timeout "$TIMEOUT" bash -c "echo hmem_platform.0 >$HOST_DRIVER/unbind" ||
		fail "unbinding waits for the decision" || return
	probe_is_held || fail "the probe was not held" || return
	[ -z "$(hmem_devices)" ] || fail "left: $(hmem_devices)" || return
	release_probe
	store $AUTO_ONLINE "$ONLINE_WANTED"
	bind_host && online_again && comes_back "$TMP/before"
}

# Code that waits cannot go; unloading lasts until the wait is over, and leaves nothing.
unload_while_waiting() {
	local rmmod
	needs_undecided || return
	offline && forbid_autoload || return
	[ -z "${HAD_DAX_CXL:-}" ] || unload dax_cxl || return
	unload dax_hmem && no_online && hold_probe || return
	modprobe dax_hmem && { [ -z "${HAD_DAX_CXL:-}" ] || modprobe dax_cxl; } || return
	background sh -c "${HAD_DAX_CXL:+rmmod dax_cxl &&} rmmod dax_hmem"
	rmmod=$PID
	probe_is_held || fail "the probe was not held" || return
	release_probe
	wait "$rmmod" || fail "rmmod failed" || return
	nothing_of dax_hmem || return
	allow_autoload
	store $AUTO_ONLINE "$ONLINE_WANTED"
	load dax_hmem ${HAD_DAX_CXL:+dax_cxl}
	comes_back "$TMP/before"
}

# Loaded and unloaded at once, whatever has been decided by then.
again_and_again() {
	local cycle
	offline && forbid_autoload || return
	[ -z "${HAD_DAX_CXL:-}" ] || unload dax_cxl || return
	unload dax_hmem && no_online || return
	for ((cycle = 1; cycle <= CYCLES; cycle++)); do
		modprobe dax_hmem || fail "cycle $cycle" || return
		[ $((cycle % 2)) = 0 ] || [ -z "${HAD_DAX_CXL:-}" ] ||
			{ modprobe dax_cxl && rmmod dax_cxl; } || fail "cycle $cycle" || return
		rmmod dax_hmem || fail "cycle $cycle" || return
	done
	nothing_of dax_hmem || return
	allow_autoload
	store $AUTO_ONLINE "$ONLINE_WANTED"
	load dax_hmem ${HAD_DAX_CXL:+dax_cxl}
	comes_back "$TMP/before"
}

start_opted_in 13
at_rest
snapshot >"$TMP/before"
cat "$LEDGER" >"$TMP/ledger" 2>/dev/null

run "dax_hmem cannot go while dax_cxl is loaded" hmem_cannot_go_first
run "dax_cxl goes and comes" reload dax_cxl dax_cxl
run "dax_hmem goes and comes while dax_cxl is away" reload_hmem_only
run "both go, dax_hmem comes first" reload "dax_cxl dax_hmem" "dax_hmem dax_cxl"
run "both go, dax_cxl comes first" reload "dax_cxl dax_hmem" "dax_cxl dax_hmem"
run "both go, both come at the same time" reload_at_once
run "what CXL's regions cover stays CXL's while dax_cxl is away" hmem_leaves_it_to_cxl
run "the decision waits, dax_hmem was loaded first: dax_cxl waits too" load_while_waiting dax_hmem
run "the decision waits, dax_cxl was loaded first: it waits too" load_while_waiting dax_cxl
run "hmem_platform can be unbound while the decision waits" unbind_while_waiting
run "both can be unloaded while the decision waits" unload_while_waiting
run "loaded and unloaded $CYCLES times without a pause" again_and_again
run "the log holds no report" log_is_clean
ktap_finished
