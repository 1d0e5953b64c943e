// SPDX-License-Identifier: GPL-2.0

//! The guest that stands for a machine: its hardware, and what lies where.

use crate::size::Total as _;
use std::collections::BTreeMap;

use crate::cxl::{Region, RegionState};
use crate::log;
use crate::map::Map;
use crate::predict::Layout;
use crate::range::Range;
use crate::topology::Topology;
use crate::tree::Tree;

use super::hardware::Hardware;
use super::line::{is_ways, line, segments, Segment};
use super::scale::{At, Edges, Step, BLOCK, UNIT};
use super::Unfit;

/// Address space that a guest has without being made small.
const MOST: u64 = 64 << 30;
/// Memory that a guest can bring online without being made small: each page needs some RAM.
const MOST_MEMORY: u64 = 6 << 30;
/// Where ranges outside of every window lie: in RAM above this.
pub(super) const RAM: u64 = 1 << 30;
/// How much RAM q35 has below 4 GiB before it moves some of it.
const MOST_RAM: u64 = 0xb000_0000;

/// A window of the guest, or the hole before one, which is a window that nothing uses.
pub(super) struct Window {
    pub(super) start: u64,
    pub(super) size: u64,
    pub(super) targets: Vec<usize>,
    pub(super) granularity: Option<u64>,
    /// Its name on the machine; none for a hole.
    pub(super) name: Option<String>,
}

/// A committed region.
pub(super) struct Placed {
    pub(super) name: String,
    pub(super) start: u64,
    pub(super) size: u64,
    pub(super) devices: Vec<usize>,
    pub(super) granularity: Option<u64>,
    pub(super) is_pmem: bool,
}

/// A Soft Reserved range.
pub(super) struct Marked {
    pub(super) start: u64,
    pub(super) size: u64,
    /// In RAM, outside of every window.
    pub(super) is_outside: bool,
    /// On the machine.
    pub(super) real: Range,
}

/// A guest; addresses of windows, regions and what lies there count from the first window.
pub(super) struct Guest {
    pub(super) hardware: Hardware,
    pub(super) windows: Vec<Window>,
    pub(super) regions: Vec<Placed>,
    pub(super) ranges: Vec<Marked>,
    pub(super) ram: u64,
    /// The Rust drivers' policy, and whether dax regions are left idle.
    pub(super) layout: Layout,
    pub(super) is_offline: bool,
    pub(super) remarks: Vec<String>,
}

impl Guest {
    pub(super) fn of(tree: &Tree, map: &Map) -> Result<Guest, Unfit> {
        let topology = Topology::read(tree, map);
        let mut hardware = Hardware::of(map, &topology);
        let mut remarks = std::mem::take(&mut hardware.remarks);
        let segments = segments(map, &topology, &hardware, &mut remarks);
        let regions = regions(map, &hardware, &segments, &mut remarks);
        let line = line(map, &segments);
        let edges = edges(map, &segments, &regions, &line);
        let heavy = memory(map) > MOST_MEMORY;
        let places = match segments.is_empty() {
            true => BTreeMap::new(),
            false => edges
                .scaled(if heavy { 0 } else { MOST })
                .ok_or(Unfit::NoPlaces(
                    "their sizes and interleave ways have no common multiple",
                ))?,
        };
        let place = |range: &Range| {
            let start = places.get(&At::from(range.start)).copied().unwrap_or(0);
            let end = places.get(&behind(range)).copied().unwrap_or(start);
            (start, end.saturating_sub(start))
        };
        let mut ranges: Vec<Marked> = line
            .iter()
            .map(|real| {
                let (start, size) = place(real);
                Marked {
                    start,
                    size,
                    is_outside: false,
                    real: *real,
                }
            })
            .collect();
        let ram = outside(map, &line, &mut ranges, &mut remarks);
        let windows: Vec<Window> = segments
            .iter()
            .map(|s| {
                let (start, size) = place(&s.range);
                Window {
                    start,
                    size,
                    targets: s.targets.clone(),
                    granularity: s
                        .window
                        .and_then(|w| topology.reaches.get(&w.decoder)?.granularity),
                    name: s
                        .window
                        .map(|w| w.name.clone().unwrap_or_else(|| w.decoder.clone())),
                }
            })
            .collect();
        let regions = regions
            .into_iter()
            .map(|(region, range, devices)| {
                let (start, size) = place(&range);
                Placed {
                    name: region.name.clone(),
                    start,
                    size,
                    devices,
                    granularity: region.granularity,
                    is_pmem: region.mode.as_deref() == Some("pmem"),
                }
            })
            .collect();
        note(map, tree, &edges, &mut remarks);
        Ok(Guest {
            hardware,
            windows,
            regions,
            ranges,
            ram,
            layout: Layout::read(tree, map),
            is_offline: map.memory.auto_online.as_deref() == Some("offline"),
            remarks,
        })
    }
}

/// The address behind a range.
fn behind(range: &Range) -> At {
    At::from(range.end) + 1
}

/// Bytes that are Soft Reserved or in regions.
fn memory(map: &Map) -> u64 {
    let regions = map.regions.iter().filter_map(|r| r.range);
    let all = map.reserved.iter().map(|r| r.range).chain(regions);
    all.map(|r| r.len()).total()
}

/// The regions that the lab can commit, with their members.
fn regions<'a>(
    map: &'a Map,
    hardware: &Hardware,
    segments: &[Segment],
    remarks: &mut Vec<String>,
) -> Vec<(&'a Region, Range, Vec<usize>)> {
    let mut out: Vec<(&Region, Range, Vec<usize>)> = Vec::new();
    for region in &map.regions {
        let name = &region.name;
        let mut leave = |why: &str| remarks.push(format!("{name} is left out: {why}"));
        if !region.is_committed() {
            leave("it is not committed");
            continue;
        }
        let Some(range) = region.range else {
            leave("it has no addresses");
            continue;
        };
        let inside = |s: &&Segment| s.window.is_some() && s.range.contains(&range);
        let Some(segment) = segments.iter().find(inside) else {
            leave("it is not inside of one window");
            continue;
        };
        let members: Option<Vec<usize>> = region
            .targets
            .iter()
            .map(|t| hardware.device(t.memdev.as_deref()?))
            .collect();
        let Some(devices) = members.filter(|d| !d.is_empty()) else {
            leave("a member is missing");
            continue;
        };
        let twice = (1..devices.len()).any(|i| devices[..i].contains(&devices[i]));
        let bridges = |d: &usize| segment.targets.contains(&hardware.devices[*d].bridge);
        if !is_ways(devices.len()) || devices.len() % segment.targets.len() != 0 {
            leave("its interleave ways are no multiple of its window's");
        } else if twice || !devices.iter().all(bridges) {
            leave("its window does not reach its members");
        } else if out.iter().any(|(_, other, _)| other.overlaps(&range)) {
            leave("it overlaps another region");
        } else {
            out.push((region, range, devices));
        }
    }
    out
}

fn edges(
    map: &Map,
    segments: &[Segment],
    regions: &[(&Region, Range, Vec<usize>)],
    line: &[Range],
) -> Edges {
    let mut edges = Edges {
        block: map.memory.block_size.unwrap_or(BLOCK),
        ..Edges::default()
    };
    let both = |r: &Range| [At::from(r.start), behind(r)];
    for segment in segments {
        edges.hard.extend(both(&segment.range));
        edges.steps.push(Step {
            from: At::from(segment.range.start),
            to: behind(&segment.range),
            unit: UNIT * segment.targets.len() as u64,
        });
    }
    for (_, range, devices) in regions {
        edges.hard.extend(both(range));
        edges.steps.push(Step {
            from: At::from(range.start),
            to: behind(range),
            unit: UNIT * devices.len() as u64,
        });
        let window = segments.iter().find(|s| s.range.contains(range));
        edges.steps.extend(window.map(|s| Step {
            from: At::from(s.range.start),
            to: At::from(range.start),
            unit: UNIT * s.targets.len() as u64,
        }));
    }
    edges.all.extend(&edges.hard);
    edges.all.extend(line.iter().flat_map(both));
    edges
}

/// Puts the ranges outside of every window into RAM; returns how much RAM the guest has.
fn outside(map: &Map, line: &[Range], ranges: &mut Vec<Marked>, remarks: &mut Vec<String>) -> u64 {
    let mut next = RAM;
    for real in map.reserved.iter().map(|r| r.range) {
        if line.contains(&real) {
            continue;
        }
        let edges = Edges {
            all: [At::from(real.start), behind(&real)].into(),
            block: map.memory.block_size.unwrap_or(BLOCK),
            ..Edges::default()
        };
        let places = edges.scaled(512 << 20).unwrap_or_default();
        let (Some(first), Some(last)) = (places.first_key_value(), places.last_key_value()) else {
            continue;
        };
        let start = next + first.1 % BLOCK;
        let size = last.1 - first.1;
        if start + size + UNIT > MOST_RAM {
            remarks.push(format!(
                "{real} is left out: too many ranges outside of every window"
            ));
            continue;
        }
        ranges.push(Marked {
            start,
            size,
            is_outside: true,
            real,
        });
        // A block between two, so that the kernel does not join them.
        next = (start + size).next_multiple_of(BLOCK) + BLOCK;
    }
    // The last 2 MiB are the virtual firmware's.
    if next == RAM {
        RAM
    } else {
        next + BLOCK
    }
}

/// What no scenario can have.
fn note(map: &Map, tree: &Tree, edges: &Edges, remarks: &mut Vec<String>) {
    let block = At::from(edges.block.max(1));
    if edges.hard.iter().any(|at| at % block != 0) {
        remarks.push(format!(
            "an edge of a window or region lies inside of a memory block of {} MiB; the guest has blocks of 128 MiB",
            edges.block >> 20
        ));
    }
    let alone = map.endpoints.iter().filter(|d| d.region.is_none());
    remarks.extend(alone.filter_map(|d| {
        Some(format!(
            "{} of {} decodes {} for no region; the lab commits decoders with a region only",
            d.name, d.memdev, d.range?
        ))
    }));
    if map.reserved.is_empty() && !log::has_memory_map(&map.log) {
        remarks.push(
            "the firmware's memory map is not known: there may be Soft Reserved memory".into(),
        );
    }
    if tree.exists("sys/firmware/acpi/tables/HMAT") {
        remarks.push("the HMAT, by which the kernel lists ranges by node".into());
    }
    let foreign = map.regions.iter().filter(|r| {
        let is_ram = r.mode.as_deref() != Some("pmem");
        r.state == RegionState::Committed && r.dax_region.is_none() && is_ram
    });
    remarks.extend(foreign.map(|r| {
        format!(
            "{} is not offered to dax_cxl on the machine; here it is",
            r.name
        )
    }));
    let ram_inside = map.iomem.iter().any(|r| {
        r.name == "System RAM"
            && map
                .windows
                .iter()
                .any(|w| w.range.is_some_and(|w| w.overlaps(&r.range)))
    });
    if ram_inside {
        remarks.push("System RAM in a window since boot".into());
    }
}
