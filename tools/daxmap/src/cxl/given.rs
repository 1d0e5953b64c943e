// SPDX-License-Identifier: GPL-2.0

//! Regions of a source without sysfs: what the resource tree and the log tell of them, and sizes that were
//! rounded.

use super::{Region, RegionState, DEVICES};
use crate::iomem::Iomem;
use crate::log::{self, Message};
use crate::range::Range;
use crate::scan::{index_of, Scan};

/// Adds the regions that only the resource tree or the log shows. Whether they are committed neither says:
/// the kernel makes the resource before that, and the log tells of the past.
pub(crate) fn add_regions(regions: &mut Vec<Region>, iomem: &Iomem, log: &[Message]) {
    let windows = iomem.resources.iter();
    let windows: Vec<Range> = windows
        .filter(|r| r.name.starts_with("CXL Window"))
        .map(|r| r.range)
        .collect();
    let lines = iomem.resources.iter();
    let lines = lines.filter(|r| index_of(&r.name, "region").is_some());
    for line in lines {
        if windows.iter().any(|w| w.contains(&line.range)) {
            add(regions, &line.name, line.range);
        }
    }
    // What is there now is told by the others, as far as they were given.
    for (name, range) in log::spoken::regions(log) {
        let is_shown = !iomem.resources.is_empty() && !windows.is_empty();
        if !is_shown || regions.iter().any(|r| r.name == name) {
            add(regions, &name, range);
        }
    }
    regions.sort_by_key(|r| index_of(&r.name, "region"));
}

fn add(regions: &mut Vec<Region>, name: &str, range: Range) {
    match regions.iter_mut().find(|r| r.name == name) {
        Some(region) => region.range = region.range.or(Some(range)),
        None => regions.push(Region {
            name: name.to_string(),
            range: Some(range),
            mode: None,
            state: RegionState::Unknown,
            window: None,
            ways: None,
            granularity: None,
            targets: Vec::new(),
            dax_region: None,
            dax_driver: None,
            locked: false,
            is_refused: false,
            is_held: false,
        }),
    }
}

/// Gives a region whose size was rounded the end that it shares with a range, if the size fits that.
pub(crate) fn settle_sizes(scan: &Scan, regions: &mut [Region], ranges: &[Range]) {
    for region in regions.iter_mut().filter(|r| r.range.is_none()) {
        let number = |what: &str| scan.number(&format!("{DEVICES}/{}/{what}", region.name));
        let bounds = number("size_from").zip(number("size_to"));
        let Some((start, (least, most))) = number("resource").zip(bounds) else {
            continue;
        };
        let around = ranges.iter().filter(|r| (r.start..=r.end).contains(&start));
        let mut fitting = around.filter_map(|r| Range::new(start, r.end));
        region.range = fitting.find(|r| (least..=most).contains(&r.len()));
    }
}
