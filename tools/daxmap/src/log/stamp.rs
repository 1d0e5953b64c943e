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
// `[   12.345678]`, also with fewer digits; `dmesg -d` puts the time since the line before behind it:
// `[   12.345678 <    0.000012>]`.
pattern!(
    SECONDS,
    r"^\[ *([0-9]{1,12})\.([0-9]{1,9})(?: +< *[0-9.]{1,20}>)?\] ?(.*)$"
);
// The same behind a prompt, which a serial console puts before it: `node17 login: [   12.345678] `.
pattern!(LATER, r"^.*?[ \t](\[ *[0-9]{1,12}\.[0-9]{6}\][ \[].*)$");
// Behind the time: `[  T31]`, `[   C0]`; `dmesg -d`: `[<    0.000012>]`; `dmesg -e`: `[  +0.000012]`.
pattern!(
    CALLER,
    r"^\[ *(?:[TC][0-9]{1,10}|\+?[0-9.]{1,20}|< *[0-9.]{1,20}>)\] ?(.*)$"
);
// `2025-12-02T10:11:12,345678+01:00`, also with a space in the middle.
pattern!(
    ISO,
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9:]{4,6})?) ?(.*)$"
);
// `1764670280.123456`: seconds since 1970.
pattern!(EPOCH, r"^([0-9]{9,11}\.[0-9]{3,9}) (.*)$");
// `Dec  2 10:11:12`.
pattern!(
    SYSLOG,
    r"^([A-Z][a-z]{2} +[0-9]{1,2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?) (.*)$"
);
// `host kernel:`, which syslog and the journal put before the text; with a PID, or as RFC 5424 has it.
pattern!(
    KERNEL,
    r"^(?:[!-~]{1,253} )?kernel(?:(?:\[[0-9]{1,10}\])?:| (?:-|[0-9]{1,10}) - -) ?(.*)$"
);
// `<4>` of a serial console, `<4>1 ` of RFC 5424; `kern  :info  :` of `dmesg -x`.
pattern!(
    LEVEL,
    r"^(?:<[0-9]{1,3}>(?:1 )?|[a-z]{2,10} *:[a-z]{2,10} *: )(.*)$"
);
// A continuation of a `/dev/kmsg` record: ` SUBSYSTEM=platform`.
pattern!(FIELD, r"^ [A-Z_]{1,40}=");

/// No date with a host name is longer.
const LONGEST_STAMP: usize = 320;

/// What stood before a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    /// Microseconds since boot.
    pub(super) time_us: Option<u64>,
    /// Date and time, as far as they are told, where there is no time since boot.
    pub(super) clock: Option<String>,
    /// Anything at all.
    pub(super) is_any: bool,
    /// The first of it has no known form.
    pub(super) is_guess: bool,
}

/// One prefix.
enum Found {
    Uptime(Option<u64>),
    Clock(String),
    Guess(String),
    Other,
}

/// What stands before a message, and its text; `None` for a line that holds no message.
pub(super) fn split(line: &str) -> Option<(Stamp, &str)> {
    if captures(&FIELD, line).is_some() {
        return None;
    }
    let mut text = line.trim();
    let mut stamp = Stamp::default();
    let later = captures(&LATER, text).filter(|_| strip(text).is_none());
    if let Some(later) = later.and_then(|c| c.get(1)) {
        stamp.is_guess = true;
        text = later.as_str();
    }
    // Each may stand before each; a hostile line is no reason to look for ever.
    for _ in 0..8 {
        let Some((found, rest)) = strip(text) else {
            break;
        };
        let is_first = !std::mem::replace(&mut stamp.is_any, true);
        match found {
            Found::Uptime(us) => stamp.time_us = stamp.time_us.or(us),
            Found::Clock(clock) => stamp.clock = stamp.clock.or(Some(clock)),
            Found::Guess(clock) => {
                stamp.is_guess |= is_first;
                stamp.clock = stamp.clock.or(Some(clock));
            }
            Found::Other => {}
        }
        text = rest.trim_start();
    }
    if stamp.time_us.is_some() {
        stamp.clock = None;
    }
    (!text.is_empty()).then_some((stamp, text))
}

/// Takes one prefix off.
fn strip(text: &str) -> Option<(Found, &str)> {
    if let Some(c) = captures(&RECORD, text) {
        return Some((Found::Uptime(number(&c, 1, 10)), c.get(2)?.as_str()));
    }
    if let Some(c) = captures(&SECONDS, text) {
        let seconds = number(&c, 1, 10)?.checked_mul(1_000_000)?;
        let digits = c.get(2)?.as_str();
        let micros = format!("{digits:0<6}");
        let micros = micros.get(..6)?.parse::<u64>().ok()?;
        let time = seconds.checked_add(micros);
        return Some((Found::Uptime(time), c.get(3)?.as_str()));
    }
    if let Some(c) = captures(&CALLER, text) {
        return Some((Found::Other, c.get(1)?.as_str()));
    }
    let dated = [&ISO, &SYSLOG]
        .into_iter()
        .find_map(|p| captures(p, text))
        .and_then(|c| Some((c.get(1)?.as_str().to_string(), c.get(2)?.as_str())));
    // In brackets a number would be a time since boot; `date` takes it with this mark.
    let epoch = captures(&EPOCH, text)
        .and_then(|c| Some((format!("@{}", c.get(1)?.as_str()), c.get(2)?.as_str())));
    if let Some((clock, rest)) = dated.or(epoch) {
        return Some((Found::Clock(clock), rest));
    }
    if let Some(c) = [&LEVEL, &KERNEL]
        .into_iter()
        .find_map(|p| captures(p, text))
    {
        return Some((Found::Other, c.get(1)?.as_str()));
    }
    if let Some((clock, rest)) = behind_wall_time(text) {
        return Some((Found::Clock(clock), rest));
    }
    let (clock, rest) = behind_kernel(text)?;
    Some((Found::Guess(clock), rest))
}

/// Date and time in brackets, in whatever language, and what stands behind them: `dmesg -T` writes
/// `[Tue Dec  2 10:11:12 2025]` or `[Di Dez  2 10:11:12 2025]`, `dmesg -e` writes `[Dec 2 10:11]`. Every
/// other form stands in brackets in a capture.
fn behind_wall_time(text: &str) -> Option<(String, &str)> {
    let (date, rest) = text.strip_prefix('[')?.split_once(']')?;
    // `dmesg -dT` puts the time since the line before behind it.
    let date = match date.split_once(" <") {
        Some((date, delta)) if delta.ends_with('>') => date,
        _ => date,
    };
    let words = date.split_whitespace();
    let is_year = |w: &str| w.len() == 4 && w.bytes().all(|b| b.is_ascii_digit());
    let is_epoch = |w: &str| {
        let number = w.strip_prefix('@').unwrap_or_default();
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    };
    let mut last_two = words.rev().take(2);
    let found = match last_two.next()? {
        year if is_year(year) => is_time(last_two.next()?),
        time => is_time(time.rsplit('T').next()?) || is_epoch(time),
    };
    (found && date.len() <= LONGEST_STAMP).then(|| (date.to_string(), rest.trim_start()))
}

/// What stands behind `kernel:`, if a time stands before it: the journal and syslog write dates in more
/// forms, and languages, than the patterns know. Of the date only numbers are told: a word may be the
/// host's name.
fn behind_kernel(text: &str) -> Option<(String, &str)> {
    let (head, rest) = text.split_once(" kernel: ")?;
    // An uptime in brackets is no date, and is told.
    let is_stamp = !head.starts_with('[') && head.len() <= LONGEST_STAMP;
    let words: Vec<&str> = head.split([' ', 'T']).collect();
    let at = words.iter().position(|w| is_time(w))?;
    let is_date = |w: &str| {
        let is_part = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b'/');
        !w.is_empty() && w.len() <= 10 && w.bytes().all(is_part)
    };
    let date = words[..at].iter().filter(|w| is_date(w));
    let clock: Vec<&str> = date.chain(&words[at..=at]).copied().collect();
    is_stamp.then(|| (clock.join(" "), rest))
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
            &RECORD, &SECONDS, &LATER, &CALLER, &ISO, &EPOCH, &SYSLOG, &KERNEL, &LEVEL, &FIELD,
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
            (
                "[    5.140900 <    0.000012>] kmem dax0.0: x",
                Some(5_140_900),
            ),
            ("[Tue Dec  2 10:11:12 2025] kmem dax0.0: x", None),
            (
                "[Tue Dec  2 10:11:12 2025 <    0.000012>] kmem dax0.0: x",
                None,
            ),
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
            (
                "node17 login: [    5.140900] kmem dax0.0: x",
                Some(5_140_900),
            ),
            (
                "root@node17:~# [    5.140900][  T31] kmem dax0.0: x",
                Some(5_140_900),
            ),
        ] {
            let (stamp, rest) = split(line).unwrap();
            assert_eq!((stamp.time_us, rest), (time, text), "{line}");
            assert_eq!(stamp.is_any, line != text, "{line}");
        }
    }

    #[test]
    fn a_clock_is_told_without_the_host() {
        for (line, clock) in [
            ("[Tue Dec  2 10:11:12 2025] x", "Tue Dec  2 10:11:12 2025"),
            (
                "[Tue Dec  2 10:11:12 2025 <    0.000012>] x",
                "Tue Dec  2 10:11:12 2025",
            ),
            ("[Dec 2 10:11] x", "Dec 2 10:11"),
            ("[火 12月  2 10:11:12 2025] x", "火 12月  2 10:11:12 2025"),
            ("Dez 02 10:11:12 node17 kernel: x", "Dez 02 10:11:12"),
            ("12月 02 10:11:12 node17 kernel: x", "02 10:11:12"),
            (
                "Tue 2025-12-02 10:11:12 CET node17 kernel: x",
                "2025-12-02 10:11:12",
            ),
            ("node17 10:11:12 kernel: x", "10:11:12"),
            ("1764670280.123456 node17 kernel: x", "@1764670280.123456"),
            (
                "2025-12-02T10:11:12,345678+01:00 x",
                "2025-12-02T10:11:12,345678+01:00",
            ),
            (
                "2025-12-02 10:11:12Z node17 kernel[0]: x",
                "2025-12-02 10:11:12Z",
            ),
            (
                "<4>1 2025-12-02T10:11:12.3+01:00 node17 kernel - - - x",
                "2025-12-02T10:11:12.3+01:00",
            ),
        ] {
            let (stamp, _) = split(line).unwrap();
            assert_eq!(stamp.clock.as_deref(), Some(clock), "{line}");
            // As a capture has it.
            let again = format!("[{clock}] x");
            assert_eq!(split(&again).unwrap().0.clock, stamp.clock, "{again}");
            assert_eq!(stamp.time_us, None, "{line}");
        }
        // A time since boot says more.
        let both = split("Dec  2 10:11:12 node17 kernel: [    5.140900] x").unwrap();
        assert_eq!((both.0.time_us, both.0.clock), (Some(5_140_900), None));
    }

    #[test]
    fn what_is_no_message_is_passed_over() {
        for line in ["", "   ", " SUBSYSTEM=platform", " DEVICE=+dax:dax0.0"] {
            assert_eq!(split(line), None, "{line}");
        }
    }
}
