// SPDX-License-Identifier: GPL-2.0

//! The last boot of a log that holds several: what failed in an earlier one is no failure of this one.
//!
//! The journal marks boots; else the first line of a kernel does. But a log of one boot may have been
//! pasted twice, whole or in parts: where both speak of the same moments, both are kept.

use std::collections::HashSet;

use super::stamp::{self, Stamp};

/// The kernel prints its banner within this time.
const START_US: u64 = 1_000_000;
/// Before this, clocks are so coarse that two boots may agree.
const FINE_US: u64 = 1_000_000;
/// Behind a banner without a stamp, the command line stands within so many lines.
const HEAD: usize = 6;

/// A part of a log that is of one boot.
#[derive(Default)]
struct Part<'a> {
    /// As the journal names the boot.
    id: Option<&'a str>,
    lines: Vec<&'a str>,
    messages: Vec<(Stamp, &'a str)>,
}

/// The lines of the last boot.
pub fn this_boot(text: &str) -> String {
    let parts = parts(text);
    let Some((last, earlier)) = parts.split_last() else {
        return String::new();
    };
    let earlier = earlier.iter().filter(|p| is_same(p, last));
    let kept = earlier.chain([last]).flat_map(|p| &p.lines);
    kept.flat_map(|l| [*l, "\n"]).collect()
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let all: Vec<&str> = text.lines().collect();
    let mut out = vec![Part::default()];
    for (i, line) in all.iter().enumerate() {
        let mark = boot_mark(line);
        // Of a log without stamps, every line.
        let is_bare = out.last().is_some_and(is_bare);
        let is_message = mark.is_none() && (is_bare || super::told(line) > super::Told::Nothing);
        let message = stamp::split(line).filter(|_| is_message);
        let known = out.last().is_some_and(|p| !p.messages.is_empty());
        let begins = message
            .as_ref()
            .is_some_and(|(stamp, text)| known && is_banner(stamp, text, &all[i + 1..]));
        let other = mark.is_some_and(|id| out.last().is_some_and(|p| id.is_none() || p.id != id));
        if begins || other {
            out.push(Part::default());
        }
        if let Some(part) = out.last_mut() {
            part.id = mark.flatten().or(part.id);
            part.lines.push(line);
            part.messages.extend(message);
        }
    }
    out
}

/// Whether a part begins with a banner without a stamp.
fn is_bare(part: &Part) -> bool {
    let first = part.messages.first();
    first.is_some_and(|(stamp, text)| !stamp.is_any && text.starts_with("Linux version "))
}

/// `-- Boot 3a1b --` of the journal, or `-- Reboot --` of an old one.
fn boot_mark(line: &str) -> Option<Option<&str>> {
    let inner = line.trim().strip_prefix("-- ")?.strip_suffix(" --")?;
    match inner.strip_prefix("Boot ") {
        Some(id) => Some(Some(id.trim())),
        None => (inner == "Reboot").then_some(None),
    }
}

/// Whether a mark of the journal stands there.
pub(super) fn is_mark(line: &str) -> bool {
    boot_mark(line).is_some()
}

/// Whether this is how a kernel begins, and not what somebody says of one.
fn is_banner(stamp: &Stamp, text: &str, behind: &[&str]) -> bool {
    if !text.starts_with("Linux version ") {
        return false;
    }
    match stamp.time_us {
        Some(us) => us < START_US,
        None if stamp.clock.is_some() => true,
        // `/proc/version` says the same.
        None => behind
            .iter()
            .take(HEAD)
            .any(|l| l.contains("ommand line: ")),
    }
}

/// Whether two parts are of one boot.
fn is_same(one: &Part, other: &Part) -> bool {
    if let (Some(a), Some(b)) = (one.id, other.id) {
        return a == b;
    }
    match (banner_of(one), banner_of(other)) {
        (Some((a, _)), Some((b, _))) if a.clock.is_some() && b.clock.is_some() => {
            return a.clock == b.clock;
        }
        _ => {}
    }
    let moments = |p: &Part| -> HashSet<(Stamp, String)> {
        let all = p.messages.iter();
        all.map(|(s, t)| (s.clone(), (*t).to_string())).collect()
    };
    let (a, b) = (moments(one), moments(other));
    if a.is_subset(&b) || b.is_subset(&a) {
        return true;
    }
    let is_fine = |(stamp, _): &&(Stamp, String)| stamp.time_us.is_some_and(|us| us >= FINE_US);
    if a.intersection(&b).any(|m| is_fine(&m)) {
        return true;
    }
    // With other stamps, or with none: one of them says what the other says.
    let has_clock = |p: &Part| p.messages.iter().any(|(s, _)| s.clock.is_some());
    let has_uptime = |p: &Part| p.messages.iter().any(|(s, _)| s.time_us.is_some());
    if (has_clock(one), has_uptime(one)) == (has_clock(other), has_uptime(other)) {
        return false;
    }
    let texts = |p: &Part| -> HashSet<String> {
        p.messages.iter().map(|(_, t)| (*t).to_string()).collect()
    };
    let (a, b) = (texts(one), texts(other));
    a.is_subset(&b) || b.is_subset(&a)
}

fn banner_of<'a>(part: &'a Part) -> Option<&'a (Stamp, &'a str)> {
    let mut all = part.messages.iter();
    all.find(|(_, text)| text.starts_with("Linux version "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "[    0.000000] Linux version 6.18 (u@h)\n[    0.000000] Command line: quiet\n";
    const LOST: &str = "[   12.000100] kmem dax0.0: probe with driver kmem failed with error -16\n";
    const OTHER: &str = "[   12.000300] Demotion targets for Node 0\n";

    fn is_kept(text: &str) -> bool {
        this_boot(text).contains("failed with error")
    }

    fn dated(text: &str, date: &str) -> String {
        let lines = text
            .lines()
            .map(|l| l.split_once("] ").map_or(l, |(_, t)| t));
        lines.map(|l| format!("{date} h kernel: {l}\n")).collect()
    }

    #[test]
    fn an_earlier_boot_is_left_out() {
        assert!(!is_kept(&format!("{HEAD}{LOST}{HEAD}{OTHER}")));
        // Its beginning may be gone.
        assert!(!is_kept(&format!("{LOST}{HEAD}{OTHER}")));
        let (one, two) = (format!("{HEAD}{LOST}"), format!("{HEAD}{OTHER}"));
        let (monday, tuesday) = (
            dated(&one, "Nov 03 10:11:12"),
            dated(&two, "Nov 04 10:11:12"),
        );
        assert!(!is_kept(&format!("{monday}{tuesday}")));
        // Nothing but that it did not fail again.
        let quiet = dated(HEAD, "Nov 04 10:11:12");
        assert!(!is_kept(&format!("{monday}{quiet}")));
        for mark in ["-- Boot b2 --", "-- Reboot --"] {
            assert!(!is_kept(&format!("{LOST}{mark}\n{OTHER}")));
        }
        // What comes last counts, also if it is a kernel that another one started.
        assert!(is_kept(&format!("{two}{one}")));
        // Without stamps.
        let bare = |text: &str| {
            text.replace("[    0.000000] ", "")
                .replace("[   12.000", "")
        };
        assert!(!is_kept(&format!("{}{}", bare(&one), bare(&two))));
    }

    #[test]
    fn one_boot_that_was_pasted_twice_is_kept() {
        let whole = format!("{HEAD}{LOST}{OTHER}");
        for text in [
            format!("{whole}{whole}"),
            format!("{whole}{HEAD}"),
            format!("{whole}{HEAD}{OTHER}"),
            format!("{whole}{HEAD}{OTHER}[   13.0] new\n"),
            // `/proc/version`, and who speaks of a version.
            format!("{whole}Linux version 6.18 (u@h)\n"),
            format!("{whole}[   20.000000] Linux version of it\n{OTHER}"),
            format!(
                "{whole}{}",
                dated(&format!("{HEAD}{OTHER}"), "Nov 03 10:11:12")
            ),
            format!("-- Boot b1 --\n{whole}-- Boot b1 --\n{OTHER}"),
            format!("-- Boot b1 --\n{whole}"),
            dated(&whole, "Nov 03 10:11:12").repeat(2),
        ] {
            assert!(is_kept(&text), "{text}");
        }
        assert_eq!(this_boot(""), "");
        assert_eq!(this_boot("hello\n"), "hello\n");
    }
}
