#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The interface that scripts, udev and modprobe know: names, aliases, parameters, sysfs paths.
#
# Holds: R2

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# needs_dax_cxl: skips what needs dax_cxl where the kernel was built without
needs_dax_cxl() {
	modinfo dax_cxl >/dev/null 2>&1 || skip "this kernel has no dax_cxl"
}

drivers_of_hmem() {
	local driver
	for driver in "$HMEM_DRIVER" "$HOST_DRIVER"; do
		[ "$driver/module" -ef /sys/module/dax_hmem ] ||
			fail "$driver is not there, or not of dax_hmem" || return
		[ -e "$driver/bind" ] && [ -e "$driver/unbind" ] ||
			fail "$driver cannot be bound and unbound" || return
	done
}

driver_of_cxl() {
	needs_dax_cxl || return
	wait_for test -e $CXL_DRIVER || fail "$CXL_DRIVER is not there" || return
	[ $CXL_DRIVER/module -ef /sys/module/dax_cxl ] || fail "$CXL_DRIVER is not of dax_cxl" || return
	[ ! -e $CXL_DRIVER/bind ] && [ ! -e $CXL_DRIVER/unbind ] ||
		fail "cxl_dax_region can be bound or unbound by hand"
}

# has_aliases MODULE ALIAS...: these and no others
has_aliases() {
	local module=$1
	shift
	printf '%s\n' "$@" | sort >"$TMP/want"
	modinfo -F alias "$module" | sort | diff "$TMP/want" -
}

aliases_of_cxl() {
	needs_dax_cxl || return
	has_aliases dax_cxl 'cxl:t8*'
}

# Each device names the module by its modalias, which is how udev finds it.
devices_name_modules() {
	local device found=0
	for device in $PLATFORM/devices/hmem_platform.0 $PLATFORM/devices/hmem.[0-9]* \
		$CXL/dax_region[0-9]*; do
		[ -e "$device" ] || continue
		case $device in
		*/dax_region*) set -- dax_cxl ;;
		*) set -- dax_hmem ;;
		esac
		[ "$(modprobe --resolve-alias "$(<"$device/modalias")" | sort -u)" = "$1" ] ||
			fail "the modalias of ${device##*/} does not lead to $1" || return
		: $((found += 1))
	done
	[ $found -gt 0 ]
}

parm_lines() {
	local parms
	parms=$(modinfo -F parm dax_hmem) || return
	printf '%s\n' "$parms" | grep -q '^region_idle:.*(bool)$' ||
		fail "no parm line of region_idle: $parms" || return
	printf '%s\n' "$parms" | grep -q '^policy:.*whole.*split.*(charp)$' ||
		fail "no parm line of policy: $parms"
}

licences() {
	[ "$(modinfo -F license dax_hmem)" = "GPL v2" ] || fail "dax_hmem has another" || return
	! modinfo dax_cxl >/dev/null 2>&1 || [ "$(modinfo -F license dax_cxl)" = GPL ] ||
		fail "dax_cxl has another"
}

mode_is() {
	[ "$(stat -c %a "$1")" = "$2" ] || fail "$1 has mode $(stat -c %a "$1"), not $2"
}

region_idle_is_bool() {
	local file=$PARAMS/region_idle kept pair
	opted_in || return
	kept=$(<$file)
	for pair in 1:Y 0:N y:Y n:N Y:Y N:N on:Y off:N t:Y f:N; do
		store $file "${pair%:*}" || fail "'${pair%:*}' is refused" || return
		[ "$(<$file)" = "${pair#*:}" ] || fail "'${pair%:*}' reads as $(<$file)" || return
	done
	store $file "$kept"
}

region_idle_refuses_junk() {
	local file=$PARAMS/region_idle kept word
	opted_in || return
	kept=$(<$file)
	for word in maybe 2 -1 '' ' ' whole "$(printf '\377')" "$(printf 'x%.0s' {1..4000})"; do
		! store $file "$word" || fail "'${word:0:20}' is taken" || return
		[ "$(<$file)" = "$kept" ] || fail "'${word:0:20}' changed it" || return
	done
}

policy_is_read_only() {
	[ -e $PARAMS/policy ] || fail "there is no parameter policy" || return
	mode_is $PARAMS/policy 444 || return
	case $(<$PARAMS/policy) in
	whole | split) ;;
	*) fail "reads as $(<$PARAMS/policy)" || return ;;
	esac
	! store $PARAMS/policy split || fail "can be written"
}

# hmem_platform.0/hmem.N/daxN.M and regionN/dax_regionN/daxN.M
names_and_parents() {
	local dax path number found=0
	for dax in $(names $DAX 'dax*'); do
		path=$(readlink -f "$DAX/$dax")
		number=${dax#dax}
		number=${number%.*}
		case $path in
		*/hmem_platform.0/*)
			[ "$path" = "/sys/devices/platform/hmem_platform.0/hmem.$number/$dax" ] ||
				fail "$dax is at $path" || return
			;;
		*/dax_region*)
			contains "$path" "/region$number/dax_region$number/$dax" ||
				fail "$dax is at $path" || return
			;;
		*) continue ;;
		esac
		: $((found += 1))
	done
	[ $found -gt 0 ] || fail "no dax device of either driver"
}

# The DAX core shows its region in the directory of the parent.
region_attributes() {
	local device region size found=0
	for device in $PLATFORM/devices/hmem.[0-9]* $CXL/dax_region[0-9]*; do
		[ -e "$device/driver" ] || continue
		region=$device/dax_region
		[ "$(<"$region/id")" = "${device##*[!0-9]}" ] ||
			fail "$region/id is $(<"$region/id")" || return
		size=$(<"$region/size")
		[ "$((size % $(<"$region/align")))" = 0 ] && [ "$size" -gt 0 ] ||
			fail "$region/size is $size" || return
		: $((found += 1))
	done
	[ $found -gt 0 ] || fail "no dax region of either driver"
}

unload_all() {
	opted_in || return
	offline || return
	forbid_autoload || return
	is_loaded dax_cxl && { unload dax_cxl || return; }
	unload dax_hmem
}

# refused_at_load OPTION PATTERN: no module is left, and the log says why
refused_at_load() {
	opted_in || return
	! is_loaded dax_hmem || fail "dax_hmem could not be unloaded" || return
	mark_log
	! modprobe dax_hmem "$1" 2>/dev/null || fail "dax_hmem $1 was loaded" || return
	! is_loaded dax_hmem || fail "dax_hmem is loaded nevertheless" || return
	logged "$2" || fail "the log does not match '$2':" "$(log_since)"
}

takes_at_load() {
	opted_in || return
	load_with "$1" && [ "$(<"$PARAMS/$2")" = "$3" ] || fail "$2 reads as $(<"$PARAMS/$2")" || return
	# kmem must have let go of what a load has brought.
	wait_for is_settled || return
	udevadm settle
	offline && unload dax_hmem
}

load_with() {
	modprobe dax_hmem "$1"
}

back_as_before() {
	opted_in || return
	allow_autoload
	load dax_hmem ${HAD_DAX_CXL:+dax_cxl}
	comes_back "$TMP/before" && log_is_clean
}

start 19
[ "${DAX_HMEM_TEST:-}" != 1 ] || at_rest
snapshot >"$TMP/before"

run "dax_hmem has the drivers hmem and hmem_platform" drivers_of_hmem
run "dax_cxl has the driver cxl_dax_region, without bind and unbind" driver_of_cxl
run "the aliases of dax_hmem" has_aliases dax_hmem 'platform:hmem*' 'platform:hmem_platform*'
run "the aliases of dax_cxl" aliases_of_cxl
run "the aliases of the devices lead to the modules" devices_name_modules
run "modinfo describes region_idle and policy" parm_lines
run "the licences are those of the C modules" licences
run "region_idle has mode 0644" mode_is $PARAMS/region_idle 644
run "region_idle takes what is a boolean" region_idle_is_bool
run "region_idle refuses what is none" region_idle_refuses_junk
run "policy is whole or split, and read-only" policy_is_read_only
run "dax devices are named after hmem.N and regionN, and below them" names_and_parents
run "dax regions have the attributes of the DAX core" region_attributes
run "the modules can be unloaded" unload_all
run "a bad policy is refused by name" refused_at_load policy=sideways 'policy.*sideways|sideways.*policy'
run "policy without a value is refused" refused_at_load policy 'policy'
run "a region_idle that is no boolean is refused" refused_at_load region_idle=maybe 'region_idle|maybe'
run "policy=split is taken" takes_at_load policy=split policy split
run "everything is as before, and the log without a report" back_as_before
ktap_finished
