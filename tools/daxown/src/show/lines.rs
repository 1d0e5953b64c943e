// SPDX-License-Identifier: GPL-2.0

//! Lines that are too long for a terminal, and how they are broken.

use unicode_width::UnicodeWidthStr;

use super::Look;

/// Width of prose where there is no terminal.
const PAGE: usize = 100;

/// What lines are, for breaking those that are too long for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// Prose is always broken.
    Prose,
    /// Commands never are, so that they can be copied; remarks (`#`) between them are.
    Commands,
    /// Lines of a log, and paths.
    Evidence,
}

/// Lines behind a label, below a headline.
pub fn block<S: AsRef<str>>(label: &str, lines: &[S], look: &Look, kind: Lines) -> String {
    const INDENT: usize = 2;
    const LABEL: usize = 13;
    let room = |width: usize| width.saturating_sub(INDENT + LABEL).max(20);
    let broken = |line: &str| match (kind, look.width) {
        (Lines::Prose, width) => wrap(line, room(width.unwrap_or(PAGE))),
        (Lines::Commands, width) => remark(line, room(width.unwrap_or(PAGE))),
        (Lines::Evidence, Some(width)) => hanging(line, room(width)),
        (Lines::Evidence, None) => vec![line.to_string()],
    };
    let mut out = String::new();
    for (i, line) in lines.iter().flat_map(|l| broken(l.as_ref())).enumerate() {
        let label = match i {
            // A label that is too long still ends before the text.
            0 if label.len() >= LABEL => look.dim(&format!("{label} ")),
            0 if !label.is_empty() => look.dim(&format!("{label:LABEL$}")),
            _ => " ".repeat(LABEL),
        };
        out.push_str(format!("{:INDENT$}{label}{line}", "").trim_end());
        out.push('\n');
    }
    out
}

/// Breaks text at spaces; a word that is too long keeps its line.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match out.last_mut() {
            Some(line) if visible(line) + 1 + visible(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => out.push(word.to_string()),
        }
    }
    out
}

/// A sentence below a table; broken on a terminal only.
pub fn sentence(text: &str, look: &Look) -> String {
    match look.width {
        Some(width) => wrap(text, width).join("\n") + "\n",
        None => format!("{text}\n"),
    }
}

/// Breaks a line that is too long; what follows stands two columns to the right of its start.
pub fn hanging(line: &str, room: usize) -> Vec<String> {
    let indent = line.len() - line.trim_start().len();
    let mut out = Vec::new();
    let mut rest = line.to_string();
    while visible(&rest) > room {
        let start = rest.len() - rest.trim_start().len();
        let spaces = rest.match_indices(' ').map(|(at, _)| at);
        let spaces = spaces.filter(|&at| at > start);
        let mut fitting = spaces.clone().filter(|&at| visible(&rest[..at]) <= room);
        // A word that is too long keeps its line.
        let Some(at) = fitting.next_back().or(spaces.clone().next()) else {
            break;
        };
        let behind = format!("{}{}", " ".repeat(indent + 2), rest[at..].trim_start());
        out.push(rest[..at].trim_end().to_string());
        rest = behind;
    }
    out.push(rest);
    out
}

/// Breaks a remark that is too long, but no command in it, which begins behind a colon.
pub fn remark(line: &str, room: usize) -> Vec<String> {
    let Some(text) = line.strip_prefix("# ").filter(|_| visible(line) > room) else {
        return vec![line.to_string()];
    };
    let is_command = |text: &str| {
        let first = text.split_whitespace().next();
        ["echo", "cxl", "daxctl", "daxown", "modprobe"].contains(&first.unwrap_or_default())
    };
    let (text, command) = match text.split_once(": ") {
        Some((text, command)) if is_command(command) => (format!("{text}:"), Some(command)),
        _ => (text.to_string(), None),
    };
    let mut out: Vec<String> = wrap(&text, room.saturating_sub(2))
        .iter()
        .map(|l| format!("# {l}"))
        .collect();
    out.extend(command.map(|c| format!("#   {c}")));
    out
}

/// How wide it looks: without what switches colours.
fn visible(text: &str) -> usize {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().map_or(0, UnicodeWidthStr::width);
    let rest = parts.map(|p| p.split_once('m').map_or(0, |(_, text)| text.width()));
    first + rest.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::{hanging, remark, visible};

    #[test]
    fn long_lines_are_broken_and_commands_are_not() {
        let line = "[    6.0] hmem_platform hmem_platform.0: 1024 KiB cannot be served";
        assert_eq!(
            hanging(line, 40),
            [
                "[    6.0] hmem_platform hmem_platform.0:",
                "  1024 KiB cannot be served"
            ]
        );
        assert_eq!(hanging(line, 80), [line]);
        assert_eq!(
            remark(
                "# if it fails, back: echo hmem.1 > /sys/bus/platform/bind",
                20
            ),
            [
                "# if it fails, back:",
                "#   echo hmem.1 > /sys/bus/platform/bind"
            ]
        );
        assert_eq!(visible("\u{1b}[2mdim\u{1b}[0m."), 4);
    }
}
