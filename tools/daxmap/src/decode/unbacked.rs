// SPDX-License-Identifier: GPL-2.0

//! Memory in a window that no decoder maps and no device has capacity for.

use crate::size::Total as _;
use serde::Serialize;

use super::{all, cache, Dead, Set, Why};
use crate::cxl::{Memdev, Window};
use crate::log::Event;
use crate::map::Map;
use crate::range::{merge, subtract, Range};

/// Memory in a window that no decoder maps, and of which it cannot be known whether a device is behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unsure {
    /// The window.
    pub window: String,
    /// The devices behind it whose capacity cannot be read; of none, it may be memory of the host that caches theirs.
    pub memdevs: Vec<String>,
    /// The memory.
    pub ranges: Vec<Range>,
}

pub(super) fn find(
    map: &Map,
    window: &Window,
    sets: &[Set],
    memory: &[Range],
    mapped: &[Range],
) -> (Vec<Dead>, Option<Unsure>) {
    let Some(range) = window.range.filter(|_| map.unknown_cards.is_empty()) else {
        return (Vec::new(), None);
    };
    let inside = memory.iter().filter_map(|m| m.overlap(&range)).collect();
    let holes = merge(inside).into_iter().flat_map(|r| subtract(r, mapped));
    let (caches, holes): (Vec<Range>, Vec<Range>) =
        holes.partition(|hole| cache::may_be(map, window, sets, hole));
    let unsure = |memdevs, ranges| Unsure {
        window: window.label().to_string(),
        memdevs,
        ranges,
    };
    match unmapped(map, window, holes) {
        Ok(dead) => {
            let cached = (!caches.is_empty()).then(|| unsure(Vec::new(), caches));
            (dead, cached)
        }
        Err((memdevs, ranges)) => (Vec::new(), Some(unsure(memdevs, ranges))),
    }
}

/// What of the holes no device can be behind, or the devices that do not tell, with the holes.
fn unmapped(
    map: &Map,
    window: &Window,
    holes: Vec<Range>,
) -> Result<Vec<Dead>, (Vec<String>, Vec<Range>)> {
    let needed = holes.iter().map(|r| r.len()).total();
    let devices: Vec<&Memdev> = map.behind(window).collect();
    let name = window.label().to_string();
    if holes.is_empty() {
        return Ok(Vec::new());
    }
    if devices.is_empty() {
        // An accelerator is no memory device, unless its driver makes it one.
        if window.takes_type2 != Some(false) && !card_removed(map, window) {
            return Ok(Vec::new());
        }
        let why = Why::NoDevice { window: name };
        return Ok(all(holes, &why));
    }
    let (mut left, mut unread) = (0u64, Vec::new());
    for m in &devices {
        match may_map(map, m) {
            Some(bytes) => left = left.saturating_add(bytes),
            None => unread.push(m.name.clone()),
        }
    }
    if left >= needed {
        return Ok(Vec::new());
    }
    if !unread.is_empty() {
        return Err((unread, holes));
    }
    let why = Why::NoCapacity {
        window: name,
        memdevs: devices.iter().map(|m| m.name.clone()).collect(),
        left,
        needed,
    };
    Ok(all(highest(holes, needed - left), &why))
}

/// Capacity of a device that may be mapped without showing; `None` if that cannot be read.
fn may_map(map: &Map, memdev: &Memdev) -> Option<u64> {
    let size = memdev
        .ram_bytes
        .map(|ram| ram.saturating_add(memdev.pmem_bytes.unwrap_or(0)));
    if !map.uses_decoders(memdev) {
        // Before its media is ready a device says that it has none.
        return size.filter(|&bytes| bytes > 0 || memdev.bound);
    }
    let own = map.endpoints.iter().filter(|e| e.memdev == memdev.name);
    // What a decoder maps that is in no region, and whose addresses cannot be read, may lie anywhere.
    let hidden = own.filter(|e| !e.is_read && e.region.is_none());
    let hidden = hidden.map(|e| e.dpa_bytes).total();
    Some(map.translated_bytes(memdev).saturating_add(hidden))
}

/// The highest `bytes` of some ranges: which of them is dead cannot be told, devices fill from below.
fn highest(mut ranges: Vec<Range>, mut bytes: u64) -> Vec<Range> {
    ranges.sort_unstable();
    let mut out = Vec::new();
    for range in ranges.into_iter().rev() {
        let take = bytes.min(range.len());
        if take == 0 {
            break;
        }
        bytes -= take;
        out.extend(Range::new(range.end - (take - 1), range.end));
    }
    out
}

/// The log tells of a card that was taken out behind the window: of a port of one of its host bridges.
fn card_removed(map: &Map, window: &Window) -> bool {
    let is_behind = |port: &str| {
        let mut bridges = window.bridges.iter();
        bridges.any(|b| {
            b.strip_prefix("pci")
                .is_some_and(|bus| port.starts_with(bus))
        })
    };
    map.log.iter().any(|m| match &m.event {
        Event::CardGone { port } => is_behind(port),
        _ => false,
    })
}
