#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The ledger and the trace events: Documentation/ledger.md, line by line.
#
# Holds: R10, C8

# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

TRACING=/sys/kernel/tracing
EVENTS=$TRACING/events/dax_hmem

lines() {
	grep '^range=' "$TMP/ledger"
}

outcomes() {
	grep -v -e '^#' -e '^range=' "$TMP/ledger"
}

has_lines() {
	lines >"$TMP/lines"
	[ -s "$TMP/lines" ] || fail "the ledger is empty"
}

reads_the_same() {
	[ -e "$LEDGER" ] || fail "there is no $LEDGER" || return
	! store "$LEDGER" x || fail "it can be written" || return
	[ "$(head -n 1 "$TMP/ledger")" = '# dax_hmem ledger 1' ] ||
		fail "it begins with $(head -n 1 "$TMP/ledger")" || return
	[ "$(grep -c '^#' "$TMP/ledger")" = 1 ] || fail "more than one head" || return
	# In pieces of one byte, as a pager or a slow reader would.
	dd if="$LEDGER" bs=1 2>/dev/null | cmp - "$TMP/ledger"
}

format() {
	local hex='0x(0|[1-9a-f][0-9a-f]*)' wrong
	local line="^range=$hex-$hex node=-?[0-9]+ state=(deferred|cxl|hmem|system-ram|failed|free)"
	line+=' reason=[a-z]+(-[a-z]+)*( region=region[0-9]+)?( dev=hmem\.[0-9]+)?'
	line+=' errno=[0-9]+ seen_ns=[0-9]+ decided_ns=[0-9]+ served_ns=[0-9]+$'
	has_lines || return
	wrong=$(lines | grep -Evx -e "${line:1:-1}")
	[ -z "$wrong" ] || fail "$wrong" || return
	line="region=region[0-9]+ range=$hex-$hex driver=dax_cxl"
	line+=' outcome=(bound|idle|lost lost_to=hmem\.[0-9]+)'
	wrong=$(outcomes | grep -Evx -e "$line")
	[ -z "$wrong" ] || fail "$wrong"
}

# merged: ranges "first last" on standard input, ascending and joined where they touch;
# fails if two of them share a byte
merged() {
	sort -n | awk '
		{ first = $1; last = $2 }
		NR > 1 && first <= end { print "twice:", first, "to", end; bad = 1 }
		NR > 1 && first == end + 1 { end = last; next }
		NR > 1 { print begin, end }
		{ begin = first; end = last }
		END { if (NR) print begin, end; exit bad }'
}

ledger_ranges() {
	lines | sed -E 's/^range=([^-]*)-([^ ]*) .*/\1 \2/' | decimal
}

each_byte_once() {
	firmware_ranges | merged >"$TMP/want" || fail "$(<"$TMP/want")" || return
	[ -s "$TMP/want" ] || skip "the kernel log no longer has the memory map" || return
	ledger_ranges | merged >"$TMP/have" || fail "$(<"$TMP/have")" "$(lines)" || return
	diff "$TMP/want" "$TMP/have"
}

# dax_within DIRECTORY FIRST LAST: whether its dax devices are in the range, and fill it
dax_fills() {
	local dax range sum=0
	for dax in $(dax_of "$1"); do
		for range in $(range_of "$dax"); do
			[ $((${range%-*})) -ge $(($2)) ] && [ $((${range#*-})) -le $(($3)) ] || return 1
			: $((sum += ${range#*-} - ${range%-*} + 1))
		done
	done
	[ $sum -eq $(($3 - $2 + 1)) ]
}

# any_dax_in FIRST LAST: whether a dax device has a byte of the range
any_dax_in() {
	local dax range
	for dax in $(names $DAX 'dax*'); do
		for range in $(range_of "$dax"); do
			[ $((${range%-*})) -gt $(($2)) ] || [ $((${range#*-})) -lt $(($1)) ] || return 0
		done
	done
	return 1
}

agrees() {
	local line range first last dev region
	has_lines || return
	while read -r line; do
		range=$(field range "$line")
		first=${range%-*} last=${range#*-}
		dev=$(field dev "$line") region=$(field region "$line")
		case $(field state "$line") in
		hmem)
			[ "$(driver_of "$PLATFORM/devices/$dev")" = hmem ] || fail "$dev is not bound: $line" || return
			dax_fills "$PLATFORM/devices/$dev" "$first" "$last" ||
				fail "the dax devices of $dev are not in $range: $line" || return
			;;
		cxl)
			[ "$(cat "$CXL/$region/commit")" = 1 ] || fail "$region is not committed: $line" || return
			! hmem_has "$first" "$last" || fail "HMEM has some of it: $line" || return
			;;
		failed | free)
			! any_dax_in "$first" "$last" || fail "a dax device has some of it: $line" || return
			;;
		system-ram)
			iomem | awk -v first=$((first)) -v last=$((last)) '
				/System RAM/ && $1 <= first && last <= $2 { ok = 1 } END { exit !ok }' ||
				fail "that is no System RAM: $line" || return
			;;
		*) fail "undecided: $line" || return ;;
		esac
	done <"$TMP/lines"
}

hmem_has() {
	local device dax range
	for device in $(hmem_devices); do
		for dax in $(dax_of "$PLATFORM/devices/$device"); do
			for range in $(range_of "$dax"); do
				[ $((${range%-*})) -gt $(($2)) ] || [ $((${range#*-})) -lt $(($1)) ] || return 0
			done
		done
	done
	return 1
}

# Every hmem device has its line.
none_missing() {
	local device
	for device in $(hmem_devices); do
		[ "$(lines | grep -c " dev=$device ")" = 1 ] || fail "lines of $device:" "$(lines)" || return
	done
}

# What belongs together: device, error, times, node.
consistent() {
	local line dev errno seen decided served now node
	has_lines || return
	now=$(awk '{ printf "%d", ($1 + 1) * 1e9 }' /proc/uptime)
	while read -r line; do
		dev=$(field dev "$line") errno=$(field errno "$line") node=$(field node "$line")
		seen=$(field seen_ns "$line") decided=$(field decided_ns "$line") served=$(field served_ns "$line")
		case $(field state "$line") in
		hmem) [ -n "$dev" ] && [ "$errno" = 0 ] && [ "$served" -ge "$decided" ] ;;
		failed) [ "$errno" != 0 ] ;;
		cxl) [ -z "$dev" ] && [ "$errno" = 0 ] && [ "$served" = 0 ] ;;
		*) [ -z "$dev" ] && [ "$served" = 0 ] ;;
		esac || fail "fields that do not fit: $line" || return
		[ 0 -lt "$seen" ] && [ "$seen" -le "$decided" ] && [ "$decided" -le "$now" ] &&
			[ "$served" -le "$now" ] || fail "times that do not fit: $line" || return
		[ "$(field state "$line")" != hmem ] || [ "$node" = "$(node_of "$dev")" ] ||
			fail "another node: $line" || return
	done <"$TMP/lines"
}

# Each region with a dax device has a line, which says whether dax_cxl has it.
tells_outcomes() {
	local region device want line
	for device in $(names $CXL 'dax_region[0-9]*'); do
		region=region${device##*[!0-9]}
		line=$(outcomes | grep "^region=$region ")
		want=idle
		[ "$(driver_of "$CXL/$device")" != cxl_dax_region ] || want=bound
		case $want:$(field outcome "$line") in
		bound:bound | idle:idle) ;;
		idle:lost) [ -e "$PLATFORM/devices/$(field lost_to "$line")/driver" ] ;;
		*) false ;;
		esac || fail "$device is $want: $line" || return
	done
	[ "$(outcomes | wc -l)" = "$(names $CXL 'dax_region[0-9]*' | wc -l)" ] || fail "$(outcomes)"
}

# state_of DEVICE: what the ledger says of the piece that it serves, at this moment
state_of() {
	sed -nE "s/.* state=([a-z]+) reason=([a-z-]+) .*dev=$1 .*/\1 \2/p" "$LEDGER"
}

follows_hands() {
	local device
	opted_in || return
	device=$(hmem_devices | head -n 1)
	[ -n "$device" ] || skip "HMEM serves nothing" || return
	offline && store $HMEM_DRIVER/unbind "$device" || return
	[ "$(state_of "$device")" = 'free driver-unbound' ] || fail "unbound: $(state_of "$device")" || return
	store $HMEM_DRIVER/bind "$device" || return
	online_again && comes_back "$TMP/before"
}

node_of() {
	cat "$DAX/$(dax_of "$PLATFORM/devices/$1" | head -n 1)/target_node"
}

# A new binding has a new ledger: later times, nothing of the old one.
begins_anew() {
	local first_seen
	opted_in || return
	first_seen=$(sed -nE 's/.* seen_ns=([0-9]+).*/\1/p' "$TMP/ledger" | sort -n | tail -n 1)
	offline && unbind_host || return
	[ ! -e "$LEDGER" ] || fail "there is a ledger without a driver" || return
	bind_host && online_again && comes_back "$TMP/before" || return
	cat "$LEDGER" >"$TMP/ledger"
	[ "$(sed -nE 's/.* seen_ns=([0-9]+).*/\1/p' "$TMP/ledger" | sort -n | head -n 1)" -gt "$first_seen" ] ||
		fail "times of before"
}

needs_tracing() {
	[ -e $TRACING/trace ] || mount -t tracefs nodev $TRACING 2>/dev/null
	[ -e $TRACING/trace ] || skip "no tracefs: CONFIG_FTRACE is off"
}

off_by_default() {
	local event
	needs_tracing || return
	for event in seen deferred decided served failed released; do
		[ "$(cat $EVENTS/$event/enable)" = 0 ] || fail "$event is missing, or on" || return
	done
	[ "$(names $EVENTS '*/format' | wc -l)" = 6 ] || fail "events:" "$(ls $EVENTS)"
}

# fired EVENT: the pieces of these events, in the words of the ledger
fired() {
	sed -nE "s/.*: $1: (range=.*)/\1/p" $TRACING/trace
}

listen() {
	echo >$TRACING/trace
	store $EVENTS/enable 1
}

# in_events: the fields that a line of the ledger shares with an event
in_events() {
	local line region dev
	while read -r line; do
		region=$(field region "$line") dev=$(field dev "$line")
		echo "range=$(field range "$line") node=$(field node "$line") state=$(field state "$line")" \
			"reason=$(field reason "$line") region=$([ -n "$region" ] && echo "${region#region}" || echo -1)" \
			"hmem=$([ -n "$dev" ] && echo "${dev#hmem.}" || echo -1) errno=$(field errno "$line")"
	done
}

events_tell_the_ledger() {
	local piece state
	opted_in && needs_tracing || return
	offline && unbind_host && listen && bind_host && online_again && comes_back "$TMP/before" || return
	store $EVENTS/enable 0
	cat "$LEDGER" >"$TMP/ledger"
	lines | in_events >"$TMP/pieces"
	while read -r piece; do
		state=$(field state "$piece")
		case $state in
		hmem) set -- served ;;
		failed) set -- failed ;;
		*) set -- decided ;;
		esac
		[ "$(fired "$1" | grep -cxF "$piece")" = 1 ] ||
			fail "no event $1, or more than one, of $piece:" "$(grep -v '^#' $TRACING/trace)" || return
	done <"$TMP/pieces"
	fired seen | sed -E 's/^range=([^-]*)-([^ ]*) .*/\1 \2/' | decimal | merged >"$TMP/have" || return
	ledger_ranges | merged | diff - "$TMP/have" || fail "events 'seen' of other bytes" || return
	grep -q 'CXL Window' /proc/iomem && grep -q reason=no-region "$TMP/ledger" || return 0
	[ -n "$(fired deferred)" ] || fail "no event deferred"
}

released_once_each() {
	local want
	opted_in && needs_tracing || return
	want=$(lines | grep -c ' dev=')
	offline && listen && unbind_host || return
	store $EVENTS/enable 0
	[ "$(fired released | grep -c 'state=free reason=unbound')" = "$want" ] ||
		fail "not $want events released:" "$(grep -v '^#' $TRACING/trace)"
}

silent_when_off() {
	opted_in && needs_tracing && off_by_default || return
	echo >$TRACING/trace
	bind_host && online_again && comes_back "$TMP/before" || return
	! grep -q 'range=' $TRACING/trace || fail "$(grep -v '^#' $TRACING/trace)"
}

start 14
[ -e "$LEDGER" ] || mount -t debugfs nodev /sys/kernel/debug 2>/dev/null
[ "${DAX_HMEM_TEST:-}" != 1 ] || at_rest
snapshot >"$TMP/before"
cat "$LEDGER" >"$TMP/ledger" 2>/dev/null

run "the ledger is there, and reads the same in small pieces" reads_the_same
run "each line has the form that is documented" format
run "each Soft Reserved byte of the memory map is in exactly one line" each_byte_once
run "each hmem device has one line" none_missing
run "the states agree with sysfs and /proc/iomem" agrees
run "device, error, times and node of a line agree" consistent
run "what came of dax_cxl's probe of each region is told" tells_outcomes
run "it follows a device that is unbound and bound by hand" follows_hands
run "a new binding begins a new ledger" begins_anew
run "the trace events are there, and off" off_by_default
run "the events tell what the ledger says" events_tell_the_ledger
run "each device that goes is an event" released_once_each
run "no event while they are off" silent_when_off
run "the log holds no report" log_is_clean
ktap_finished
