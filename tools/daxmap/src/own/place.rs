// SPDX-License-Identifier: GPL-2.0

//! Where hmem devices lie whose addresses cannot be read.
//!
//! An hmem device without a dax device shows no address at all, and to users other than root none
//! does. But dax_hmem makes them in order of address, so the first without a place belongs to the
//! first free room that fits its size.

use crate::dax::Parent;
use crate::log::{Event, Verdict};
use crate::map::Map;
use crate::range::{subtract, Range};
use crate::reserved::Found;

/// Gives hmem devices without addresses the ranges that order and size leave them.
pub(crate) fn place_hmem(map: &mut Map, reserved: &[Found]) {
    if map.hmem.iter().all(|h| h.range.is_some()) {
        return;
    }
    let mut taken: Vec<Range> = map.hmem.iter().filter_map(|h| h.range).collect();
    taken.extend(map.dax.iter().flat_map(|d| d.ranges.iter().copied()));
    let owned = map.regions.iter().filter(|r| r.dax_driver.is_some());
    taken.extend(owned.filter_map(|r| r.range));
    place_by_ledger(map, &taken);
    place_divided(map, reserved);
    taken.extend(map.hmem.iter().filter_map(|h| h.range));
    taken.extend(covered_whole(map, reserved));
    let mut room: Vec<Range> = reserved
        .iter()
        .flat_map(|r| subtract(r.range, &taken))
        .collect();
    room.reverse();
    // What the log says was left to CXL got no device.
    room.retain(|r| !is_left_to_cxl(map, r));
    let mut lost: Vec<usize> = (0..map.hmem.len())
        .filter(|&i| map.hmem[i].range.is_none())
        .collect();
    lost.sort_by_key(|&i| map.hmem[i].id);
    // Devices without a size could have been for any room, if there is more of it than devices.
    let without_size = lost.iter().filter(|&&i| map.hmem[i].size.is_none());
    if without_size.count() > 0 && room.len() > lost.len() {
        lost.retain(|&i| map.hmem[i].size.is_some());
    }
    for i in lost {
        let hmem = &mut map.hmem[i];
        while let Some(free) = room.pop() {
            // Without a dax region there is no size: its probe failed, with all of the room.
            let size = hmem.size.unwrap_or(free.len());
            let Some(range) = Range::with_size(free.start, size).filter(|r| free.contains(r))
            else {
                continue;
            };
            room.extend(free.minus(&range));
            hmem.range = Some(range);
            hmem.range_derived = true;
            break;
        }
    }
}

/// The ledger says which device a piece had last, also where it has no driver any more; others may have
/// come after it.
fn place_by_ledger(map: &mut Map, taken: &[Range]) {
    let records = map.ledger.iter().flat_map(|l| &l.records);
    let known: Vec<(String, Range)> = records
        .filter_map(|r| Some((r.dev.clone()?, r.range)))
        .filter(|(_, range)| taken.iter().all(|t| !t.overlaps(range)))
        .collect();
    for hmem in map.hmem.iter_mut().filter(|h| h.range.is_none()) {
        let mut own = known.iter().filter(|(name, _)| *name == hmem.name);
        // A device that several records name had all of them, and is one range only by chance.
        if let (Some((_, range)), None) = (own.next(), own.next()) {
            hmem.range = Some(*range);
            hmem.range_derived = true;
        }
    }
}

/// A dax region that is divided: of its size, in one Soft Reserved range, around its dax devices.
fn place_divided(map: &mut Map, reserved: &[Found]) {
    for i in 0..map.hmem.len() {
        let hmem = &map.hmem[i];
        let parent = Parent::Hmem(hmem.name.clone());
        let own = map.dax.iter().filter(|d| d.parent == parent);
        let own: Vec<Range> = own.flat_map(|d| d.ranges.iter().copied()).collect();
        let (Some(size), Some(first), None) = (hmem.size, own.first(), hmem.range) else {
            continue;
        };
        let around = reserved.iter().find(|r| r.range.contains(first));
        let others = map.hmem.iter().filter_map(|h| h.range).collect::<Vec<_>>();
        let room = around
            .map(|r| subtract(r.range, &others))
            .unwrap_or_default();
        // A free part may lie before the devices or behind them: kernel allocates from below.
        let Some(room) = room.into_iter().find(|r| r.contains(first)) else {
            continue;
        };
        let range = Range::with_size(room.start, size)
            .filter(|r| own.iter().all(|o| r.contains(o)))
            .or_else(|| Range::with_size(first.start, size))
            .filter(|r| room.contains(r));
        map.hmem[i].range = range;
        map.hmem[i].range_derived = range.is_some();
    }
}

/// Whether the last that the log says of a range is that dax_hmem left it to CXL.
fn is_left_to_cxl(map: &Map, range: &Range) -> bool {
    let mut said = map.log.iter().rev().filter_map(|m| match &m.event {
        Event::Decision { range: r, verdict } if r.overlaps(range) => Some(*verdict),
        _ => None,
    });
    matches!(said.next(), Some(Verdict::Defers | Verdict::Drops))
}

/// Ranges that a single committed region contains: dax_hmem makes no device for them.
fn covered_whole(map: &Map, reserved: &[Found]) -> Vec<Range> {
    reserved
        .iter()
        .map(|r| r.range)
        .filter(|range| {
            map.committed_in(range)
                .any(|region| region.range.is_some_and(|x| x.contains(range)))
        })
        .collect()
}
