// SPDX-License-Identifier: GPL-2.0

//! How each event stands in the ledger.

use super::{
    entry::Entry,
    ledger::Ledger, //
};
use crate::{
    event::Event,
    ownership::{
        Fate,
        Mode,
        Standing,
        Taken,
        Why, //
    },
    trace::Step, //
};
use kernel::prelude::*;

impl Event {
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
                id,
                bound,
                ref verdict,
            } => {
                let entry = match (bound, verdict) {
                    (true, Some(verdict)) => Entry::decided(piece, verdict),
                    _ => Entry::new(piece, Standing::Failed, Why::NotBound).error(ENODEV),
                };
                let step = if bound { Step::Served } else { Step::Failed };
                ledger.add(step, entry.served_by(id));
            }
            Self::Taken {
                piece,
                taken,
                holder,
            } => {
                let entry = Entry::taken(piece, taken).holder(holder);
                let is_known = match taken {
                    Taken::Region(_) => ledger.is_cxls(&piece),
                    Taken::Undecoded => ledger.is_let_go(&piece),
                    _ => false,
                };
                if ledger.has(&entry) || is_known {
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
            Self::Released { piece, .. } if ledger.is_in_use(&piece) => {}
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
