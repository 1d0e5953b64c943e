// SPDX-License-Identifier: GPL-2.0

//! Memory in use that is not to be relied on: nothing answers for it, its driver is gone, or it is
//! another driver's.

mod foreign;

use crate::size::Total as _;
use ownership::Standing;
use serde::Serialize;

use crate::cxl::Region;
use crate::decode::Why;
use crate::iomem::{is_kmem, is_system_ram};
use crate::ledger;
use crate::log::Event;
use crate::map::Map;
use crate::range::{merge, subtract, Range};

pub(crate) use foreign::{for_accelerators, foreign, takes_accelerators_only};

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "fault")]
pub enum Fault {
    /// Nothing answers for it.
    Dead {
        /// Why.
        #[serde(flatten)]
        why: Why,
    },
    /// kmem could not take it away: it stays until reboot, and nobody looks after it.
    Stuck,
    /// System RAM of kmem, and no dax device has it.
    WithoutDevice,
    /// System RAM over an accelerator's memory.
    Foreign {
        /// Whose memory it is.
        of: String,
    },
}

/// A range in use, with what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unsound {
    /// The range.
    pub range: Range,
    /// Bytes of it that are in use.
    pub bytes: u64,
    /// What is wrong.
    pub fault: Fault,
}

impl Map {
    /// Bytes of `range` in use that are not to be relied on.
    pub fn unsound_bytes(&self, range: &Range) -> u64 {
        let parts = self.unsound.iter().filter_map(|u| u.range.overlap(range));
        parts.map(|r| self.used_bytes(&r)).total()
    }

    /// Bytes of `range` that are online System RAM or served as a file.
    pub fn used_bytes(&self, range: &Range) -> u64 {
        let online = self.online_bytes(*range).unwrap_or(0);
        online.saturating_add(self.file_bytes(range))
    }

    /// Bytes of `range` that are served as a file, and are no System RAM besides: memory that kmem could not
    /// take away stays System RAM, whoever has its device next.
    pub fn file_bytes(&self, range: &Range) -> u64 {
        let mut files = self.file_ranges();
        files.retain(|f| f.overlaps(range));
        if files.is_empty() {
            return 0;
        }
        let blocks = [true, false].map(|online| self.block_ranges(*range, online));
        let ram: Vec<Range> = blocks.into_iter().flatten().flatten().collect();
        let files = merge(files.iter().filter_map(|f| f.overlap(range)).collect());
        let files = files.into_iter().flat_map(|f| subtract(f, &ram));
        files.map(|f| f.len()).total()
    }

    /// The addresses of dax devices that are served as files; those of other buses are not ours.
    pub(crate) fn file_ranges(&self) -> Vec<Range> {
        let files = self.dax.iter().filter(|d| d.is_file());
        files
            .filter(|d| !matches!(d.parent, crate::dax::Parent::Other(_)))
            .flat_map(|d| d.ranges.iter().copied())
            .collect()
    }

    /// System RAM since boot within `range`.
    pub fn boot_ram_in(&self, range: &Range) -> Vec<Range> {
        let ram = self.iomem.iter();
        let ram = ram.filter(|r| is_system_ram(&r.name) && !is_kmem(&r.name));
        merge(ram.filter_map(|r| r.range.overlap(range)).collect())
    }
}

/// Whether a committed region is of persistent memory.
fn kept_by_region(region: &Region) -> bool {
    region.is_committed() && region.is_persistent()
}

/// All of it, by address; no byte is in two entries.
pub(crate) fn find(map: &Map) -> Vec<Unsound> {
    let mut out: Vec<Unsound> = Vec::new();
    for dead in &map.dead {
        let fault = Fault::Dead {
            why: dead.why.clone(),
        };
        add(map, &mut out, dead.range, fault);
    }
    for range in orphans(map) {
        let stuck = stuck(map);
        for part in stuck.iter().filter_map(|s| s.overlap(&range)) {
            add(map, &mut out, part, Fault::Stuck);
        }
        if map.host.shows_dax {
            add(map, &mut out, range, Fault::WithoutDevice);
        }
    }
    for (range, of) in foreign(map) {
        for kmem in kmem_ranges(map) {
            let part = kmem.overlap(&range);
            let fault = Fault::Foreign { of: of.clone() };
            if let Some(part) = part {
                add(map, &mut out, part, fault);
            }
        }
    }
    out.sort_by_key(|u| u.range);
    out
}

/// Adds what of a range is in use and in no entry yet.
fn add(map: &Map, out: &mut Vec<Unsound>, range: Range, fault: Fault) {
    let known: Vec<Range> = out.iter().map(|u| u.range).collect();
    for range in subtract(range, &known) {
        let bytes = map.used_bytes(&range);
        if bytes > 0 {
            out.push(Unsound {
                range,
                bytes,
                fault: fault.clone(),
            });
        }
    }
}

fn kmem_ranges(map: &Map) -> Vec<Range> {
    let kmem = map.iomem.iter().filter(|r| is_kmem(&r.name));
    merge(kmem.map(|r| r.range).collect())
}

/// System RAM of kmem that no dax device has which is bound to kmem.
fn orphans(map: &Map) -> Vec<Range> {
    let bound = map.dax.iter().filter(|d| d.is_kmem());
    if bound.clone().any(|d| d.ranges.is_empty()) {
        return Vec::new();
    }
    let bound: Vec<Range> = bound.flat_map(|d| d.ranges.iter().copied()).collect();
    let kmem = kmem_ranges(map).into_iter();
    kmem.flat_map(|r| subtract(r, &bound)).collect()
}

/// What kmem, or the ledger, said stays until reboot.
fn stuck(map: &Map) -> Vec<Range> {
    let told = map.log.iter().filter_map(|m| match &m.event {
        Event::Stuck { range, .. } => Some(*range),
        _ => None,
    });
    let records = map.ledger.iter().flat_map(|l| &l.records);
    let records = records.filter(|r| r.state == ledger::State::Known(Standing::Stuck));
    merge(told.chain(records.map(|r| r.range)).collect())
}
