// SPDX-License-Identifier: GPL-2.0

//! Metrics of regions, memory devices and nodes, under labels that stay the same over boots: serial
//! numbers, places on PCI and addresses rather than names.

use daxmap::size::Total as _;
use std::collections::BTreeMap;

use daxmap::cxl::Region;
use daxmap::dax::{DaxDevice, Parent};
use daxmap::range::subtract;
use daxmap::{Map, Range};

use super::Family;
use crate::doctor::Checkup;
use crate::list::DeviceDoc;

type Labels = Vec<(&'static str, String)>;
type Samples = Vec<(Labels, u64)>;

/// Sums over the machine.
pub(super) fn totals(checkup: &Checkup) -> Vec<Family> {
    let sum = |of: fn(&daxmap::Piece) -> Option<u64>| {
        let pieces = checkup.map.reserved.iter().flat_map(|r| &r.pieces);
        pieces.filter_map(of).total()
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
            "daxown_offline_bytes",
            "Bytes of Soft Reserved memory, regions and dax devices in offline memory blocks.",
            offline(&checkup.map),
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

fn offline(map: &Map) -> u64 {
    let mut ranges: Vec<Range> = map.reserved.iter().map(|r| r.range).collect();
    ranges.extend(beside(map).into_iter().map(|(range, _)| range));
    let offline = ranges.into_iter().filter_map(|r| map.offline_bytes(r));
    offline.total()
}

/// Regions, devices, nodes.
pub(super) fn families(map: &Map, devices: &[DeviceDoc]) -> Vec<Family> {
    let mut out = regions(map);
    out.extend(dax_devices(map));
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
        Family {
            name: "daxown_region_offline_bytes",
            help: "Bytes at a region's addresses in offline memory blocks.",
            samples: with(&|r| map.offline_bytes(r.range?)),
        },
        Family {
            name: "daxown_region_usable_bytes",
            help: "Bytes at a region's addresses that can be used now, whoever has them.",
            samples: with(&|r| map.region_piece(r)?.usable_bytes()),
        },
        Family {
            name: "daxown_region_foreign",
            help: "Whether an accelerator's driver has the region, so that no DAX driver does.",
            samples: with(&|r| Some(u64::from(map.accelerator_of(r).is_some()))),
        },
    ]
}

/// Dax devices by their addresses: names may change at each boot.
fn dax_devices(map: &Map) -> Vec<Family> {
    let with = |value: &dyn Fn(&DaxDevice) -> Option<u64>| -> Samples {
        unique(map.dax.iter().filter(|d| is_ours(d)).filter_map(|d| {
            let (first, last) = (d.ranges.first()?, d.ranges.last()?);
            let labels = vec![
                ("start", format!("{:#x}", first.start)),
                ("end", format!("{:#x}", last.end)),
            ];
            Some((labels, value(d)?))
        }))
    };
    let sum = |d: &DaxDevice, of: &dyn Fn(Range) -> Option<u64>| {
        let mut each = d.ranges.iter().map(|r| of(*r));
        each.try_fold(0u64, |sum, n| Some(sum.saturating_add(n?)))
    };
    vec![
        Family {
            name: "daxown_dax_bytes",
            help: "Size of a dax device of HMEM or of a CXL region.",
            samples: with(&|d| sum(d, &|r| Some(r.len()))),
        },
        Family {
            name: "daxown_dax_online_bytes",
            help: "Bytes of a dax device that are online System RAM.",
            samples: with(&|d| sum(d, &|r| map.online_bytes(r))),
        },
        Family {
            name: "daxown_dax_offline_bytes",
            help: "Bytes of a dax device in offline memory blocks.",
            samples: with(&|d| sum(d, &|r| map.offline_bytes(r))),
        },
    ]
}

/// Of HMEM or of a region: persistent memory has others.
fn is_ours(dax: &DaxDevice) -> bool {
    !matches!(dax.parent, Parent::Other(_))
}

/// Committed volatile regions and dax devices outside of Soft Reserved memory, each byte once, with its
/// node.
fn beside(map: &Map) -> Vec<(Range, Option<u32>)> {
    let mut known: Vec<Range> = map.reserved.iter().map(|r| r.range).collect();
    let mut out = Vec::new();
    let volatile = |r: &&Region| r.is_committed() && r.mode.as_deref() != Some("pmem");
    let regions = map.regions.iter().filter(volatile);
    let regions = regions.filter_map(|r| Some((r.range?, map.region_piece(r)?.node)));
    let dax = map.dax.iter().filter(|d| is_ours(d));
    let dax = dax.flat_map(|d| d.ranges.iter().map(|r| (*r, d.target_node)));
    for (range, node) in regions.chain(dax) {
        out.extend(subtract(range, &known).into_iter().map(|r| (r, node)));
        known.push(range);
    }
    out
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
            |d| d.hmem,
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

/// Bytes of a node: all, online, offline.
type Sums = BTreeMap<u32, (u64, u64, u64)>;

fn add(sums: &mut Sums, node: Option<u32>, size: u64, online: Option<u64>, offline: Option<u64>) {
    let Some(node) = node else { return };
    let sum = sums.entry(node).or_default();
    sum.0 = sum.0.saturating_add(size);
    sum.1 = sum.1.saturating_add(online.unwrap_or(0));
    sum.2 = sum.2.saturating_add(offline.unwrap_or(0));
}

/// Nodes that have Soft Reserved or CXL memory.
fn nodes(map: &Map) -> Vec<Family> {
    let (mut reserved, mut other) = (Sums::new(), Sums::new());
    for p in map.reserved.iter().flat_map(|r| &r.pieces) {
        let size = p.range.len();
        add(&mut reserved, p.node, size, p.online_bytes, p.offline_bytes);
    }
    for (range, node) in beside(map) {
        let (online, offline) = (map.online_bytes(range), map.offline_bytes(range));
        add(&mut other, node, range.len(), online, offline);
    }
    let family = |name, help, sums: &Sums, of: fn(&(u64, u64, u64)) -> u64| Family {
        name,
        help,
        samples: sums
            .iter()
            .map(|(node, sum)| (vec![("node", node.to_string())], of(sum)))
            .collect(),
    };
    vec![
        family(
            "daxown_node_reserved_bytes",
            "Soft Reserved bytes of a NUMA node.",
            &reserved,
            |s| s.0,
        ),
        family(
            "daxown_node_online_bytes",
            "Soft Reserved bytes of a NUMA node that are online System RAM.",
            &reserved,
            |s| s.1,
        ),
        family(
            "daxown_node_offline_bytes",
            "Soft Reserved bytes of a NUMA node in offline memory blocks.",
            &reserved,
            |s| s.2,
        ),
        family(
            "daxown_node_other_bytes",
            "Bytes of regions and dax devices of a NUMA node outside of Soft Reserved memory.",
            &other,
            |s| s.0,
        ),
        family(
            "daxown_node_other_online_bytes",
            "Of daxown_node_other_bytes, those that are online System RAM.",
            &other,
            |s| s.1,
        ),
        family(
            "daxown_node_other_offline_bytes",
            "Of daxown_node_other_bytes, those in offline memory blocks.",
            &other,
            |s| s.2,
        ),
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
