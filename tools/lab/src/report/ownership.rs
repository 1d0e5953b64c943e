// SPDX-License-Identifier: GPL-2.0

//! Who owns each byte of a Soft Reserved range, and how much of it is in use.

use serde::Serialize;

use crate::guest::Capture;
use crate::guest::DaxDevice;
use crate::machine::Layout;
use crate::scenario::Owner;
use crate::scenario::Scenario;
use crate::scenario::SoftReserved;

/// What kmem calls its memory in /proc/iomem.
const KMEM: &str = "System RAM (kmem)";

/// The ownership of all ranges of a scenario.
#[derive(Debug, Serialize)]
pub struct Ownership {
    pub ranges: Vec<RangeReport>,
}

/// One Soft Reserved range.
#[derive(Debug, Serialize)]
pub struct RangeReport {
    pub name: String,
    pub start: u64,
    /// Last byte.
    pub end: u64,
    /// The range cut where the owner changes, in order, without holes.
    pub parts: Vec<Part>,
    /// Why, as far as the topology tells.
    pub reason: String,
    /// Bytes in a persistent region, which nobody makes System RAM.
    pub persistent: u64,
    /// What the guest adds to and removes from memory.
    #[serde(skip)]
    pub block_size: u64,
}

/// Bytes with one owner.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Part {
    pub start: u64,
    /// Last byte.
    pub end: u64,
    #[serde(serialize_with = "owner_name")]
    pub owner: Owner,
    /// DAX device and its parent, empty without an owner.
    pub device: String,
    /// Bytes online as System RAM.
    pub online: u64,
}

fn owner_name<S: serde::Serializer>(owner: &Owner, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name(*owner))
}

/// The owner's name for people.
pub fn name(owner: Owner) -> &'static str {
    match owner {
        Owner::Cxl => "cxl",
        Owner::Hmem => "hmem",
        Owner::Nobody => "nobody",
    }
}

impl Ownership {
    /// Reads it from a state of the guest.
    pub fn of(scenario: &Scenario, layout: &Layout, capture: &Capture) -> Self {
        let ranges = scenario
            .soft_reserved
            .iter()
            .map(|range| report(range, layout, capture))
            .collect();
        Self { ranges }
    }

    /// Puts the modules' own reasons, from the log, in place of what the topology tells.
    pub fn take_reasons(&mut self, dmesg: &str) {
        for range in &mut self.ranges {
            let address = format!("[mem {:#010x}-{:#010x}]: owner ", range.start, range.end);
            let last = dmesg
                .lines()
                .filter_map(|line| line.split_once(&address))
                .next_back();
            if let Some((_, reason)) = last.and_then(|(_, rest)| rest.split_once(": ")) {
                reason.clone_into(&mut range.reason);
            }
        }
    }

    /// The range of that name.
    pub fn range(&self, name: &str) -> Option<&RangeReport> {
        self.ranges.iter().find(|range| range.name == name)
    }
}

impl RangeReport {
    /// Bytes of the range.
    pub fn size(&self) -> u64 {
        self.end - self.start + 1
    }

    /// Bytes online as System RAM.
    pub fn online(&self) -> u64 {
        self.parts.iter().map(|part| part.online).sum()
    }

    /// Bytes without an owner.
    pub fn unowned(&self) -> u64 {
        self.parts
            .iter()
            .filter(|part| part.owner == Owner::Nobody)
            .map(Part::size)
            .sum()
    }

    /// The owners, each once, nobody only if there is no other.
    pub fn owners(&self) -> Vec<Owner> {
        let mut owners: Vec<Owner> = self.parts.iter().map(|part| part.owner).collect();
        owners.sort_unstable();
        owners.dedup();
        if owners.len() > 1 {
            owners.retain(|&owner| owner != Owner::Nobody);
        }
        owners
    }
}

/// Bytes of a range that could be online: what whole memory blocks of the guest hold. The rest is what alignment
/// costs, whoever owns the range.
pub fn usable(range: &RangeReport) -> u64 {
    let block_size = range.block_size;
    if block_size == 0 {
        return 0;
    }
    let first = range.start.div_ceil(block_size);
    // Counted so that the last byte of the address space is no special case.
    let ends_block = range.end % block_size == block_size - 1;
    let after_last = range.end / block_size + u64::from(ends_block);
    after_last.saturating_sub(first) * block_size
}

impl Part {
    /// Bytes of the part.
    pub fn size(&self) -> u64 {
        self.end - self.start + 1
    }
}

fn report(range: &SoftReserved, layout: &Layout, capture: &Capture) -> RangeReport {
    let start = layout.resolve(range.base);
    let end = start.saturating_add(range.size - 1);
    let mut owned: Vec<(u64, u64, Owner, String)> = capture
        .dax
        .iter()
        .flat_map(|device| device.ranges.iter().map(move |range| (range, device)))
        .filter(|(mapping, _)| mapping.0 <= end && start <= mapping.1)
        .map(|(mapping, device)| {
            let (first, last) = (mapping.0.max(start), mapping.1.min(end));
            (first, last, owner(device), describe(device))
        })
        .collect();
    // Persistent memory is CXL's without a DAX device.
    let mut persistent = 0;
    for region in &capture.regions {
        let last = region.start.saturating_add(region.size.saturating_sub(1));
        let (first, last) = (region.start.max(start), last.min(end));
        if !region.committed || !region.persistent || first > last {
            continue;
        }
        persistent += last - first + 1;
        let taken = |mapping: &(u64, u64, Owner, String)| mapping.0 <= last && first <= mapping.1;
        if !owned.iter().any(taken) {
            owned.push((first, last, Owner::Cxl, region.name.clone()));
        }
    }
    owned.sort_by_key(|mapping| mapping.0);
    let mut parts = Vec::new();
    let mut next = Some(start);
    let mut push = |first, last, owner, device: String| {
        parts.push(Part {
            start: first,
            end: last,
            owner,
            device,
            online: online(capture, first, last),
        });
    };
    for (first, last, owner, device) in owned {
        let Some(free) = next else { break };
        if first > free {
            push(free, first - 1, Owner::Nobody, String::new());
        }
        push(first, last, owner, device);
        next = last.checked_add(1).filter(|&next| next <= end);
    }
    if let Some(free) = next {
        push(free, end, Owner::Nobody, String::new());
    }
    let reason = reason(start, end, layout, capture);
    RangeReport {
        name: range.name.clone(),
        start,
        end,
        parts,
        reason,
        persistent,
        block_size: capture.block_size,
    }
}

fn owner(device: &DaxDevice) -> Owner {
    if device.path.contains("/dax_region") {
        Owner::Cxl
    } else if device.path.contains("/hmem.") {
        Owner::Hmem
    } else {
        Owner::Nobody
    }
}

/// `hmem.1/dax1.0`
fn describe(device: &DaxDevice) -> String {
    let mut names = device.path.rsplit('/');
    let name = names.next().unwrap_or_default();
    let parent = names.next().unwrap_or_default();
    format!("{parent}/{name}")
}

/// Bytes of kmem's memory in the range that lie in online memory blocks.
fn online(capture: &Capture, start: u64, end: u64) -> u64 {
    let mut bytes = 0;
    for line in capture.iomem.iter().filter(|line| line.name == KMEM) {
        let (first, last) = (line.start.max(start), line.end.min(end));
        for block in capture.blocks.iter().filter(|block| block.online) {
            let block_start = block.index.saturating_mul(capture.block_size);
            let block_end = block_start.saturating_add(capture.block_size.saturating_sub(1));
            let (first, last) = (first.max(block_start), last.min(block_end));
            if first <= last {
                bytes += last - first + 1;
            }
        }
    }
    bytes
}

/// What windows and committed regions say about the range.
fn reason(start: u64, end: u64, layout: &Layout, capture: &Capture) -> String {
    let windows = layout
        .windows
        .iter()
        .filter(|(base, size)| *base <= end && start < base + size)
        .count();
    if windows == 0 {
        return "outside every CXL window".to_owned();
    }
    let mut regions: Vec<(u64, u64, &str)> = capture
        .regions
        .iter()
        .filter(|region| region.committed && region.size > 0)
        .map(|region| {
            (
                region.start,
                region.start + (region.size - 1),
                region.name.as_str(),
            )
        })
        .filter(|region| region.0 <= end && start <= region.1)
        .collect();
    regions.sort_unstable();
    if regions.is_empty() {
        return "in a CXL window, no committed region".to_owned();
    }
    let names: Vec<&str> = regions.iter().map(|region| region.2).collect();
    let names = names.join(", ");
    let mut next = Some(start);
    for region in &regions {
        match next {
            Some(free) if region.0 <= free => next = region.1.checked_add(1),
            _ => break,
        }
    }
    if next.is_none_or(|next| next > end) {
        format!("covered by {names}")
    } else {
        format!("{names} covers only a part")
    }
}
