# SPDX-License-Identifier: GPL-2.0
#
# capture NAME: keeps the state of the guest in /lab/out/capture/NAME.
#
# state has one line for each thing: its kind, its name, then key=value.

capture() {
	local dir=/lab/out/capture/$1
	mkdir -p "$dir"
	cat /proc/iomem >"$dir/iomem"
	{
		capture_dax
		capture_regions
		capture_hmem
		capture_memory
		while read -r name _ _ _ state _; do
			echo "module $name state=$state"
		done </proc/modules
	} >"$dir/state"
}

capture_dax() {
	local device mapping path driver
	for device in /sys/bus/dax/devices/*; do
		[ -e "$device" ] || continue
		cd -P "$device" && path=$PWD
		link_name "$path/driver" && driver=$REPLY
		value "$path/target_node"
		echo "dax ${path##*/} path=$path driver=$driver target_node=$REPLY"
		for mapping in "$path"/mapping[0-9]*; do
			[ -e "$mapping" ] || continue
			value "$mapping/start" && start=$REPLY
			value "$mapping/end"
			echo "mapping ${path##*/} start=$start end=$REPLY"
		done
	done
}

capture_regions() {
	local region path driver
	for region in /sys/bus/cxl/devices/region*; do
		[ -e "$region" ] || continue
		cd -P "$region" && path=$PWD
		value "$path/resource" && start=$REPLY
		value "$path/size" && size=$REPLY
		value "$path/commit" && commit=$REPLY
		value "$path/mode" && mode=$REPLY
		link_name "$path/driver" && driver=$REPLY
		link_name "$path/dax_${path##*/}/driver"
		echo "region ${path##*/} start=$start size=$size commit=$commit mode=$mode driver=$driver dax_driver=$REPLY"
	done
}

capture_hmem() {
	local device
	for device in /sys/bus/platform/devices/hmem*; do
		[ -e "$device" ] || continue
		link_name "$device/driver"
		echo "platform ${device##*/} driver=$REPLY"
	done
}

capture_memory() {
	local block size index
	value /sys/devices/system/memory/block_size_bytes && size=$REPLY
	[ -n "$size" ] || return
	echo "memory block_size=0x$size"
	for block in /sys/devices/system/memory/memory*; do
		value "$block/phys_index" && index=$REPLY
		value "$block/state"
		echo "block ${block##*/} index=0x$index state=$REPLY"
	done
}

# Which files the two modules are loaded from: one line for each of the two.
describe_modules() {
	local name loaded taint
	for name in dax_hmem dax_cxl; do
		loaded=no taint=
		[ -e "/sys/module/$name/initstate" ] && loaded=yes
		value "/sys/module/$name/taint" && taint=$REPLY
		echo "$name loaded=$loaded taint=$taint file=$(modinfo -n "$name" 2>/dev/null)"
	done
}
