#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A CXL region that covers a Soft Reserved range is destroyed: nothing decodes the range, so that
# HMEM does not serve it, whatever is unbound or unloaded; a new region is CXL's. Then one is made
# over a range that never had any, and destroyed while probing goes on: nobody waits for that, and
# the decision that follows does not take it for a range without a region.
#
# Holds: R11, R19
#
# Needs a machine where a committed region covers Soft Reserved memory, and the cxl tool; and for
# the second half a memory device without a region, and a range of HMEM where the next region is put.

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# find_region: one that dax_cxl serves, and that covers lines of the ledger
find_region() {
	local line
	line=$(grep -E '^range=.* state=cxl .*region=region' "$LEDGER" | head -n 1)
	REGION=$(field region "$line")
	[ -n "$REGION" ] && [ "$(cat "$CXL/$REGION/commit")" = 1 ] || return
	FIRST=$(($(<"$CXL/$REGION/resource")))
	LAST=$((FIRST + $(<"$CXL/$REGION/size") - 1))
	DECODER=$(basename "$(dirname "$(readlink -f "$CXL/$REGION")")")
	GRANULARITY=$(<"$CXL/$REGION/interleave_granularity")
	MEMDEVS=$(memdevs)
}

# memdevs: the memory devices of the region in the order of its targets
memdevs() {
	local target endpoint
	for target in "$CXL/$REGION"/target[0-9]*; do
		endpoint=$(dirname "$(readlink -f "$CXL/$(<"$target")")")
		basename "$(readlink -f "$endpoint/uport")"
	done
}

destroy() {
	# shellcheck disable=SC2046
	offline $(dax_of "$CXL/dax_$REGION") || return
	cxl disable-region -f "$REGION" && cxl destroy-region -f "$REGION"
}

# is_nobodys: no dax device has any of it, and none of it is System RAM
is_nobodys() {
	local dax range
	at_rest
	for dax in $(names $DAX 'dax*'); do
		for range in $(range_of "$dax"); do
			[ $((${range%-*})) -gt "$LAST" ] || [ $((${range#*-})) -lt "$FIRST" ] ||
				fail "$dax has $range" || return
		done
	done
	! iomem | awk -v first="$FIRST" -v last="$LAST" '
		/(System RAM \(kmem\)|Soft Reserved)$/ && $1 <= last && first <= $2 { found = 1 }
		END { exit !found }' || fail "$(iomem_tree)"
}

after_rebind() {
	offline && unbind_host && bind_host || return
	wait_for is_settled || fail "not settled" || return
	online_again
	is_nobodys
}

after_reload() {
	offline && unload dax_cxl dax_hmem && load dax_hmem dax_cxl || return
	is_nobodys
}

ledger_says_so() {
	grep "^range=$(printf '%#x' "$FIRST")-" "$LEDGER" | grep -q 'state=free reason=undecoded' ||
		fail "$(<"$LEDGER")"
}

made_again() {
	# shellcheck disable=SC2086
	cxl create-region -t ram -d "$DECODER" -s $((LAST - FIRST + 1)) -g "$GRANULARITY" \
		-m $MEMDEVS || return
	comes_back "$TMP/before"
}

# region_of MEMDEV: makes a region of all that it has; FIRST and LAST are where it is
region_of() {
	local before
	before=$(names "$CXL" 'region[0-9]*')
	cxl create-region -t ram -d "$DECODER" -m "$1" || return
	REGION=$(names "$CXL" 'region[0-9]*' | grep -vxF "$before")
	FIRST=$(($(<"$CXL/$REGION/resource")))
	LAST=$((FIRST + $(<"$CXL/$REGION/size") - 1))
}

# unused_memdev: one that no region has any of
unused_memdev() {
	local REGION used
	used=$(for REGION in $(names "$CXL" 'region[0-9]*'); do memdevs; done)
	names "$CXL" 'mem[0-9]*' | grep -vxF "$used" | head -n 1
}

# What was decoded before is known from an earlier decision; here it is from the one that waits.
destroyed_early() {
	local line early=
	MEMDEV=$(unused_memdev)
	[ -n "$MEMDEV" ] || skip "each memory device has a region" || return
	offline && unbind_host && hold_probe && bind_host || return
	grep -q state=deferred "$LEDGER" || skip "no range has to wait" || return
	region_of "$MEMDEV" || return
	while read -r line; do
		line=${line#range=} line=${line%% *}
		[ $((${line%-*})) -gt "$LAST" ] || [ $((${line#*-})) -lt "$FIRST" ] || early=1
	done < <(grep -E '^range=.* (state=deferred |state=cxl reason=covered)' "$LEDGER")
	background destroy
	wait_for gone "$PID" || fail "that waits for a probe" || return
	wait "$PID" || return
	{ probe_is_held && ! is_settled; } || fail "probing has settled" || return
	release_probe
	wait_for is_settled || fail "not settled" || return
	[ -n "$early" ] || skip "no undecided range where the region was" || return
	is_nobodys
}

made_after_all() {
	[ -n "${MEMDEV:-}" ] || skip "each memory device has a region" || return
	region_of "$MEMDEV" || return
	wait_for is_served || fail "$(iomem_tree)"
}

# is_served: CXL has a device there, and kmem has it
is_served() {
	local dax
	dax=$(dax_of "$CXL/dax_$REGION")
	[ -n "$dax" ] && [ "$(driver_of "$DAX/$dax")" = kmem ]
}

start_opted_in 8
command -v cxl >/dev/null || skip_all "no cxl to destroy a region with"
at_rest
find_region || skip_all "no CXL region serves Soft Reserved memory"
# The ledger tells how the range came to be CXL's, which is another story then.
ledger() {
	:
}
snapshot >"$TMP/before"

run "the region is destroyed: nobody has its memory" destroy
run "hmem_platform is unbound and bound: nobody has it" after_rebind
run "the modules are unloaded and loaded: nobody has it" after_reload
run "the ledger says so" ledger_says_so
run "a region is made there: CXL serves it" made_again
run "a region is made and destroyed while probing goes on: nobody has its memory" destroyed_early
run "a region is made there: CXL serves it" made_after_all
run "the log holds no report" log_is_clean
ktap_finished
