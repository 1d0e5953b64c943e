// SPDX-License-Identifier: GPL-2.0

//! How things look: sizes, owners, colours, the terminal's width.

mod lines;

use std::io::{stdout, IsTerminal};

use anstyle::{AnsiColor, Style};
use daxmap::cxl::{Region, Target};
use daxmap::dax::DaxDevice;
use daxmap::names::runs;
use daxmap::problem::Severity;
pub use daxmap::size::human;
use daxmap::{Map, Owner, Range, State};

use crate::cli::{Global, When};
pub use lines::{block, hanging, remark, sentence, wrap, Lines};

/// What the output can do.
pub struct Look {
    /// Colours are on.
    pub color: bool,
    /// Columns of the terminal; `None` where the output is none.
    pub width: Option<usize>,
    /// Sizes in bytes.
    pub bytes: bool,
}

impl Look {
    pub fn new(global: &Global) -> Look {
        let terminal = stdout().is_terminal();
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|v| v == "dumb");
        Look {
            color: match global.color {
                When::Always => true,
                When::Never => false,
                When::Auto => terminal && !no_color && !dumb,
            },
            width: width(terminal),
            bytes: global.bytes,
        }
    }

    pub fn paint(&self, style: Style, text: &str) -> String {
        if !self.color || text.is_empty() || style == Style::new() {
            return text.to_string();
        }
        format!("{style}{text}{style:#}")
    }

    pub fn size(&self, bytes: u64) -> String {
        if self.bytes {
            return bytes.to_string();
        }
        human(bytes)
    }

    pub fn maybe_size(&self, bytes: Option<u64>) -> String {
        bytes.map_or_else(|| "?".into(), |b| self.size(b))
    }

    pub fn bold(&self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    pub fn dim(&self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }
}

/// Says on standard error what is unknown for want of permission, and how to know it.
pub fn warn_of_gaps(map: &Map) {
    let closed = map.gaps.iter().filter(|g| g.needs_root).count();
    if closed > 0 {
        eprintln!(
            "daxown: {closed} file{} may be read by root only; what depends on {} is shown as unknown ({})",
            if closed == 1 { "" } else { "s" },
            if closed == 1 { "it" } else { "them" },
            match map.in_source.sysfs {
                true => "run it as root",
                false => "have root print it",
            },
        );
    }
}

/// How far a "there is none" goes.
pub fn here(map: &Map) -> &'static str {
    match map.gaps.iter().any(|g| g.needs_root) {
        _ if !map.in_source.sysfs => "in what was given",
        true => "that this user can see",
        false => "on this machine",
    }
}

/// Why that there is none cannot be said.
pub fn unread(map: &Map) -> Option<String> {
    if map.in_source.unread {
        return Some(
            "where Soft Reserved memory lies could not be read: the log speaks of it in lines of no known form"
                .into(),
        );
    }
    if map.has_memory_map || !map.reserved.is_empty() {
        return None;
    }
    if !map.in_source.sysfs {
        return Some(not_given(map));
    }
    // What only root may read is told of elsewhere.
    if map.gaps.iter().any(|g| g.needs_root) {
        return None;
    }
    let why = match map.platform.present {
        true => "where the Soft Reserved memory of this machine lies cannot be read",
        false => "whether this machine has Soft Reserved memory cannot be read",
    };
    Some(why.into())
}

/// Of what was pasted, which holds neither a memory map nor a line that names a range of it.
fn not_given(map: &Map) -> String {
    if map.hidden.iter().any(|name| name == "Soft Reserved") {
        return "where Soft Reserved memory lies is hidden: it was not root who printed /proc/iomem".into();
    }
    let named = map.spoken.iter();
    let named: Vec<String> = named
        .map(|s| format!("{} ({})", s.range, s.device))
        .collect();
    match named.is_empty() {
        true => "whether there is Soft Reserved memory is not in what was given".into(),
        false => format!(
            "where Soft Reserved memory lies is not in what was given; the log speaks of {}",
            named.join(" and ")
        ),
    }
}

/// Dax devices of a list that was pasted, of whose memory nothing else is known.
pub fn given_dax(map: &Map) -> impl Iterator<Item = &DaxDevice> {
    let reserved = map.reserved.iter().map(|r| r.range);
    let regions = map.regions.iter().filter_map(|r| r.range);
    let known: Vec<Range> = reserved.chain(regions).collect();
    map.dax.iter().filter(move |d| {
        let is_told = d.ranges.iter().any(|r| known.iter().any(|k| k.overlaps(r)));
        !map.in_source.sysfs && !is_told
    })
}

/// As the beginning of a sentence.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// That there is nothing to tell of.
pub fn nothing(map: &Map) -> String {
    let given: Vec<&str> = given_dax(map).map(|d| d.name.as_str()).collect();
    let unread = unread(map);
    if let Some(why) = unread.filter(|_| map.in_source.unread || given.is_empty()) {
        return why;
    }
    if !given.is_empty() {
        let lie = if given.len() == 1 { "lies" } else { "lie" };
        return format!("where {} {lie} is not in what was given", given.join(", "));
    }
    let volatile = match map.regions.iter().any(|r| r.is_committed()) {
        true => " volatile",
        false => "",
    };
    format!(
        "no Soft Reserved memory and no committed{volatile} CXL region {}",
        here(map)
    )
}

/// `COLUMNS` first, so that scripts and tests can set it; then the terminal itself.
fn width(terminal: bool) -> Option<usize> {
    let set = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let real = || {
        let size = rustix::termios::tcgetwinsize(stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|&w| w > 0)
    };
    set.or_else(|| terminal.then(real).flatten())
        .map(|w: usize| w.clamp(40, 500))
}

/// `384 of 510 MiB`: the unit once where both have the same.
pub fn part_of(part: u64, whole: u64, look: &Look) -> String {
    let (part_text, whole_text) = (look.size(part), look.size(whole));
    let unit = |text: &str| text.split_once(' ').map(|(_, unit)| unit.to_string());
    let short = match (part_text.split_once(' '), unit(&whole_text)) {
        (Some((number, unit)), Some(whole)) if part == 0 || unit == whole => number.to_string(),
        _ => part_text,
    };
    format!("{short} of {whole_text}")
}

/// The members of a region: by serial number, which is stable, where that tells them apart; else by
/// device.
pub fn members(region: &Region) -> String {
    let known = named_members(region);
    let ways = region.ways.and_then(|n| usize::try_from(n).ok());
    // The list that names them was cut off.
    match ways.is_some_and(|n| n > region.targets.len()) && !known.is_empty() {
        true => format!("{known} and others"),
        false => known,
    }
}

fn named_members(region: &Region) -> String {
    let targets = &region.targets;
    let serial = |t: &Target| t.serial.clone().unwrap_or_else(|| "missing".into());
    let serials: Vec<String> = targets.iter().map(serial).collect();
    let same = serials.iter().skip(1).any(|s| Some(s) == serials.first());
    // A member whose device is not in what was given is not missing: it has a name.
    let is_named = |t: &Target| t.decoder.is_some() && t.serial.is_none();
    if !same && serials.len() <= 4 && !targets.iter().any(is_named) {
        return match serials.is_empty() {
            true => String::new(),
            false => format!("serial {}", serials.join(" ")),
        };
    }
    let names: Vec<String> = targets
        .iter()
        .map(|t| {
            let name = t.memdev.as_ref().or(t.decoder.as_ref());
            name.map_or("missing".into(), Clone::clone)
        })
        .collect();
    runs(&names, 2).join(", ")
}

pub fn owner(owner: &Owner) -> String {
    match owner {
        Owner::Cxl { region } => format!("CXL {region}"),
        Owner::Hmem { device } => format!("HMEM {device}"),
        Owner::SystemRam => "System RAM".into(),
        Owner::Driver { name } => format!("driver of {name}"),
        Owner::Nobody => "nobody".into(),
        Owner::Unknown => "unknown".into(),
    }
}

pub fn owner_style(owner: &Owner) -> Style {
    let color = match owner {
        Owner::Cxl { .. } => AnsiColor::Blue,
        Owner::Hmem { .. } => AnsiColor::Cyan,
        Owner::SystemRam | Owner::Driver { .. } => AnsiColor::Green,
        Owner::Nobody => AnsiColor::Red,
        Owner::Unknown => AnsiColor::Yellow,
    };
    Style::new().fg_color(Some(color.into()))
}

/// The word for a state.
pub fn state(state: State) -> &'static str {
    match state {
        State::Online => "online",
        State::Partial => "partial",
        State::Offline => "offline",
        State::DaxFile => "dax-file",
        State::Idle => "idle",
        State::Deferred => "deferred",
        State::Free => "free",
        State::Failed => "failed",
        State::Unowned => "unowned",
        State::Stuck => "stuck",
        State::Foreign => "foreign",
        State::Unknown => "unknown",
    }
}

pub fn state_style(word: &str) -> Style {
    let color = match word {
        "online" | "dax-file" | "committed" | "foreign" | "persistent" => AnsiColor::Green,
        "partial" | "offline" | "deferred" | "free" | "unknown" | "disabled" | "unbound" => {
            AnsiColor::Yellow
        }
        _ => AnsiColor::Red,
    };
    Style::new().fg_color(Some(color.into()))
}

pub fn severity_style(severity: Severity) -> Style {
    match severity {
        Severity::Note => Style::new().fg_color(Some(AnsiColor::Cyan.into())),
        Severity::Warning => Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold(),
        Severity::Loss => Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
    }
}

#[cfg(test)]
mod tests {
    use super::{part_of, Look};

    #[test]
    fn the_unit_is_told_once() {
        let look = |bytes| Look {
            color: false,
            width: None,
            bytes,
        };
        let mib = |n: u64| n << 20;
        assert_eq!(part_of(mib(384), mib(510), &look(false)), "384 of 510 MiB");
        assert_eq!(part_of(0, mib(1024), &look(false)), "0 of 1 GiB");
        assert_eq!(
            part_of(mib(512), mib(1024), &look(false)),
            "512 MiB of 1 GiB"
        );
        assert_eq!(part_of(0, 4096, &look(true)), "0 of 4096");
    }
}
