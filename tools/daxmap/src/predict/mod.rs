// SPDX-License-Identifier: GPL-2.0

//! What a boot of this machine would come to, with the Rust drivers or with the kernel's own.
//!
//! A forecast is about a fresh boot on which firmware commits the regions that are committed now,
//! and on which every driver has had its chance. For the Rust drivers [`rust`] asks the very
//! ownership logic that `dax_hmem.ko` carries; for the kernel's own [`c`] states what they were
//! measured to do. What both make of their decisions is said once ([`made`]): HMEM's devices, the
//! regions that are left, and what [`kmem`] makes System RAM.

mod c;
mod division;
mod failed;
mod kmem;
mod layout;
mod nodes;
mod options;
mod register;
mod rust;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use layout::{Layout, Listed, RegionAt};
pub use ownership::Policy;
use ownership::Why as Word;

use crate::ledger;
use crate::range::{covered_bytes, Range};

/// Whose drivers decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decider {
    /// The Rust dax_hmem and dax_cxl.
    Rust(Policy),
    /// The kernel's own.
    C,
}

/// Who would own a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "name")]
pub enum Holder {
    /// A CXL region, through dax_cxl.
    Cxl(String),
    /// An hmem device.
    Hmem,
    /// The kernel itself, since boot.
    SystemRam,
    /// Another driver, such as an accelerator's, which has it now.
    Driver(String),
    /// No driver.
    Nobody,
}

/// Why a part would be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// A word of the ledger or a kind of problem.
    pub code: &'static str,
    /// For people.
    pub text: String,
}

impl Why {
    /// One of the driver's own.
    fn known(word: Word, text: impl Into<String>) -> Why {
        Why::new(ledger::text(word.word()), text)
    }

    fn new(code: &'static str, text: impl Into<String>) -> Why {
        Why {
            code,
            text: text.into(),
        }
    }
}

/// A part of a Soft Reserved range, or of a committed region outside of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its addresses.
    pub range: Range,
    /// Its owner.
    pub holder: Holder,
    /// Why it is the owner.
    pub why: Why,
    /// What keeps all or some of it from becoming System RAM.
    pub hindrance: Option<Why>,
    /// Target node, if it can be told.
    pub node: Option<u32>,
    /// Bytes that become System RAM.
    pub ram_bytes: u64,
    /// Bytes that can be used as a file instead: the Rust drivers leave what holds no memory block to
    /// device_dax.
    pub file_bytes: u64,
    /// Bytes of both that no device is behind: they are put into use all the same.
    pub dead_bytes: u64,
    /// The driver, such as an accelerator's, whose memory it is: in no sum, whoever would take it.
    pub foreign: Option<String>,
}

impl Part {
    /// Bytes that can be used, in one way or the other.
    pub fn used_bytes(&self) -> u64 {
        let both = self.ram_bytes.saturating_add(self.file_bytes);
        both.saturating_sub(self.dead_bytes)
    }

    /// Bytes of System RAM that are memory.
    pub fn sound_ram_bytes(&self) -> u64 {
        match self.foreign {
            Some(_) => 0,
            None => self.ram_bytes.saturating_sub(self.dead_bytes),
        }
    }
}

/// What a boot would come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// The parts in order of address, without holes.
    pub parts: Vec<Part>,
    /// Committed regions that would stay idle because HMEM has their memory.
    pub lost: Vec<String>,
}

impl Forecast {
    /// Predicts for `layout`.
    pub fn of(layout: &Layout, decider: Decider) -> Forecast {
        match decider {
            Decider::Rust(policy) => rust::forecast(layout, policy),
            Decider::C => c::forecast(layout),
        }
    }

    /// Bytes that become System RAM, and are memory.
    pub fn ram_bytes(&self) -> u64 {
        self.parts.iter().map(Part::sound_ram_bytes).sum()
    }

    /// Bytes there are, without those of other drivers.
    pub fn bytes(&self) -> u64 {
        let own = self.parts.iter().filter(|p| p.foreign.is_none());
        own.map(|p| p.range.len()).sum()
    }

    /// Bytes that are another driver's.
    pub fn foreign_bytes(&self) -> u64 {
        let others = self.parts.iter().filter(|p| p.foreign.is_some());
        others.map(|p| p.range.len()).sum()
    }
}

/// What a driver serves: a dax device, and what kmem makes of it.
struct Device {
    range: Range,
    holder: Holder,
    ram: Option<Range>,
    hindrance: Option<Why>,
    /// Whether it is a file, because kmem would refuse it.
    is_file: bool,
}

impl Device {
    fn new(layout: &Layout, range: Range, holder: Holder, decider: Decider) -> Device {
        let taken = match holder {
            Holder::Hmem if layout.is_idle => Err(Why::new(
                "unallocated",
                "dax_hmem.region_idle=1 leaves the division to the administrator",
            )),
            _ => kmem::take(layout, &range),
        };
        let (ram, hindrance) = match taken {
            Ok((ram, cut)) => (Some(ram), cut),
            Err(why) => (None, Some(why)),
        };
        let holds_block = range.aligned_inside(layout.block_size).is_some();
        let is_rust = matches!(decider, Decider::Rust(_));
        Device {
            range,
            is_file: is_rust && holder == Holder::Hmem && !holds_block && !layout.is_idle,
            holder,
            ram,
            hindrance,
        }
    }
}

/// The word of one decision about a range that the kernel lists.
struct Verdict {
    range: Range,
    node: Option<u32>,
    why: Why,
    /// Parts that nobody serves, with the cause.
    lost: Vec<(Range, Why)>,
}

/// What comes of the decisions once HMEM has made a device of each range in `hmem`: dax_cxl probes
/// last, and loses a region of which HMEM has a byte.
fn made(layout: &Layout, verdicts: &[Verdict], hmem: &[Range], decider: Decider) -> Forecast {
    let device = |range: &Range| Device::new(layout, *range, Holder::Hmem, decider);
    let mut devices: Vec<Device> = hmem.iter().map(device).collect();
    let mut lost = Vec::new();
    for region in layout.regions.iter().filter(|r| r.is_offered()) {
        if !layout.has_dax_cxl {
            continue;
        }
        if hmem.iter().any(|h| h.overlaps(&region.range)) {
            lost.push(region.name.clone());
        } else {
            let holder = Holder::Cxl(region.name.clone());
            devices.push(Device::new(layout, region.range, holder, decider));
        }
    }
    Forecast {
        parts: parts(layout, verdicts, &devices, &lost, decider),
        lost,
    }
}

/// Puts decisions and devices together: each byte of a listed range, of what firmware marked and
/// nobody listed, and of a region comes in exactly one part.
fn parts(
    layout: &Layout,
    verdicts: &[Verdict],
    devices: &[Device],
    lost: &[String],
    decider: Decider,
) -> Vec<Part> {
    let failed: &[(Range, Why)] = match decider {
        Decider::C => &layout.failed,
        Decider::Rust(_) => &[],
    };
    let mut whole: Vec<Range> = layout.reserved.clone();
    let volatile = |r: &&RegionAt| r.is_committed && !r.is_pmem;
    for region in layout.regions.iter().filter(volatile) {
        whole.extend(crate::range::subtract(region.range, &layout.reserved));
    }
    whole.sort_unstable();
    let mut edges: Vec<Range> = devices.iter().map(|d| d.range).collect();
    edges.extend(verdicts.iter().map(|v| v.range));
    edges.extend(verdicts.iter().flat_map(|v| &v.lost).map(|(r, _)| *r));
    edges.extend(layout.ram.iter().chain(&layout.dead).copied());
    edges.extend(layout.regions.iter().map(|r| r.range));
    edges.extend(layout.foreign.iter().map(|(r, _)| *r));
    edges.extend(failed.iter().map(|(r, _)| *r));

    let mut out: Vec<Part> = Vec::new();
    for range in whole.iter().flat_map(|r| r.split_at(&edges)) {
        let part = failed::apply(failed, part(layout, verdicts, devices, lost, range));
        let part = of_other(layout, part);
        match out.last_mut() {
            Some(last) if last.range.touches(&part.range) && is_same(last, &part) => {
                last.range.end = part.range.end;
                last.ram_bytes += part.ram_bytes;
                last.file_bytes += part.file_bytes;
                last.dead_bytes += part.dead_bytes;
            }
            _ => out.push(part),
        }
    }
    out
}

fn is_same(a: &Part, b: &Part) -> bool {
    let same_why = a.why == b.why && a.hindrance == b.hindrance;
    a.holder == b.holder && same_why && a.node == b.node && a.foreign == b.foreign
}

/// What another driver has stays with it, unless somebody takes it from there.
fn of_other(layout: &Layout, mut part: Part) -> Part {
    let mut others = layout.foreign.iter();
    let Some((_, name)) = others.find(|(r, _)| r.contains(&part.range)) else {
        return part;
    };
    part.foreign = Some(name.clone());
    if part.used_bytes() > 0 {
        part.hindrance = Some(Why::known(
            Word::ForeignResource,
            format!("it is the memory of {name}, whose driver cannot have it then"),
        ));
    } else {
        part.hindrance = None;
        part.why = Why::known(Word::ForeignResource, format!("{name} has it"));
        part.holder = Holder::Driver(name.clone());
    }
    part
}

fn part(
    layout: &Layout,
    verdicts: &[Verdict],
    devices: &[Device],
    lost: &[String],
    range: Range,
) -> Part {
    let verdict = verdicts.iter().find(|v| v.range.contains(&range));
    let device = devices.iter().find(|d| d.range.contains(&range));
    let region = layout
        .regions
        .iter()
        .find(|r| r.is_committed && r.range.contains(&range));
    let at = device.map_or(range.start, |d| d.range.start);
    let node = match verdict {
        // A device that is all of a listed range has the node that it is listed with.
        Some(v) if at == v.range.start => v.node.or(layout.node_at(at)),
        _ => layout.node_at(at),
    };
    let decided = |v: Option<&Verdict>| match (v, region) {
        (Some(v), _) => v.why.clone(),
        (None, Some(r)) if layout.is_unlisted && layout.is_reserved(&range) => Why::new(
            "not-listed",
            format!(
                "device_hmem.disable keeps dax_hmem away, and {} has it",
                r.name
            ),
        ),
        (None, Some(r)) => Why::new(
            "region",
            format!("{} is committed, outside of Soft Reserved memory", r.name),
        ),
        (None, None) if layout.is_unlisted => Why::new(
            "not-listed",
            "device_hmem.disable keeps the kernel from listing it for dax_hmem",
        ),
        (None, None) => Why::new("not-listed", "the kernel does not list it for dax_hmem"),
    };
    if layout.ram.iter().any(|r| r.contains(&range)) {
        return Part {
            range,
            holder: Holder::SystemRam,
            why: Why::known(Word::InUseAlready, "in use as System RAM already"),
            hindrance: None,
            node,
            ram_bytes: range.len(),
            file_bytes: 0,
            dead_bytes: 0,
            foreign: None,
        };
    }
    if let Some(device) = device {
        let ram: Vec<Range> = device.ram.into_iter().collect();
        let ram_bytes = covered_bytes(&range, &ram);
        let file_bytes = if device.is_file { range.len() } else { 0 };
        let is_dead = layout.dead.iter().any(|d| d.contains(&range));
        let hindrance = match is_dead {
            true => Some(Why::known(
                Word::Undecoded,
                "nothing decodes it: what is made System RAM there is no memory",
            )),
            false => device.hindrance.clone().filter(|_| ram_bytes < range.len()),
        };
        return Part {
            range,
            holder: device.holder.clone(),
            why: decided(verdict),
            hindrance,
            node,
            ram_bytes,
            file_bytes,
            dead_bytes: if is_dead { ram_bytes + file_bytes } else { 0 },
            foreign: None,
        };
    }
    let cut = verdict.and_then(|v| v.lost.iter().find(|(r, _)| r.contains(&range)));
    let hindrance = cut.map(|(_, why)| why.clone()).or_else(|| {
        let region = region?;
        Some(match region.is_pmem {
            true => Why::new("persistent", format!("{} is persistent", region.name)),
            false if lost.contains(&region.name) => Why::new(
                "region-idle",
                format!(
                    "{} stays idle: HMEM has a part of it, and dax_cxl serves a region whole or not at all",
                    region.name
                ),
            ),
            false if region.is_foreign => Why::known(
                Word::KeptByRegion,
                format!(
                    "{} has another driver than dax_cxl, or is of a mode that dax_cxl does not know",
                    region.name
                ),
            ),
            false if !region.is_offered() => Why::new(
                "region-idle",
                format!(
                    "{} makes no dax region, because a part of it is System RAM since boot",
                    region.name
                ),
            ),
            false => match &layout.refused {
                Some(_) => Why::new("module-not-loaded", "dax_cxl is not loaded without dax_hmem"),
                None => Why::known(Word::WithoutDaxCxl, "the kernel has no dax_cxl"),
            },
        })
    });
    Part {
        range,
        holder: match region {
            Some(region) if cut.is_none() => Holder::Cxl(region.name.clone()),
            _ => Holder::Nobody,
        },
        why: decided(verdict),
        hindrance,
        node: None,
        ram_bytes: 0,
        file_bytes: 0,
        dead_bytes: 0,
        foreign: None,
    }
}
