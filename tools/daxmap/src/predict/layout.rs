// SPDX-License-Identifier: GPL-2.0

//! What a forecast depends on, read from a map: ranges, windows, regions, and what else is there.

use ownership::Policy;

use super::nodes::Nodes;
use super::{division, failed, held, known, options, seen, Holder, Why, Word};
use crate::cxl::{Region, RegionState};
use crate::iomem::{is_system_ram, Resource};
use crate::ledger;
use crate::map::Map;
use crate::modules::Presence;
use crate::problem::Kind;
use crate::range::{merge, Range};
use crate::tree::Tree;

/// Where the firmware's table of memory attributes lies. With it the kernel lists ranges by node.
const HMAT: &str = "sys/firmware/acpi/tables/HMAT";
/// What x86 adds to and removes from a node, if the machine does not say.
const BLOCK: u64 = 128 << 20;

/// A range that the kernel lists for dax_hmem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its addresses.
    pub range: Range,
    /// Its target node, if it can be told.
    pub node: Option<u32>,
}

/// A CXL region with addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionAt {
    /// Such as `region0`.
    pub name: String,
    /// N of `regionN`.
    pub number: i32,
    /// Its addresses.
    pub range: Range,
    /// Its decoders are committed.
    pub is_committed: bool,
    /// It holds persistent memory, or memory that its device adds and takes as it is told to: how much of it is
    /// there is not for a boot to say.
    pub is_pmem: bool,
    /// cxl_core makes a dax region of it: not of one that an accelerator's driver has, and not of
    /// one of which a part is System RAM since boot.
    pub has_dax_region: bool,
    /// An accelerator's driver has it.
    pub is_foreign: bool,
}

impl RegionAt {
    /// Whether dax_cxl is offered the region.
    pub fn is_offered(&self) -> bool {
        self.is_committed && self.has_dax_region && !self.is_pmem
    }
}

/// A machine as the drivers find it when it boots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What firmware marks Soft Reserved, ascending and disjoint.
    pub reserved: Vec<Range>,
    /// What the kernel lists for dax_hmem.
    pub listed: Vec<Listed>,
    /// CXL windows.
    pub windows: Vec<Range>,
    /// CXL regions that have addresses.
    pub regions: Vec<RegionAt>,
    /// System RAM since boot.
    pub ram: Vec<Range>,
    /// What else stands in the resource tree, with its name; windows and regions as well.
    pub resources: Vec<(String, Range)>,
    /// Those of `resources` whose owner alone may use the addresses.
    pub obstacles: Vec<Range>,
    /// What other drivers have, such as an accelerator's, with their names.
    pub foreign: Vec<(Range, String)>,
    /// Persistent memory without a committed region, with the region that it waits for.
    pub persistent: Vec<(Range, Option<i32>)>,
    /// What the kernel's own drivers failed to make System RAM at this boot, and why.
    pub failed: Vec<(Range, Why)>,
    /// What kmem could not add at this boot: it is the kernel's own, whoever's the other drivers are.
    pub not_added: Vec<(Range, Why)>,
    /// What the kernel's own drivers, of a release that was not measured, made System RAM at this boot, and whose
    /// it is.
    pub seen: Vec<(Range, Holder)>,
    /// What no device is behind: whoever serves it, it is no memory.
    pub dead: Vec<Range>,
    /// The kernel lists nothing for dax_hmem (`device_hmem.disable`).
    pub is_unlisted: bool,
    /// The kernel registered no Soft Reserved range although there are some: it is built without
    /// CONFIG_DEV_DAX_HMEM, and whoever's dax_hmem is loaded has no device to decide through.
    pub is_unregistered: bool,
    /// The CXL windows are not in the source.
    pub without_windows: bool,
    /// What the Rust dax_hmem is told to keep away from (`dax_hmem.exclude`).
    pub excluded: Vec<Range>,
    /// Bytes in a memory block.
    pub block_size: u64,
    /// The kernel has dax_cxl, so that windows mean something to dax_hmem.
    pub has_dax_cxl: bool,
    /// Why nothing becomes System RAM.
    pub without_kmem: Option<Why>,
    /// The policy that the Rust dax_hmem is loaded with; its default where it is not.
    pub policy: Policy,
    /// A parameter with which the Rust dax_hmem refuses to be loaded, as `name=value`.
    pub refused: Option<String>,
    /// `dax_hmem.region_idle` is on.
    pub is_idle: bool,
    /// Which node has which memory.
    pub(super) nodes: Nodes,
    /// The kernel's own drivers of this release were measured.
    pub is_measured: bool,
    /// What the forecast takes for granted.
    pub assumes: Vec<String>,
    /// What is not in the source, and decides which drivers make more of the memory.
    pub missing: Vec<String>,
}

impl Layout {
    /// Of a machine.
    pub fn read(tree: &Tree, map: &Map) -> Layout {
        let mut layout = Layout {
            reserved: merge(map.reserved.iter().map(|r| r.range).collect()),
            listed: Vec::new(),
            windows: map.windows.iter().filter_map(|w| w.range).collect(),
            regions: map.regions.iter().filter_map(|r| region(map, r)).collect(),
            ram: map
                .iomem
                .iter()
                .filter(|r| is_system_ram(&r.name) && !r.name.contains("kmem"))
                .map(|r| r.range)
                .collect(),
            resources: resources(map),
            obstacles: obstacles(map),
            foreign: held::foreign(map),
            persistent: held::persistent(map),
            failed: failed::read(map),
            not_added: failed::not_added(map),
            dead: held::dead(map),
            seen: seen::read(map),
            is_unlisted: map.host.hmem_disabled,
            is_unregistered: map.in_source.sysfs
                && !map.platform.present
                && !map.host.hmem_disabled
                && !map.reserved.is_empty(),
            without_windows: !map.in_source.sysfs && map.windows.is_empty(),
            excluded: options::excluded(tree),
            block_size: map.memory.block_size.unwrap_or(BLOCK),
            has_dax_cxl: map
                .module("dax_cxl")
                .is_none_or(|m| m.presence != Presence::Absent),
            without_kmem: without_kmem(map),
            policy: options::policy(tree),
            refused: options::refused(tree),
            is_measured: known::is_measured(map),
            is_idle: options::is_idle(tree),
            nodes: Nodes::read(map),
            assumes: known::assumptions(map),
            missing: known::missing(map),
        };
        // A region lies in a window, though that be not in the source.
        if layout.without_windows {
            layout.windows = layout.regions.iter().map(|r| r.range).collect();
        }
        for region in &mut layout.regions {
            let is_ram = layout.ram.iter().any(|r| r.overlaps(&region.range));
            // A list of regions may leave out what they made.
            region.has_dax_region |= !map.in_source.sysfs && !is_ram;
            region.has_dax_region &= !is_left_alone(map, &region.name);
            region.is_foreign =
                region.is_committed && !region.is_pmem && !region.has_dax_region && !is_ram;
        }
        // What the kernel has not registered at this boot it does not register at the next.
        let is_registered = map.platform.present || !map.in_source.sysfs || layout.is_unlisted;
        if !layout.is_unlisted && is_registered {
            let divided = division::divided(tree, map, &layout.reserved);
            layout.listed = listed(&layout, &divided, tree.exists(HMAT));
        }
        layout
    }

    /// Of a machine that is made up; each Soft Reserved range is listed as it is.
    pub fn made(
        reserved: Vec<Range>,
        windows: Vec<Range>,
        regions: Vec<RegionAt>,
        policy: Policy,
        is_idle: bool,
    ) -> Layout {
        let named = |(i, r): (usize, &Range)| (format!("CXL Window {i}"), *r);
        let mut resources: Vec<(String, Range)> = windows.iter().enumerate().map(named).collect();
        resources.extend(regions.iter().map(|r| (r.name.clone(), r.range)));
        let reserved = merge(reserved);
        Layout {
            listed: reserved
                .iter()
                .map(|range| Listed {
                    range: *range,
                    node: None,
                })
                .collect(),
            reserved,
            windows,
            regions,
            ram: Vec::new(),
            resources,
            obstacles: Vec::new(),
            foreign: Vec::new(),
            persistent: Vec::new(),
            failed: Vec::new(),
            not_added: Vec::new(),
            seen: Vec::new(),
            dead: Vec::new(),
            is_unlisted: false,
            is_unregistered: false,
            without_windows: false,
            excluded: Vec::new(),
            block_size: BLOCK,
            has_dax_cxl: true,
            without_kmem: None,
            policy,
            refused: None,
            is_measured: true,
            is_idle,
            nodes: Nodes::default(),
            assumes: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Whether dax_hmem waits for CXL before it decides about `range`.
    pub fn is_in_window(&self, range: &Range) -> bool {
        self.has_dax_cxl && self.windows.iter().any(|w| w.overlaps(range))
    }

    pub(super) fn is_reserved(&self, range: &Range) -> bool {
        self.reserved.iter().any(|r| r.contains(range))
    }

    /// The target node of the memory at an address, if it can be told.
    pub fn node_at(&self, address: u64) -> Option<u32> {
        self.nodes.number(&self.windows, address)
    }

    /// The addresses in `range` at which another node begins, as the Rust dax_hmem finds them.
    pub(super) fn node_changes(&self, range: &Range) -> Vec<u64> {
        self.nodes.changes(&self.windows, range, self.block_size)
    }

    /// Whether the memory at two addresses is one node's.
    pub(super) fn is_one_node(&self, a: u64, b: u64) -> bool {
        self.nodes.at(&self.windows, a) == self.nodes.at(&self.windows, b)
    }

    pub(super) fn outside(&self) -> &'static str {
        match self.windows.is_empty() {
            true if self.without_windows => "no CXL window is in what was given",
            true => "no CXL window is known",
            false if self.without_windows => "in no window of a known region",
            false if !self.has_dax_cxl => {
                "this kernel has no dax_cxl, and without it dax_hmem looks at no CXL window"
            }
            false => "outside every CXL window",
        }
    }
}

fn region(map: &Map, region: &Region) -> Option<RegionAt> {
    let comes_back = known::comes_back(map, region);
    Some(RegionAt {
        number: region.name.strip_prefix("region")?.parse().ok()?,
        name: region.name.clone(),
        range: region.range?,
        is_committed: region.is_committed() || comes_back,
        is_pmem: region.mode.as_deref() == Some("pmem") || region.is_dynamic(),
        // One whose driver is unbound now is bound in the next boot.
        has_dax_region: region.dax_region.is_some()
            || region.state == RegionState::CommittedUnbound
            || comes_back,
        // What is System RAM since boot decides it.
        is_foreign: false,
    })
}

/// Whether the ledger says of a region that dax_cxl does not serve it.
fn is_left_alone(map: &Map, name: &str) -> bool {
    let word = ledger::text(Word::ForeignRegion.word());
    let mut records = map.ledger.iter().flat_map(|l| &l.records);
    records.any(|r| r.region.as_deref() == Some(name) && r.reason.as_deref() == Some(word))
}

/// What kmem cannot reserve across. What drivers put there in this boot does not count.
fn resources(map: &Map) -> Vec<(String, Range)> {
    let mut out: Vec<(String, Range)> = Vec::new();
    for region in &map.regions {
        out.extend(region.range.map(|r| (region.name.clone(), r)));
    }
    for window in &map.windows {
        let name = window
            .name
            .clone()
            .unwrap_or_else(|| window.decoder.clone());
        out.extend(window.range.map(|r| (name, r)));
    }
    out.extend(others(map).map(|(_, r)| (r.name.clone(), r.range)));
    out
}

/// Lines of the resource tree that are neither memory's nor CXL's, with their place.
fn others(map: &Map) -> impl Iterator<Item = (usize, &Resource)> {
    let driven = |name: &str| {
        is_system_ram(name)
            || name == "Soft Reserved"
            || ["dax", "region", "CXL Window", "hmem"]
                .iter()
                .any(|p| name.starts_with(p))
    };
    let lines = map.iomem.iter().enumerate();
    lines.filter(move |(_, r)| !driven(&r.name))
}

/// Those of them that nobody else may use. What a host bridge passes on, and what has a CXL window
/// inside, keeps nobody away.
fn obstacles(map: &Map) -> Vec<Range> {
    let holds_window = |at: usize, depth: usize| {
        let inside = map.iomem[at + 1..].iter().take_while(|r| r.depth > depth);
        inside.clone().any(|r| r.name.starts_with("CXL Window"))
    };
    let found =
        others(map).filter(|(at, r)| !r.name.starts_with("PCI Bus") && !holds_window(*at, r.depth));
    found.map(|(_, r)| r.range).collect()
}

fn without_kmem(map: &Map) -> Option<Why> {
    let kmem = map.module("kmem").map(|m| m.presence);
    (kmem == Some(Presence::Absent))
        .then(|| Why::of(Kind::ModuleNotLoaded, "the kernel has no kmem"))
}

/// Without HMAT each Soft Reserved entry as firmware divides them. With it the ranges of SRAT that share bytes with
/// one come first, whole, and a Soft Reserved range that meets one of them is not listed again.
fn listed(layout: &Layout, divided: &[Range], has_hmat: bool) -> Vec<Listed> {
    let mut out: Vec<Listed> = Vec::new();
    if has_hmat {
        let of_nodes = layout.nodes.srat().iter();
        let of_nodes = of_nodes.filter(|(r, _)| layout.reserved.iter().any(|s| s.overlaps(r)));
        out.extend(of_nodes.map(|(range, node)| Listed {
            range: *range,
            node: Some(*node),
        }));
    }
    let rest: Vec<Listed> = divided
        .iter()
        .filter(|r| !out.iter().any(|l| l.range.overlaps(r)))
        .map(|range| Listed {
            range: *range,
            node: layout.node_at(range.start),
        })
        .collect();
    out.extend(rest);
    out.sort_by_key(|l| l.range);
    out
}
