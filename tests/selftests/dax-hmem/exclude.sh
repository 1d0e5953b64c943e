#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# exclude: addresses that the administrator keeps out of HMEM, whatever firmware says of them.
#
# Holds: R13

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

EXCLUDE=$PARAMS/exclude

# pick: a range that HMEM serves, and its first half in whole memory blocks
pick() {
	local device range block
	block=$((0x$(</sys/devices/system/memory/block_size_bytes)))
	for device in $(hmem_devices); do
		for range in $(range_of "$(dax_of "$PLATFORM/devices/$device" | head -n 1)"); do
			FIRST=$((${range%-*})) LAST=$((${range#*-}))
			MIDDLE=$((FIRST + (LAST - FIRST) / 2 / block * block))
			[ $MIDDLE -le $FIRST ] || return 0
		done
	done
	return 1
}

refuses_what_is_no_list() {
	local text before
	before=$(<"$EXCLUDE")
	for text in 0x1000 0x2000-0x1000 x-y 0x1000-0x1fff,,0x3000-0x3fff 0x1000-0x1fff-0x2fff; do
		refuses "$EXCLUDE" "$text" || fail "'$text' was taken" || return
		[ "$(<"$EXCLUDE")" = "$before" ] || fail "'$text' was refused and changed it" || return
	done
}

changes_nothing_by_itself() {
	local before
	EXCLUDED=1
	before=$(snapshot)
	store "$EXCLUDE" "$(printf '%#x-%#x' "$FIRST" $((MIDDLE - 1)))" || fail "not taken" || return
	at_rest
	[ "$(snapshot)" = "$before" ] || fail "$(snapshot)"
}

rebind() {
	offline && unbind_host && bind_host || return
	wait_for is_settled || fail "not settled" || return
	online_again
	at_rest
}

# has_dax FIRST LAST: whether a device of HMEM has any of these addresses
has_dax() {
	local device range
	for device in $(hmem_devices); do
		for range in $(range_of "$(dax_of "$PLATFORM/devices/$device" | head -n 1)"); do
			[ $((${range%-*})) -gt "$2" ] || [ $((${range#*-})) -lt "$1" ] || return 0
		done
	done
	return 1
}

is_kept_out() {
	rebind || return
	! has_dax "$FIRST" $((MIDDLE - 1)) || fail "HMEM has some of it: $(snapshot)" || return
	has_dax "$MIDDLE" "$LAST" || fail "HMEM does not have the rest: $(snapshot)" || return
	! iomem | awk -v first="$FIRST" -v last=$((MIDDLE - 1)) '
		/Soft Reserved$/ && $1 <= last && first <= $2 { found = 1 } END { exit !found }' ||
		fail "$(iomem_tree)"
}

ledger_says_so() {
	grep "^range=$(printf '%#x' "$FIRST")-" "$LEDGER" | grep -q 'state=free reason=excluded' ||
		fail "$(<"$LEDGER")"
}

survives_a_reload() {
	offline && unload dax_cxl dax_hmem || return
	modprobe dax_hmem exclude="$(printf '%#x-%#x' "$FIRST" $((MIDDLE - 1)))" || return
	[ -z "${HAD_DAX_CXL:-}" ] || load dax_cxl || return
	at_rest
	! has_dax "$FIRST" $((MIDDLE - 1)) || fail "HMEM has some of it: $(snapshot)"
}

is_back() {
	store "$EXCLUDE" "" && rebind && comes_back "$TMP/before"
}

start_opted_in 7
[ -e "$EXCLUDE" ] || skip_all "dax_hmem has no parameter exclude"
at_rest
[ -z "$(<"$EXCLUDE")" ] || skip_all "exclude is in use: $(<"$EXCLUDE")"
pick || skip_all "HMEM serves no range of two memory blocks"
snapshot >"$TMP/before"

run "what is no list of addresses is refused" refuses_what_is_no_list
run "writing it changes nothing that stands" changes_nothing_by_itself
run "after a rebind HMEM serves what is beside it only" is_kept_out
run "the ledger says so" ledger_says_so
run "given when loading it is the same" survives_a_reload
run "emptied, all is as before" is_back
run "the log holds no report" log_is_clean
ktap_finished
