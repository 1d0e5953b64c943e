// SPDX-License-Identifier: GPL-2.0

//! An entry of the ledger: what became of one piece, and why.

use crate::{
    clock::now_ns,
    iomem_tree::Name,
    ownership::{
        Range,
        Reason,
        Standing,
        Taken,
        Verdict,
        Why, //
    }, //
};
use kernel::prelude::*;

/// What became of one piece.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(super) range: Range,
    pub(super) state: Standing,
    pub(super) reason: Why,
    pub(super) region: Option<c_int>,
    pub(super) device: Option<c_int>,
    pub(super) holder: Option<Name>,
    pub(super) error: Option<Error>,
    pub(super) served_ns: u64,
    /// Somebody has unbound the device by hand.
    pub(super) unbound: bool,
    /// A decision has found that its contents are lost.
    pub(super) lost: bool,
}

impl Entry {
    /// An entry of `state` for `reason`, without anything else.
    pub(crate) fn new(range: Range, state: Standing, reason: Why) -> Self {
        Self {
            range,
            state,
            reason,
            region: None,
            device: None,
            holder: None,
            error: None,
            served_ns: 0,
            unbound: false,
            lost: false,
        }
    }

    /// The entry for what was decided about.
    pub(crate) fn decided(range: Range, verdict: &Verdict) -> Self {
        let entry = |state| Self::new(range, state, (&verdict.reason).into());

        match verdict.reason {
            Reason::Covered { region, .. } => entry(Standing::Cxl).region(region),
            Reason::PartlyCovered { region } => entry(Standing::Hmem).region(region),
            Reason::OutsideWindows | Reason::NoRegion => entry(Standing::Hmem),
            Reason::AwaitingCxl => entry(Standing::Deferred),
            Reason::NothingLeft { taken } => Self::taken(range, taken),
        }
    }

    /// The entry for System RAM in use that CXL stops decoding.
    pub(crate) fn in_use(range: Range) -> Self {
        Self::new(range, Standing::Stuck, Why::UndecodedInUse)
    }

    /// The entry for a piece that is not HMEM's.
    pub(crate) fn taken(range: Range, taken: Taken) -> Self {
        match taken {
            Taken::Undecoded => Self::new(range, Standing::Free, Why::Undecoded),
            Taken::Stuck => Self {
                lost: true,
                ..Self::in_use(range)
            },
            Taken::Excluded => Self::new(range, Standing::Free, Why::Excluded),
            Taken::Foreign(region) => {
                Self::new(range, Standing::Foreign, Why::ForeignRegion).region(region)
            }
            Taken::Persistent(region) => Self {
                region,
                ..Self::new(range, Standing::Foreign, Why::Persistent)
            },
            Taken::Resource => Self::new(range, Standing::Foreign, Why::ForeignResource),
            Taken::SystemRam => Self::new(range, Standing::SystemRam, Why::InUseAlready),
            Taken::Region(region) => {
                Self::new(range, Standing::Cxl, Why::KeptByRegion).region(region)
            }
            Taken::Claimed => Self::new(range, Standing::Free, Why::RegionTornDown),
        }
    }

    /// The same, with the number of the region concerned.
    pub(crate) fn region(self, region: c_int) -> Self {
        Self {
            region: Some(region),
            ..self
        }
    }

    /// The same, with the number of the `hmem` device that serves the piece from now on.
    pub(crate) fn served_by(self, device: c_int) -> Self {
        Self {
            device: Some(device),
            served_ns: now_ns(),
            ..self
        }
    }

    /// The same, with the name of the resource there.
    pub(crate) fn holder(self, holder: Option<Name>) -> Self {
        Self { holder, ..self }
    }

    /// The same, with the error.
    pub(crate) fn error(self, error: Error) -> Self {
        Self {
            error: Some(error),
            ..self
        }
    }
}

impl From<&Reason> for Why {
    fn from(reason: &Reason) -> Self {
        match reason {
            Reason::OutsideWindows if !cfg!(CONFIG_DEV_DAX_CXL) => Self::WithoutDaxCxl,
            Reason::OutsideWindows => Self::OutsideWindows,
            Reason::AwaitingCxl => Self::AwaitingCxl,
            Reason::Covered { .. } => Self::Covered,
            Reason::NoRegion => Self::NoRegion,
            Reason::PartlyCovered { .. } => Self::PartlyCovered,
            // The pieces tell.
            Reason::NothingLeft { .. } => Self::Undecoded,
        }
    }
}
