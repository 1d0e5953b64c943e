// SPDX-License-Identifier: GPL-2.0

//! The line of windows: the guest has no address space of CXL but windows, side by side.

use crate::cxl::{Region, Window};
use crate::map::Map;
use crate::range::Range;
use crate::topology::Topology;

use super::hardware::Hardware;

/// A part of the line of windows: a window, or a hole.
pub(super) struct Segment<'a> {
    pub(super) range: Range,
    pub(super) window: Option<&'a Window>,
    pub(super) targets: Vec<usize>,
}

/// The windows in order, and the holes between them.
pub(super) fn segments<'a>(
    map: &'a Map,
    topology: &Topology,
    hardware: &Hardware,
    remarks: &mut Vec<String>,
) -> Vec<Segment<'a>> {
    let mut out: Vec<Segment> = Vec::new();
    for window in &map.windows {
        let Some(range) = window.range else { continue };
        let before = out.last().map(|s| s.range);
        if before.is_some_and(|b| b.overlaps(&range)) {
            remarks.push(format!("the window at {range} overlaps the one before"));
            continue;
        }
        if let Some(hole) =
            before.and_then(|b| Range::new(b.end.checked_add(1)?, range.start.checked_sub(1)?))
        {
            remarks.push(format!(
                "the hole at {hole} is a window that nothing uses: windows of the lab lie side by side"
            ));
            out.push(Segment {
                range: hole,
                window: None,
                targets: vec![0],
            });
        }
        out.push(Segment {
            range,
            window: Some(window),
            targets: targets(map, window, topology, hardware),
        });
    }
    // What begins below the first window and reaches into it needs addresses there too.
    let first = out.first().map(|s| s.range);
    let early = first.and_then(|first| {
        let reaching = map.reserved.iter().map(|r| r.range);
        let start = reaching
            .filter(|r| r.overlaps(&first) && r.start < first.start)
            .map(|r| r.start)
            .min()?;
        Range::new(start, first.start - 1)
    });
    if let Some(range) = early {
        remarks.push(format!(
            "{range}, below the first window, is a window that nothing uses"
        ));
        out.insert(
            0,
            Segment {
                range,
                window: None,
                targets: vec![0],
            },
        );
    }
    out
}

/// The bridges of a window: what its root decoder lists, else those of the regions in it.
fn targets(map: &Map, window: &Window, topology: &Topology, hardware: &Hardware) -> Vec<usize> {
    let mut out: Vec<usize> = Vec::new();
    let reach = topology.reaches.get(&window.decoder);
    let listed = reach.map_or(&[][..], |r| r.bridges.as_slice());
    if listed.iter().all(Option::is_some) {
        out.extend(listed.iter().map(|b| hardware.bridge(b.as_deref())));
    } else {
        let inside = |r: &&Region| {
            r.range
                .zip(window.range)
                .is_some_and(|(a, b)| b.contains(&a))
        };
        let members = map.regions.iter().filter(inside).flat_map(|r| &r.targets);
        let devices = members.filter_map(|t| hardware.device(t.memdev.as_deref()?));
        out.extend(devices.map(|d| hardware.devices[d].bridge));
    }
    let mut seen = Vec::new();
    out.retain(|b| {
        let new = !seen.contains(b);
        seen.push(*b);
        new
    });
    if !is_ways(out.len()) {
        out.truncate(1);
    }
    if out.is_empty() {
        out.push(0);
    }
    out
}

/// The interleave ways that CXL knows.
pub(super) fn is_ways(ways: usize) -> bool {
    matches!(ways, 1 | 2 | 3 | 4 | 6 | 8 | 12 | 16)
}

/// The Soft Reserved ranges that share bytes with the line of windows.
pub(super) fn line(map: &Map, segments: &[Segment]) -> Vec<Range> {
    let windows = segments.iter().filter(|s| s.window.is_some());
    let windows: Vec<Range> = windows.map(|s| s.range).collect();
    let reserved = map.reserved.iter().map(|r| r.range);
    reserved
        .filter(|r| windows.iter().any(|w| w.overlaps(r)))
        .collect()
}
