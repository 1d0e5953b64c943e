// SPDX-License-Identifier: GPL-2.0

//! The decision for one Soft Reserved range.

use super::{
    coverage::{
        Coverage,
        Extents, //
    },
    pieces::{
        for_each_part,
        Fate,
        Obstacle,
        Taken, //
    },
    range::Range,
};
use core::convert::Infallible;

/// What is to be done with a range; the modes of `Documentation/requirements.md`, R1 to R4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Wait: CXL may still enumerate.
    Defer,
    /// HMEM owns it and registers it.
    Register,
    /// CXL owns it, HMEM drops it.
    Drop,
    /// Neither may have a byte of it.
    Leave,
}

/// What becomes of a range that CXL regions cover only in part; chosen by the administrator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// HMEM takes the whole range, the regions in it stay idle. R4 of the requirements.
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
    /// All of it is somebody else's, or nobody's; its lowest bytes are `taken`.
    NothingLeft {
        /// Who has them, or why nobody can.
        taken: Taken,
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
    /// The committed regions of the machine that are CXL's to serve.
    pub regions: Extents<'a>,
    /// What neither HMEM nor CXL may have, ascending and disjoint. The decision is about the rest.
    pub taken: &'a [Obstacle],
    /// Whether device probing has settled, so that CXL has had its chance.
    pub settled: bool,
}

/// Decides about one Soft Reserved range.
///
/// Total: every world has exactly one answer, and once `settled` is set it is never
/// [`Mode::Defer`]. [`Mode::Drop`] never depends on `settled`: a "yes" need not wait, only a "no".
pub fn decide(range: &Range, world: &World<'_>) -> Verdict {
    let verdict = |mode, reason| Verdict { mode, reason };

    match cover_rest(range, world) {
        Err(taken) if world.settled || !world.in_window => {
            verdict(Mode::Leave, Reason::NothingLeft { taken })
        }
        Ok(_) if !world.in_window => verdict(Mode::Register, Reason::OutsideWindows),
        Ok(Coverage::Full { region, others }) => {
            verdict(Mode::Drop, Reason::Covered { region, others })
        }
        _ if !world.settled => verdict(Mode::Defer, Reason::AwaitingCxl),
        Ok(Coverage::Part { region }) => verdict(Mode::Register, Reason::PartlyCovered { region }),
        _ => verdict(Mode::Register, Reason::NoRegion),
    }
}

/// How much of what is left of `range` the regions cover; an error if nothing is left.
fn cover_rest(range: &Range, world: &World<'_>) -> Result<Coverage, Taken> {
    let mut lowest = None;
    let mut sum: Option<Coverage> = None;

    let Ok(()) = for_each_part(range, world.taken, &[], |part| {
        if let Fate::Taken(taken) = part.fate {
            lowest.get_or_insert(taken);
            return Ok::<(), Infallible>(());
        }
        let covered = world.regions.cover(&part.range);
        sum = Some(match sum {
            Some(before) => before.and(covered),
            None => covered,
        });
        Ok(())
    });
    // A range without parts does not exist, so one of the two is there.
    sum.ok_or(lowest.unwrap_or(Taken::Claimed))
}
