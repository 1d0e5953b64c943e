// SPDX-License-Identifier: GPL-2.0

//! Checks what firmware left behind: committed regions and Soft Reserved ranges.

use std::collections::HashMap;

use super::fault::Faults;
use super::hardware::granularity;
use super::hardware::is_ways;
use super::hardware::CXL_UNIT;
use super::names::Names;
use super::raw;
use super::raw::Raw;
use super::window_offset;
use super::Address;
use super::Machine;
use super::Region;
use super::Size;
use super::Slot;
use super::SoftReserved;
use super::MIB;

/// Below this the kernel itself lies.
const KERNEL_END: u64 = 256 * MIB;
/// What q35 puts below 4 GiB once RAM is larger than the hole allows.
const LOW_RAM: u64 = 2 << 30;
const LOW_RAM_MAX: u64 = 0xb000_0000;
/// The end of low RAM, where the virtual firmware keeps its ACPI tables.
const ACPI_TABLES: u64 = 2 * MIB;

/// Checks `[[region]]`.
pub fn regions(raw: &Raw, machine: &Machine, faults: &mut Faults) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    let mut used: HashMap<usize, u64> = HashMap::new();
    for region in &raw.region {
        let size = region.size.get_ref().0;
        let Address::Window {
            index: window,
            offset,
        } = *region.at.get_ref()
        else {
            faults.at(&region.at, "a region lies in a window: write window0+0");
            continue;
        };
        let Some(place) = machine.windows.get(window) else {
            faults.at(&region.at, format!("there is no window{window}"));
            continue;
        };
        let names = region.devices.get_ref();
        let mut devices = Vec::new();
        for name in names {
            match machine
                .devices
                .iter()
                .position(|device| device.name == *name)
            {
                Some(index) if devices.contains(&index) => {
                    faults.at(&region.devices, format!("`{name}` is named twice"));
                }
                Some(index) => devices.push(index),
                None => faults.at(&region.devices, format!("there is no device `{name}`")),
            }
        }
        if devices.len() != names.len() || devices.is_empty() {
            if names.is_empty() {
                faults.at(&region.devices, "a region needs devices");
            }
            continue;
        }
        let ways = devices.len();
        if !is_ways(ways) || ways % place.targets.len() != 0 {
            faults.at(
                &region.devices,
                format!(
                    "{ways} devices cannot interleave in a window of {} targets",
                    place.targets.len()
                ),
            );
            continue;
        }
        if size == 0 || size % (CXL_UNIT * ways as u64) != 0 {
            faults.at(
                &region.size,
                format!(
                    "the size of a region of {ways} devices is a multiple of {}",
                    Size(CXL_UNIT * ways as u64)
                ),
            );
            continue;
        }
        if offset % CXL_UNIT != 0 {
            faults.at(&region.at, "a region starts at a multiple of 256M");
        }
        let end = offset.checked_add(size);
        if end.is_none_or(|end| end > place.size) {
            faults.at(
                &region.at,
                format!(
                    "the region ends outside window{window}, which has {}",
                    Size(place.size)
                ),
            );
        }
        if let Some(other) = regions.iter().find(|other| {
            other.window == window
                && other.offset < offset.saturating_add(size)
                && offset < other.offset.saturating_add(other.size)
        }) {
            faults.at(
                &region.at,
                format!(
                    "overlaps the region at window{window}+{}",
                    Size(other.offset)
                ),
            );
        }
        let kind = machine.devices[devices[0]].kind;
        for &index in &devices {
            let device = &machine.devices[index];
            if device.kind != kind {
                faults.at(
                    &region.devices,
                    format!("`{}` is of another kind than `{}`", device.name, names[0]),
                );
            }
            let bridge = match device.slot {
                Slot::Bridge(bridge) => bridge,
                Slot::Switch(switch) => machine.switches[switch].bridge,
            };
            if !place.targets.contains(&bridge) {
                faults.at(
                    &region.devices,
                    format!(
                        "`{}` is below `{}`, which is no target of window{window}",
                        device.name, machine.bridges[bridge]
                    ),
                );
            }
            let used = used.entry(index).or_default();
            *used += size / ways as u64;
            if *used > device.size {
                faults.at(
                    &region.size,
                    format!(
                        "the regions take {} of `{}`, which has {}",
                        Size(*used),
                        device.name,
                        Size(device.size)
                    ),
                );
            }
        }
        let granularity = match &region.granularity {
            Some(value) => granularity(value, faults),
            None => place.granularity,
        };
        regions.push(Region {
            window,
            offset,
            size,
            devices,
            granularity,
            kind,
        });
    }
    // Decoders commit in the order of their addresses.
    regions.sort_by_key(|region| (region.window, region.offset));
    regions
}

/// Checks `[[soft_reserved]]`.
pub fn soft_reserved(raw: &Raw, machine: &Machine, faults: &mut Faults) -> Vec<SoftReserved> {
    let mut names = Names::default();
    let mut ranges: Vec<SoftReserved> = Vec::new();
    let mut places: Vec<(bool, u64, u64)> = Vec::new();
    for range in &raw.soft_reserved {
        names.add(&range.name, faults);
        let size = range.size.get_ref().0;
        if size == 0 {
            faults.at(
                &range.size,
                "an empty range is nothing: kernel and firmware drop it",
            );
            continue;
        }
        let base = *range.base.get_ref();
        let place = match base {
            Address::Window { index, offset } => {
                window_place(machine, range, index, offset, size, faults)
            }
            Address::Absolute(base) => absolute_place(machine, range, base, size, faults),
        };
        let Some(place) = place else { continue };
        if let Some(other) = places
            .iter()
            .position(|other| other.0 == place.0 && other.1 <= place.2 && place.1 <= other.2)
        {
            faults.at(&range.base, format!("overlaps `{}`", ranges[other].name));
        }
        places.push(place);
        ranges.push(SoftReserved {
            name: range.name.get_ref().clone(),
            base,
            size,
        });
    }
    ranges
}

/// A range may run on into the next window, but not beyond the last.
fn window_place(
    machine: &Machine,
    range: &raw::SoftReserved,
    index: usize,
    offset: u64,
    size: u64,
    faults: &mut Faults,
) -> Option<(bool, u64, u64)> {
    let Some(window) = machine.windows.get(index) else {
        faults.at(&range.base, format!("there is no window{index}"));
        return None;
    };
    if offset >= window.size {
        faults.at(
            &range.base,
            format!(
                "starts outside window{index}, which has {}",
                Size(window.size)
            ),
        );
        return None;
    }
    let start = window_offset(&machine.windows, index) + offset;
    let all = window_offset(&machine.windows, machine.windows.len());
    match start.checked_add(size - 1) {
        Some(last) if last < all || range.unbacked => Some((true, start, last)),
        _ => {
            faults.at(
                &range.size,
                format!(
                    "the range ends outside the last window; from here there are {}",
                    Size(all - start)
                ),
            );
            None
        }
    }
}

/// An absolute range must have RAM behind it that the kernel can spare.
fn absolute_place(
    machine: &Machine,
    range: &raw::SoftReserved,
    base: u64,
    size: u64,
    faults: &mut Faults,
) -> Option<(bool, u64, u64)> {
    let Some(last) = base.checked_add(size - 1) else {
        faults.at(&range.size, "the range ends beyond 64 bits");
        return None;
    };
    if range.unbacked {
        return Some((false, base, last));
    }
    if base < KERNEL_END {
        faults.at(
            &range.base,
            format!("the kernel itself lies below {}", Size(KERNEL_END)),
        );
        return None;
    }
    let low = if machine.ram >= LOW_RAM_MAX {
        LOW_RAM
    } else {
        machine.ram
    };
    let high = (4 << 30)..(4 << 30) + (machine.ram - low);
    let low_end = low - ACPI_TABLES;
    if last < low_end || (high.contains(&base) && high.contains(&last)) {
        return Some((false, base, last));
    }
    faults.at(
        &range.base,
        format!(
            "no RAM is behind the range: free RAM ends at {low_end:#x}{}; `unbacked = true` if that is meant",
            if high.is_empty() { String::new() } else { format!(", and lies from 0x100000000 to {:#x}", high.end) }
        ),
    );
    None
}
