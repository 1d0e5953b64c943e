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
mod held;
mod kmem;
mod known;
mod layout;
mod nodes;
mod options;
mod parts;
mod register;
mod rust;
mod seen;
#[cfg(test)]
mod tests;

use crate::size::Total as _;
use serde::Serialize;

pub use layout::{Layout, Listed, RegionAt};
pub use ownership::Policy;
use ownership::Why as Word;
pub use parts::OVERWRITTEN;

use crate::ledger;
use crate::problem::Kind;
use crate::range::Range;

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

    /// A kind of problem that doctor would find.
    fn of(kind: Kind, text: impl Into<String>) -> Why {
        Why::new(kind.word(), text)
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
        self.parts.iter().map(Part::sound_ram_bytes).total()
    }

    /// Bytes there are, without those of other drivers.
    pub fn bytes(&self) -> u64 {
        let own = self.parts.iter().filter(|p| p.foreign.is_none());
        own.map(|p| p.range.len()).total()
    }

    /// Bytes that are another driver's.
    pub fn foreign_bytes(&self) -> u64 {
        let others = self.parts.iter().filter(|p| p.foreign.is_some());
        others.map(|p| p.range.len()).total()
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
            Holder::Hmem if layout.is_idle => Err(Why::of(
                Kind::Unallocated,
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
    if decider == Decider::C {
        let is_served = |name: &String| seen::has_region(&layout.seen, name);
        lost.retain(|name| !is_served(name));
    }
    Forecast {
        parts: parts::of(layout, verdicts, &devices, &lost, decider),
        lost,
    }
}
