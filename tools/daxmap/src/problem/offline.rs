// SPDX-License-Identifier: GPL-2.0

//! Memory blocks that are offline: how many, which, and whether this machine wants it so.

use super::{remedy, Kind, Problem, Severity};
use crate::log::Event;
use crate::map::Map;
use crate::range::Range;

/// Runs of blocks that are named; more say no more.
const NAMED: usize = 8;

pub(super) fn problem(map: &Map, range: Range, bytes: u64, device: Option<&str>) -> Problem {
    let subject = device.unwrap_or("memory");
    let is_kmem = map.dax.iter().any(|d| d.name == subject && d.is_kmem());
    let problem = Problem::new(Kind::Offline, Severity::Warning, subject)
        .at(range, bytes)
        .because(cause(map, &range) + &dead(map, &range))
        .seen(failed(map, &range));
    match is_kmem {
        true => problem.fix(remedy::online(subject)),
        false => problem,
    }
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
        false => format!("; nothing decodes {}", super::listed(&names)),
    }
}

fn cause(map: &Map, range: &Range) -> String {
    let Some(size) = map.memory.block_size.filter(|&s| s > 0) else {
        return "its memory blocks are there but offline".into();
    };
    let here = map.memory.blocks.iter().filter_map(|b| {
        let part = b.range.overlap(range)?;
        Some((part.start / size, part.end / size, b.is_online()))
    });
    let (mut all, mut off) = (0u64, 0u64);
    let mut names: Vec<String> = Vec::new();
    for (first, last, online) in here {
        let count = (last - first).saturating_add(1);
        all = all.saturating_add(count);
        if online {
            continue;
        }
        off = off.saturating_add(count);
        names.push(match first == last {
            true => format!("memory{first}"),
            false => format!("memory{first}-{last}"),
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
    match map.memory.auto_online.as_deref() {
        Some("offline") => format!("{what}, as auto_online_blocks says (offline)"),
        _ => what,
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
