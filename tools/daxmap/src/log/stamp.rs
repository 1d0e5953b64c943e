// SPDX-License-Identifier: GPL-2.0

//! What stands before a message: time stamps of every tool, host names, levels, thread ids.
//!
//! A log is read as somebody pasted it: from `/dev/kmsg`, any option of `dmesg`, the journal, syslog or
//! a serial console; indented, or with carriage returns.

use std::sync::LazyLock;

use regex::Regex;

use super::parse::{captures, number, pattern};

// A `/dev/kmsg` record: `6,339,5140900,-;text`.
pattern!(
    RECORD,
    r"^[0-9]{1,10},[0-9]{1,20},([0-9]{1,18}),[ -:<-~]{0,200};(.*)$"
);
// `[   12.345678]`, also with fewer digits.
pattern!(SECONDS, r"^\[ *([0-9]{1,12})\.([0-9]{1,9})\] ?(.*)$");
// Behind the time: `[  T31]`, `[   C0]`; `dmesg -d`: `[<    0.000012>]`; `dmesg -e`: `[  +0.000012]`.
pattern!(
    CALLER,
    r"^\[ *(?:[TC][0-9]{1,10}|\+?[0-9.]{1,20}|< *[0-9.]{1,20}>)\] ?(.*)$"
);
// `2025-12-02T10:11:12,345678+01:00`, also with a space in the middle.
pattern!(
    ISO,
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9:]{4,6})? ?(.*)$"
);
// `1764670280.123456`: seconds since 1970.
pattern!(EPOCH, r"^[0-9]{9,11}\.[0-9]{3,9} (.*)$");
// `Dec  2 10:11:12`.
pattern!(
    SYSLOG,
    r"^[A-Z][a-z]{2} +[0-9]{1,2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})? (.*)$"
);
// `host kernel:`, which syslog and the journal put before the text.
pattern!(KERNEL, r"^(?:[!-~]{1,253} )?kernel: ?(.*)$");
// `<4>` of a serial console; `kern  :info  :` of `dmesg -x`.
pattern!(
    LEVEL,
    r"^(?:<[0-9]{1,3}>|[a-z]{2,10} *:[a-z]{2,10} *: )(.*)$"
);
// A continuation of a `/dev/kmsg` record: ` SUBSYSTEM=platform`.
pattern!(FIELD, r"^ [A-Z_]{1,40}=");

/// No date with a host name is longer.
const LONGEST_STAMP: usize = 320;

/// Time in microseconds since boot and text; `None` for a line that holds no message.
pub(super) fn split(line: &str) -> Option<(Option<u64>, &str)> {
    if captures(&FIELD, line).is_some() {
        return None;
    }
    let mut text = line.trim();
    let mut time = None;
    // Each may stand before each; a hostile line is no reason to look for ever.
    for _ in 0..8 {
        let Some((found, rest)) = strip(text) else {
            break;
        };
        time = time.or(found);
        text = rest.trim_start();
    }
    (!text.is_empty()).then_some((time, text))
}

/// Takes one prefix off.
fn strip(text: &str) -> Option<(Option<u64>, &str)> {
    if let Some(c) = captures(&RECORD, text) {
        return Some((number(&c, 1, 10), c.get(2)?.as_str()));
    }
    if let Some(c) = captures(&SECONDS, text) {
        let seconds = number(&c, 1, 10)?.checked_mul(1_000_000)?;
        let digits = c.get(2)?.as_str();
        let micros = format!("{digits:0<6}");
        let micros = micros.get(..6)?.parse::<u64>().ok()?;
        return Some((seconds.checked_add(micros), c.get(3)?.as_str()));
    }
    let others = [&CALLER, &ISO, &EPOCH, &SYSLOG, &LEVEL, &KERNEL];
    let found = others.into_iter().find_map(|p| captures(p, text));
    let rest = found.and_then(|c| Some(c.get(1)?.as_str()));
    let rest = rest.or_else(|| behind_wall_time(text));
    Some((None, rest.or_else(|| behind_kernel(text))?))
}

/// What stands behind a date and time in brackets, in whatever language: `dmesg -T` writes
/// `[Tue Dec  2 10:11:12 2025]` or `[Di Dez  2 10:11:12 2025]`, `dmesg -e` writes `[Dec 2 10:11]`.
fn behind_wall_time(text: &str) -> Option<&str> {
    let (date, rest) = text.strip_prefix('[')?.split_once(']')?;
    let words = date.split_whitespace();
    let is_year = |w: &str| w.len() == 4 && w.bytes().all(|b| b.is_ascii_digit());
    let mut last_two = words.rev().take(2);
    let found = match last_two.next()? {
        year if is_year(year) => is_time(last_two.next()?),
        time => is_time(time),
    };
    (found && date.len() <= LONGEST_STAMP).then(|| rest.trim_start())
}

/// What stands behind `kernel:`, if a time stands before it: the journal and syslog write dates in more
/// forms, and languages, than the patterns know.
fn behind_kernel(text: &str) -> Option<&str> {
    let (head, rest) = text.split_once(" kernel: ")?;
    // An uptime in brackets is no date, and is told.
    let is_stamp = !head.starts_with('[') && head.len() <= LONGEST_STAMP;
    let has_time = || head.split([' ', 'T']).any(is_time);
    (is_stamp && has_time()).then_some(rest)
}

/// `10:11`, `10:11:12` or `10:11:12.345678`, also with a zone behind it.
fn is_time(word: &str) -> bool {
    let clock = word.split(['.', ',', '+', '-', 'Z']).next().unwrap_or(word);
    let parts: Vec<&str> = clock.split(':').collect();
    let is_part = |p: &&str| matches!(p.len(), 1 | 2) && p.bytes().all(|b| b.is_ascii_digit());
    matches!(parts.len(), 2 | 3) && parts.iter().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        let all = [
            &RECORD, &SECONDS, &CALLER, &ISO, &EPOCH, &SYSLOG, &KERNEL, &LEVEL, &FIELD,
        ];
        assert!(all.iter().all(|p| p.is_some()));
    }

    #[test]
    fn every_stamp_is_taken_off() {
        let text = "kmem dax0.0: x";
        for (line, time) in [
            ("kmem dax0.0: x", None),
            ("[    5.140900] kmem dax0.0: x", Some(5_140_900)),
            ("[   12.5] kmem dax0.0: x", Some(12_500_000)),
            ("[    5.140900][  T31] kmem dax0.0: x", Some(5_140_900)),
            ("<4>[    5.140900] kmem dax0.0: x", Some(5_140_900)),
            ("<4>kmem dax0.0: x", None),
            (
                "kern  :warn  : [    5.140900] kmem dax0.0: x",
                Some(5_140_900),
            ),
            ("    [    5.140900] kmem dax0.0: x\r", Some(5_140_900)),
            ("\t[    5.140900] kmem dax0.0: x", Some(5_140_900)),
            ("[Tue Dec  2 10:11:12 2025] kmem dax0.0: x", None),
            ("[Dec 2 10:11] kmem dax0.0: x", None),
            ("[Di Dez  2 10:11:12 2025] kmem dax0.0: x", None),
            ("[mar. déc.  2 10:11:12 2025] kmem dax0.0: x", None),
            ("[火 12月  2 10:11:12 2025] kmem dax0.0: x", None),
            ("Dez 02 10:11:12 node17 kernel: kmem dax0.0: x", None),
            ("12月 02 10:11:12 node17 kernel: kmem dax0.0: x", None),
            (
                "Tue 2025-12-02 10:11:12 CET node17 kernel: kmem dax0.0: x",
                None,
            ),
            ("1764670280.123456 node17 kernel: kmem dax0.0: x", None),
            ("[  +0.000012] kmem dax0.0: x", None),
            ("2025-12-02T10:11:12,345678+01:00 kmem dax0.0: x", None),
            (
                "2025-12-02T10:11:12+0100 node17 kernel: kmem dax0.0: x",
                None,
            ),
            ("Dec  2 10:11:12 node17 kernel: kmem dax0.0: x", None),
            (
                "Dec  2 10:11:12 node17 kernel: [    5.140900] kmem dax0.0: x",
                Some(5_140_900),
            ),
            (
                "[    5.140900] node17 kernel: kmem dax0.0: x",
                Some(5_140_900),
            ),
            ("4,339,5140900,-;kmem dax0.0: x", Some(5_140_900)),
        ] {
            assert_eq!(split(line), Some((time, text)), "{line}");
        }
    }

    #[test]
    fn what_is_no_message_is_passed_over() {
        for line in ["", "   ", " SUBSYSTEM=platform", " DEVICE=+dax:dax0.0"] {
            assert_eq!(split(line), None, "{line}");
        }
    }
}
