#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# No Soft Reserved byte is lost: whatever the layout, each byte that can be used is in one dax
# device, in one only, and each whole memory block of it is System RAM, on its node. Changes nothing.
#
# Holds: R9, R14, R15, R16

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

UNIT=$((2 << 20))
BLOCK=$((0x$(cat /sys/devices/system/memory/block_size_bytes)))

# dax_ranges: "first last device driver node" of each dax device, ascending
dax_ranges() {
	local dax range
	for dax in $(names $DAX 'dax*'); do
		for range in $(range_of "$dax"); do
			echo "$((${range%-*})) $((${range#*-})) $dax $(driver_of "$DAX/$dax")" \
				"$(<"$DAX/$dax/target_node")"
		done
	done | sort -n
}

# edges: where a part of a range may end, "first last": the edges of CXL windows and regions, and
# where the node changes
edges() {
	iomem | awk '$4 ~ /^(CXL|region[0-9]+$)/ { print $1, $2 }'
	srat | cut -d ' ' -f 1,2
	told '[a-z-]+' | awk 'NR > 1 && $3 != node { print $1, last } { node = $3; last = $2 }'
}

# srat: "first last node" of what firmware says of nodes, as far as the kernel log has it
srat() {
	dmesg | sed -nE 's/.*SRAT: Node ([0-9]+) PXM [0-9]+ \[mem (0x[0-9a-f]+)-(0x[0-9a-f]+)\].*/\2 \3 \1/p' |
		decimal
}

known() {
	firmware_ranges >"$TMP/ranges"
	[ -s "$TMP/ranges" ] || skip "the kernel log no longer has the memory map"
}

# told STATES: "first last node" of the lines of the ledger in one of these states
told() {
	sed -nE "s/^range=(0x[0-9a-f]+)-(0x[0-9a-f]+) node=(-?[0-9]+) state=($1) .*/\1 \2 \3/p" "$LEDGER" 2>/dev/null |
		decimal
}

one_owner() {
	dax_ranges | awk '
		$1 <= end { print $3, "and", device, "share", $1; bad = 1 }
		$2 > end { end = $2; device = $3 }
		END { exit bad }'
}

# What is in no dax device lies beside an edge, and is less than a unit. What the ledger says that
# somebody else has, or that nothing decodes, or that an administrator keeps out, is in none either.
all_owned() {
	known || return
	told 'foreign|free|stuck|system-ram' >"$TMP/left"
	! grep ' state=foreign ' "$LEDGER" 2>/dev/null | grep -v ' holder=' ||
		fail "the holder is not named" || return
	{
		sed 's/^/range /' "$TMP/ranges"
		sed 's/^/left /' "$TMP/left"
		edges | sed 's/^/edge /'
		dax_ranges | sed 's/^/dax /'
	} | awk -v unit=$UNIT '
		# Where two ranges touch nothing may be lost.
		$1 == "range" {
			from[++ranges] = $2; to[ranges] = $3
			if ($2 in cut) delete cut[$2]; else cut[$2]
			cut[$3 + 1]
		}
		$1 == "left" { left[++lefts] = $2; left_to[lefts] = $3; cut[$2]; cut[$3 + 1] }
		$1 == "edge" { cut[$2]; cut[$3 + 1] }
		$1 == "dax" { start[++devices] = $2; last[devices] = $3 }
		function at_edge(address) { return address in cut }
		function hole(first, end,   l, size, edge) {
			if (end < first) return
			for (l = 1; l <= lefts; l++) {
				if (left_to[l] < first || left[l] > end) continue
				hole(first, left[l] - 1)
				hole(left_to[l] + 1, end)
				return
			}
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

# Every whole memory block of a dax device is System RAM.
all_ram() {
	local first last dax driver node from to
	[ "$(cat $PARAMS/region_idle)" = N ] || skip "region_idle is set" || return
	while read -r first last dax driver node; do
		from=$(((first + BLOCK - 1) / BLOCK * BLOCK)) to=$(((last + 1) / BLOCK * BLOCK))
		[ "$from" -lt "$to" ] || continue
		[ "$driver" = kmem ] || fail "$dax has the driver '$driver'" || return
		iomem | awk -v from="$from" -v to="$to" '
			/ System RAM \(kmem\)$/ && $1 <= from && $2 + 1 >= to { ok = 1 } END { exit !ok }' ||
			fail "$dax: no System RAM from $from to $to" || return
	done < <(dax_ranges)
}

# joined: "first last node" of what dax devices of one node have, without a seam that is no edge
joined() {
	{
		edges | sed 's/^/edge /'
		dax_ranges | sed 's/^/dax /'
	} | awk '
		$1 == "edge" { cut[$2]; cut[$3 + 1]; next }
		last && $2 == last + 1 && $6 == node && !($2 in cut) { last = $3; next }
		last { print first, last, node }
		{ first = $2; last = $3; node = $6 }
		END { if (last) print first, last, node }'
}

# Every whole memory block is online, on the node of its device, also one that two devices share.
all_online() {
	local first last node block name
	[ "$(cat $PARAMS/region_idle)" = N ] || skip "region_idle is set" || return
	while read -r first last node; do
		for ((block = (first + BLOCK - 1) / BLOCK; block < (last + 1) / BLOCK; block++)); do
			name=memory$block
			[ "$(cat "/sys/devices/system/memory/$name/state" 2>/dev/null)" = online ] ||
				fail "$name is not online" || return
			[ -e "/sys/devices/system/memory/$name/node$node" ] ||
				fail "$name is not on node $node" || return
		done
	done < <(joined)
}

# A device is on the node that the ledger tells, and that firmware gives its addresses, which may
# have others for less than a memory block.
right_node() {
	local first last dax driver node from to other
	while read -r first last dax driver node; do
		[ -e "$PLATFORM/devices/$(basename "$(dirname "$(readlink -f "$DAX/$dax")")")" ] || continue
		while read -r from to other; do
			[ "$from" -ge "$first" ] || from=$first
			[ "$to" -le "$last" ] || to=$last
			[ "$from" -gt "$to" ] || [ "$other" = "$node" ] ||
				fail "$dax is on node $node, the ledger says $other" || return
		done < <(told hmem)
		while read -r from to other; do
			[ "$from" -ge "$first" ] || from=$first
			[ "$to" -le "$last" ] || to=$last
			[ $((to - from + 1)) -lt "$BLOCK" ] || [ "$other" = "$node" ] ||
				fail "$dax is on node $node, firmware says $other of $from to $to" || return
		done < <(srat)
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

start 7
at_rest

run "no byte has two owners" one_owner
run "each Soft Reserved byte that can be used has an owner" all_owned
run "each whole memory block of it is System RAM" all_ram
run "each of these blocks is online, also where devices touch" all_online
run "what HMEM has is on the node of its addresses" right_node
run "what committed regions cover is CXL's" right_owner
run "the log holds no report" log_is_clean
ktap_finished
