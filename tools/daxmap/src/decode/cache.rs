// SPDX-License-Identifier: GPL-2.0

//! Memory of the host that caches a CXL device's (an extended linear cache).
//!
//! It lies in the window in front of what the device maps, is as large as that, and no CXL decoder maps it. A
//! kernel that reads so from ACPI's HMAT makes one region of both; an older one does not know of it, and HMEM
//! serves both.

use super::Set;
use crate::cxl::Window;
use crate::map::Map;
use crate::range::Range;

/// What the kernel says where it found a cache that it does not support.
const LINE: &str = "Extended Linear Cache size ";

/// Whether memory in a window that no decoder maps may be such a cache.
pub(super) fn may_be(map: &Map, window: &Window, sets: &[Set], hole: &Range) -> bool {
    let is_in_front = |set: &Set| {
        let here = |r: Range| r.contains(&set.range);
        let start = set.range.start.checked_sub(set.range.len());
        window.range.is_some_and(here)
            && start == Some(hole.start)
            && hole.end + 1 == set.range.start
    };
    let is_cache = map.host.has_hmat && sets.iter().any(is_in_front);
    is_cache || !said(map, window).is_empty()
}

/// The kernel's lines about a cache in a window: of its root decoder, or of a region there.
pub(crate) fn said(map: &Map, window: &Window) -> Vec<String> {
    let regions = map.regions.iter();
    let regions = regions.filter(|r| r.window.as_ref() == Some(&window.decoder));
    let names: Vec<String> = regions
        .map(|r| r.name.as_str())
        .chain([window.decoder.as_str()])
        .filter(|name| !name.is_empty())
        .map(|name| format!(" {name}: {LINE}"))
        .collect();
    let about = |text: &str| names.iter().any(|name| text.contains(name));
    let lines = map.log.iter().filter(|m| about(&m.text));
    lines.map(|m| m.stamped()).collect()
}
