// SPDX-License-Identifier: GPL-2.0

//! What the kernel's own drivers made System RAM at this boot. Those of a release that was not measured may do more
//! than is known of them, and what they did shows it.

use super::{Holder, Layout, Part};
use crate::map::Map;
use crate::modules::Drivers;
use crate::own::Owner;
use crate::range::{subtract, Range};

/// The ranges, with their owners.
pub(super) fn read(map: &Map) -> Vec<(Range, Holder)> {
    if map.drivers != Drivers::Stock || super::known::is_measured(map) {
        return Vec::new();
    }
    let reserved = map.reserved.iter().flat_map(|r| r.pieces.iter().cloned());
    let regions = map.regions.iter().filter(|r| r.is_committed());
    let pieces = reserved.chain(regions.filter_map(|r| map.region_piece(r)));
    // What nothing answers for, or another driver should have, is no proof of what drivers can.
    let unsound: Vec<Range> = map.unsound.iter().map(|u| u.range).collect();
    let mut out = Vec::new();
    for piece in pieces {
        let holder = match piece.owner {
            Owner::Cxl { region } => Holder::Cxl(region),
            Owner::Hmem { .. } => Holder::Hmem,
            _ => continue,
        };
        let kmem = map.iomem.iter().filter(|r| crate::iomem::is_kmem(&r.name));
        let here = kmem.filter_map(|r| r.range.overlap(&piece.range));
        let here = here.flat_map(|r| subtract(r, &unsound));
        out.extend(here.map(|range| (range, holder.clone())));
    }
    out
}

/// A part that became System RAM against what is known of the drivers.
pub(super) fn apply(layout: &Layout, seen: &[(Range, Holder)], mut part: Part) -> Part {
    let mut here = seen.iter().filter(|(r, _)| r.contains(&part.range));
    let is_dead = layout.dead.iter().any(|d| d.contains(&part.range));
    let is_short = part.ram_bytes < part.range.len() && part.holder != Holder::SystemRam;
    let Some((_, holder)) = here.next().filter(|_| is_short && !is_dead) else {
        return part;
    };
    part.why
        .text
        .push_str("; yet at this boot it became System RAM");
    part.hindrance = None;
    part.holder = holder.clone();
    part.ram_bytes = part.range.len();
    part.file_bytes = 0;
    part
}

/// Whether a region had memory of its own that became System RAM.
pub(super) fn has_region(seen: &[(Range, Holder)], name: &str) -> bool {
    let mut holders = seen.iter().map(|(_, holder)| holder);
    holders.any(|h| matches!(h, Holder::Cxl(region) if region == name))
}
