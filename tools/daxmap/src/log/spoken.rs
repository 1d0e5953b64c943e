// SPDX-License-Identifier: GPL-2.0

//! What lines of drivers name: where firmware's map is not in a log, for it was cut or searched, they are
//! all that tells of a range.

use serde::Serialize;

use super::{parse, Event, Message};
use crate::range::{merge, Range};
use crate::scan::index_of;

/// A dax device of which the log names the addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spoken {
    /// Such as `dax0.0`.
    pub device: String,
    /// Its addresses, or a part of them.
    pub range: Range,
}

/// The range that a message of dax_hmem is about: it has to do with Soft Reserved memory only.
pub(crate) fn by_hmem(message: &Message) -> Option<Range> {
    let is_hmem = |device: &str| {
        index_of(device, "hmem.").is_some() || index_of(device, "hmem_platform.").is_some()
    };
    match &message.event {
        Event::Decision { range, .. } => Some(*range),
        Event::Conflict { device, range } if is_hmem(device) => Some(*range),
        // What is in use below a region may reach beyond what is declared.
        Event::Said { .. } if message.text.contains("while its CXL region goes") => None,
        Event::Said { device } if is_hmem(device) => parse::first_range(&message.text),
        _ => None,
    }
}

/// The range that a message names.
pub(crate) fn named(message: &Message) -> Option<Range> {
    parse::first_range(&message.text)
}

/// The ranges of which dax_hmem speaks.
pub(crate) fn reserved(messages: &[Message]) -> Vec<Range> {
    merge(messages.iter().filter_map(by_hmem).collect())
}

/// CXL regions with their addresses, as far as a line gives both; the last word on each.
pub(crate) fn regions(messages: &[Message]) -> Vec<(String, Range)> {
    let mut out: Vec<(String, Range)> = Vec::new();
    for (name, range) in messages.iter().filter_map(region) {
        match out.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = range,
            None => out.push((name, range)),
        }
    }
    out
}

fn region(message: &Message) -> Option<(String, Range)> {
    if let Event::Conflict { device, range } = &message.event {
        let name = device.strip_prefix("dax_")?;
        return index_of(name, "region").map(|_| (name.to_string(), *range));
    }
    let text = message.text.as_str();
    let behind = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
    let rest = behind("cxl_region ")
        .or(behind("cxl "))
        .or(behind("__construct_region "))?;
    let name = rest.split([':', ' ']).next()?;
    index_of(name, "region")?;
    Some((name.to_string(), parse::first_range(rest)?))
}

/// What devices of kmem were to add, as far as a line about a part of one tells it.
pub(crate) fn devices(messages: &[Message]) -> Vec<Spoken> {
    let mut out: Vec<Spoken> = Vec::new();
    for (device, range) in messages.iter().filter_map(|m| parse::mapping(&m.text)) {
        let spoken = Spoken { device, range };
        if !out.contains(&spoken) {
            out.push(spoken);
        }
    }
    out
}

/// What dax_hmem said last of a range, in words; its owner may stand in a line before.
pub(crate) fn last_word(messages: &[Message], range: &Range) -> Option<String> {
    let about = |m: &&Message| by_hmem(m).is_some_and(|r| r.overlaps(range));
    let last = messages.iter().rfind(about)?;
    let words = |m: &Message| {
        let same = m.text.split_once(&format!("[mem {range}]: "));
        let other = m.text.find("[mem ").filter(|_| m.text.contains("]: "));
        match (same, other.and_then(|at| m.text.get(at..))) {
            (Some((_, words)), _) => words.to_string(),
            (None, Some(words)) => words.to_string(),
            (None, None) => m.text.clone(),
        }
    };
    let serves = |m: &Message| m.text.contains(" serves it") || m.text.contains(" serve it");
    let is_owner = |m: &&Message| about(m) && m.text.contains("]: owner ");
    let owner = messages.iter().rfind(is_owner).filter(|_| serves(last));
    Some(match owner {
        Some(owner) => format!("{}; {}", words(owner), words(last)),
        None => words(last),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn r(start: u64, end: u64) -> Range {
        Range::new(start, end).unwrap()
    }

    #[test]
    fn ranges_of_both_drivers() {
        let log = super::super::parse(
            "hmem_platform hmem_platform.0: registering CXL range: [mem 0x1000-0x1fff flags 0x80000200]\n\
             hmem_platform hmem_platform.0: [mem 0x4000-0x4fff]: owner HMEM: no CXL window intersects it\n\
             hmem_platform hmem_platform.0: [mem 0x4000-0x4fff]: hmem.2 serves it\n\
             hmem hmem.3: dax_region resource conflict for [mem 0x8000-0x8fff]\n\
             hmem_platform hmem_platform.0: [mem 0x9000-0xafff]: System RAM is in use while its CXL region goes: x\n\
             cxl_dax_region dax_region1: dax_region resource conflict for [mem 0xc000-0xcfff]\n\
             cxl_pci 0000:0d:00.0: mem1:decoder3.0: __construct_region region0 res: [mem 0xd000-0xdfff flags 0x200]\n",
        );
        let all = [r(0x1000, 0x1fff), r(0x4000, 0x4fff), r(0x8000, 0x8fff)];
        assert_eq!(reserved(&log), all);
        let named = |name: &str, range| (name.to_string(), range);
        assert_eq!(
            regions(&log),
            [
                named("region1", r(0xc000, 0xcfff)),
                named("region0", r(0xd000, 0xdfff))
            ]
        );
        assert_eq!(
            last_word(&log, &all[1]).as_deref(),
            Some("owner HMEM: no CXL window intersects it; hmem.2 serves it")
        );
        assert_eq!(last_word(&log, &r(0xe000, 0xe000)), None);
    }
}
