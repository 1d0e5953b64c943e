// SPDX-License-Identifier: GPL-2.0

//! Checks of where memory lies: what firmware gave as plain RAM, what edges cost, and nodes.

use daxmap::cxl::Window;
use daxmap::modules::Drivers;
use daxmap::predict::Layout;
use daxmap::size::Total as _;
use daxmap::{Map, Range, Tree};

use super::{check, readable, CheckDoc, Outcome};
use crate::show::{self, human};

/// Firmware that gives CXL memory as plain RAM leaves nothing to decide.
pub(super) fn plain_ram(map: &Map) -> CheckDoc {
    let windows: Option<Vec<Range>> = map.windows.iter().map(|w| w.range).collect();
    let is_given = map.in_source.sysfs || !map.windows.is_empty();
    let Some(windows) = windows.filter(|_| is_given && !map.iomem.is_empty()) else {
        let text = format!(
            "which CXL windows hold System RAM since boot is not {}",
            readable(map)
        );
        return check("plain RAM", Outcome::Unknown, text);
    };
    let inside: Vec<Range> = map
        .iomem
        .iter()
        .filter(|r| r.name == "System RAM")
        .map(|r| r.range)
        .filter(|r| windows.iter().any(|w| w.overlaps(r)))
        .collect();
    match inside.first() {
        None => check(
            "plain RAM",
            Outcome::Ready,
            "no CXL window holds System RAM since boot",
        ),
        Some(first) => {
            let bytes: u64 = inside.iter().map(Range::len).total();
            let text = format!(
                "{} in CXL windows are System RAM since boot (first at {first}): firmware gave them so, and no driver \
                 can take them back; its option for special purpose memory changes that",
                human(bytes)
            );
            check("plain RAM", Outcome::Poor, text)
        }
    }
}

/// What the edges of ranges cost, and those of windows and regions inside them: no dax device that kmem
/// takes reaches across one.
pub(super) fn alignment(tree: &Tree, map: &Map) -> CheckDoc {
    let layout = Layout::read(tree, map);
    let block = layout.block_size;
    if layout.reserved.is_empty() {
        let is_hidden = map.gaps.iter().any(|g| g.needs_root) || !map.in_source.sysfs;
        let (outcome, text) = match is_hidden || show::unread(map).is_some() {
            true => (
                Outcome::Unknown,
                format!("where Soft Reserved memory lies is not {}", readable(map)),
            ),
            false => (Outcome::Ready, "there is no range to be aligned".into()),
        };
        return check("alignment", outcome, text);
    }
    let mut edges = layout.windows.clone();
    let regions = layout.regions.iter().filter(|r| r.is_committed);
    edges.extend(regions.map(|r| r.range));
    // The Rust drivers join neighbours, the kernel's own do not.
    if map.drivers != Drivers::Rust {
        edges.extend(layout.listed.iter().map(|l| l.range));
    }
    let mut off = Vec::new();
    for range in layout.reserved.iter().flat_map(|r| r.split_at(&edges)) {
        let inside = range.aligned_inside(block);
        let used = inside.map_or(0, |r| r.len());
        if used < range.len() {
            let at = match inside {
                Some(inside) => {
                    let ends = [
                        (inside.start - range.start, "start"),
                        (range.end - inside.end, "end"),
                    ];
                    let lost = ends.iter().filter(|(bytes, _)| *bytes > 0);
                    lost.map(|(bytes, side)| format!("{} at its {side}", human(*bytes)))
                        .collect::<Vec<_>>()
                        .join(", ")
                }
                None => "all of it".into(),
            };
            off.push(format!("{range} ({at})"));
        }
    }
    let known = map.memory.block_size.is_some();
    let blocks = match known {
        true => format!("memory blocks are {}", human(block)),
        false => format!(
            "the size of memory blocks is not {}; if it is {}",
            readable(map),
            human(block)
        ),
    };
    if !off.is_empty() {
        let text = format!(
            "{blocks}; what lies outside of whole ones cannot be System RAM: {}",
            off.join("; ")
        );
        return check("alignment", Outcome::Poor, text);
    }
    let (outcome, text) = match known {
        true => (
            Outcome::Ready,
            format!(
                "every range begins and ends at a memory block of {}",
                human(block)
            ),
        ),
        false => (
            Outcome::Unknown,
            format!("{blocks}, every range begins and ends at one"),
        ),
    };
    check("alignment", outcome, text)
}

/// The node of each window.
pub(super) fn nodes(tree: &Tree, map: &Map) -> Vec<CheckDoc> {
    let layout = Layout::read(tree, map);
    let node = |w: &Window| {
        let name = w.name.as_deref().unwrap_or(&w.decoder);
        Some((name.to_string(), layout.node_at(w.range?.start), w.range?))
    };
    // SRAT is in the log, and what is served tells its node in sysfs.
    let is_given = map.in_source.sysfs && map.in_source.log;
    let mut outcome = Outcome::Ready;
    let mut untold = |range: Range| {
        if is_given && map.used_bytes(&range) == 0 {
            return "not told by SRAT, and nothing is served there yet".to_string();
        }
        outcome = Outcome::Unknown;
        format!("its node is not {}", readable(map))
    };
    let found: Vec<String> = map
        .windows
        .iter()
        .filter_map(node)
        .map(|(name, node, range)| match node {
            Some(node) => format!("{name}: node {node}"),
            None => format!("{name}: {}", untold(range)),
        })
        .collect();
    match found.is_empty() {
        true => Vec::new(),
        false => vec![check("nodes", outcome, found.join("; "))],
    }
}
