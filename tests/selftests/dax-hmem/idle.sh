#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# region_idle: HMEM leaves the division of the memory to the administrator.

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

set_idle() {
	offline && unbind_host || return
	store $PARAMS/region_idle 1 && bind_host || return
	wait_for rest_settled || fail "not settled"
}

rest_settled() {
	# The C driver has no attribute.
	[ ! -e $HOST/ownership ] || is_settled
}

# each_device FUNCTION: calls it for every hmem device
each_device() {
	local device
	[ -n "$(hmem_devices)" ] || fail "there is no hmem device" || return
	for device in $(hmem_devices); do
		"$1" "$PLATFORM/devices/$device" || return
	done
}

bound_and_empty() {
	local dax
	[ "$(driver_of "$1")" = hmem ] || fail "$1 is not bound" || return
	[ "$(<"$1/dax_region/available_size")" = "$(<"$1/dax_region/size")" ] ||
		fail "$1: $(<"$1/dax_region/available_size") bytes of $(<"$1/dax_region/size") are free" || return
	for dax in $(dax_of "$1"); do
		[ "$(<"$DAX/$dax/size")" = 0 ] || fail "$dax has $(<"$DAX/$dax/size") bytes" || return
		[ -z "$(driver_of "$DAX/$dax")" ] || fail "$dax has the driver $(driver_of "$DAX/$dax")" || return
	done
}

is_idle() {
	each_device bound_and_empty || return
	! iomem_tree | grep 'Soft Reserved' | grep -q 'System RAM (kmem)' ||
		fail "$(iomem_tree)"
}

still_reserved() {
	local want
	want=$(grep -c 'Soft Reserved$' "$TMP/before")
	[ "$(iomem_tree | grep -c 'Soft Reserved$')" = "$want" ] || fail "$(iomem_tree)"
}

# Who divides the memory gets a device of the size asked for, and kmem keeps off.
divide() {
	local dax size
	size=$(<"$1/dax_region/align")
	dax=$(dax_of "$1" | head -n 1)
	store "$DAX/$dax/size" "$size" || fail "$dax cannot be given $size bytes" || return
	[ "$(<"$DAX/$dax/size")" = "$size" ] || fail "$dax has $(<"$DAX/$dax/size") bytes" || return
	store /sys/bus/dax/drivers/device_dax/bind "$dax" 2>/dev/null
	[ "$(driver_of "$DAX/$dax")" != kmem ] || fail "kmem took $dax" || return
	udevadm settle
	[ "$(driver_of "$DAX/$dax")" != kmem ] || fail "kmem took $dax later on"
}

can_be_divided() {
	each_device divide
}

# A change of the parameter is for new devices only.
busy_again() {
	store $PARAMS/region_idle 0 || return
	unbind_host && bind_host && online_again && comes_back "$TMP/before"
}

# A device that stands keeps what it has.
only_new_devices() {
	local before
	before=$(snapshot)
	store $PARAMS/region_idle 1 || return
	udevadm settle
	[ "$(snapshot)" = "$before" ] || fail "$(snapshot)" || return
	store $PARAMS/region_idle 0
}

start_opted_in 7
at_rest
snapshot >"$TMP/before"

run "region_idle changes nothing that stands" only_new_devices
run "region_idle=1 can be set, and hmem_platform bound anew" set_idle
run "every dax region is whole, without a sized device, and not System RAM" is_idle
run "/proc/iomem shows Soft Reserved all the same" still_reserved
run "the administrator can divide it, and kmem keeps off" can_be_divided
run "region_idle=0: everything is as before" busy_again
run "the log holds no report" log_is_clean
ktap_finished
