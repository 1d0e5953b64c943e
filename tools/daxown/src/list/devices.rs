// SPDX-License-Identifier: GPL-2.0

//! The rows of `daxown list --kind device`: memory devices, and where their capacity is.

use comfy_table::CellAlignment::{Left, Right};
use daxmap::cxl::{Memdev, Region};
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
    /// Bytes of volatile capacity in no region; `null` if the device shows no decoder.
    pub unmapped: Option<u64>,
    /// Bytes of its regions that HMEM serves in their place.
    pub hmem: u64,
    /// Bytes that HMEM serves without a region in windows that reach the device: they may be of it.
    pub hmem_maybe: u64,
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
    let windows: Vec<&daxmap::cxl::Window> = map
        .windows
        .iter()
        .filter(|w| topology.is_reached(&w.decoder, name) == Some(true))
        .collect();
    let share = |r: &&Region| {
        let served = r
            .range
            .filter(|_| r.is_committed() && r.dax_driver.is_none());
        let ways = r.ways.filter(|w| *w > 0).unwrap_or(1);
        served.map_or(0, |range| hmem_bytes(map, &range) / ways)
    };
    let committed: Vec<Range> = map
        .regions
        .iter()
        .filter(|r| r.is_committed())
        .filter_map(|r| r.range)
        .collect();
    // A device that shows no decoder may have mapped all of it.
    let unmapped = memdev
        .ram_bytes
        .zip(memdev.mapped_bytes)
        .map(|(ram, mapped)| ram.saturating_sub(mapped));
    let free = windows
        .iter()
        .filter_map(|w| w.range)
        .flat_map(|w| daxmap::range::subtract(w, &committed));
    let beside = free
        .map(|r| hmem_bytes(map, &r))
        .fold(0, u64::saturating_add);
    let mut dax: Vec<String> = regions
        .iter()
        .filter_map(|r| r.range)
        .flat_map(|range| {
            let on = map
                .dax
                .iter()
                .filter(move |d| d.ranges.iter().any(|r| r.overlaps(&range)));
            on.map(|d| d.name.clone())
        })
        .collect();
    dax.sort();
    dax.dedup();
    let seat = topology.seats.get(name).cloned().unwrap_or_default();
    DeviceDoc {
        name: name.to_string(),
        pci: seat.pci,
        serial: memdev.serial.clone(),
        bound: memdev.bound,
        node: memdev.node,
        volatile: memdev.ram_bytes,
        persistent: memdev.pmem_bytes,
        mapped: memdev.mapped_bytes,
        unmapped,
        hmem: regions.iter().map(share).fold(0, u64::saturating_add),
        hmem_maybe: beside.min(unmapped.or(memdev.ram_bytes).unwrap_or(0)),
        regions: regions.iter().map(|r| r.name.clone()).collect(),
        dax,
        windows: windows
            .iter()
            .map(|w| w.name.clone().unwrap_or_else(|| w.decoder.clone()))
            .collect(),
    }
}

/// Bytes of a range that hmem devices have.
fn hmem_bytes(map: &Map, range: &Range) -> u64 {
    let pieces = map.reserved.iter().flat_map(|r| &r.pieces);
    let hmem = pieces.filter(|p| matches!(p.owner, Owner::Hmem { .. }));
    hmem.filter_map(|p| p.range.overlap(range))
        .map(|r| r.len())
        .fold(0, u64::saturating_add)
}

pub fn render(map: &Map, devices: &[DeviceDoc], noheadings: bool, look: &Look) -> String {
    if devices.is_empty() {
        return match noheadings {
            true => String::new(),
            false => format!("No CXL memory device {}.\n", show::here(map)),
        };
    }
    let mut table = Table::new(look);
    for (name, side) in [
        ("NAME", Left),
        ("PCI", Left),
        ("SERIAL", Left),
        ("DRIVER", Left),
        ("NODE", Right),
        ("VOLATILE", Right),
        ("IN REGIONS", Right),
        ("WITH HMEM", Right),
        ("UNMAPPED", Right),
    ] {
        table.column(name, side);
    }
    table.prose("BEHIND");
    table.prose("WINDOWS");
    let dash = || "-".to_string();
    for d in devices {
        let hmem = match (d.hmem, d.hmem_maybe) {
            (0, 0) => look.size(0),
            (0, maybe) => format!("up to {}", look.size(maybe)),
            (sure, _) => look.size(sure),
        };
        let behind: Vec<&str> = d.regions.iter().chain(&d.dax).map(String::as_str).collect();
        table.row([
            d.name.clone(),
            d.pci.clone().unwrap_or_else(dash),
            d.serial.clone().unwrap_or_else(dash),
            if d.bound { "cxl_mem" } else { "-" }.to_string(),
            d.node.map_or_else(dash, |n| n.to_string()),
            look.maybe_size(d.volatile),
            look.maybe_size(d.mapped),
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
        look.maybe_size(all.map(|all| all.into_iter().fold(0, u64::saturating_add)))
    };
    let text = format!(
        "{} devices: volatile {}, in regions {}, unmapped {}",
        devices.len(),
        sum(|d| d.volatile),
        sum(|d| d.mapped),
        sum(|d| d.unmapped)
    );
    format!("\n{}", show::sentence(&text, look))
}
