// SPDX-License-Identifier: GPL-2.0

//! Excerpts of /proc/iomem in scenarios.

use toml::Spanned;

use super::expect::Scope;
use super::fault::Faults;

/// Lines of /proc/iomem, with addresses relative to the windows.
#[derive(Clone, Debug)]
pub struct Excerpt(pub Vec<ExcerptLine>);

/// One line; `name` may contain `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExcerptLine {
    pub depth: usize,
    pub start: ExcerptPlace,
    pub end: ExcerptPlace,
    pub name: String,
}

/// `W0+0x1fffffff` or `0x3fffffff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExcerptPlace {
    Window(usize, u64),
    Absolute(u64),
}

/// Parses an excerpt; its faults are told at the line where the text begins.
pub fn excerpt(text: &Spanned<String>, scope: &Scope<'_>, faults: &mut Faults) -> Excerpt {
    let mut lines: Vec<ExcerptLine> = Vec::new();
    for line in text
        .get_ref()
        .lines()
        .filter(|line| !line.trim().is_empty())
    {
        match excerpt_line(line) {
            Err(reason) => faults.at(text, format!("`{}`: {reason}", line.trim())),
            Ok(parsed) => {
                let deepest = lines.last().map_or(0, |last| last.depth + 1);
                if parsed.depth > deepest {
                    faults.at(text, format!("`{}` is indented too far", line.trim()));
                }
                let unknown = |place| matches!(place, ExcerptPlace::Window(index, _) if index >= scope.windows);
                if unknown(parsed.start) || unknown(parsed.end) {
                    faults.at(text, format!("`{}`: there is no such window", line.trim()));
                }
                lines.push(parsed);
            }
        }
    }
    Excerpt(lines)
}

/// `  W0+0x0-W0+0x1fffffff : region0`, two spaces a level.
fn excerpt_line(line: &str) -> Result<ExcerptLine, String> {
    let body = line.trim_start_matches(' ');
    let indent = line.len() - body.len();
    if indent % 2 != 0 {
        return Err("a level is two spaces".to_owned());
    }
    let form = || "write `W0+0x0-W0+0x1fffffff : name`".to_owned();
    let (range, name) = body.split_once(" : ").ok_or_else(form)?;
    let (start, end) = range.split_once('-').ok_or_else(form)?;
    Ok(ExcerptLine {
        depth: indent / 2,
        start: place(start).ok_or_else(form)?,
        end: place(end).ok_or_else(form)?,
        name: name.trim_end().to_owned(),
    })
}

fn place(text: &str) -> Option<ExcerptPlace> {
    let hex = |text: &str| u64::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    match text.strip_prefix('W') {
        Some(rest) => {
            let (index, offset) = rest.split_once('+')?;
            Some(ExcerptPlace::Window(index.parse().ok()?, hex(offset)?))
        }
        None => hex(text).map(ExcerptPlace::Absolute),
    }
}
