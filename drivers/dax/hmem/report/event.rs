// SPDX-License-Identifier: GPL-2.0

//! What the core tells, one event for each outcome, and how it stands in the ledger.

use super::{
    entry::Entry,
    ledger::Ledger, //
};
use crate::{
    iomem_tree::Name,
    ownership::{
        Fate,
        Mode,
        Range,
        Standing,
        Taken,
        Verdict,
        Why, //
    },
    trace::Step, //
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
        node: c_int,
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

impl Event {
    /// A piece is System RAM in use that nothing decodes any more.
    pub(crate) fn stuck(piece: Range) -> Self {
        Self::Taken {
            piece,
            taken: Taken::Stuck,
            holder: None,
        }
    }

    /// Enters it in the ledger. Returns whether it is news.
    pub(super) fn enter(&self, ledger: &mut Ledger, now_ns: u64) -> bool {
        let range = ledger.range();

        match *self {
            Self::Deferred { .. } => ledger.defer(),
            Self::Decided(ref verdict) => match verdict.mode {
                Mode::Register | Mode::Leave => {
                    ledger.decide(now_ns, &Entry::decided(range, verdict));
                }
                Mode::Drop | Mode::Defer => {
                    ledger.decide_whole(now_ns, Entry::decided(range, verdict));
                }
            },
            Self::Served {
                piece,
                node,
                id,
                bound,
                ref verdict,
            } => {
                let entry = match (bound, verdict) {
                    (true, Some(verdict)) => Entry::decided(piece, verdict),
                    _ => Entry::new(piece, Standing::Failed, Why::NotBound).error(ENODEV),
                };
                let step = if bound { Step::Served } else { Step::Failed };
                ledger.add(step, entry.served_by(id).node(node));
            }
            Self::Taken {
                piece,
                taken,
                holder,
            } => {
                let entry = Entry::taken(piece, taken).holder(holder);
                let is_region = matches!(taken, Taken::Region(_));
                if ledger.has(&entry) || (is_region && ledger.is_cxls(&piece)) {
                    return false;
                }
                ledger.add(Step::Decided, entry);
            }
            Self::Unaligned { piece, fate } => {
                let why = match fate {
                    Fate::UnalignedHead => Why::UnalignedStart,
                    Fate::UnalignedTail => Why::UnalignedEnd,
                    _ => Why::TooSmall,
                };
                // Looked at alone, an end that was cut off is a piece that is too small.
                if ledger.is_unaligned(&piece) {
                    return false;
                }
                let entry = Entry::new(piece, Standing::Failed, why).error(EINVAL);
                ledger.add(Step::Failed, entry);
            }
            Self::NotRegistered { piece, error } => {
                let entry = Entry::new(piece, Standing::Failed, Why::NotRegistered);
                ledger.add(Step::Failed, entry.error(error));
            }
            Self::Incomplete { error } => {
                let entry = Entry::new(range, Standing::Failed, Why::Incomplete);
                ledger.fill(Step::Failed, entry.error(error));
            }
            Self::Undecidable { error } => {
                let entry = Entry::new(range, Standing::Failed, Why::Undecidable);
                ledger.replace(Step::Failed, entry.error(error));
            }
            // That it is in use says more.
            Self::Released { piece, .. } if ledger.is_stuck(&piece) => {}
            Self::Released { piece, region } => {
                let entry = Entry::new(piece, Standing::Free, Why::RegionTornDown);
                let entry = match region.filter(|&r| r >= 0) {
                    Some(region) => entry.region(region),
                    None => entry,
                };
                if piece == range {
                    ledger.replace(Step::Released, entry);
                } else {
                    ledger.add(Step::Released, entry);
                }
            }
            Self::Retried { piece } => {
                let entry = Entry::new(piece, Standing::Free, Why::RegionCame);
                ledger.add(Step::Released, entry);
            }
            Self::Closed { piece } => {
                let entry = Entry::new(piece, Standing::Free, Why::Unbound);
                ledger.add(Step::Released, entry);
            }
        }
        true
    }
}
