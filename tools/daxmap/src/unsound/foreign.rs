// SPDX-License-Identifier: GPL-2.0

//! Whose memory it is, where it is another driver's: an accelerator's, or persistent memory.

use super::kept_by_region;
use crate::cxl::{Region, RegionState, Window};
use crate::dax::{DaxDevice, Parent};
use crate::decode::Set;
use crate::iomem::Resource;
use crate::map::Map;
use crate::range::{subtract, Range};

impl Map {
    /// Whose memory a region is, if an accelerator's driver made it: such a region has no dax region.
    pub fn accelerator_of(&self, region: &Region) -> Option<String> {
        let range = region.range?;
        // Persistent memory has namespaces, which nvdimm's drivers have.
        let is_pmem = region.mode.as_deref() == Some("pmem");
        if region.state != RegionState::Committed || region.dax_region.is_some() || is_pmem {
            return None;
        }
        // The kernel's own image and crash memory lie in RAM since boot.
        let ram = self.boot_ram_in(&range);
        let in_ram = |r: &Resource| ram.iter().any(|ram| ram.contains(&r.range));
        let mut lines = self.iomem.iter();
        let holder = lines.find(|r| range.contains(&r.range) && !is_ours(&r.name) && !in_ram(r));
        if let Some(holder) = holder {
            return Some(holder.name.clone());
        }
        let memdevs = region.targets.iter().filter_map(|t| t.memdev.as_deref());
        if memdevs.clone().any(|m| self.is_card(m) == Some(true)) {
            return None;
        }
        let mut windows = self.windows.iter();
        let window = windows.find(|w| Some(&w.decoder) == region.window.as_ref());
        let only_type2 = window.is_some_and(takes_accelerators_only);
        let is_marked = self
            .sets()
            .iter()
            .any(|s| s.accelerator && s.range.overlaps(&range));
        if !only_type2 && !is_marked {
            return None;
        }
        let place = memdevs.clone().next().and_then(|m| self.place_of(m));
        Some(place.unwrap_or_else(|| "an accelerator".into()))
    }

    /// What accelerators have, as regions of their drivers or their committed decoders tell.
    pub(crate) fn of_accelerators(&self) -> Vec<(Range, String)> {
        let regions = self.regions.iter();
        let regions = regions.filter_map(|r| r.range.zip(self.accelerator_of(r)));
        let sets = self.sets().into_iter().filter(|s| self.is_accelerators(s));
        let sets = sets.map(|s| {
            let mut places = s.members.iter().filter_map(|(_, m)| self.place_of(m));
            (s.range, places.next().unwrap_or("an accelerator".into()))
        });
        regions.chain(sets).collect()
    }

    /// Whether decoders in no region are an accelerator's for sure. Memory cards may decode in its manner as well
    /// (HDM-DB, with back-invalidation).
    pub(crate) fn is_accelerators(&self, set: &Set) -> bool {
        let known = |(_, m): &(String, String)| self.is_card(m) == Some(false);
        set.accelerator && set.members.iter().all(known) && !is_served(self, &set.range)
    }

    /// Whether a memory device is a memory card, as its PCI class says.
    fn is_card(&self, memdev: &str) -> Option<bool> {
        self.memdevs.iter().find(|m| m.name == memdev)?.is_card
    }

    fn place_of(&self, memdev: &str) -> Option<String> {
        let memdev = self.memdevs.iter().find(|m| m.name == memdev)?;
        memdev.pci.clone()
    }
}

/// What CXL, its dax devices and the map of memory put into the resource tree.
fn is_ours(name: &str) -> bool {
    let ours = [
        "region",
        "dax",
        "System RAM",
        "Soft Reserved",
        "CXL Window",
        "Reserved",
        "namespace",
        "Persistent Memory",
    ];
    ours.iter().any(|o| name.starts_with(o))
}

/// Whether a region with a dax region has it.
fn is_served(map: &Map, range: &Range) -> bool {
    map.committed_in(range).any(|r| r.dax_region.is_some())
}

pub(crate) fn takes_accelerators_only(window: &Window) -> bool {
    window.takes_type2 == Some(true) && window.takes_type3 == Some(false)
}

/// Memory in windows that take accelerators only, and of which nothing shows whose it is.
pub(crate) fn for_accelerators(map: &Map, window: &Window) -> Vec<Range> {
    let mut known: Vec<Range> = map.sets().iter().map(|s| s.range).collect();
    let regions = map.regions.iter().filter(|r| r.is_committed());
    known.extend(regions.filter_map(|r| r.range));
    let range = window.range.filter(|_| takes_accelerators_only(window));
    range.map_or(Vec::new(), |r| subtract(r, &known))
}

/// Persistent memory: of committed regions, and of decoders in no such region.
fn persistent(map: &Map) -> Vec<(Range, String)> {
    let regions = map.regions.iter().filter(|r| kept_by_region(r));
    let regions = regions.filter_map(|r| Some((r.range?, r.name.clone())));
    let mut out: Vec<(Range, String)> = regions.collect();
    for e in map.endpoints.iter().filter(|e| map.is_committed(e)) {
        let is_pmem = e.mode.as_deref() == Some("pmem") && !map.is_translated(e);
        let Some(range) = e.range.filter(|_| is_pmem) else {
            continue;
        };
        if !out.iter().any(|(r, _)| r.overlaps(&range)) {
            out.push((range, e.memdev.clone()));
        }
    }
    out
}

/// What HMEM has of persistent memory. A namespace that its administrator made System RAM is meant so.
fn overwritten(map: &Map) -> Vec<(Range, String)> {
    let of_hmem = |d: &&DaxDevice| d.is_kmem() && matches!(d.parent, Parent::Hmem(_));
    let devices = map.dax.iter().filter(of_hmem);
    let ranges: Vec<Range> = devices.flat_map(|d| d.ranges.iter().copied()).collect();
    let all = persistent(map).into_iter();
    all.flat_map(|(range, name)| {
        let parts = ranges.iter().filter_map(move |r| r.overlap(&range));
        parts.map(|part| (part, name.clone())).collect::<Vec<_>>()
    })
    .collect()
}

/// Memory that an accelerator's driver should have, or has; and what is kept in persistent memory.
pub(crate) fn foreign(map: &Map) -> Vec<(Range, String)> {
    let mut out = map.of_accelerators();
    out.extend(overwritten(map));
    out
}
