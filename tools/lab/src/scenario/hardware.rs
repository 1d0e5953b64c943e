// SPDX-License-Identifier: GPL-2.0

//! Checks the hardware a scenario describes: bridges, switches, devices, windows.

use std::collections::HashMap;

use toml::Spanned;

use super::fault::Faults;
use super::names::Names;
use super::raw::Raw;
use super::Address;
use super::Device;
use super::Machine;
use super::Size;
use super::Slot;
use super::Switch;
use super::Window;
use super::MIB;

/// CXL devices, windows and regions come in these units.
pub const CXL_UNIT: u64 = 256 * MIB;
/// Bus numbers a host bridge can be given without meeting the next one.
const MAX_BRIDGES: usize = 7;
/// What x86 adds to and removes from a node.
const MEMORY_BLOCK: u64 = 128 * MIB;

/// Checks `[machine]` and every CXL table.
pub fn machine(raw: &Raw, faults: &mut Faults) -> Machine {
    let ram = raw.machine.ram.get_ref().0;
    if ram < 512 * MIB || ram % MIB != 0 {
        faults.at(
            &raw.machine.ram,
            "a guest needs 512M of RAM or more, in whole MiB",
        );
    }
    let cpus = *raw.machine.cpus.get_ref();
    if !(1..=64).contains(&cpus) {
        faults.at(&raw.machine.cpus, "a guest has 1 to 64 processors");
    }
    let mut nodes: Vec<u64> = raw
        .machine
        .node
        .iter()
        .map(|node| node.ram.get_ref().0)
        .collect();
    if nodes.is_empty() {
        nodes = default_nodes(raw, ram);
    }
    let sum = nodes.iter().fold(0u64, |sum, &ram| sum.saturating_add(ram));
    if sum != ram {
        faults.at(
            &raw.machine.node[0].ram,
            format!(
                "the nodes have {} of RAM, the machine has {}",
                Size(sum),
                Size(ram)
            ),
        );
    }
    let mut names = Names::default();
    let mut bridges: Vec<String> = Vec::new();
    for bridge in &raw.bridge {
        names.add(&bridge.name, faults);
        bridges.push(bridge.name.get_ref().clone());
    }
    if bridges.is_empty() {
        bridges.push("hb0".to_owned());
    }
    if bridges.len() > MAX_BRIDGES {
        faults.at(
            &raw.bridge[MAX_BRIDGES].name,
            format!("more than {MAX_BRIDGES} host bridges"),
        );
    }
    let mut switches = Vec::new();
    for switch in &raw.switch {
        names.add(&switch.name, faults);
        switches.push(Switch {
            name: switch.name.get_ref().clone(),
            bridge: bridge_index(switch.on.as_ref(), &bridges, faults),
        });
    }
    let devices = devices(raw, &bridges, &switches, &mut names, faults);
    let windows = windows(raw, &bridges, faults);
    Machine {
        ram,
        cpus,
        nodes,
        hmat: raw.machine.hmat,
        bridges,
        switches,
        devices,
        windows,
        qemu: raw.machine.qemu.clone(),
    }
}

/// RAM that is marked Soft Reserved gets a node of its own, with what lies above it: the guest's
/// own pages are bound to the first node, so that this memory can be taken offline at any time
/// without a page to be moved.
fn default_nodes(raw: &Raw, ram: u64) -> Vec<u64> {
    let lowest = raw
        .soft_reserved
        .iter()
        .filter(|range| !range.unbacked)
        .filter_map(|range| match *range.base.get_ref() {
            Address::Absolute(base) => Some(base - base % MEMORY_BLOCK),
            Address::Window { .. } => None,
        })
        .min();
    match lowest {
        Some(base) if base >= CXL_UNIT && base < ram => vec![base, ram - base],
        _ => vec![ram],
    }
}

fn bridge_index(name: Option<&Spanned<String>>, bridges: &[String], faults: &mut Faults) -> usize {
    let Some(name) = name else { return 0 };
    match bridges.iter().position(|bridge| bridge == name.get_ref()) {
        Some(index) => index,
        None => {
            faults.at(
                name,
                format!("there is no host bridge `{}`", name.get_ref()),
            );
            0
        }
    }
}

fn devices(
    raw: &Raw,
    bridges: &[String],
    switches: &[Switch],
    names: &mut Names,
    faults: &mut Faults,
) -> Vec<Device> {
    let mut serials: HashMap<u64, String> = HashMap::new();
    let mut devices = Vec::new();
    for device in &raw.device {
        names.add(&device.name, faults);
        let name = device.name.get_ref().clone();
        let serial = *device.serial.get_ref();
        if let Some(other) = serials.insert(serial, name.clone()).filter(|_| serial != 0) {
            faults.at(
                &device.serial,
                format!("`{other}` has the serial number {serial:#x} too"),
            );
        }
        let size = device.size.get_ref().0;
        if size == 0 || size % CXL_UNIT != 0 {
            faults.at(
                &device.size,
                "the size of a CXL device is a multiple of 256M",
            );
        }
        let switch = device.on.as_ref().and_then(|on| {
            switches
                .iter()
                .position(|switch| switch.name == *on.get_ref())
        });
        let slot = match switch {
            Some(index) => Slot::Switch(index),
            None => Slot::Bridge(bridge_index(device.on.as_ref(), bridges, faults)),
        };
        let unlike = |other: &Device| {
            other.serial == 0 && (other.size, other.kind, other.slot) != (size, device.kind, slot)
        };
        if serial == 0 && devices.iter().any(unlike) {
            faults.at(
                &device.serial,
                "devices without a serial number must be alike: firmware cannot tell them apart",
            );
        }
        devices.push(Device {
            name,
            serial,
            size,
            kind: device.kind,
            slot,
            plugged: device.plugged,
        });
    }
    devices
}

fn windows(raw: &Raw, bridges: &[String], faults: &mut Faults) -> Vec<Window> {
    let mut windows = Vec::new();
    for window in &raw.window {
        let targets: Vec<usize> = match &window.targets {
            None => vec![0],
            Some(names) => names
                .iter()
                .map(|name| bridge_index(Some(name), bridges, faults))
                .collect(),
        };
        let size = window.size.get_ref().0;
        if !is_ways(targets.len()) {
            faults.at(
                &window.size,
                format!("a window cannot have {} targets", targets.len()),
            );
        } else if size == 0 || size % (CXL_UNIT * targets.len() as u64) != 0 {
            faults.at(
                &window.size,
                format!(
                    "the size of a window is a multiple of 256M for each of its {} targets",
                    targets.len()
                ),
            );
        }
        windows.push(Window {
            size,
            targets,
            granularity: granularity(&window.granularity, faults),
        });
    }
    windows
}

/// The interleave ways that CXL knows.
pub fn is_ways(ways: usize) -> bool {
    matches!(ways, 1 | 2 | 3 | 4 | 6 | 8 | 12 | 16)
}

/// Checks an interleave granularity.
pub fn granularity(value: &Spanned<Size>, faults: &mut Faults) -> u64 {
    let granularity = value.get_ref().0;
    if !granularity.is_power_of_two() || !(256..=16384).contains(&granularity) {
        faults.at(
            value,
            "interleave granularity is a power of two from 256 to 16K",
        );
    }
    granularity
}
