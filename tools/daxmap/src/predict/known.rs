// SPDX-License-Identifier: GPL-2.0

//! What a forecast takes for granted, and what it would have to know.

use crate::cxl::{Region, RegionState};
use crate::decode::Why as Gone;
use crate::map::Map;
use crate::modules::Presence;
use crate::reserved::Reserved;

/// The kernel whose own drivers were measured.
const MEASURED: &str = "7.3";

/// Whether the kernel's own drivers of this release were measured.
pub(super) fn is_measured(map: &Map) -> bool {
    map.release
        .as_deref()
        .is_some_and(|r| r.starts_with(MEASURED))
}

pub(super) fn assumptions(map: &Map) -> Vec<String> {
    let mut out = Vec::new();
    if !is_measured(map) {
        out.push(format!(
            "the kernel's own drivers are those of Linux {MEASURED}; those of other releases were not measured"
        ));
    }
    let missing: Vec<&str> = ["cxl_acpi", "cxl_pci", "cxl_port", "cxl_mem"]
        .into_iter()
        .filter(|name| {
            map.module(name)
                .is_some_and(|m| m.presence == Presence::Installed)
        })
        .collect();
    let has_cxl = map.host.has_cxl || !map.windows.is_empty() || !map.in_source.sysfs;
    if !missing.is_empty() && has_cxl {
        out.push(format!(
            "{} not loaded: windows and regions that firmware set up may be missing here",
            missing.join(", ")
        ));
    }
    if !map.in_source.sysfs && map.windows.is_empty() {
        out.push(
            "what was given has no CXL windows: a range that no region meets is taken to lie in none".into(),
        );
    }
    if let Some("offline") = map.memory.auto_online.as_deref() {
        out.push(
            "new memory stays offline until somebody brings it online (auto_online_blocks)".into(),
        );
    }
    if map.regions.iter().any(Region::is_committed) {
        out.push("firmware commits the same regions at each boot".into());
    }
    for region in map.regions.iter().filter(|r| comes_back(map, r)) {
        out.push(format!(
            "firmware, which declares the range of {}, commits its decoders again, which were reset",
            region.name
        ));
    }
    let gone = map.dead.iter();
    for dead in gone.filter(|d| matches!(d.why, Gone::RegionGone { .. })) {
        out.push(format!(
            "firmware does not decode {} again, whose region is gone",
            dead.range
        ));
    }
    out
}

/// Whether firmware commits a region at the next boot whose decoders were reset since: it declares its memory.
pub(super) fn comes_back(map: &Map, region: &Region) -> bool {
    let Some(range) = region.range.filter(|_| region.is_reset()) else {
        return false;
    };
    let mut declared = map.reserved.iter();
    let by_hand = map.by_hand.iter().any(|r| r.overlaps(&range));
    !region.is_persistent() && !by_hand && declared.any(|r| r.range.overlaps(&range))
}

/// What a paste does not hold, and decides which drivers make more of the memory.
pub(super) fn missing(map: &Map) -> Vec<String> {
    let mut out = Vec::new();
    if map.in_source.sysfs {
        return out;
    }
    if !map.in_source.iomem && map.windows.is_empty() {
        out.push("CXL windows".to_string());
    }
    if !map.in_source.iomem && map.regions.is_empty() {
        out.push("CXL regions".to_string());
    }
    let unknown = map.regions.iter();
    let unknown = unknown.filter(|r| r.state == RegionState::Unknown && r.range.is_some());
    out.extend(unknown.map(|r| format!("whether {} is committed", r.name)));
    let is_in_window = |r: &Reserved| !map.windows_of(&r.range).is_empty();
    if map.endpoints.is_empty() && map.reserved.iter().any(is_in_window) {
        out.push("the decoders of memory devices".to_string());
    }
    out
}
