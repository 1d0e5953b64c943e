# SPDX-License-Identifier: GPL-2.0
#
# verbs: runs every verb of daxown against the live kernel, for the lab to judge and to show.
#
# /lab/out/daxown/index has a line for each: number, exit status, milliseconds, arguments. What it
# printed is beside it, as NUMBER.out and NUMBER.err.

# predict MOMENT: asks daxown what will come out, at the moments that the host wants to know of.

verbs_number=0

predict() {
	local drivers moments
	[ -e /lab/in/predict ] && read -r drivers moments </lab/in/predict
	[[ " $moments " == *" $1 "* && ! -e /lab/out/predict/$1 ]] || return 0
	mkdir -p /lab/out/predict
	daxown predict -J --drivers "$drivers" >"/lab/out/predict/$1" 2>>/lab/out/predict/errors </dev/null 7>&- 8>&-
	[ "$1" != first ] || daxown list -J >/lab/out/predict/rest 2>>/lab/out/predict/errors </dev/null 7>&- 8>&-
}

# verb ARGUMENTS: runs daxown once
verb() {
	local to=/lab/out/daxown/$verbs_number start=${EPOCHREALTIME/./} status
	daxown "$@" >"$to.out" 2>"$to.err" </dev/null 7>&- 8>&-
	status=$?
	echo "$verbs_number $status $(((${EPOCHREALTIME/./} - start) / 1000)) $*" >>/lab/out/daxown/index
	: $((verbs_number += 1))
}

# verbs_devices: every device that can be asked about
verbs_devices() {
	local device
	for device in /sys/bus/dax/devices/dax* /sys/bus/cxl/devices/region* /sys/bus/platform/devices/hmem.*; do
		[ -e "$device" ] && echo "${device##*/}"
	done
}

verbs() {
	local width= color=never subjects
	mkdir -p /lab/out/daxown
	# What the host's terminal can do, where somebody looks on.
	[ -e /lab/in/terminal ] && read -r width color </lab/in/terminal
	[ -n "$width" ] && export COLUMNS=$width
	verb wait --timeout 1
	verb list --color "$color"
	verb doctor --color "$color"
	unset COLUMNS
	verb list -J
	verb doctor -J
	verb tree
	verb metrics
	verb predict
	verb timeline
	verb fix --dry-run
	subjects="$(</lab/in/ranges) $(verbs_devices)"
	# shellcheck disable=SC2086
	[ -z "${subjects// /}" ] || verb explain $subjects
	verb capture /lab/out/capture/end/daxown.tar.gz
}
