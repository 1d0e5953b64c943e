// SPDX-License-Identifier: GPL-2.0

//! The decision for one Soft Reserved range.

use super::{
    coverage::{
        Coverage,
        Extents, //
    },
    range::Range,
};

/// What is to be done with a range; the modes of the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Wait: CXL may still enumerate.
    Defer,
    /// HMEM owns it and registers it.
    Register,
    /// CXL owns it, HMEM drops it.
    Drop,
}

/// What becomes of a range that CXL regions cover only in part; chosen by the administrator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// HMEM takes the whole range, the regions in it stay idle. The specification's way.
    #[default]
    Whole,
    /// CXL keeps what its regions cover, HMEM takes the rest.
    Split,
}

/// Why the decision is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No CXL window intersects the range, or the kernel has nothing that serves CXL regions, so
    /// that windows mean nothing.
    OutsideWindows,
    /// The range lies in a CXL window and CXL may still enumerate.
    AwaitingCxl,
    /// Committed regions cover all of it; `region` covers its first byte.
    Covered {
        /// The number of the region.
        region: i32,
        /// Whether further regions are needed.
        others: bool,
    },
    /// Probing has settled and no committed region covers any of it.
    NoRegion,
    /// Probing has settled and committed regions cover only some of it, the lowest is `region`.
    PartlyCovered {
        /// The number of the region.
        region: i32,
    },
}

/// The decision for one range, with its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What is to be done.
    pub mode: Mode,
    /// Why.
    pub reason: Reason,
}

/// What the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// Whether a CXL window intersects the range in question.
    pub in_window: bool,
    /// The committed regions of the machine.
    pub regions: Extents<'a>,
    /// Whether device probing has settled, so that CXL has had its chance.
    pub settled: bool,
}

/// Decides about one Soft Reserved range.
///
/// Total: every world has exactly one answer, and once `settled` is set it is never
/// [`Mode::Defer`]. [`Mode::Drop`] never depends on `settled`: a "yes" need not wait, only a "no".
pub fn decide(range: &Range, world: &World<'_>) -> Verdict {
    if !world.in_window {
        return Verdict {
            mode: Mode::Register,
            reason: Reason::OutsideWindows,
        };
    }
    match world.regions.cover(range) {
        Coverage::Full { region, others } => Verdict {
            mode: Mode::Drop,
            reason: Reason::Covered { region, others },
        },
        _ if !world.settled => Verdict {
            mode: Mode::Defer,
            reason: Reason::AwaitingCxl,
        },
        Coverage::Part { region } => Verdict {
            mode: Mode::Register,
            reason: Reason::PartlyCovered { region },
        },
        Coverage::None => Verdict {
            mode: Mode::Register,
            reason: Reason::NoRegion,
        },
    }
}
