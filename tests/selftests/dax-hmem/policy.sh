#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The parameter policy: who gets a range that CXL regions cover only in part.
#
# Holds: R3

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

needs_both() {
	[ -n "${HAD_DAX_CXL:-}" ] || skip "dax_cxl is not loaded"
}

# load_with POLICY: both modules anew
load_with() {
	offline && forbid_autoload && unload dax_cxl dax_hmem || return
	modprobe dax_hmem policy="$1" || return
	allow_autoload
	modprobe dax_cxl
	wait_for is_settled && at_rest && online_again && at_rest
}

read_only() {
	case $(cat $PARAMS/policy) in
	whole | split) ;;
	*) fail "policy is $(cat $PARAMS/policy)" || return ;;
	esac
	[ "$(stat -c %a $PARAMS/policy)" = 444 ] || fail "mode $(stat -c %a $PARAMS/policy)"
}

unknown_is_refused() {
	needs_both || return
	offline && forbid_autoload && unload dax_cxl dax_hmem || return
	mark_log
	! modprobe dax_hmem policy=both 2>/dev/null || fail "it was loaded" || return
	! is_loaded dax_hmem || fail "it is loaded" || return
	logged 'policy=both: unknown, use policy=whole or policy=split' || fail "$(log_since)" || return
	load_with whole && comes_back "$TMP/before"
}

# Whatever is committed stays with CXL, and HMEM's devices are beside it.
split_leaves_regions() {
	local device region first last dax range
	needs_both && load_with split || return
	[ "$(cat $PARAMS/policy)" = split ] || fail "policy is $(cat $PARAMS/policy)" || return
	for device in $(names $CXL 'dax_region[0-9]*'); do
		[ "$(driver_of "$CXL/$device")" = cxl_dax_region ] || fail "$device is idle" || return
		region=region${device##*[!0-9]}
		read -r first last < <(iomem | awk -v name="$region" '$4 == name { print $1, $2 }')
		for dax in $(for hmem in $(hmem_devices); do dax_of "$PLATFORM/devices/$hmem"; done); do
			for range in $(range_of "$dax"); do
				[ $((${range%-*})) -gt "$last" ] || [ $((${range#*-})) -lt "$first" ] ||
					fail "$dax has some of $region" || return
			done
		done
	done
}

nothing_lost() {
	[ "$(online_mib)" = "$ONLINE_MIB" ] || fail "$(online_mib) MiB online, not $ONLINE_MIB"
}

whole_again() {
	needs_both && load_with whole && comes_back "$TMP/before"
}

start_opted_in 6
at_rest
snapshot >"$TMP/before"
ONLINE_MIB=$(online_mib)

run "it can be read, and not written" read_only
run "an unknown policy is refused by name" unknown_is_refused
run "policy=split: CXL keeps what its regions cover, HMEM takes the rest" split_leaves_regions
run "policy=split: as much memory is online" nothing_lost
run "policy=whole: everything is as before" whole_again
run "the log holds no report" log_is_clean
ktap_finished
