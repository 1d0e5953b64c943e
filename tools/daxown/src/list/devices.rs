// SPDX-License-Identifier: GPL-2.0

//! The rows of `daxown list --kind device`: memory devices, and where their capacity is.

use comfy_table::CellAlignment::{Left, Right};
use daxmap::cxl::{EndpointDecoder, Memdev, Region, RegionState, Window};
use daxmap::dax::DaxDevice;
use daxmap::size::Total as _;
use daxmap::topology::Topology;
use daxmap::{Map, Owner, Range, Tree};
use schemars::JsonSchema;
use serde::Serialize;

use crate::show::{self, Look};
use crate::table::Table;

/// A memory device.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeviceDoc {
    /// Its name; may change at each boot.
    pub name: String,
    /// Its place on PCI.
    pub pci: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Whether its driver is bound.
    pub bound: bool,
    /// The NUMA node of the device itself.
    pub node: Option<u32>,
    /// Bytes of volatile capacity.
    pub volatile: Option<u64>,
    /// Bytes of persistent capacity.
    pub persistent: Option<u64>,
    /// Bytes of volatile capacity in regions.
    pub mapped: Option<u64>,
    /// Bytes of volatile capacity that decoders in no region have.
    pub unassigned: Option<u64>,
    /// Bytes of volatile capacity that no decoder has; `null` if the device shows no decoder.
    pub unmapped: Option<u64>,
    /// Bytes that HMEM has of what its decoders map, in the place of regions or without one; `null` where
    /// what HMEM has is not known.
    pub hmem: Option<u64>,
    /// Bytes that HMEM serves without a region in windows that reach the device: they may be of it.
    pub hmem_maybe: Option<u64>,
    /// Its regions.
    pub regions: Vec<String>,
    /// The dax devices that have its memory.
    pub dax: Vec<String>,
    /// The windows that reach it.
    pub windows: Vec<String>,
}

/// All memory devices.
pub fn of(tree: &Tree, map: &Map) -> Vec<DeviceDoc> {
    let topology = Topology::read(tree, map);
    map.memdevs
        .iter()
        .map(|m| device(map, &topology, m))
        .collect()
}

fn device(map: &Map, topology: &Topology, memdev: &Memdev) -> DeviceDoc {
    let name = memdev.name.as_str();
    let regions: Vec<&Region> = map
        .regions
        .iter()
        .filter(|r| r.targets.iter().any(|t| t.memdev.as_deref() == Some(name)))
        .collect();
    let windows: Vec<&Window> = map
        .windows
        .iter()
        .filter(|w| topology.is_reached(&w.decoder, name) == Some(true))
        .collect();
    let areas = areas(map, memdev, &windows);
    // A device that shows no decoder may have mapped all of it.
    let has = |is_assigned: bool| {
        memdev.mapped_bytes?;
        let own = decoders(map, memdev).filter(|e| is_assigned == in_region(map, e).is_some());
        let volatile = own.filter(|e| e.mode.as_deref() != Some("pmem"));
        Some(volatile.map(|e| e.dpa_bytes).total())
    };
    let (mapped, unassigned) = (has(true), has(false));
    let taken = mapped.zip(unassigned).map(|(a, b)| a.saturating_add(b));
    let unmapped = memdev
        .ram_bytes
        .zip(taken)
        .map(|(ram, taken)| ram.saturating_sub(taken));
    let decoded = decoded(map);
    let free = windows
        .iter()
        .filter_map(|w| w.range)
        .flat_map(|w| daxmap::range::subtract(w, &decoded));
    let beside = free.map(|r| hmem_bytes(map, &r)).total();
    // What a host bridge translates is in one of these windows, and no address of it shows.
    let translated = map.translated_bytes(memdev);
    let unplaced = unmapped.map(|bytes| bytes.saturating_add(translated));
    // What is not said to be committed may be.
    let unknown = regions.iter().filter(|r| r.state == RegionState::Unknown);
    let mut places: Vec<Range> = unknown.filter_map(|r| r.range).collect();
    places.extend(areas.iter().map(|a| a.range));
    let is_here = |d: &&DaxDevice| {
        let mut ranges = d.ranges.iter();
        ranges.any(|r| places.iter().any(|p| p.overlaps(r)))
    };
    let dax = map.dax.iter().filter(is_here).map(|d| d.name.clone());
    let mut dax: Vec<String> = dax.collect();
    dax.sort();
    let seat = topology.seats.get(name).cloned().unwrap_or_default();
    DeviceDoc {
        name: name.to_string(),
        pci: seat.pci,
        serial: memdev.serial.clone(),
        bound: memdev.bound,
        node: memdev.node,
        volatile: memdev.ram_bytes,
        persistent: memdev.pmem_bytes,
        mapped,
        unassigned,
        unmapped,
        hmem: shows_hmem(map).then_some(areas.iter().map(|a| a.hmem).total()),
        hmem_maybe: shows_hmem(map)
            .then_some(beside.min(unplaced.or(memdev.ram_bytes).unwrap_or(0))),
        regions: regions.iter().map(|r| r.name.clone()).collect(),
        dax,
        windows: windows
            .iter()
            .map(|w| w.name.clone().unwrap_or_else(|| w.decoder.clone()))
            .collect(),
    }
}

fn decoders<'a>(map: &'a Map, memdev: &'a Memdev) -> impl Iterator<Item = &'a EndpointDecoder> {
    map.endpoints.iter().filter(|e| e.memdev == memdev.name)
}

/// The region that an endpoint decoder is in: either may name the other.
fn in_region<'a>(map: &'a Map, e: &EndpointDecoder) -> Option<&'a Region> {
    let names = |r: &&Region| {
        let mut targets = r.targets.iter();
        e.region.as_ref() == Some(&r.name) || targets.any(|t| t.decoder.as_ref() == Some(&e.name))
    };
    map.regions.iter().find(names)
}

/// Addresses at which a memory device answers, and how many bytes of it HMEM has there.
struct Area {
    range: Range,
    hmem: u64,
}

/// Where the committed decoders of a device map it; as far as they cannot be read, where its committed
/// regions do. What a decoder in no region maps outside of windows are not addresses of memory: a host
/// bridge may translate them.
fn areas(map: &Map, memdev: &Memdev, windows: &[&Window]) -> Vec<Area> {
    let mut out: Vec<(Range, u64)> = Vec::new();
    let is_member = |r: &&Region| {
        let mut targets = r.targets.iter();
        r.is_committed() && targets.any(|t| t.memdev.as_ref() == Some(&memdev.name))
    };
    for region in map.regions.iter().filter(is_member) {
        out.extend(region.range.map(|r| (r, region.ways.unwrap_or(1))));
    }
    let committed = decoders(map, memdev).filter(|e| map.is_committed(e));
    for e in committed.filter(|e| !map.is_translated(e)) {
        let region = in_region(map, e);
        let Some(range) = e
            .range
            .filter(|_| !region.is_some_and(Region::is_committed))
        else {
            continue;
        };
        let parts = windows.iter().filter_map(|w| w.range?.overlap(&range));
        match region {
            Some(_) => out.push((range, e.ways)),
            None => out.extend(parts.map(|part| (part, e.ways))),
        }
    }
    let area = |(range, ways): (Range, u64)| Area {
        range,
        hmem: hmem_bytes(map, &range) / ways.max(1),
    };
    out.into_iter().map(area).collect()
}

/// All that committed regions and decoders have.
fn decoded(map: &Map) -> Vec<Range> {
    let regions = map.regions.iter().filter(|r| r.is_committed());
    let sets = map.sets();
    let sets = sets.iter().map(|s| s.range);
    regions.filter_map(|r| r.range).chain(sets).collect()
}

/// Whether it is known what HMEM has.
fn shows_hmem(map: &Map) -> bool {
    let pieces = || map.reserved.iter().flat_map(|r| &r.pieces);
    let is_given = match map.in_source.sysfs {
        true => !map.gaps.iter().any(|g| g.needs_root),
        false => false,
    };
    let has_pieces = pieces().next().is_some();
    (is_given || has_pieces) && pieces().all(|p| p.owner != Owner::Unknown)
}

/// Bytes of a range that hmem devices have.
fn hmem_bytes(map: &Map, range: &Range) -> u64 {
    let pieces = map.reserved.iter().flat_map(|r| &r.pieces);
    let hmem = pieces.filter(|p| matches!(p.owner, Owner::Hmem { .. }));
    hmem.filter_map(|p| p.range.overlap(range))
        .map(|r| r.len())
        .total()
}

/// Why there is no row.
fn none(map: &Map) -> String {
    if map.in_source.sysfs {
        return format!("No CXL memory device {}.", show::here(map));
    }
    let targets = map.regions.iter().flat_map(|r| &r.targets);
    let mut named: Vec<&str> = targets.filter_map(|t| t.memdev.as_deref()).collect();
    named.sort_unstable();
    named.dedup();
    let lists = map.in_source.lists;
    format!(
        "CXL memory devices are not in what was given{}.",
        match (lists.cut, lists.empty) {
            _ if !named.is_empty() => format!(", save as members of regions: {}", named.join(", ")),
            (true, _) => ": a list ends in the middle".into(),
            (_, true) => ": an empty list was".into(),
            _ => String::new(),
        }
    )
}

pub fn render(map: &Map, devices: &[DeviceDoc], noheadings: bool, look: &Look) -> String {
    if devices.is_empty() {
        return match noheadings {
            true => String::new(),
            false => format!("{}\n", none(map)),
        };
    }
    // Few machines have any.
    let is_unassigned = devices.iter().any(|d| d.unassigned.unwrap_or(0) > 0);
    let mut table = Table::new(look);
    for (name, side) in [
        ("NAME", Left),
        ("PCI", Left),
        ("SERIAL", Left),
        ("DRIVER", Left),
        ("NODE", Right),
        ("VOLATILE", Right),
        ("IN REGIONS", Right),
        ("UNASSIGNED", Right),
        ("WITH HMEM", Right),
        ("UNMAPPED", Right),
    ] {
        if name != "UNASSIGNED" || is_unassigned {
            table.column(name, side);
        }
    }
    table.prose("BEHIND");
    table.prose("WINDOWS");
    let dash = || "-".to_string();
    for d in devices {
        let hmem = match (d.hmem, d.hmem_maybe.unwrap_or(0)) {
            (Some(0), maybe) if maybe > 0 => format!("up to {}", look.size(maybe)),
            (sure, _) => look.maybe_size(sure),
        };
        let behind: Vec<&str> = d.regions.iter().chain(&d.dax).map(String::as_str).collect();
        let mut row = vec![
            d.name.clone(),
            d.pci.clone().unwrap_or_else(dash),
            d.serial.clone().unwrap_or_else(dash),
            if d.bound { "cxl_mem" } else { "-" }.to_string(),
            d.node.map_or_else(dash, |n| n.to_string()),
            look.maybe_size(d.volatile),
            look.maybe_size(d.mapped),
        ];
        row.extend(is_unassigned.then(|| look.maybe_size(d.unassigned)));
        row.extend([
            hmem,
            look.maybe_size(d.unmapped),
            if behind.is_empty() {
                dash()
            } else {
                behind.join(", ")
            },
            if d.windows.is_empty() {
                dash()
            } else {
                d.windows.join(", ")
            },
        ]);
        table.row(row);
    }
    table.spare(&["NODE", "WINDOWS", "DRIVER", "PCI", "IN REGIONS"]);
    let text = table.text();
    match noheadings {
        true => text.lines().skip(1).flat_map(|l| [l, "\n"]).collect(),
        false => text + &totals(devices, look),
    }
}

/// Sums, where there is more than one device.
fn totals(devices: &[DeviceDoc], look: &Look) -> String {
    if devices.len() < 2 {
        return String::new();
    }
    let sum = |of: fn(&DeviceDoc) -> Option<u64>| {
        let all: Option<Vec<u64>> = devices.iter().map(of).collect();
        look.maybe_size(all.map(|all| all.into_iter().total()))
    };
    let unassigned = match devices.iter().any(|d| d.unassigned.unwrap_or(0) > 0) {
        true => format!("unassigned {}, ", sum(|d| d.unassigned)),
        false => String::new(),
    };
    let text = format!(
        "{} devices: volatile {}, in regions {}, {unassigned}unmapped {}",
        devices.len(),
        sum(|d| d.volatile),
        sum(|d| d.mapped),
        sum(|d| d.unmapped)
    );
    format!("\n{}", show::sentence(&text, look))
}
