// SPDX-License-Identifier: GPL-2.0

//! The CXL hardware of the guest: host bridges, switches, and devices with their serial numbers.

use std::collections::BTreeSet;

use crate::cxl::Memdev;
use crate::map::Map;
use crate::range::parse_number;
use crate::topology::Topology;

/// As many host bridges as the lab has.
const BRIDGES: usize = 7;

/// A memory device.
pub(super) struct Device {
    pub(super) name: String,
    pub(super) serial: u64,
    /// Its name on the machine.
    pub(super) memdev: String,
    /// Bridge or switch.
    pub(super) on: String,
    /// Index of its bridge.
    pub(super) bridge: usize,
    pub(super) is_pmem: bool,
    /// It has volatile capacity that no region maps.
    pub(super) has_room: bool,
}

/// Bridges, switches, devices.
#[derive(Default)]
pub(super) struct Hardware {
    /// The bridges' names on the machine.
    pub(super) bridges: Vec<String>,
    /// Upstream port on the machine, and index of the bridge.
    pub(super) switches: Vec<(String, usize)>,
    pub(super) devices: Vec<Device>,
    /// Devices whose serial number is made up.
    made_serials: usize,
    /// What could not be kept.
    pub(super) remarks: Vec<String>,
}

impl Hardware {
    pub(super) fn of(map: &Map, topology: &Topology) -> Hardware {
        let mut out = Hardware::default();
        let known = topology.seats.values().filter_map(|s| s.bridge.clone());
        let reached = topology.reaches.values().flat_map(|r| &r.bridges);
        let mut bridges: Vec<String> = known.chain(reached.flatten().cloned()).collect();
        bridges.sort();
        bridges.dedup();
        if bridges.len() > BRIDGES {
            out.remarks.push(format!(
                "{} host bridges, and the lab has {BRIDGES}: all devices are below one",
                bridges.len()
            ));
            bridges.clear();
        }
        out.bridges = bridges;
        for memdev in &map.memdevs {
            out.add(memdev, map, topology);
        }
        match out.made_serials {
            0 => {}
            1 => out
                .remarks
                .push("one device has no serial number of its own".into()),
            n => out
                .remarks
                .push(format!("{n} devices have no serial number of their own")),
        }
        out
    }

    /// The guest's name of a bridge.
    pub(super) fn bridge_name(index: usize) -> String {
        format!("hb{index}")
    }

    /// The index of a bridge of the machine; the first one stands for what is not known.
    pub(super) fn bridge(&self, name: Option<&str>) -> usize {
        let found = self.bridges.iter().position(|b| Some(b.as_str()) == name);
        found.unwrap_or(0)
    }

    /// The device that stands for a memory device of the machine.
    pub(super) fn device(&self, memdev: &str) -> Option<usize> {
        self.devices.iter().position(|d| d.memdev == memdev)
    }

    fn add(&mut self, memdev: &Memdev, map: &Map, topology: &Topology) {
        let seat = topology
            .seats
            .get(&memdev.name)
            .cloned()
            .unwrap_or_default();
        let bridge = self.bridge(seat.bridge.as_deref());
        let on = match seat.switch {
            Some(port) => {
                let known = self.switches.iter().position(|(p, _)| *p == port);
                let index = known.unwrap_or_else(|| {
                    self.switches.push((port, bridge));
                    self.switches.len() - 1
                });
                switch_name(index)
            }
            None => Hardware::bridge_name(bridge),
        };
        let (ram, pmem) = (
            memdev.ram_bytes.unwrap_or(0),
            memdev.pmem_bytes.unwrap_or(0),
        );
        let in_pmem = map.regions.iter().any(|r| {
            let member = r
                .targets
                .iter()
                .any(|t| t.memdev.as_deref() == Some(&memdev.name));
            member && r.is_committed() && r.mode.as_deref() == Some("pmem")
        });
        if ram > 0 && pmem > 0 {
            self.remarks.push(format!(
                "{} has volatile and persistent capacity, and the lab's devices have one of them",
                memdev.name
            ));
        }
        let number = self.devices.len();
        let serial = self.serial(memdev, number);
        self.devices.push(Device {
            name: format!("mem{number}"),
            serial,
            memdev: memdev.name.clone(),
            on,
            bridge,
            is_pmem: in_pmem || ram == 0 && pmem > 0,
            has_room: ram > memdev.mapped_bytes.unwrap_or(0),
        });
    }

    /// The device's own serial number, if it is one and no other device has it.
    fn serial(&mut self, memdev: &Memdev, number: usize) -> u64 {
        let taken: BTreeSet<u64> = self.devices.iter().map(|d| d.serial).collect();
        let own = memdev.serial.as_deref().and_then(parse_number);
        // TOML's numbers end below 2^63.
        let fits = |s: &u64| *s != 0 && *s < 1 << 63 && !taken.contains(s);
        if let Some(serial) = own.filter(fits) {
            return serial;
        }
        let made = (0x5000 + number as u64..).find(|s| !taken.contains(s));
        self.made_serials += 1;
        made.unwrap_or(0x5000)
    }
}

pub(super) fn switch_name(index: usize) -> String {
    format!("sw{index}")
}
