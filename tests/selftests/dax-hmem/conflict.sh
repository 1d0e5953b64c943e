#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A CXL region below memory that HMEM serves: it lost and stays idle; when it is disabled or
# destroyed, HMEM's device goes first; when it comes back, the memory is CXL's.
#
# Holds: R5, R11
#
# Needs a machine where a committed region covers only a part of a Soft Reserved range, and
# dax_hmem with policy=whole.

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

REGION_DRIVER=/sys/bus/cxl/drivers/cxl_region

# overlaps RANGE RANGE: whether they share a byte
overlaps() {
	[ $((${1%-*})) -le $((${2#*-})) ] && [ $((${2%-*})) -le $((${1#*-})) ]
}

region_range() {
	local first size
	first=$(<"$CXL/$1/resource") size=$(<"$CXL/$1/size")
	printf '%#x-%#x\n' "$((first))" "$((first + size - 1))"
}

# hmem_at RANGE: the hmem devices that serve some of it, with their ranges
hmem_at() {
	local device dax range
	for device in $(hmem_devices); do
		for dax in $(dax_of "$PLATFORM/devices/$device"); do
			for range in $(range_of "$dax"); do
				! overlaps "$range" "$1" || echo "$device $range"
			done
		done
	done
}

# find_loser: a committed region without a dax device, below memory of HMEM
find_loser() {
	local region
	for region in $(names $CXL 'region[0-9]*'); do
		[ "$(cat "$CXL/$region/commit" 2>/dev/null)" = 1 ] || continue
		RANGE=$(region_range "$region")
		[ -n "$(hmem_at "$RANGE")" ] && REGION=$region && return
	done
	return 1
}

probe_has_lost() {
	mark_log
	log_all | grep -Eq "cxl_dax_region dax_$REGION: dax_region resource conflict for \[mem" ||
		fail "no conflict message of the DAX core" || return
	log_all | grep -Eq "cxl_dax_region dax_$REGION: probe with driver cxl_dax_region failed with error -12" ||
		fail "dax_cxl's probe did not fail with -12" || return
	log_all | grep -Eq "dax_$REGION: .*hmem\.[0-9]+.*$REGION stays idle" || fail "the winner is not named"
}

log_all() {
	dmesg
}

committed_and_idle() {
	[ "$(<"$CXL/$REGION/commit")" = 1 ] || fail "$REGION is not committed" || return
	[ -e "$REGION_DRIVER/$REGION" ] || fail "$REGION has no driver" || return
	[ -e "$CXL/dax_$REGION" ] || fail "there is no dax_$REGION" || return
	[ -z "$(driver_of "$CXL/dax_$REGION")" ] || fail "dax_$REGION has a driver" || return
	[ -z "$(dax_of "$CXL/dax_$REGION")" ] || fail "dax_$REGION has a dax device"
}

# Pieces end where the region ends, and kmem has all of them.
served_in_pieces() {
	local device range dax
	hmem_at "$RANGE" >"$TMP/at"
	while read -r device range; do
		[ $((${RANGE%-*})) -le $((${range%-*})) ] && [ $((${range#*-})) -le $((${RANGE#*-})) ] ||
			fail "$device at $range crosses the edge of $REGION at $RANGE" || return
		for dax in $(dax_of "$PLATFORM/devices/$device"); do
			[ "$(driver_of "$DAX/$dax")" = kmem ] || fail "kmem does not have $dax" || return
			has_ram "$range" || fail "no System RAM at $range:" "$(iomem_tree)" || return
		done
	done <"$TMP/at"
}

has_ram() {
	iomem | awk -v first=$((${1%-*})) -v last=$((${1#*-})) '
		/System RAM \(kmem\)$/ && first <= $1 && $2 <= last { ok = 1 } END { exit !ok }'
}

monitor() {
	background udevadm monitor --kernel >"$TMP/uevents"
	wait_for grep -q '^KERNEL' "$TMP/uevents"
}

# nth EVENT PATTERN: at which line the kernel said so
nth() {
	awk -v event="$1" -v name="/$2 " '$2 == event && index($0, name) { print NR; exit }' "$TMP/uevents"
}

# offline_at RANGE
offline_at() {
	local device
	for device in $(hmem_at "$1" | cut -d ' ' -f 1) "../../../cxl/devices/dax_$REGION"; do
		# shellcheck disable=SC2046
		set -- $(dax_of "$PLATFORM/devices/$device")
		[ $# = 0 ] || offline "$@" || return
	done
}

# disable HOW...: takes the region away, and sees who goes when
disable_first() {
	local device unbound gone
	opted_in || return
	hmem_at "$RANGE" >"$TMP/below"
	rest >"$TMP/rest"
	offline_at "$RANGE" && monitor || return
	mark_log
	"$@" || fail "cannot do it" || return
	wait_for nth_is_there unbind "$REGION" || fail "no uevent: unbind $REGION" || return
	while read -r device _; do
		wait_for not_bound "$device" || fail "$device is bound without its region" || return
		unbound=$(nth unbind "$device") gone=$(nth unbind "$REGION")
		[ -n "$unbound" ] && [ "$unbound" -lt "$gone" ] ||
			fail "$device was unbound after $REGION, or not at all:" "$(<"$TMP/uevents")" || return
		wait_for logged "$device goes, $REGION below it was torn down or disabled" ||
			fail "the log does not say why:" "$(log_since)" || return
	done <"$TMP/below"
}

nth_is_there() {
	[ -n "$(nth "$@")" ]
}

not_bound() {
	[ ! -e "$HMEM_DRIVER/$1" ]
}

# rest: what HMEM serves elsewhere
rest() {
	local device range
	for device in $(hmem_devices); do
		for range in $(range_of "$(dax_of "$PLATFORM/devices/$device")"); do
			overlaps "$range" "$RANGE" || {
				echo "$range $(cat "$DAX/$(dax_of "$PLATFORM/devices/$device")/state")"
				has_ram "$range" && echo online
			}
		done
	done
}

rest_is_served() {
	opted_in || return
	at_rest
	[ -s "$TMP/rest" ] || skip "HMEM serves nothing else" || return
	rest | diff "$TMP/rest" -
}

# free: no device, no entry in the iomem tree that would keep CXL from using it
is_free() {
	opted_in || return
	at_rest
	[ -z "$(hmem_at "$RANGE")" ] || fail "HMEM still has some of it: $(hmem_at "$RANGE")" || return
	! iomem | awk -v first=$((${RANGE%-*})) -v last=$((${RANGE#*-})) '
		/Soft Reserved$/ && $1 <= last && first <= $2 { found = 1 } END { exit !found }' ||
		fail "Soft Reserved is still shown there:" "$(iomem_tree)" || return
	ledger_says 'state=free reason=region-torn-down'
}

# ledger_says PATTERN: of the whole range of the region
ledger_says() {
	local line
	line=$(grep "^range=$RANGE " "$LEDGER") || fail "no line of $RANGE:" "$(<"$LEDGER")" || return
	grep -q "$1" <<<"$line" || fail "not '$1': $line"
}

disable() {
	store $REGION_DRIVER/unbind "$REGION"
}

enable() {
	store $REGION_DRIVER/bind "$REGION"
}

is_served_by_cxl() {
	opted_in || return
	wait_for cxl_serves || fail "dax_cxl does not have it:" "$(snapshot)" || return
	at_rest
	has_ram "$RANGE" || fail "no System RAM at $RANGE:" "$(iomem_tree)" || return
	[ -z "$(hmem_at "$RANGE")" ] || fail "HMEM has some of it"
}

ledger_has_cxl() {
	opted_in || return
	ledger_says 'state=cxl'
}

cxl_serves() {
	[ "$(driver_of "$CXL/dax_$REGION")" = cxl_dax_region ]
}

enabled_again() {
	opted_in || return
	enable || fail "cannot bind $REGION" || return
	is_served_by_cxl
}

# rebound: CXL keeps what it serves, whatever HMEM would decide about the range
stays_with_cxl() {
	opted_in || return
	cxl_serves || fail "dax_cxl does not have it" || return
	offline && unbind_host && bind_host && wait_for is_settled && online_again || return
	is_served_by_cxl && rest_is_served
}

# reload: as a fresh boot, with the regions that exist
lost_again() {
	opted_in || return
	offline && unload dax_cxl dax_hmem || return
	mark_log
	load dax_hmem dax_cxl
	comes_back "$TMP/before" || return
	logged "dax_$REGION: probe with driver cxl_dax_region failed with error -12" || fail "$(log_since)" || return
	committed_and_idle
}

needs_cxl_tool() {
	command -v cxl >/dev/null || skip "no cxl to make a region with"
}

destroy() {
	cxl destroy-region -f "$REGION"
}

destroyed_first() {
	opted_in && needs_cxl_tool || return
	cxl list -R -r "$REGION" -T >"$TMP/region.json" || return
	DECODER=$(basename "$(dirname "$(readlink -f "$CXL/$REGION")")")
	MEMDEVS=$(memdevs_of "$REGION")
	GRANULARITY=$(<"$CXL/$REGION/interleave_granularity")
	disable_first destroy
}

# memdevs_of REGION: its memory devices in the order of its targets
memdevs_of() {
	local target endpoint
	for target in "$CXL/$1"/target[0-9]*; do
		endpoint=$(dirname "$(readlink -f "$CXL/$(<"$target")")")
		basename "$(readlink -f "$endpoint/uport")"
	done
}

made_again() {
	local size
	opted_in && needs_cxl_tool || return
	[ -n "${MEMDEVS:-}" ] || fail "the region was not destroyed" || return
	size=$((${RANGE#*-} - ${RANGE%-*} + 1))
	# shellcheck disable=SC2086
	cxl create-region -t ram -d "$DECODER" -s $size -g "$GRANULARITY" -m $MEMDEVS || return
	wait_for find_at "$RANGE" || fail "no region at $RANGE:" "$(cxl list -R)" || return
	is_served_by_cxl && rest_is_served
}

# find_at RANGE: the region there, under its new number
find_at() {
	local region
	for region in $(names $CXL 'region[0-9]*'); do
		[ "$(cat "$CXL/$region/commit")" = 1 ] && [ "$(region_range "$region")" = "$1" ] &&
			REGION=$region && return
	done
	return 1
}

start 16
[ "${DAX_HMEM_TEST:-}" != 1 ] || at_rest
find_loser || {
	for _ in {1..16}; do ktap_test_skip "no CXL region below memory that HMEM serves"; done
	ktap_finished
}
ktap_print_msg "$REGION at $RANGE"
snapshot >"$TMP/before"

run "the log has the conflict, the error -12 and the winner" probe_has_lost
run "the region stays committed and idle" committed_and_idle
run "HMEM serves it in pieces that kmem can take" served_in_pieces
run "the region is disabled: HMEM's device goes first" disable_first disable
run "its memory is free for CXL" is_free
run "the rest is served as before" rest_is_served
run "the region is enabled: CXL serves it" enabled_again
run "the ledger says so" ledger_has_cxl
run "the rest is served as before" rest_is_served
run "hmem_platform is bound anew: CXL keeps it" stays_with_cxl
run "the modules are loaded anew: HMEM has won again" lost_again
run "the region is destroyed: HMEM's device goes first" destroyed_first
run "a region is made there: CXL serves it" made_again
run "the ledger says so" ledger_has_cxl
run "the modules are loaded anew: HMEM has won again" lost_again
run "the log holds no report" log_is_clean
ktap_finished
