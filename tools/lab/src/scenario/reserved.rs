// SPDX-License-Identifier: GPL-2.0

//! Checks the Soft Reserved ranges: something must be behind each, unless none is meant to be.

use super::fault::Faults;
use super::names::Names;
use super::raw;
use super::raw::Raw;
use super::window_offset;
use super::Address;
use super::Machine;
use super::Size;
use super::SoftReserved;
use super::MIB;

/// Below this the kernel itself lies.
const KERNEL_END: u64 = 256 * MIB;
/// What q35 puts below 4 GiB once RAM is larger than the hole allows.
const LOW_RAM: u64 = 2 << 30;
const LOW_RAM_MAX: u64 = 0xb000_0000;
/// The end of low RAM, where the virtual firmware keeps its ACPI tables.
const ACPI_TABLES: u64 = 2 * MIB;

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
