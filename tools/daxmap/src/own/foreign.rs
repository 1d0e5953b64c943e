// SPDX-License-Identifier: GPL-2.0

//! What the ledger says others have: who that is, and whether it is a device that can use the memory.

use super::{Owner, State};
use crate::ledger::Record;
use crate::map::Map;

/// What stands in the resource tree and is no device's, though it is named like one.
const OF_FIRMWARE: [&str; 4] = ["PCI ", "PNP", "pnp", "reserved"];

/// Whether a resource is named for a device or a driver, such as `0000:e1:00.0` or `nvme`. What firmware
/// and the kernel set aside begins with a capital letter: `Reserved`, `ACPI Tables`, `Unusable memory`.
fn is_device(holder: &str) -> bool {
    // The ledger has the name in one word.
    let name = holder.replace('_', " ");
    let is_named_so = name.contains(':') || !name.starts_with(|c: char| c.is_ascii_uppercase());
    is_named_so && !OF_FIRMWARE.iter().any(|f| name.starts_with(f))
}

/// The owner of a piece that is foreign to dax_hmem, and its state if that is not for the memory blocks to
/// say.
pub(super) fn owner(map: &Map, record: &Record) -> (Owner, Option<State>) {
    let foreign = Some(State::Foreign);
    // No driver has it as long as no region of it is committed.
    if record.reason.as_deref() == Some("persistent") {
        return (Owner::Nobody, foreign);
    }
    let region = record.region.as_deref().and_then(|name| map.region(name));
    let of_region = || region.and_then(|r| map.accelerator_of(r));
    if let Some(name) = record.holder.clone().or_else(of_region) {
        return match is_device(&name) {
            true => (Owner::Driver { name }, foreign),
            false => (Owner::Nobody, foreign),
        };
    }
    match (&record.dev, &record.region) {
        (Some(name), _) => (Owner::Driver { name: name.clone() }, foreign),
        // A region that dax_cxl does not serve, for all that is known.
        (None, Some(region)) => (
            Owner::Cxl {
                region: region.clone(),
            },
            None,
        ),
        (None, None) => (Owner::Unknown, Some(State::Unknown)),
    }
}

/// Why, in words.
pub(super) fn text(record: &Record, word: &str) -> String {
    let region = record.region.as_deref();
    if word == "persistent" {
        let of = record
            .holder
            .as_ref()
            .map_or(String::new(), |h| format!(" of {h}"));
        return match region {
            Some(region) => format!("persistent memory{of}, and {region} is not committed"),
            None => format!("persistent memory{of}, and no region has it"),
        };
    }
    match (&record.holder, region) {
        (Some(holder), Some(region)) if word == "foreign-region" => {
            format!("{region} is {holder}'s")
        }
        (Some(holder), _) if is_device(holder) => format!("{holder} has it"),
        (Some(holder), _) => format!(
            "it is \"{}\" in the resource tree, which keeps every driver away",
            holder.replace('_', " ")
        ),
        (None, Some(region)) => {
            format!("{region} is another driver's, or of a mode that dax_cxl does not know")
        }
        (None, None) => "another driver has it, and the ledger does not say which".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_device;

    #[test]
    fn devices_by_name() {
        for name in ["0000:e1:00.0", "nvme", "namespace0.0", "INTC1055:00", "sfc"] {
            assert!(is_device(name), "{name}");
        }
        for name in [
            "Reserved",
            "ACPI_Non-volatile_Storage",
            "Unusable_memory",
            "PCI_Bus_0000:0c",
            "PCI_ECAM_0000_[bus_00-ff]",
            "PNP0C01:00",
            "pnp_00:01",
            "reserved",
        ] {
            assert!(!is_device(name), "{name}");
        }
    }
}
