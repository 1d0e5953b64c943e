// SPDX-License-Identifier: GPL-2.0

//! The physical check: which memory has nothing behind it.
//!
//! Memory in a CXL window is there only if committed endpoint decoders map it. Not all decoding shows
//! in sysfs: a device without driver shows none of its decoders, and one of CXL 1.1 may have none.
//! So memory that no decoder maps is called dead only if no device is left that could be behind it:
//! none is plugged, all capacity is mapped elsewhere, its region was reset or is gone, or a member is
//! missing.

pub(crate) mod cache;
mod gone;
mod translated;
mod unbacked;
mod wiped;

use serde::Serialize;

use crate::cxl::{EndpointDecoder, Memdev, PortDecoder, Window};
use crate::map::Map;
use crate::modules::Presence;
use crate::range::{merge, subtract, Range};

pub use unbacked::Unsure;

/// Why nothing answers for a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Why {
    /// No memory device is behind the window.
    NoDevice {
        /// The window.
        window: String,
    },
    /// The devices behind the window map other memory, or are too small.
    NoCapacity {
        /// The window.
        window: String,
        /// The devices.
        memdevs: Vec<String>,
        /// Their capacity that may be mapped without showing.
        left: u64,
        /// The memory that no decoder maps.
        needed: u64,
    },
    /// The region that mapped it is no more.
    RegionGone {
        /// What tells of it: a decoder that has its addresses still, or a region in the ledger.
        told_by: Told,
        /// The devices that map none of it.
        memdevs: Vec<String>,
    },
    /// The decoders of a region that covers it were reset.
    Reset {
        /// The region.
        region: String,
    },
    /// A reset of the bus has wiped decoders that mapped it.
    Wiped {
        /// The devices whose decoders they were.
        memdevs: Vec<String>,
    },
    /// An interleave set lacks members, and no device is left that could be one.
    MemberGone {
        /// Members that decode.
        have: Vec<String>,
        /// Members that there should be.
        ways: u64,
        /// Bytes that each member has in a row.
        granularity: Option<u64>,
    },
}

/// What tells of a region that is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// The decoder of a port, which keeps the addresses that it had last.
    Decoder(String),
    /// The ledger, with the name that the region had.
    Ledger(String),
}

/// A range that nothing answers for, or not for all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dead {
    /// The range.
    pub range: Range,
    /// Why.
    #[serde(flatten)]
    pub why: Why,
}

/// What is known of what is behind some memory.
#[derive(Default)]
pub(crate) struct Found {
    /// What nothing answers for, by address.
    pub(crate) dead: Vec<Dead>,
    /// What cannot be known.
    pub(crate) unsure: Vec<Unsure>,
}

/// An interleave set: endpoint decoders that are committed for the same addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// The addresses.
    pub range: Range,
    /// The decoders, each with its memory device.
    pub members: Vec<(String, String)>,
    /// How many members there should be.
    pub ways: u64,
    /// Bytes that each member has in a row.
    pub granularity: Option<u64>,
    /// The region that they are in.
    pub region: Option<String>,
    /// Whether an accelerator is behind it.
    pub accelerator: bool,
}

impl Map {
    /// The interleave sets that committed endpoint decoders form, by address.
    pub fn sets(&self) -> Vec<Set> {
        self.sets_of(|e| !self.is_translated(e))
    }

    /// The same of decoders whose addresses are their devices' own.
    pub(crate) fn translated_sets(&self) -> Vec<Set> {
        self.sets_of(|e| self.is_translated(e))
    }

    fn sets_of(&self, is_meant: impl Fn(&EndpointDecoder) -> bool) -> Vec<Set> {
        let mut out: Vec<Set> = Vec::new();
        let committed = self.endpoints.iter().filter(|e| self.is_committed(e));
        for e in committed.filter(|e| is_meant(e)) {
            let Some(range) = e.range else {
                continue;
            };
            let at = out
                .iter()
                .position(|s| s.range == range)
                .unwrap_or_else(|| {
                    out.push(Set {
                        range,
                        members: Vec::new(),
                        ways: 1,
                        granularity: e.granularity,
                        region: None,
                        accelerator: false,
                    });
                    out.len() - 1
                });
            let set = &mut out[at];
            set.members.push((e.name.clone(), e.memdev.clone()));
            set.ways = set.ways.max(e.ways);
            set.region = set.region.take().or_else(|| e.region.clone());
            set.accelerator |= e.target_type.as_deref() == Some("accelerator");
        }
        out.sort_by_key(|s| s.range);
        out
    }

    /// Whether an endpoint decoder is committed, as far as its region tells.
    pub fn is_committed(&self, e: &EndpointDecoder) -> bool {
        // Outside of regions only what is committed has a size; an incomplete region may be
        // firmware's, whose decoders are.
        let region = e.region.as_ref().and_then(|name| self.region(name));
        e.range.is_some() && region.is_none_or(|r| !r.is_reset())
    }

    /// What of `range` has nothing behind it.
    pub fn dead_in(&self, range: &Range) -> Vec<Dead> {
        let mut out: Vec<Dead> = Vec::new();
        for d in &self.dead {
            out.extend(d.range.overlap(range).map(|range| Dead {
                range,
                why: d.why.clone(),
            }));
        }
        out
    }

    /// Whether a memory device shows its decoders.
    pub fn shows_decoders(&self, memdev: &Memdev) -> bool {
        self.endpoints
            .iter()
            .any(|e| e.memdev == memdev.name && e.is_read)
    }

    /// Whether a memory device has committed decoders, as they or its regions tell: then it maps nothing besides.
    pub fn maps_by_decoders(&self, memdev: &Memdev) -> bool {
        let name = Some(&memdev.name);
        let mut regions = self.regions.iter().filter(|r| r.is_committed());
        let mut own = self.endpoints.iter().filter(|e| e.memdev == memdev.name);
        own.any(|e| self.is_committed(e))
            || regions.any(|r| r.targets.iter().any(|t| t.memdev.as_ref() == name))
    }

    /// Whether a memory device maps by decoders alone: it has committed ones, or it was in a region that is
    /// gone, so that its range registers are not in force.
    pub fn uses_decoders(&self, memdev: &Memdev) -> bool {
        let mut own = self.endpoints.iter().filter(|e| e.memdev == memdev.name);
        self.maps_by_decoders(memdev) || own.any(|e| gone::was_in_region(self, e))
    }

    /// Whether a port's decoder has addresses only because it keeps those of a region that is gone.
    pub fn is_stale(&self, decoder: &PortDecoder) -> bool {
        gone::stale(self, decoder).is_some()
    }

    /// Memory devices that may be behind a window.
    pub fn behind<'a>(&'a self, window: &'a Window) -> impl Iterator<Item = &'a Memdev> {
        self.memdevs
            .iter()
            .filter(|m| window.reaches(m) != Some(false))
    }
}

/// All that nothing answers for, among `memory`: declared, or in use. No range is in two entries.
///
/// What only the administrator declares, with `memmap=`, needs no CXL device behind it: in a virtual
/// machine, or on hardware of another kind, something else may answer.
pub(crate) fn find(map: &Map, memory: &[Range], by_hand: &[Range]) -> Found {
    if !is_enumerated(map) {
        return Found::default();
    }
    let sets = map.sets();
    let mut found: Vec<Dead> = Vec::new();
    for region in map.regions.iter().filter(|r| r.is_reset()) {
        let why = Why::Reset {
            region: region.name.clone(),
        };
        found.extend(region.range.map(|range| Dead { range, why }));
    }
    found.extend(wiped::find(map));
    for set in &sets {
        found.extend(incomplete(map, set));
    }
    let mut mapped: Vec<Range> = sets.iter().map(|s| s.range).collect();
    // A region may be larger than its decoders: the cache in front of it is DRAM.
    let regions = map.regions.iter().filter(|r| r.is_committed());
    mapped.extend(regions.filter_map(|r| r.range));
    mapped.extend(found.iter().map(|d| d.range));
    // That a region was there is seen whoever declares the memory.
    for dead in gone::find(map) {
        for range in subtract(dead.range, &mapped) {
            found.push(Dead {
                range,
                ..dead.clone()
            });
            mapped.push(range);
        }
    }
    mapped.extend(by_hand);
    let mut unsure = Vec::new();
    for window in &map.windows {
        let (dead, doubt) = unbacked::find(map, window, &sets, memory, &mapped);
        found.extend(dead);
        unsure.extend(doubt);
    }
    Found {
        dead: clip(found, memory),
        unsure,
    }
}

/// Whether CXL's drivers have looked at every device, so that what does not show is not there.
fn is_enumerated(map: &Map) -> bool {
    let runs = |name: &str| {
        map.module(name)
            .is_none_or(|m| m.is_active() || m.presence == Presence::Unknown)
    };
    let all = ["cxl_acpi", "cxl_pci", "cxl_mem", "cxl_port"];
    map.in_source.sysfs && (all.iter().all(|m| runs(m)) || !map.endpoints.is_empty())
}

/// An interleave set that lacks members which no device without visible decoders can be.
fn incomplete(map: &Map, set: &Set) -> Option<Dead> {
    let have = u64::try_from(set.members.len()).unwrap_or(u64::MAX);
    let missing = set.ways.checked_sub(have).filter(|&n| n > 0)?;
    let windows = map
        .windows
        .iter()
        .filter(|w| w.range.is_some_and(|r| r.overlaps(&set.range)));
    let hidden = windows
        .flat_map(|w| map.behind(w))
        .filter(|m| !map.shows_decoders(m))
        .count();
    if u64::try_from(hidden).unwrap_or(u64::MAX) >= missing || !map.unknown_cards.is_empty() {
        return None;
    }
    Some(Dead {
        range: set.range,
        why: Why::MemberGone {
            have: set
                .members
                .iter()
                .map(|(_, memdev)| memdev.clone())
                .collect(),
            ways: set.ways,
            granularity: set.granularity,
        },
    })
}

fn all(ranges: Vec<Range>, why: &Why) -> Vec<Dead> {
    let dead = |range| Dead {
        range,
        why: why.clone(),
    };
    ranges.into_iter().map(dead).collect()
}

/// Only what is of interest, each byte once.
fn clip(found: Vec<Dead>, memory: &[Range]) -> Vec<Dead> {
    let memory = merge(memory.to_vec());
    let mut out: Vec<Dead> = Vec::new();
    for dead in found {
        for part in memory.iter().filter_map(|m| m.overlap(&dead.range)) {
            let known: Vec<Range> = out.iter().map(|d| d.range).collect();
            out.extend(all(subtract(part, &known), &dead.why));
        }
    }
    out.sort_by_key(|d| d.range);
    out
}
