#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# /proc/iomem shows "Soft Reserved" around what HMEM serves, as long as it does.
#
# Holds: R6

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# hmem_ranges: what hmem devices serve, by their dax devices
hmem_ranges() {
	local device dax
	for device in $(hmem_devices); do
		for dax in $(dax_of "$PLATFORM/devices/$device"); do
			range_of "$dax" | sed "s/\$/ $dax/"
		done
	done
}

# entries NAME: "first last" of the entries of that name, decimal
entries() {
	iomem | awk -v name="$1" '{ n = $4; for (i = 5; i <= NF; i++) n = n " " $i } n == name { print $1, $2 }'
}

# has_entry NAME FIRST LAST: whether one of them contains the addresses
has_entry() {
	entries "$1" | awk -v first="$(($2))" -v last="$(($3))" '
		$1 <= first && last <= $2 { found = 1 } END { exit !found }'
}

each_range_is_shown() {
	local range dax first last found=0
	hmem_ranges >"$TMP/ranges"
	while read -r range dax; do
		first=${range%-*} last=${range#*-}
		has_entry "Soft Reserved" "$first" "$last" ||
			fail "no Soft Reserved around $dax at $range:" "$(grep -i soft /proc/iomem)" || return
		: $((found += 1))
	done <"$TMP/ranges"
	[ $found -gt 0 ] || fail "no dax device of an hmem device"
}

# Soft Reserved > daxN.M > System RAM, for what kmem has
nested_in_order() {
	local found=0 dax
	for dax in $(dax_below_hmem); do
		[ "$(driver_of "$DAX/$dax")" = kmem ] || continue
		awk -v dax="$dax" '
			{ match($0, /^ */); depth = RLENGTH / 2; name = $0; sub(/^[^:]* : /, "", name); path[depth] = name }
			name == "System RAM (kmem)" && path[depth - 1] == dax && path[depth - 2] == "Soft Reserved" { ok = 1 }
			END { exit !ok }' /proc/iomem ||
			fail "$dax is not between Soft Reserved and System RAM:" "$(iomem_tree)" || return
		: $((found += 1))
	done
	[ $found -gt 0 ] || skip "kmem has no device of HMEM"
}

dax_below_hmem() {
	local device
	for device in $(hmem_devices); do
		dax_of "$PLATFORM/devices/$device"
	done
}

# What a CXL region serves has no such entry: CXL's own stand for it.
not_around_cxl() {
	local device dax range found=0
	for device in $CXL/dax_region[0-9]*; do
		[ -e "$device" ] || continue
		for dax in $(dax_of "$device"); do
			for range in $(range_of "$dax"); do
				! has_entry "Soft Reserved" "${range%-*}" "${range#*-}" ||
					fail "Soft Reserved around $dax of ${device##*/}" || return
				: $((found += 1))
			done
		done
	done
	[ $found -gt 0 ] || skip "no CXL region has a dax device here"
}

nothing_left() {
	! grep -q 'Soft Reserved' /proc/iomem || fail "$(iomem_tree)"
}

cxl_entries() {
	iomem_tree | grep -E '(CXL Window [0-9]+|region\*)$'
}

cxl_unchanged() {
	cxl_entries | diff "$TMP/cxl" -
}

unbound() {
	opted_in || return
	offline && unbind_host && nothing_left && cxl_unchanged
}

bound() {
	opted_in || return
	bind_host && online_again && comes_back "$TMP/before"
}

unloaded() {
	opted_in || return
	offline && forbid_autoload || return
	is_loaded dax_cxl && { unload dax_cxl || return; }
	unload dax_hmem && nothing_left && cxl_unchanged
}

loaded() {
	opted_in || return
	allow_autoload
	load dax_hmem ${HAD_DAX_CXL:+dax_cxl} && comes_back "$TMP/before"
}

start 9
at_rest
snapshot >"$TMP/before"
cxl_entries >"$TMP/cxl"

run "Soft Reserved is shown around each range that HMEM serves" each_range_is_shown
run "a dax device and its System RAM lie inside it" nested_in_order
run "there is none around what CXL serves" not_around_cxl
run "it goes when hmem_platform is unbound, and CXL's entries stay" unbound
run "it is back when hmem_platform is bound" bound
run "it goes when the modules are unloaded" unloaded
run "it is back when they are loaded" loaded
run "it is where it was" each_range_is_shown
run "the log holds no report" log_is_clean
ktap_finished
