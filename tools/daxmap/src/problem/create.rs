// SPDX-License-Identifier: GPL-2.0

//! Making a CXL region: whether `cxl create-region` would succeed, and where the region would lie.
//!
//! The kernel gives a region the lowest free place of its window, in units of 256 MiB, needs a free
//! decoder in each device and each port above it, and wants those of a port committed in order of
//! address.

use super::order;
use crate::cxl::{Memdev, Region, Window};
use crate::map::Map;
use crate::range::{subtract, Range};
use crate::size::Total as _;

/// The unit in which the kernel places regions.
const UNIT: u64 = 256 << 20;

/// A region that can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    decoder: String,
    memdevs: Vec<String>,
    /// Where it would lie.
    pub(super) range: Range,
    /// Its size is not all of the devices' capacity.
    is_partial: bool,
}

impl Plan {
    pub(super) fn command(&self) -> String {
        let size = match self.is_partial {
            true => format!(" -s {}", self.range.len()),
            false => String::new(),
        };
        format!(
            "cxl create-region -m -t ram -d {} -w {}{size} {}",
            self.decoder,
            self.memdevs.len(),
            self.memdevs.join(" ")
        )
    }
}

/// Whether the kernel knows no region of volatile memory: it has nothing to make one with.
pub(super) fn is_too_old(map: &Map) -> bool {
    let shows = |w: &Window| w.makes_ram == Some(true);
    map.kernel_is_before(6, 3) && !map.windows.iter().any(shows)
}

/// Whether no window is known to take what a memory device has, and one that reaches it may.
pub(super) fn is_unsaid(map: &Map, memdev: &Memdev) -> bool {
    let windows = map.windows.iter();
    let mut near = windows.filter(|w| !w.decoder.is_empty() && w.reaches(memdev) == Some(true));
    let takes = |w: &Window| takes_ram(map, w);
    near.clone().all(|w| takes(w) != Some(true)) && near.any(|w| takes(w).is_none())
}

/// A window that firmware fixed, where it keeps a region from being made of a memory device's capacity.
pub(super) fn fixed<'a>(map: &'a Map, memdev: &Memdev) -> Option<&'a Window> {
    let near = |w: &&Window| w.reaches(memdev) == Some(true) && takes_ram(map, w) == Some(true);
    let mut near = map.windows.iter().filter(near);
    near.clone().all(|w| w.is_fixed).then(|| near.next())?
}

/// Whether a window takes volatile memory. Where its own word is missing, as in captures of old, such memory
/// in it says so.
fn takes_ram(map: &Map, window: &Window) -> Option<bool> {
    let in_region = |r: &Region| r.mode.as_deref() == Some("ram");
    window.takes_ram.or_else(|| {
        let range = window.range?;
        let regions = map.committed_in(&range).any(in_region);
        let is_seen = regions || map.reserved.iter().any(|r| r.range.overlaps(&range));
        is_seen.then_some(true)
    })
}

/// A region of a memory device's free capacity, in the first window that can take it.
pub(super) fn plan(map: &Map, memdev: &Memdev) -> Option<Plan> {
    let mut windows = map.windows.iter();
    windows.find_map(|w| in_window(map, w, memdev, &[], &[]))
}

/// A region that covers `range`, once the regions `gone` are deleted.
pub(super) fn plan_over(
    map: &Map,
    range: &Range,
    gone: &[&Region],
    sure: &[Range],
) -> Option<Plan> {
    let here = |w: &&Window| w.range.is_some_and(|r| r.contains(range));
    let window = map.windows.iter().find(here)?;
    let mut plans = map
        .memdevs
        .iter()
        .filter_map(|m| in_window(map, window, m, gone, sure));
    plans.find(|p| p.range.contains(range))
}

fn in_window(
    map: &Map,
    window: &Window,
    first: &Memdev,
    gone: &[&Region],
    sure: &[Range],
) -> Option<Plan> {
    let range = window.range.filter(|_| !window.decoder.is_empty())?;
    let fits = takes_ram(map, window) == Some(true) && window.takes_type3 != Some(false);
    // A region that nobody serves is no gain.
    if map.without_regions
        || is_too_old(map)
        || map.is_without_dax_cxl()
        || !fits
        || window.is_fixed
        || window.reaches(first) != Some(true)
    {
        return None;
    }
    let members = members(map, window, first, gone)?;
    if members.iter().any(|m| doubt(map, m, sure).is_some()) {
        return None;
    }
    // Where the host bridge translates addresses, a decoder is not to be given those of the host.
    let mut behind = map.behind(window);
    if behind.any(|m| {
        map.endpoints
            .iter()
            .any(|e| e.memdev == m.name && map.is_translated(e))
    }) {
        return None;
    }
    let ways = u64::try_from(members.len()).ok()?;
    let each = members.iter().map(|m| m.free_ram()).min()?;
    let unit = UNIT.checked_mul(ways)?;
    let wanted = each
        .checked_mul(ways)
        .map(|size| size - size % unit)
        .filter(|&s| s > 0)?;
    let place = place(free_room(map, &range, gone), wanted, unit)?;
    let all = members.iter().map(|m| m.ram_bytes.unwrap_or(0));
    let all = all.total();
    // Decoders of a port are committed in order of address.
    let later = map.sets().into_iter().any(|set| {
        let shares = set.members.iter().any(|(_, name)| {
            let other = map.memdevs.iter().find(|m| m.name == *name);
            other.is_none_or(|o| members.iter().any(|m| m.bridge == o.bridge))
        });
        shares && set.range.start > place.start
    });
    (!later).then(|| Plan {
        decoder: window.decoder.clone(),
        memdevs: members.iter().map(|m| m.name.clone()).collect(),
        range: place,
        is_partial: place.len() != all,
    })
}

/// Memory that firmware declares or gives as RAM, or that is a device's, and that no decoder shows, may be
/// the device's own all the same (CXL 1.1, a driver of its own), in any window that reaches it: a region would map it
/// twice. Of `sure` it is known that it is not.
pub(super) fn doubt<'a>(map: &'a Map, memdev: &Memdev, sure: &[Range]) -> Option<&'a Window> {
    if map.uses_decoders(memdev) {
        return None;
    }
    let mut windows = map
        .windows
        .iter()
        .filter(|w| w.reaches(memdev) != Some(false));
    windows.find(|w| is_in_doubt(map, w, sure))
}

/// Whether a window may hold such memory. Where the memory map of firmware is not known, any part of it
/// may be declared.
fn is_in_doubt(map: &Map, window: &Window, sure: &[Range]) -> bool {
    let mut mapped: Vec<Range> = map.sets().iter().map(|s| s.range).collect();
    mapped.extend(&map.by_hand);
    mapped.extend(map.dead.iter().map(|d| d.range));
    mapped.extend(sure);
    if !map.has_memory_map {
        return window
            .range
            .is_none_or(|w| !subtract(w, &mapped).is_empty());
    }
    let declared = map.reserved.iter().map(|r| r.range);
    // Firmware may have given it as plain RAM.
    let ram = window.range.map_or(Vec::new(), |w| map.boot_ram_in(&w));
    let dax = map.dax.iter().flat_map(|d| d.ranges.iter().copied());
    let mut all = declared
        .chain(dax)
        .chain(map.hmem.iter().filter_map(|h| h.range))
        .chain(ram);
    all.any(|r| {
        let inside = window.range.and_then(|w| w.overlap(&r));
        inside.is_some_and(|r| !subtract(r, &mapped).is_empty())
    })
}

/// One device with room behind each host bridge of the window, `first` among them.
fn members<'a>(
    map: &'a Map,
    window: &Window,
    first: &'a Memdev,
    gone: &[&Region],
) -> Option<Vec<&'a Memdev>> {
    if !has_room(map, first, gone) {
        return None;
    }
    let bridges = window.bridges.iter();
    bridges
        .map(|bridge| match first.bridge.as_ref() == Some(bridge) {
            true => Some(first),
            false => map
                .memdevs
                .iter()
                .find(|m| m.bridge.as_ref() == Some(bridge) && has_room(map, m, gone)),
        })
        .collect()
}

/// A device with a driver, capacity that is in no region, and decoders for it all the way. Of a region that
/// lacks a member it is not known whether its decoders are committed, and behind one that is not, none can be.
fn has_room(map: &Map, memdev: &Memdev, gone: &[&Region]) -> bool {
    let lacks = |r: &&Region| !r.is_committed() && !r.missing().is_empty();
    let is_gone = |r: &Region| gone.iter().any(|g| g.name == r.name);
    let mut waiting = map.regions.iter().filter(lacks).filter(|r| !is_gone(r));
    let is_member = |r: &Region| {
        let mut members = r.targets.iter().filter_map(|t| t.memdev.as_ref());
        members.any(|m| *m == memdev.name)
    };
    memdev.bound
        && memdev.free_ram() > 0
        && !waiting.any(is_member)
        && order::has_decoders(map, memdev, gone)
}

/// Where nothing lies in a window.
fn free_room(map: &Map, window: &Range, gone: &[&Region]) -> Vec<Range> {
    let regions = map
        .regions
        .iter()
        .filter(|r| !gone.iter().any(|g| g.name == r.name));
    let mut taken: Vec<Range> = regions.filter_map(|r| r.range).collect();
    taken.extend(map.dax.iter().flat_map(|d| d.ranges.iter().copied()));
    // Also of a device without driver: it may be bound again.
    taken.extend(map.hmem.iter().filter_map(|h| h.range));
    taken.extend(
        map.iomem
            .iter()
            .filter(|r| {
                let is_gone = gone.iter().any(|g| g.name == r.name);
                !r.name.starts_with("CXL Window") && !r.range.contains(window) && !is_gone
            })
            .map(|r| r.range),
    );
    // What lies in the whole window is in the list of the window's own children as well.
    let whole = map.iomem.iter().filter(|r| r.range == *window);
    taken.extend(
        whole
            .filter(|r| {
                let is_gone = gone.iter().any(|g| g.name == r.name);
                !r.name.starts_with("CXL Window")
                    && !is_gone
                    && is_below_window(map, r.depth, window)
            })
            .map(|r| r.range),
    );
    subtract(*window, &taken)
}

fn is_below_window(map: &Map, depth: usize, window: &Range) -> bool {
    let own = map
        .iomem
        .iter()
        .find(|r| r.range == *window && r.name.starts_with("CXL Window"));
    own.is_some_and(|w| w.depth < depth)
}

/// The lowest place for `size`; a smaller one where no room has as much.
fn place(room: Vec<Range>, size: u64, unit: u64) -> Option<Range> {
    let mut room: Vec<Range> = room.iter().filter_map(|r| r.aligned_inside(UNIT)).collect();
    room.sort_unstable();
    if let Some(r) = room.iter().find(|r| r.len() >= size) {
        return Range::with_size(r.start, size);
    }
    let largest = room.iter().map(|r| r.len() - r.len() % unit).max()?;
    let r = room.iter().find(|r| r.len() >= largest)?;
    Range::with_size(r.start, largest)
}
