// SPDX-License-Identifier: GPL-2.0

//! Where hmem devices lie whose addresses cannot be read.
//!
//! An hmem device without a dax device shows no address at all, and to users other than root none
//! does. But dax_hmem makes them in order of address, so the first without a place belongs to the
//! first free room that fits its size.

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
    taken.extend(covered_whole(map, reserved));
    let mut room: Vec<Range> = reserved
        .iter()
        .flat_map(|r| subtract(r.range, &taken))
        .collect();
    room.reverse();
    let mut lost: Vec<usize> = (0..map.hmem.len())
        .filter(|&i| map.hmem[i].range.is_none())
        .collect();
    lost.sort_by_key(|&i| map.hmem[i].id);
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
