// SPDX-License-Identifier: GPL-2.0

//! Compares what daxown says about a guest with what the lab found out by itself.
//!
//! The lab judges by devices and memory blocks alone; daxown also believes the ledger of our
//! modules. Where the two differ, a tool that people rely on is wrong.

use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use daxmap::Map;
use daxmap::Range;
use daxmap::Tree;

use super::ownership::name;
use super::Ownership;
use super::Part;
use crate::scenario::Owner;

/// Everything in which the archive that `daxown capture` wrote differs from `ownership`.
pub fn disagreements(archive: &Path, ownership: &Ownership) -> Result<Vec<String>> {
    let tree = Tree::open(archive).with_context(|| format!("cannot open {}", archive.display()))?;
    let map = Map::read(&tree);
    let mut faults = Vec::new();
    for range in &ownership.ranges {
        for part in &range.parts {
            faults.extend(owner_fault(&map, part).map(|fault| format!("{}: {fault}", range.name)));
        }
        let online = Range::new(range.start, range.end).and_then(|range| map.online_bytes(range));
        if online != Some(range.online()) {
            faults.push(format!(
                "{}: daxown sees {online:?} bytes online, the lab {}",
                range.name,
                range.online()
            ));
        }
    }
    Ok(faults)
}

fn owner_fault(map: &Map, part: &Part) -> Option<String> {
    let whole = Range::new(part.start, part.end)?;
    let mut known = 0;
    for piece in map.reserved.iter().flat_map(|reserved| &reserved.pieces) {
        let Some(overlap) = piece.range.overlap(&whole) else {
            continue;
        };
        known += overlap.len();
        let owner = match &piece.owner {
            daxmap::Owner::Cxl { .. } => "cxl",
            daxmap::Owner::Hmem { .. } => "hmem",
            daxmap::Owner::SystemRam => "System RAM",
            daxmap::Owner::Driver { .. } => "another driver",
            daxmap::Owner::Nobody => "nobody",
            daxmap::Owner::Unknown => "unknown",
        };
        // What the lab calls nobody's has no DAX device; the kernel or a driver may have it.
        // A region that decodes it may be without a driver.
        let without_device = ["System RAM", "another driver"].contains(&owner)
            || owner == "cxl" && piece.device.is_none();
        if owner != name(part.owner) && !(without_device && part.owner == Owner::Nobody) {
            return Some(format!(
                "daxown says that {overlap} belongs to {owner} ({}), the lab to {}",
                piece.reason.text,
                name(part.owner)
            ));
        }
    }
    (known != whole.len()).then(|| format!("daxown knows {known:#x} bytes of {whole} only"))
}
