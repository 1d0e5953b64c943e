// SPDX-License-Identifier: GPL-2.0

//! The sizes up to which everything is explored.

use crate::units::Units;
use ownership::Policy;

/// The most Soft Reserved ranges of a universe.
pub const RANGES: usize = 2;
/// The most CXL regions of a universe.
pub const REGIONS: usize = 2;

/// A machine and what may happen to it.
#[derive(Clone, Debug)]
pub struct Universe {
    /// What it is called.
    pub name: &'static str,
    /// What it is there for.
    pub about: &'static str,
    /// The Soft Reserved ranges.
    pub ranges: [Units; RANGES],
    /// Where CXL may assemble regions.
    pub regions: [Units; REGIONS],
    /// Which of these belong to another driver.
    pub foreign: [bool; REGIONS],
    /// Which of these are no regions: a memory device decodes them without one.
    pub bare: [bool; REGIONS],
    /// The drivers of these memory devices are not bound at the start.
    pub hidden: bool,
    /// These memory devices are one interleave set: without one of them nothing decodes in full.
    pub set: bool,
    /// The CXL window.
    pub window: Units,
    /// What HMEM does with a range that is covered in part.
    pub policy: Policy,
    /// The window is published at some time after the start, or never; else it is there at once.
    pub late_window: bool,
    /// The second memory device of a set is not there.
    pub missing: bool,
    /// The memory devices were probed before the window was published, so that the regions of
    /// firmware are found when the CXL bus probes them once more.
    pub early_devices: bool,
    /// How fine the steps of the driver core are.
    pub grain: Grain,
    /// What may go wrong or be done to the machine, besides booting it.
    pub troubles: &'static [Trouble],
    /// How many of these in one life.
    pub budget: u8,
}

/// How fine the steps of the driver core are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// Every change that another thread can notice is a step: a device is on the bus before that is
    /// announced, and bound before its links are.
    Fine,
    /// What the driver core does between two announcements is one step.
    Coarse,
}

/// Something that does not happen in a plain boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// A region is destroyed. It may come back.
    Remove,
    /// A region is disabled. It may be enabled, or its decoders reset.
    Disable,
    /// The memory device of a region is removed. It may come back.
    Detach,
    /// ACPI ejects the memory device of a region, and holds the lock of memory hotplug meanwhile.
    Eject,
    /// The driver of a memory device that decodes without a region is unbound. It may be bound again.
    Hide,
    /// A memory device that decodes without a region is removed.
    Unplug,
    /// A memory device is added.
    HotAdd,
    /// Memory that is to be taken from its driver is in use.
    InUse,
    /// A device hmem.N is unbound. It may be bound again.
    UnbindDevice,
    /// hmem_platform is unbound. It may be bound again.
    Unbind,
    /// dax_hmem is unloaded. It may be loaded again.
    UnloadHmem,
    /// dax_cxl is unloaded. It may be loaded again.
    UnloadCxl,
    /// There is no memory for the device of one piece.
    PieceFails,
    /// There is no memory to look at the regions.
    LookFails,
    /// dax_cxl cannot register its driver.
    RegisterFails,
}

use Trouble::*;

const EVERYTHING: &[Trouble] = &[
    Remove,
    Unbind,
    UnloadHmem,
    UnloadCxl,
    PieceFails,
    LookFails,
    RegisterFails,
];

const NOTHING: Universe = Universe {
    name: "",
    about: "",
    ranges: [Units::NONE; RANGES],
    regions: [Units::NONE; REGIONS],
    foreign: [false; REGIONS],
    bare: [false; REGIONS],
    hidden: false,
    set: false,
    window: Units::NONE,
    policy: Policy::Whole,
    late_window: false,
    missing: false,
    early_devices: false,
    grain: Grain::Coarse,
    troubles: EVERYTHING,
    budget: 0,
};

/// One range that one region covers, and a range outside of the window.
pub const COVERED: Universe = Universe {
    name: "covered",
    about: "a range that one region covers, and one outside of the window",
    ranges: [Units::new(0, 2), Units::new(2, 3)],
    regions: [Units::new(0, 2), Units::NONE],
    window: Units::new(0, 2),
    budget: 2,
    ..NOTHING
};

/// One range that a region covers in part.
pub const PART: Universe = Universe {
    name: "part",
    about: "a range with a region in its middle",
    ranges: [Units::new(0, 3), Units::NONE],
    regions: [Units::new(1, 2), Units::NONE],
    window: Units::new(0, 3),
    budget: 2,
    ..NOTHING
};

/// As [`PART`], where CXL keeps what its regions cover.
pub const SPLIT: Universe = Universe {
    name: "split",
    about: "as part, with policy=split",
    policy: Policy::Split,
    ..PART
};

/// As [`PART`], where CXL comes when HMEM may have decided already.
pub const LATE: Universe = Universe {
    name: "late",
    about: "as part, the window published at any time",
    late_window: true,
    ..PART
};

/// As [`COVERED`], where the memory devices were probed before their window was published.
pub const RESCAN: Universe = Universe {
    name: "rescan",
    about: "as covered, the memory devices probed before their window",
    early_devices: true,
    budget: 1,
    ..COVERED
};

/// One range that two regions cover together.
pub const PAIR: Universe = Universe {
    name: "pair",
    about: "a range that two regions cover together",
    ranges: [Units::new(0, 2), Units::NONE],
    regions: [Units::new(0, 1), Units::new(1, 2)],
    window: Units::new(0, 2),
    budget: 1,
    ..NOTHING
};

/// As [`PAIR`], where CXL comes when HMEM may have decided already.
pub const LATE_PAIR: Universe = Universe {
    name: "late-pair",
    about: "as pair, the window published at any time",
    late_window: true,
    troubles: &[Remove, Unbind],
    ..PAIR
};

/// Two ranges, a region that reaches into both.
pub const ACROSS: Universe = Universe {
    name: "across",
    about: "two ranges, a region over one and a part of the other, a region over the rest",
    ranges: [Units::new(0, 1), Units::new(1, 3)],
    regions: [Units::new(0, 2), Units::new(2, 3)],
    window: Units::new(0, 3),
    budget: 1,
    ..NOTHING
};

/// As [`COVERED`], in fine steps.
pub const COVERED_FINE: Universe = Universe {
    name: "covered-fine",
    about: "as covered, in fine steps",
    grain: Grain::Fine,
    budget: 1,
    ..COVERED
};

/// As [`PART`], in fine steps.
pub const PART_FINE: Universe = Universe {
    name: "part-fine",
    about: "as part, in fine steps",
    grain: Grain::Fine,
    budget: 1,
    ..PART
};

/// As [`PART`], where regions go in every way, also while dax_hmem is not loaded.
pub const DECODED: Universe = Universe {
    name: "decoded",
    about: "as part, the region destroyed, disabled or its device removed",
    troubles: &[Remove, Disable, Detach, Unbind, UnloadHmem],
    budget: 2,
    ..PART
};

/// As [`DECODED`], in fine steps.
pub const DECODED_FINE: Universe = Universe {
    name: "decoded-fine",
    about: "as decoded, in fine steps",
    grain: Grain::Fine,
    troubles: &[Remove, Disable, Detach, UnloadHmem],
    budget: 1,
    ..PART
};

/// As [`PART`], where memory is in use that is to go.
pub const IN_USE: Universe = Universe {
    name: "in-use",
    about: "as part, memory in use stays online when its region goes",
    troubles: &[Remove, Unbind, InUse],
    budget: 3,
    ..PART
};

/// As [`PART`], where single devices are unbound and bound by hand.
pub const HAND: Universe = Universe {
    name: "hand",
    about: "as part, single devices unbound and bound by hand",
    troubles: &[Remove, UnbindDevice],
    budget: 2,
    ..PART
};

/// As [`PART`], where memory devices are probed while regions go.
pub const HOT_ADD: Universe = Universe {
    name: "hot-add",
    about: "as part, a memory device probed while the region goes",
    troubles: &[Remove, HotAdd],
    budget: 2,
    ..PART
};

/// As [`PART`], where the memory device is ejected with the lock of memory hotplug held.
pub const EJECT: Universe = Universe {
    name: "eject",
    about: "as part, the memory device ejected with the lock of memory hotplug held",
    troubles: &[Remove, Eject, Unbind],
    budget: 2,
    ..PART
};

/// A range in which another driver has a region, and CXL one.
pub const FOREIGN: Universe = Universe {
    name: "foreign",
    about: "a range with a region of another driver and one of CXL that covers the rest",
    ranges: [Units::new(0, 2), Units::NONE],
    regions: [Units::new(0, 1), Units::new(1, 2)],
    foreign: [true, false],
    window: Units::new(0, 2),
    troubles: &[Remove, Unbind],
    budget: 1,
    ..NOTHING
};

/// A range in a part of which another driver has a region.
pub const GUEST: Universe = Universe {
    name: "guest",
    about: "a range with a region of another driver in its middle",
    foreign: [true, false],
    troubles: &[Remove, Unbind, UnbindDevice],
    budget: 2,
    ..PART
};

/// A range of which a memory device decodes a part without a region, and a region another part.
pub const BARE: Universe = Universe {
    name: "bare",
    about: "a range of which a memory device decodes a part without a region, beside a region",
    ranges: [Units::new(0, 3), Units::NONE],
    regions: [Units::new(1, 2), Units::new(2, 3)],
    bare: [true, false],
    window: Units::new(0, 3),
    troubles: &[Remove, Hide, Unplug, Unbind, UnloadHmem],
    budget: 2,
    ..NOTHING
};

/// A memory device that decodes without a region, and whose driver comes after HMEM.
pub const BARE_LATE: Universe = Universe {
    name: "bare late",
    about:
        "a range of which a memory device decodes a part without a region; its driver comes late",
    ranges: [Units::new(0, 2), Units::NONE],
    regions: [Units::new(1, 2), Units::NONE],
    bare: [true, false],
    hidden: true,
    window: Units::new(0, 2),
    troubles: &[Hide, Unplug, Unbind, UnloadHmem],
    budget: 3,
    ..NOTHING
};

/// An interleave set of two memory devices of which the kernel made no region.
pub const BARE_SET: Universe = Universe {
    name: "bare set",
    about: "a range of which two memory devices decode a part together, without a region",
    ranges: [Units::new(0, 2), Units::NONE],
    regions: [Units::new(1, 2), Units::new(1, 2)],
    bare: [true, true],
    set: true,
    window: Units::new(0, 2),
    troubles: &[Hide, Unplug, Unbind, UnloadHmem],
    budget: 2,
    ..NOTHING
};

pub const BARE_MISSING: Universe = Universe {
    name: "bare missing",
    about: "a range of which two memory devices decode a part together, and one of them was never there",
    missing: true,
    ..BARE_SET
};

/// All that are explored.
pub const ALL: [Universe; 22] = [
    COVERED,
    RESCAN,
    PART,
    SPLIT,
    LATE,
    PAIR,
    LATE_PAIR,
    ACROSS,
    COVERED_FINE,
    PART_FINE,
    DECODED,
    DECODED_FINE,
    IN_USE,
    HAND,
    HOT_ADD,
    EJECT,
    FOREIGN,
    GUEST,
    BARE,
    BARE_LATE,
    BARE_SET,
    BARE_MISSING,
];

impl Universe {
    /// The numbers of its ranges.
    pub fn range_numbers(&self) -> impl Iterator<Item = usize> + '_ {
        (0..RANGES).filter(|&i| !self.ranges[i].is_empty())
    }

    /// The numbers of its regions.
    pub fn region_numbers(&self) -> impl Iterator<Item = usize> + '_ {
        (0..REGIONS).filter(|&r| !self.regions[r].is_empty())
    }

    /// All Soft Reserved units.
    pub fn reserved(&self) -> Units {
        self.ranges.into_iter().collect()
    }
}
