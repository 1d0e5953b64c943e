// SPDX-License-Identifier: GPL-2.0

//! What the core tells, one event for each outcome. `report/` makes of it what people read.

use crate::{
    iomem_tree::Name,
    ownership::{
        Fate,
        Range,
        Taken,
        Verdict, //
    }, //
};
use kernel::prelude::*;

/// What has become of a range, or of a piece of it.
pub(crate) enum Event {
    /// It is undecided until CXL has enumerated.
    Deferred {
        /// Its CXL region is gone again.
        again: bool,
    },
    /// It has an owner, or can have none.
    Decided(Verdict),
    /// HMEM has made a device for a piece.
    Served {
        piece: Range,
        id: c_int,
        /// Whether its driver took it.
        bound: bool,
        verdict: Option<Verdict>,
    },
    /// A piece is not HMEM's.
    Taken {
        piece: Range,
        taken: Taken,
        /// What the resource there is called.
        holder: Option<Name>,
    },
    /// A piece is not aligned.
    Unaligned { piece: Range, fate: Fate },
    /// There is no device for a piece.
    NotRegistered { piece: Range, error: Error },
    /// What the range holds could not be told in full.
    Incomplete { error: Error },
    /// The regions could not be looked at.
    Undecidable { error: Error },
    /// What served a piece went with a CXL region.
    Released { piece: Range, region: Option<c_int> },
    /// What did not serve a piece went, to be tried again.
    Retried { piece: Range },
    /// What served a piece goes, because the platform device is unbound.
    Closed { piece: Range },
}
