# SPDX-License-Identifier: GPL-2.0
#
# What the tests of this directory share: results, waiting, the kernel log, and leaving the
# machine as it was found. Sourced by each test, which then calls start.
#
# A test takes Soft Reserved memory offline and unloads drivers under it. Who sets
# DAX_HMEM_TEST=1 agrees to that; without it everything that changes the machine is skipped.
#
#   DAX_HMEM_TEST=1             opt in
#   DAX_HMEM_TEST_CYCLES=N      repetitions of tests that repeat things
#   DAX_HMEM_TEST_TIMEOUT=N     seconds until something awaited counts as missing
# shellcheck shell=bash disable=SC2034

DIR=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
KTAP_HELPERS=$DIR/../kselftest/ktap_helpers.sh
[ -e "$KTAP_HELPERS" ] || KTAP_HELPERS=${KSELFTEST_DIR:-}/ktap_helpers.sh
# shellcheck disable=SC1090
. "$KTAP_HELPERS" || { echo "Bail out! no ktap_helpers.sh: run 'make install' or 'make run_tests'"; exit 1; }

# shellcheck source=state.sh
. "$DIR/state.sh"

TIMEOUT=${DAX_HMEM_TEST_TIMEOUT:-60}
CYCLES=${DAX_HMEM_TEST_CYCLES:-}

# Marks of a report by the kernel.
REPORTS='WARNING:|BUG:|Oops|KASAN|KCSAN|UBSAN|ODEBUG|general protection|unable to handle|'
REPORTS+='refcount_t:|possible (circular|recursive) locking|inconsistent lock|suspicious RCU|'
REPORTS+='sleeping function called|blocked for more than|list_(add|del) corruption|'
REPORTS+='cannot create duplicate|panicked at|Call Trace|stuck online until reboot'

# fail TEXT: tells why, and is false
fail() {
	printf '%s\n' "$*"
	return 1
}

# skip TEXT: what a test function returns with when the machine cannot show its subject
skip() {
	printf '%s\n' "$*"
	return "$KSFT_SKIP"
}

# skip_all TEXT: ends the script
skip_all() {
	ktap_skip_all "$*"
	exit "$KSFT_SKIP"
}

# run DESCRIPTION FUNCTION [ARGS]: one line of TAP; what the function prints is the reason
run() {
	local what=$1 rc
	shift
	"$@" >"$TMP/out" 2>&1
	rc=$?
	case $rc in
	0)
		ktap_test_pass "$what"
		;;
	"$KSFT_SKIP")
		ktap_test_skip "$what: $(head -n 1 "$TMP/out")"
		;;
	*)
		ktap_test_fail "$what"
		head -n 60 "$TMP/out" | sed 's/^/#   /'
		recover
		;;
	esac
}

# recover: what follows a failure is not to fail for it
recover() {
	release_probe
	[ -z "${CHANGED:-}" ] || {
		[ -z "${ONLINE_WANTED:-}" ] || store "$AUTO_ONLINE" "$ONLINE_WANTED"
		restore
	}
} >/dev/null 2>&1

# opted_in: skips the test function that calls it, unless changes are welcome
opted_in() {
	[ "${DAX_HMEM_TEST:-}" = 1 ] || skip "set DAX_HMEM_TEST=1 to let it change the machine"
}

# start PLAN: the header, and what no test can do without
start() {
	ktap_print_header
	[ "$(id -u)" = 0 ] || skip_all "must be run as root"
	[ -e "$HOST" ] || skip_all "no $(basename "$HOST"): firmware marked no memory Soft Reserved"
	is_loaded dax_hmem || skip_all "dax_hmem is not loaded"
	[ -e "$HOST/driver" ] || skip_all "$(basename "$HOST") has no driver"
	TMP=$(mktemp -d) || skip_all "no temporary directory"
	trap finish EXIT
	trap 'exit 1' INT TERM
	is_loaded dax_cxl && HAD_DAX_CXL=1
	[ "${DAX_HMEM_TEST:-}" != 1 ] || keep_online_policy
	mark_log
	ktap_set_plan "$1"
}

# start_opted_in PLAN: as start, for scripts of which nothing is left without changes
start_opted_in() {
	[ "${DAX_HMEM_TEST:-}" = 1 ] || {
		ktap_print_header
		skip_all "set DAX_HMEM_TEST=1 to let it take memory offline and unload drivers"
	}
	start "$1"
}

finish() {
	local rc=$? pid
	trap - EXIT
	for pid in "${CHILDREN[@]}"; do
		kill "$pid" 2>/dev/null
	done
	recover
	restore_online_policy
	rm -rf "$TMP"
	exit "$rc"
}

# background COMMAND: PID is its process, ended with the script at the latest
CHILDREN=()
background() {
	"$@" &
	PID=$!
	CHILDREN+=("$PID")
}

# pause SECONDS: between two looks at a condition
pause() {
	sleep "$1"
}

# wait_for CONDITION...: until it is true, or TIMEOUT seconds have passed
wait_for() {
	local end=$((SECONDS + TIMEOUT))
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		pause 0.1
	done
}

not() {
	! "$@"
}

contains() {
	case $1 in *"$2"*) return 0 ;; esac
	return 1
}

# gone PID: whether a process has ended
gone() {
	! kill -0 "$1" 2>/dev/null
}

# store FILE VALUE: writes to an attribute; true if the kernel took it
store() {
	printf '%s\n' "$2" 2>/dev/null >"$1"
}

# refuses FILE VALUE: whether the kernel does not take it
refuses() {
	! store "$1" "$2"
} 2>/dev/null

# mark_log: log_since begins here
mark_log() {
	LOG_MARK="dax-hmem-selftest: ${0##*/} $$ $((LOG_MARKS += 1))"
	echo "$LOG_MARK" >/dev/kmsg
}
LOG_MARKS=0

# log_since: the kernel log since the last mark_log, without times
log_since() {
	dmesg | awk -v mark="$LOG_MARK" '
		{ line[NR] = $0; if (index($0, mark)) from = NR }
		END { for (i = from + 1; i <= NR; i++) { sub(/^\[ *[0-9.]+\] /, "", line[i]); print line[i] } }'
}

logged() {
	log_since | grep -Eq -e "$1"
}

# log_is_clean: no report by the kernel since the script began
log_is_clean() {
	local reports
	reports=$(dmesg | awk -v mark="dax-hmem-selftest: ${0##*/} $$ 1" '
		index($0, mark) { seen = 1; next } { line[NR] = $0; at[NR] = seen }
		END { for (i = 1; i <= NR; i++) if (!seen || at[i]) print line[i] }' |
		grep -E -e "$REPORTS")
	[ -z "$reports" ] || fail "$reports"
}
