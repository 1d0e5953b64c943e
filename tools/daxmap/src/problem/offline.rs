// SPDX-License-Identifier: GPL-2.0

//! Memory blocks that are offline: how many, which, and whether this machine wants it so.

use super::{remedy, Kind, Problem, Severity};
use crate::log::Event;
use crate::map::Map;
use crate::names::listed;
use crate::range::Range;

/// Runs of blocks that are named; more say no more.
const NAMED: usize = 8;

pub(super) fn problem(map: &Map, range: Range, bytes: u64, device: Option<&str>) -> Problem {
    let subject = device.unwrap_or("memory");
    let is_kmem = map.dax.iter().any(|d| d.name == subject && d.is_kmem());
    let problem = Problem::new(Kind::Offline, Severity::Warning, subject)
        .at(range, bytes)
        .because(
            cause(map, &range) + &dead(map, &range) + &bad(map, &range) + &refused(map, &range),
        )
        .seen(failed(map, &range));
    // The kernel refuses to bring online what holds errors, and who takes a block offline has begun it on purpose.
    let is_wanted_so = bad_blocks(map, &range).next().is_some() || is_going(map, &range);
    match is_kmem && !is_wanted_so {
        true => problem.fix(remedy::online(subject)),
        false => problem,
    }
}

/// Whether it is as the machine's policy for new memory has it.
pub(super) fn is_policy(map: &Map) -> bool {
    map.memory.auto_online.as_deref() == Some("offline")
}

/// What of it nothing answers for, so that it must stay so.
fn dead(map: &Map, range: &Range) -> String {
    let dead: Vec<Range> = map.dead_in(range).iter().map(|d| d.range).collect();
    let names: Vec<String> = crate::range::merge(dead)
        .iter()
        .map(Range::to_string)
        .collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("; nothing decodes {}", listed(&names)),
    }
}

/// Blocks that are not online and hold pages with errors.
fn bad_blocks<'a>(map: &'a Map, range: &Range) -> impl Iterator<Item = u64> + 'a {
    let (range, size) = (*range, map.memory.block_size.unwrap_or(0));
    let pages = map.log.iter().filter_map(|m| match m.event {
        Event::BadPage { page } => map.address_of_page(page),
        _ => None,
    });
    let is_off = |a: &u64| {
        map.memory
            .blocks
            .iter()
            .any(|b| !b.is_online() && b.range.has(*a))
    };
    pages
        .filter(move |a| range.has(*a))
        .filter(is_off)
        .filter_map(move |a| a.checked_div(size))
}

fn bad(map: &Map, range: &Range) -> String {
    let mut blocks: Vec<String> = bad_blocks(map, range)
        .map(|n| format!("memory{n}"))
        .collect();
    blocks.dedup();
    match blocks.is_empty() {
        true => String::new(),
        false => format!(
            "; the log tells of pages with errors in {}: to be left so",
            listed(&blocks)
        ),
    }
}

fn is_going(map: &Map, range: &Range) -> bool {
    let mut here = map.memory.blocks.iter().filter(|b| b.range.overlaps(range));
    here.any(|b| b.state == "going-offline")
}

fn cause(map: &Map, range: &Range) -> String {
    let Some(size) = map.memory.block_size.filter(|&s| s > 0) else {
        return "its memory blocks are there but offline".into();
    };
    let here = map.memory.blocks.iter().filter_map(|b| {
        let part = b.range.overlap(range)?;
        Some((part.start / size, part.end / size, b))
    });
    let (mut all, mut off) = (0u64, 0u64);
    let mut names: Vec<String> = Vec::new();
    for (first, last, block) in here {
        let count = (last - first).saturating_add(1);
        all = all.saturating_add(count);
        if block.is_online() {
            continue;
        }
        off = off.saturating_add(count);
        let going = match block.state == "going-offline" {
            true => " (just going offline)",
            false => "",
        };
        names.push(match first == last {
            true => format!("memory{first}{going}"),
            false => format!("memory{first}-{last}{going}"),
        });
    }
    if names.len() > NAMED {
        names.truncate(NAMED);
        names.push("...".into());
    }
    let what = match off == all {
        true => format!("all {all} memory blocks are offline"),
        false => format!(
            "{off} of {all} memory blocks are offline: {}",
            names.join(", ")
        ),
    };
    match is_policy(map) {
        true => format!("{what}, as auto_online_blocks says (offline)"),
        false => what,
    }
}

/// Blocks that somebody wanted offline as well, and that could not go.
fn refused(map: &Map, range: &Range) -> String {
    let size = map.memory.block_size.unwrap_or(0);
    let is_online = |block: &str| {
        let start = crate::scan::index_of(block, "memory").and_then(|i| i.checked_mul(size));
        let mut blocks = map.memory.blocks.iter();
        start.is_some_and(|s| range.has(s) && blocks.any(|b| b.is_online() && b.range.has(s)))
    };
    let said = map.log.iter().filter_map(|m| match &m.event {
        Event::OffliningFailed { block } if is_online(block) => Some(block.as_str()),
        _ => None,
    });
    let mut blocks: Vec<&str> = said.collect();
    blocks.sort_unstable();
    blocks.dedup();
    let more = blocks.len().saturating_sub(NAMED);
    blocks.truncate(NAMED);
    let mut names: Vec<String> = blocks.iter().map(|b| (*b).to_string()).collect();
    names.extend((more > 0).then(|| format!("{more} more")));
    match names.len() {
        0 => String::new(),
        n => format!(
            "; {} {} online because offlining failed: a page there could not be moved, or a driver forbade it",
            listed(&names),
            if n == 1 { "is" } else { "are" },
        ),
    }
}

/// What the log says of blocks there.
fn failed(map: &Map, range: &Range) -> Vec<String> {
    let size = map.memory.block_size.unwrap_or(0);
    super::dax::lines(map, |e| match e {
        Event::OffliningFailed { block } => {
            let index = crate::scan::index_of(block, "memory");
            let start = index.and_then(|i| i.checked_mul(size));
            start.is_some_and(|s| range.has(s))
        }
        _ => false,
    })
}
