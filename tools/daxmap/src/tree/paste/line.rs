// SPDX-License-Identifier: GPL-2.0

//! What mails, editors, `grep` and chats put before a line, and lines that a mail broke in two.
//!
//! Nothing of that is taken off unless more of the line is understood without it: a kernel's message
//! may begin with a number or a name as well.

use std::sync::LazyLock;

use regex::Regex;

use crate::iomem;
use crate::log::{self, Told};

/// Before what is left, the spaces before the mark stay, for they tell the depth in a resource tree.
static MARKS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    const MARKS: [&str; 8] = [
        // `John> ` and `JD>> ` of a mail.
        r"^[A-Za-z][A-Za-z0-9._-]{0,30}>+ ?",
        // A quotation of some mailers and of chats; a table.
        r"^(?:[|:] ?|\+)",
        // `12:` and `12-` of `grep -n`, `12.` and `12)` of a list.
        r"^[0-9]{1,7}[:.)-]",
        // `cat -n`, `less -N`, an editor with line numbers.
        r"^[0-9]{1,7}(?:\t| \u{2502} ?| \| ?| )",
        // Bullets.
        r"^(?:[*\u{2022}\u{2023}\u{25aa}\u{25cf}\u{25e6}\u{b7}-]|#+)[ \t]",
        // `dmesg.txt:` of `grep` in several files.
        r"^(?:\(standard input\)|[^\s:]{0,200}?/[^\s:]{1,200}?|[A-Za-z_][^\s:]{0,200}?\.[A-Za-z0-9]{1,8})[:-]",
        // `service  | ` of a log of containers.
        r"^[A-Za-z][A-Za-z0-9._-]{0,62} +\| ",
        // The machine, where a command was run on several.
        r"^[A-Za-z][A-Za-z0-9._-]{0,62}: ?",
    ];
    MARKS.iter().filter_map(|m| Regex::new(m).ok()).collect()
});

/// Marks may stand before marks.
const MAX_MARKS: usize = 4;
/// Nothing of interest stands in a longer one.
const LONGEST: usize = 4096;

/// The lines without what stands before them.
pub(super) fn lines(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for line in text.lines() {
        let (told, line) = bare(line.trim_end_matches(['\r', '\n']));
        let last = out.last_mut().filter(|_| told == Told::Nothing);
        match last.and_then(|last| Some((joined(last, &line)?, last))) {
            Some((whole, last)) => *last = whole,
            None => out.push(line),
        }
    }
    out
}

/// How much of a line is understood.
fn worth(line: &str) -> Told {
    if is_json(line) || iomem::parse_line(line).is_some() {
        return Told::Whole;
    }
    log::told(line)
}

/// A line of a JSON document that is laid out.
fn is_json(line: &str) -> bool {
    let line = line.trim();
    let brackets = |l: &str| l.bytes().all(|b| b"[]{}, ".contains(&b));
    let is_member = line.starts_with('"') && line.contains("\":");
    !line.is_empty() && (is_member || brackets(line))
}

/// A line without what stands before it, and how much of it is understood.
fn bare(line: &str) -> (Told, String) {
    let line = row(unquoted(line));
    if line.len() > LONGEST {
        return (Told::Nothing, line.to_string());
    }
    let mut best = (worth(line), line.to_string());
    // No mark is such a bracket.
    if best.0 == Told::Whole || best.0 == Told::Stamped && line.starts_with('[') {
        return best;
    }
    let mut todo = vec![line.to_string()];
    for _ in 0..MAX_MARKS {
        let rests: Vec<(bool, String)> = todo.iter().flat_map(|l| without_mark(l)).collect();
        for (is_sure, rest) in &rests {
            if best.0 == Told::Whole {
                return best;
            }
            let worth = worth(rest);
            // As much without a mark as with it: then it is none of the message. A stamp is no mark.
            let is_tie = worth == best.0 && (Told::Whose..=Told::Message).contains(&worth);
            if worth > best.0 || is_tie && *is_sure {
                best = (worth, rest.clone());
            }
        }
        todo = rests.into_iter().map(|(_, rest)| rest).collect();
        todo.truncate(2 * MARKS.len());
    }
    best
}

/// Without one mark, for each that fits; with whether it is a mark for sure.
fn without_mark(line: &str) -> Vec<(bool, String)> {
    let body = line.trim_start_matches([' ', '\t']);
    let indent = &line[..line.len() - body.len()];
    let found = MARKS.iter().enumerate();
    let found = found.filter_map(|(i, m)| Some((i, m.find(body)?)));
    let rests = found.filter_map(|(i, m)| {
        let mark = m.as_str();
        let rest = body.get(m.end()..)?;
        // A number is set right; what stands before a bullet is depth.
        let is_number = mark.starts_with(|c: char| c.is_ascii_digit());
        let rest = match is_number {
            true => rest.to_string(),
            false => format!("{indent}{rest}"),
        };
        // The kernel names subsystems as others name machines.
        let is_sure = i + 1 < MARKS.len();
        Some((is_sure, unquoted(&rest).to_string()))
    });
    rests.filter(|(_, rest)| !rest.trim().is_empty()).collect()
}

/// A row of a table without the mark at its end.
fn row(line: &str) -> &str {
    let is_row = line.trim_start().starts_with('|');
    let inner = line.trim_end().strip_suffix('|').filter(|_| is_row);
    match inner.map(str::trim_end) {
        Some(inner) if inner.trim_start().len() > 1 => inner,
        _ => line,
    }
}

/// Without the marks of a quotation in a mail.
fn unquoted(line: &str) -> &str {
    let mut rest = line;
    while let Some(inner) = rest
        .trim_start()
        .strip_prefix("> ")
        .or(rest.trim_start().strip_prefix('>'))
    {
        rest = inner;
    }
    rest
}

/// A line with the next one, if a mail broke them apart.
fn joined(line: &str, next: &str) -> Option<String> {
    const WORDS: [&str; 6] = ["[mem ", "dax", "kmem", "cxl", "SRAT", "memory"];
    let is_first = WORDS.iter().any(|w| line.contains(w));
    if !is_first || next.trim().is_empty() || line.len().saturating_add(next.len()) > LONGEST {
        return None;
    }
    // At a space, or in the middle of a word.
    let (end, start) = (line.trim_end(), next.trim_start());
    let mut wholes = [format!("{end} {start}"), format!("{line}{next}")].into_iter();
    wholes.find(|whole| log::is_begun(line, whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(MARKS.len(), 8);
    }

    #[test]
    fn marks_are_taken_off() {
        for line in [
            "[    1.000000] kmem dax0.0: mapping0: 0x1000-0x1fff could not reserve region",
            "kmem dax0.0: mapping0: 0x1000-0x1fff could not reserve region",
            "Nov  3 10:11:12 host kernel: BIOS-e820: [mem 0x1000-0x1fff] soft reserved",
            "2025-11-03T10:11:12+0100 host kernel: kmem dax0.0: x",
            "BIOS-e820: [mem 0x1000-0x1fff] soft reserved",
            "4,339,5140900,-;kmem dax0.0: x",
            "Linux version 6.18.0 (user@host)",
            "100000000-1fffffffff : System RAM",
            "  2080000000-307fffffff : region0",
            "\"chardev\":\"dax0.0\",",
            "-- Boot 3a1b --",
        ] {
            for mark in [
                "",
                "> ",
                ">> > ",
                "John> ",
                "JD>> ",
                "12:",
                "12-",
                "12.",
                "    12\t",
                "12) ",
                "* ",
                "- ",
                "\u{2022} ",
                "| ",
                "dmesg.txt:",
                "/var/log/kern.log-",
                "a/b.log:12:",
                "+",
                "web-1  | ",
                "> 12:",
            ] {
                let given = format!("{mark}{line}");
                let depth = line.len() - line.trim_start().len();
                let (_, told) = bare(&given);
                assert_eq!(told.trim(), line.trim(), "{given:?}");
                let own = told.len() - told.trim_start().len();
                assert!(own == depth || own == depth + 1, "{given:?}");
            }
        }
    }

    #[test]
    fn what_is_no_mark_stays() {
        for line in [
            "hello: world",
            "12 drummers",
            "2025-11-03 nothing",
            "0000:35:00.0: x",
            "e820: update [mem 0x1000-0x1fff] usable ==> reserved",
            "? ?: [mem 0x1000-0x1fff] soft reserved",
        ] {
            assert_eq!(bare(line).1, line);
        }
    }

    #[test]
    fn broken_lines_are_joined() {
        let text = "[   12.0] kmem dax0.0: mapping0: 0x1000-0x1fff could not\nreserve region\n\
                    [    0.0] BIOS-e820: [mem 0x1000-0x1fff] soft\n  reserved\n\
                    [    0.0] BIOS-e820: [mem 0x3000-0x3fff] so\nft reserved\n\
                    [    0.0] BIOS-e820: [mem 0x2000-0x2fff] usable\nand so on\n";
        let all = lines(text);
        assert_eq!(all.len(), 5, "{all:?}");
        assert!(all[2].ends_with("soft reserved"));
        assert!(all[0].ends_with("could not reserve region"));
        assert!(all[1].ends_with("soft reserved"));
    }
}
