#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Unbinding and binding decides anew and ends where it began, as often as one likes.
#
# Holds: C2

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CYCLES=${CYCLES:-3}

hmem_is_gone() {
	[ -z "$(hmem_devices)" ] || fail "devices are left: $(hmem_devices)" || return
	! iomem_tree | grep -q 'Soft Reserved' || fail "$(iomem_tree)" || return
	[ ! -e "$LEDGER" ] || fail "the ledger is left" || return
	[ ! -e $HOST/ownership ] || fail "the attribute ownership is left"
}

# What dax_cxl serves is none of hmem_platform's business.
cxl_dax() {
	local device
	for device in $CXL/dax_region[0-9]*; do
		[ -e "$device" ] && echo "$(driver_of "$device") $(dax_of "$device")"
	done
}

rebind() {
	local cycle mib cxl
	mib=$(online_mib)
	cxl=$(cxl_dax)
	for ((cycle = 1; cycle <= CYCLES; cycle++)); do
		offline || return
		unbind_host || fail "cycle $cycle: cannot unbind" || return
		hmem_is_gone || fail "in cycle $cycle" || return
		[ "$(cxl_dax)" = "$cxl" ] || fail "cycle $cycle: CXL's are $(cxl_dax), not $cxl" || return
		bind_host || fail "cycle $cycle: cannot bind" || return
		online_again
		comes_back "$TMP/before" || fail "in cycle $cycle" || return
		[ "$(online_mib)" = "$mib" ] || fail "$(online_mib) MiB online, not $mib" || return
	done
}

# Only the memory of HMEM is offline: CXL's stays in use all the time.
rebind_beside_cxl() {
	local device
	for device in $(hmem_devices); do
		# shellcheck disable=SC2046
		offline $(dax_of "$PLATFORM/devices/$device") || return
	done
	unbind_host && bind_host && comes_back "$TMP/before"
}

# without_pause: unbound again at once, whatever the decision is doing
without_pause() {
	local cycle
	offline && no_online || return
	for ((cycle = 1; cycle <= 4 * CYCLES; cycle++)); do
		unbind_host || fail "cycle $cycle: cannot unbind" || return
		bind_host || fail "cycle $cycle: cannot bind" || return
	done
	unbind_host && hmem_is_gone || return
	store $AUTO_ONLINE "$ONLINE_WANTED" && bind_host && online_again && comes_back "$TMP/before"
}

each_device_alone() {
	local device others cycle
	[ -n "$(hmem_devices)" ] || skip "HMEM serves nothing here" || return
	for device in $(hmem_devices); do
		for ((cycle = 1; cycle <= CYCLES; cycle++)); do
			others=$(hmem_devices | grep -vx "$device")
			# shellcheck disable=SC2046
			offline $(dax_of "$PLATFORM/devices/$device") || return
			store $HMEM_DRIVER/unbind "$device" || fail "cannot unbind $device" || return
			[ -z "$(dax_of "$PLATFORM/devices/$device")" ] ||
				fail "$device is unbound and has a dax device" || return
			[ ! -e "$PLATFORM/devices/$device/dax_region" ] ||
				fail "$device is unbound and has a dax region" || return
			all_bound "$others" || return
			store $HMEM_DRIVER/bind "$device" || fail "cannot bind $device" || return
			comes_back "$TMP/before" || return
		done
	done
}

all_bound() {
	local device
	for device in $1; do
		[ -e "$HMEM_DRIVER/$device" ] || fail "$device is unbound as well" || return
	done
}

# twice: a device that is bound already refuses, and one that is not cannot be unbound
twice() {
	offline || return
	! store $HOST_DRIVER/bind hmem_platform.0 || fail "bound twice" || return
	unbind_host || return
	! unbind_host || fail "unbound twice" || return
	bind_host && online_again && comes_back "$TMP/before"
}

start_opted_in 6
at_rest
snapshot >"$TMP/before"

run "hmem_platform unbound and bound $CYCLES times: same owners, same memory online" rebind
run "the same while CXL's memory is in use" rebind_beside_cxl
run "unbound and bound without a pause in between" without_pause
run "each hmem device unbound and bound $CYCLES times, the others unaffected" each_device_alone
run "binding what is bound and unbinding what is not are refused" twice
run "the log holds no report" log_is_clean
ktap_finished
