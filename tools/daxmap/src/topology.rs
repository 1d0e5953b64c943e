// SPDX-License-Identifier: GPL-2.0

//! Which memory devices lie behind which host bridge, and which windows reach them.
//!
//! A window's root decoder lists the host bridges that it decodes to by their number; `rootN/dportM`
//! leads from the number to the bridge. A memory device shows its bridge by its place on PCI.

use std::collections::BTreeMap;

use crate::map::Map;
use crate::range::parse_number;
use crate::scan::index_of;
use crate::tree::Tree;

const DEVICES: &str = "sys/bus/cxl/devices";

/// Where a memory device is plugged in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seat {
    /// Its PCI function, such as `0000:33:00.0`.
    pub pci: Option<String>,
    /// Its host bridge, such as `pci0000:30`.
    pub bridge: Option<String>,
    /// The upstream port of the switch it is behind, such as `0000:31:00.0`.
    pub switch: Option<String>,
}

/// Where a window leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Its host bridges in the order of the interleave; `None` for one that cannot be told.
    pub bridges: Vec<Option<String>>,
    /// Interleave granularity in bytes.
    pub granularity: Option<u64>,
    /// Its settings cannot be changed.
    pub is_locked: Option<bool>,
}

/// The CXL hardware of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// By name of the memory device.
    pub seats: BTreeMap<String, Seat>,
    /// By name of the root decoder.
    pub reaches: BTreeMap<String, Reach>,
}

impl Topology {
    /// Reads the places of what a map holds.
    pub fn read(tree: &Tree, map: &Map) -> Topology {
        let seats: BTreeMap<String, Seat> = map
            .memdevs
            .iter()
            .map(|m| (m.name.clone(), seat(tree, &m.name)))
            .collect();
        let mut bridges: Vec<String> = seats.values().filter_map(|s| s.bridge.clone()).collect();
        bridges.extend(ports(tree));
        bridges.sort();
        bridges.dedup();
        let reaches = map
            .windows
            .iter()
            .filter(|w| !w.decoder.is_empty())
            .map(|w| (w.decoder.clone(), reach(tree, &w.decoder, &bridges)))
            .collect();
        Topology { seats, reaches }
    }

    /// Whether a window can have memory of a device; `None` if that cannot be told.
    pub fn is_reached(&self, decoder: &str, memdev: &str) -> Option<bool> {
        let bridge = self.seats.get(memdev)?.bridge.as_ref()?;
        let reach = self.reaches.get(decoder)?;
        let known: Option<Vec<&String>> = reach.bridges.iter().map(Option::as_ref).collect();
        match known {
            Some(known) if !known.is_empty() => Some(known.contains(&bridge)),
            _ => None,
        }
    }
}

fn seat(tree: &Tree, memdev: &str) -> Seat {
    let real = tree
        .real(&format!("{DEVICES}/{memdev}"))
        .unwrap_or_default();
    let bridge = real.split('/').find(|p| p.starts_with("pci"));
    // Root port and endpoint; a switch adds its upstream and its downstream port.
    let functions: Vec<&str> = real.split('/').filter(|p| is_function(p)).collect();
    Seat {
        pci: functions.last().map(|p| p.to_string()),
        bridge: bridge.map(str::to_string),
        switch: match functions.len() {
            0..=3 => None,
            _ => functions.get(1).map(|p| p.to_string()),
        },
    }
}

/// `0000:33:00.0`
fn is_function(name: &str) -> bool {
    let shape = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
    name.len() >= 12
        && name.matches(':').count() == 2
        && name.contains('.')
        && name.chars().all(shape)
}

/// The host bridges that have a CXL port.
fn ports(tree: &Tree) -> Vec<String> {
    let names = tree.list(DEVICES).unwrap_or_default();
    names
        .iter()
        .filter(|n| index_of(n, "port").is_some())
        .filter_map(|n| tree.link_name(&format!("{DEVICES}/{n}/uport")))
        .filter(|n| n.starts_with("pci"))
        .collect()
}

fn reach(tree: &Tree, decoder: &str, bridges: &[String]) -> Reach {
    let dir = format!("{DEVICES}/{decoder}");
    let value = |name: &str| tree.text(&format!("{dir}/{name}")).ok();
    let number = |name: &str| parse_number(value(name)?.trim());
    let root = tree.real(&dir).unwrap_or_default();
    let root = root
        .rsplit_once('/')
        .map_or("", |(root, _)| root)
        .to_string();
    let list = value("target_list").unwrap_or_default();
    let bridge = |number: u64| {
        let dport = tree.link_name(&format!("{root}/dport{number}"));
        dport
            .filter(|name| name.starts_with("pci"))
            .or_else(|| of_bus(bridges, number))
    };
    Reach {
        bridges: list
            .trim()
            .split(',')
            .filter_map(parse_number)
            .map(bridge)
            .collect(),
        granularity: number("interleave_granularity"),
        is_locked: number("locked").map(|n| n != 0),
    }
}

/// Without the link: most firmware numbers a bridge by its first bus.
fn of_bus(bridges: &[String], number: u64) -> Option<String> {
    let bus = |name: &&String| {
        let (_, bus) = name.rsplit_once(':')?;
        u64::from_str_radix(bus, 16).ok()
    };
    let found = bridges.iter().find(|b| bus(b) == Some(number));
    match (found, bridges) {
        (Some(found), _) => Some(found.clone()),
        (None, [only]) => Some(only.clone()),
        _ => None,
    }
}
