// SPDX-License-Identifier: GPL-2.0

//! Checks the regions that firmware committed.

use std::collections::HashMap;

use super::fault::Faults;
use super::hardware::granularity;
use super::hardware::is_ways;
use super::hardware::CXL_UNIT;
use super::raw;
use super::raw::Raw;
use super::Address;
use super::Device;
use super::Machine;
use super::Region;
use super::Size;
use super::Slot;

/// Checks `[[region]]`.
pub fn regions(raw: &Raw, machine: &Machine, faults: &mut Faults) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    let mut used: HashMap<usize, u64> = HashMap::new();
    for raw_region in &raw.region {
        let Some(region) = region(raw_region, machine, faults) else {
            continue;
        };
        let end = region.offset.saturating_add(region.size);
        let overlap = regions.iter().find(|other| {
            other.window == region.window
                && other.offset < end
                && region.offset < other.offset.saturating_add(other.size)
        });
        if let Some(other) = overlap {
            faults.at(
                &raw_region.at,
                format!(
                    "overlaps the region at window{}+{}",
                    other.window,
                    Size(other.offset)
                ),
            );
        }
        for &index in &region.devices {
            let device = &machine.devices[index];
            let used = used.entry(index).or_default();
            *used += region.size / region.devices.len() as u64;
            if *used > device.size {
                faults.at(
                    &raw_region.size,
                    format!(
                        "the regions take {} of `{}`, which has {}",
                        Size(*used),
                        device.name,
                        Size(device.size)
                    ),
                );
            }
        }
        regions.push(region);
    }
    // Decoders commit in the order of their addresses.
    regions.sort_by_key(|region| (region.window, region.offset));
    regions
}

/// Checks one region by itself.
fn region(raw: &raw::Region, machine: &Machine, faults: &mut Faults) -> Option<Region> {
    let Address::Window {
        index: window,
        offset,
    } = *raw.at.get_ref()
    else {
        faults.at(&raw.at, "a region lies in a window: write window0+0");
        return None;
    };
    let Some(place) = machine.windows.get(window) else {
        faults.at(&raw.at, format!("there is no window{window}"));
        return None;
    };
    let devices = region_devices(raw, machine, faults)?;
    let ways = devices.len();
    if !is_ways(ways) || ways % place.targets.len() != 0 {
        let targets = place.targets.len();
        faults.at(
            &raw.devices,
            format!("{ways} devices cannot interleave in a window of {targets} targets"),
        );
        return None;
    }
    let size = raw.size.get_ref().0;
    let unit = CXL_UNIT * ways as u64;
    if size == 0 || size % unit != 0 {
        faults.at(
            &raw.size,
            format!(
                "the size of a region of {ways} devices is a multiple of {}",
                Size(unit)
            ),
        );
        return None;
    }
    // What lies before it is filled up by a region over all targets of the window.
    let step = CXL_UNIT * place.targets.len() as u64;
    if offset % step != 0 {
        faults.at(
            &raw.at,
            format!("a region starts at a multiple of {} here", Size(step)),
        );
    }
    let end = offset.checked_add(size);
    if end.is_none_or(|end| end > place.size) {
        faults.at(
            &raw.at,
            format!(
                "the region ends outside window{window}, which has {}",
                Size(place.size)
            ),
        );
    }
    let kind = machine.devices[devices[0]].kind;
    for &index in &devices {
        let device = &machine.devices[index];
        if !device.plugged {
            faults.at(
                &raw.devices,
                format!("`{}` is not plugged in when firmware runs", device.name),
            );
        }
        if device.kind != kind {
            faults.at(
                &raw.devices,
                format!("`{}` is not of the same kind as the others", device.name),
            );
        }
        let bridge = match device.slot {
            Slot::Bridge(bridge) => bridge,
            Slot::Switch(switch) => machine.switches[switch].bridge,
        };
        if !place.targets.contains(&bridge) {
            faults.at(
                &raw.devices,
                format!(
                    "`{}` is below `{}`, which is no target of window{window}",
                    device.name, machine.bridges[bridge]
                ),
            );
        }
    }
    let granularity = match &raw.granularity {
        Some(value) => granularity(value, faults),
        None => place.granularity,
    };
    Some(Region {
        window,
        offset,
        size,
        devices,
        granularity,
        kind,
    })
}

/// The members of a region.
fn region_devices(raw: &raw::Region, machine: &Machine, faults: &mut Faults) -> Option<Vec<usize>> {
    let names = raw.devices.get_ref();
    let mut devices = Vec::new();
    for name in names {
        let is_named = |device: &Device| device.name == *name;
        match machine.devices.iter().position(is_named) {
            Some(index) if devices.contains(&index) => {
                faults.at(&raw.devices, format!("`{name}` is named twice"));
            }
            Some(index) => devices.push(index),
            None => faults.at(&raw.devices, format!("there is no device `{name}`")),
        }
    }
    if names.is_empty() {
        faults.at(&raw.devices, "a region needs devices");
    }
    Some(devices).filter(|devices| !devices.is_empty() && devices.len() == names.len())
}
