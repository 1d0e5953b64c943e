#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# No Soft Reserved byte is lost: whatever the layout, each byte that can be used is in one dax
# device, in one only, and each whole memory block of it is System RAM. Changes nothing.
#
# Holds: R9

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

UNIT=$((2 << 20))
BLOCK=$((0x$(cat /sys/devices/system/memory/block_size_bytes)))

# dax_ranges: "first last device driver" of each dax device, ascending
dax_ranges() {
	local dax range
	for dax in $(names $DAX 'dax*'); do
		for range in $(range_of "$dax"); do
			echo "$((${range%-*})) $((${range#*-})) $dax $(driver_of "$DAX/$dax")"
		done
	done | sort -n
}

# edges: where a part of a range may end: the edges of CXL windows and regions, "first last"
edges() {
	iomem | awk '$4 ~ /^(CXL|region[0-9]+$)/ { print $1, $2 }'
}

known() {
	firmware_ranges >"$TMP/ranges"
	[ -s "$TMP/ranges" ] || skip "the kernel log no longer has the memory map"
}

one_owner() {
	dax_ranges | awk '
		$1 <= end { print $3, "and", device, "share", $1; bad = 1 }
		$2 > end { end = $2; device = $3 }
		END { exit bad }'
}

# What is in no dax device lies beside an edge, and is less than a unit.
all_owned() {
	known || return
	{
		sed 's/^/range /' "$TMP/ranges"
		edges | sed 's/^/edge /'
		dax_ranges | sed 's/^/dax /'
	} | awk -v unit=$UNIT '
		$1 == "range" { from[++ranges] = $2; to[ranges] = $3; cut[$2]; cut[$3 + 1] }
		$1 == "edge" { cut[$2]; cut[$3 + 1] }
		$1 == "dax" { start[++devices] = $2; last[devices] = $3 }
		function at_edge(address) { return address in cut }
		function hole(first, end) {
			if (end < first) return
			size = end - first + 1
			if (size < unit && (at_edge(first) || at_edge(end + 1))) return
			# Two remainders side by side, with an edge between them.
			for (edge in cut)
				if (edge > first && edge <= end && edge - first < unit && end + 1 - edge < unit) return
			printf "nobody has 0x%x-0x%x\n", first, end
			bad = 1
		}
		END {
			for (i = 1; i <= ranges; i++) {
				next_byte = from[i]
				for (j = 1; j <= devices; j++) {
					if (last[j] < next_byte || start[j] > to[i]) continue
					hole(next_byte, start[j] - 1)
					next_byte = last[j] + 1
				}
				hole(next_byte, to[i])
			}
			exit bad
		}' || fail "dax devices:" "$(dax_ranges)"
}

# Every whole memory block of a dax device is System RAM, and online.
all_online() {
	local first last dax driver from to block
	[ "$(cat $PARAMS/region_idle)" = N ] || skip "region_idle is set" || return
	while read -r first last dax driver; do
		from=$(((first + BLOCK - 1) / BLOCK * BLOCK)) to=$(((last + 1) / BLOCK * BLOCK))
		[ "$from" -lt "$to" ] || continue
		[ "$driver" = kmem ] || fail "$dax has the driver '$driver'" || return
		iomem | awk -v from="$from" -v to="$to" '
			/ System RAM \(kmem\)$/ && $1 <= from && $2 + 1 >= to { ok = 1 } END { exit !ok }' ||
			fail "$dax: no System RAM from $from to $to" || return
		for ((block = from / BLOCK; block < to / BLOCK; block++)); do
			[ "$(cat "/sys/devices/system/memory/memory$block/state")" = online ] ||
				fail "$dax: memory$block is not online" || return
		done
	done < <(dax_ranges)
}

# A range that committed regions cover is CXL's; of any other, CXL has no more than it kept.
right_owner() {
	local first last hmem
	known || return
	for hmem in $(hmem_devices); do
		for dax in $(dax_of "$PLATFORM/devices/$hmem"); do
			for range in $(range_of "$dax"); do
				echo "$((${range%-*})) $((${range#*-}))"
			done
		done
	done | sort -n >"$TMP/hmem"
	for dax in $(names $CXL 'dax_region[0-9]*'); do
		region=region${dax##*[!0-9]}
		iomem | awk -v name="$region" '$4 == name { print $1, $2 }'
	done | sort -n >"$TMP/regions"
	while read -r first last; do
		awk -v first="$first" -v last="$last" '
			$1 <= first && $2 >= first { first = $2 + 1 } END { exit !(first > last) }' "$TMP/regions" || continue
		! awk -v first="$first" -v last="$last" '
			$1 <= last && $2 >= first { found = 1 } END { exit !found }' "$TMP/hmem" ||
			fail "regions cover $first to $last, and HMEM has some of it" || return
	done <"$TMP/ranges"
}

start 5
at_rest

run "no byte has two owners" one_owner
run "each Soft Reserved byte that can be used has an owner" all_owned
run "each whole memory block of it is System RAM" all_online
run "what committed regions cover is CXL's" right_owner
run "the log holds no report" log_is_clean
ktap_finished
