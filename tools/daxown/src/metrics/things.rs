// SPDX-License-Identifier: GPL-2.0

//! Metrics of regions, memory devices and nodes, under labels that stay the same over boots: serial
//! numbers, places on PCI and addresses rather than names.

use std::collections::BTreeMap;

use daxmap::cxl::Region;
use daxmap::Map;

use super::Family;
use crate::doctor::Checkup;
use crate::list::DeviceDoc;

type Labels = Vec<(&'static str, String)>;
type Samples = Vec<(Labels, u64)>;

/// Sums over the machine.
pub(super) fn totals(checkup: &Checkup) -> Vec<Family> {
    let sum = |of: fn(&daxmap::Piece) -> Option<u64>| {
        let pieces = checkup.map.reserved.iter().flat_map(|r| &r.pieces);
        pieces.filter_map(of).fold(0, u64::saturating_add)
    };
    let one = |name, help, value| Family {
        name,
        help,
        samples: vec![(Vec::new(), value)],
    };
    vec![
        one(
            "daxown_total_bytes",
            "Bytes of Soft Reserved memory and of committed volatile regions outside of it.",
            checkup.totals.reserved.saturating_add(checkup.totals.regions),
        ),
        one(
            "daxown_reserved_total_bytes",
            "Bytes of Soft Reserved memory.",
            checkup.totals.reserved,
        ),
        one(
            "daxown_reserved_usable_total_bytes",
            "Bytes of Soft Reserved memory that can be used now.",
            sum(daxmap::Piece::usable_bytes),
        ),
        one(
            "daxown_agreed_problems",
            "Problems that the configuration agrees to; they count in no other metric but not usable bytes.",
            checkup.agreed.len() as u64,
        ),
        one(
            "daxown_not_as_agreed",
            "Things that are not as the configuration says.",
            checkup.broken.len() as u64,
        ),
    ]
}

/// Regions, devices, nodes.
pub(super) fn families(map: &Map, devices: &[DeviceDoc]) -> Vec<Family> {
    let mut out = regions(map);
    out.extend(memory_devices(devices));
    out.extend(nodes(map));
    out
}

fn place(region: &Region) -> Labels {
    let serials: Vec<&str> = region
        .targets
        .iter()
        .map(|t| t.serial.as_deref().unwrap_or("missing"))
        .collect();
    let start = region
        .range
        .map_or(String::new(), |r| format!("{:#x}", r.start));
    vec![
        ("start", start),
        ("serials", serials.join(" ")),
        ("mode", region.mode.clone().unwrap_or_default()),
    ]
}

fn regions(map: &Map) -> Vec<Family> {
    let with = |value: &dyn Fn(&Region) -> Option<u64>| -> Samples {
        let samples = map
            .regions
            .iter()
            .filter_map(|r| Some((place(r), value(r)?)));
        unique(samples)
    };
    vec![
        Family {
            name: "daxown_region_bytes",
            help: "Size of a CXL region.",
            samples: with(&|r| Some(r.range?.len())),
        },
        Family {
            name: "daxown_region_committed",
            help: "Whether the decoders of a CXL region are committed.",
            samples: with(&|r| Some(u64::from(r.is_committed()))),
        },
        Family {
            name: "daxown_region_served",
            help: "Whether a DAX driver has the region; 0 is idle.",
            samples: with(&|r| Some(u64::from(r.dax_driver.is_some()))),
        },
        Family {
            name: "daxown_region_online_bytes",
            help: "Bytes at a region's addresses that are online System RAM, whoever made them so.",
            samples: with(&|r| map.online_bytes(r.range?)),
        },
    ]
}

fn memory_devices(devices: &[DeviceDoc]) -> Vec<Family> {
    let with = |value: fn(&DeviceDoc) -> Option<u64>| -> Samples {
        unique(devices.iter().filter_map(|d| {
            let labels = vec![
                ("serial", d.serial.clone().unwrap_or_default()),
                ("pci", d.pci.clone().unwrap_or_default()),
            ];
            Some((labels, value(d)?))
        }))
    };
    type Of = fn(&DeviceDoc) -> Option<u64>;
    let all: [(&'static str, &'static str, Of); 6] = [
        (
            "daxown_device_volatile_bytes",
            "Volatile capacity of a CXL memory device.",
            |d| d.volatile,
        ),
        (
            "daxown_device_mapped_bytes",
            "Volatile capacity of a CXL memory device in regions.",
            |d| d.mapped,
        ),
        (
            "daxown_device_unassigned_bytes",
            "Volatile capacity of a CXL memory device that decoders in no region have.",
            |d| d.unassigned,
        ),
        (
            "daxown_device_unmapped_bytes",
            "Volatile capacity of a CXL memory device that no decoder has.",
            |d| d.unmapped,
        ),
        (
            "daxown_device_hmem_bytes",
            "Bytes that HMEM has of what the decoders of a CXL memory device map.",
            |d| Some(d.hmem),
        ),
        (
            "daxown_device_bound",
            "Whether the driver of a CXL memory device is bound.",
            |d| Some(u64::from(d.bound)),
        ),
    ];
    all.map(|(name, help, value)| Family {
        name,
        help,
        samples: with(value),
    })
    .into()
}

/// Nodes that have Soft Reserved or CXL memory.
fn nodes(map: &Map) -> Vec<Family> {
    let mut sums: BTreeMap<u32, (u64, u64, u64)> = BTreeMap::new();
    for piece in map.reserved.iter().flat_map(|r| &r.pieces) {
        let Some(node) = piece.node else { continue };
        let sum = sums.entry(node).or_default();
        sum.0 = sum.0.saturating_add(piece.range.len());
        sum.1 = sum.1.saturating_add(piece.online_bytes.unwrap_or(0));
        sum.2 = sum.2.saturating_add(piece.offline_bytes.unwrap_or(0));
    }
    let with = |of: fn(&(u64, u64, u64)) -> u64| -> Samples {
        let each = sums.iter();
        each.map(|(node, sum)| (vec![("node", node.to_string())], of(sum)))
            .collect()
    };
    vec![
        Family {
            name: "daxown_node_reserved_bytes",
            help: "Soft Reserved bytes of a NUMA node.",
            samples: with(|s| s.0),
        },
        Family {
            name: "daxown_node_online_bytes",
            help: "Soft Reserved bytes of a NUMA node that are online System RAM.",
            samples: with(|s| s.1),
        },
        Family {
            name: "daxown_node_offline_bytes",
            help: "Soft Reserved bytes of a NUMA node in offline memory blocks.",
            samples: with(|s| s.2),
        },
    ]
}

/// Samples of one family must differ in their labels: of those that do not, the first one counts.
fn unique(samples: impl Iterator<Item = (Labels, u64)>) -> Samples {
    let mut out: Samples = Vec::new();
    for (labels, value) in samples {
        if !out.iter().any(|(known, _)| *known == labels) {
            out.push((labels, value));
        }
    }
    out
}
