// SPDX-License-Identifier: GPL-2.0

//! Memory blocks that a list counts, where nothing shows which they are.

use super::{Kind, Problem, Severity};
use crate::map::Map;
use crate::size::human;

/// Of a list that somebody pasted.
pub(super) fn diagnose(map: &Map) -> Vec<Problem> {
    // Where the blocks themselves can be seen, more can be said.
    if map.in_source.sysfs || !map.memory.blocks.is_empty() {
        return Vec::new();
    }
    let counted = map.dax.iter().filter_map(|d| {
        let blocks = d.blocks.filter(|b| b.online < b.total)?;
        let off = blocks.total - blocks.online;
        let what = match off == blocks.total {
            true => format!("none of its {off} memory blocks is online"),
            false => format!("{off} of {} memory blocks are not online", blocks.total),
        };
        let size = d.size.map(|size| size - blocks.part_of(size));
        let size = size.map_or(String::new(), |size| format!(" ({})", human(size)));
        let problem = Problem::new(Kind::Offline, Severity::Warning, d.name.as_str())
            .because(format!(
                "{what}{size}; which, and why, is not in what was given"
            ))
            .seen([format!(
                "daxctl list: {}: {} of {} memblocks online",
                d.name, blocks.online, blocks.total
            )])
            .fix(["# `daxown capture FILE` on the machine holds what is needed to say what to do"]);
        Some(problem)
    });
    counted.collect()
}
