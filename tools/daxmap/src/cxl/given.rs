// SPDX-License-Identifier: GPL-2.0

//! Regions of a source without sysfs: what the resource tree shows of them, and sizes that were rounded.

use super::{Region, RegionState, DEVICES};
use crate::iomem::Iomem;
use crate::range::Range;
use crate::scan::{index_of, Scan};

/// Adds the regions that only the resource tree shows. Whether they are committed it does not say: the
/// kernel makes the resource before that.
pub(crate) fn add_regions(regions: &mut Vec<Region>, iomem: &Iomem) {
    let windows = iomem.resources.iter();
    let windows: Vec<Range> = windows
        .filter(|r| r.name.starts_with("CXL Window"))
        .map(|r| r.range)
        .collect();
    let lines = iomem.resources.iter();
    for line in lines.filter(|r| index_of(&r.name, "region").is_some()) {
        if !windows.iter().any(|w| w.contains(&line.range)) {
            continue;
        }
        match regions.iter_mut().find(|r| r.name == line.name) {
            Some(region) => region.range = region.range.or(Some(line.range)),
            None => regions.push(Region {
                name: line.name.clone(),
                range: Some(line.range),
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
            }),
        }
    }
    regions.sort_by_key(|r| index_of(&r.name, "region"));
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
