// SPDX-License-Identifier: GPL-2.0

//! One Soft Reserved range: its state, and what HMEM has registered for it.
//!
//! A range is evaluated against the regions of one moment, then the verdict is applied. What falls
//! to HMEM is registered for all ranges together, see [`register`].

use crate::{
    event::Event,
    hmem_device::{
        HmemDevice,
        Memory, //
    },
    iomem::SoftReserved,
    ownership::{
        decide,
        range::for_each_gap,
        Mode,
        Obstacle,
        Range,
        Taken,
        Verdict,
        World, //
    },
    regions::Regions,
    report::Teller, //
};
use kernel::prelude::*;

mod follow;
mod register;
mod taking;

pub(crate) use register::{
    register,
    wait_together, //
};
pub(crate) use taking::Taking;

/// Who owns a range, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not decided: CXL may still assemble regions.
    Deferred,
    /// CXL owns it. As long as it is not `settled`, the regions may turn out to go away again
    /// before device probing settles; then it is decided again.
    Cxl {
        /// Whether the decision was made, or confirmed, after device probing had settled.
        settled: bool,
    },
    /// HMEM owns it, less what other owners have.
    Hmem,
    /// Nobody may have a byte of it, unless a region is committed there, or what was excluded is not
    /// any more.
    Left,
    /// It could not be decided, for lack of memory. Binding the platform device again retries.
    Failed,
}

/// A device that serves a piece of a range, and perhaps of those that adjoin it.
struct Served {
    range: Range,
    /// Whether its driver took it when it was registered.
    taken: bool,
    device: HmemDevice,
}

/// A Soft Reserved range.
///
/// Fields are dropped in order: the devices go before the entries of the iomem tree that contain
/// what the devices have reserved.
pub(crate) struct SoftReservedRange {
    memory: Memory,
    /// Where it stands among all, for the report.
    at: usize,
    /// Whether a CXL window intersects it, or a neighbour that it may share a device with.
    in_window: bool,
    state: State,
    /// Whether something of it is to be registered.
    todo: bool,
    /// Whether the regions of a range that is CXL's, or nobody's, cover it.
    covered: bool,
    /// What neither HMEM nor CXL has of a range that is CXL's or nobody's, as was last told.
    others: KVec<Obstacle>,
    served: KVec<Served>,
    entries: KVec<SoftReserved>,
    /// Whether one entry stands for all of the range.
    entered: bool,
    /// What regions keep, or took along when they were torn down or disabled. It stays CXL's.
    left: KVec<Range>,
    /// What the last evaluation gave; for a range that is HMEM's, the one that made it so.
    verdict: Option<Verdict>,
}

impl SoftReservedRange {
    /// A range that nobody has decided about, the one `at` this place among all; `in_window` tells
    /// whether CXL may own it.
    pub(crate) fn new(at: usize, memory: Memory, in_window: bool) -> Self {
        Self {
            memory,
            at,
            in_window,
            state: State::Deferred,
            todo: false,
            covered: false,
            others: KVec::new(),
            served: KVec::new(),
            entries: KVec::new(),
            entered: false,
            left: KVec::new(),
            verdict: None,
        }
    }

    /// The addresses.
    pub(crate) fn range(&self) -> &Range {
        &self.memory.range
    }

    /// Whether it waits for CXL.
    pub(crate) fn in_window(&self) -> bool {
        self.in_window
    }

    /// Whether it is undecided.
    pub(crate) fn is_deferred(&self) -> bool {
        self.state == State::Deferred
    }

    /// Opens the report of the range. Returns whether its decision depends on CXL.
    pub(crate) fn open(&mut self, teller: &mut Teller<'_>) -> bool {
        teller.open(self.at, self.memory);
        if self.in_window {
            teller.tell(self.at, Event::Deferred { again: false });
        }
        self.in_window
    }

    /// Finds who owns the range, given these regions, for [`SoftReservedRange::apply`]. Returns whether
    /// the regions in it are CXL's: it is, or was until now. What HMEM owns stays HMEM's.
    pub(crate) fn evaluate(&mut self, regions: &Regions, taking: &Taking, settled: bool) -> bool {
        if matches!(self.state, State::Hmem | State::Failed) {
            return false;
        }
        let verdict = decide(
            &self.memory.range,
            &World {
                // CXL's windows may have come after the ranges were found.
                in_window: self.in_window || regions.meet(&self.memory.range),
                regions: regions.committed(),
                taken: taking.all(),
                settled,
            },
        );
        self.verdict = Some(verdict);
        verdict.mode == Mode::Drop || self.state == State::Cxl { settled: true }
    }

    /// What of it was excluded when this was last told.
    fn excluded(&self) -> impl Iterator<Item = &Range> {
        let others = self.others.iter();
        others
            .filter(|o| o.taken == Taken::Excluded)
            .map(|o| &o.range)
    }

    /// Whether HMEM may have a part of it that was excluded before.
    fn is_included(&self, verdict: &Verdict, taking: &Taking) -> bool {
        matches!(self.state, State::Cxl { settled: true } | State::Left)
            && verdict.mode == Mode::Register
            && self.excluded().any(|range| !taking.excludes(range))
    }

    /// Leaves to CXL what was not excluded: a region may come back there. What a region has now is left
    /// to it anyway. Fails with `ENOMEM`.
    fn leave_included(&mut self, teller: &Teller<'_>, regions: &Regions) -> Result {
        let mut excluded = KVec::new();
        for &range in self.excluded() {
            excluded.push(range, GFP_KERNEL)?;
        }
        let range = self.memory.range;
        for_each_gap(&range, &excluded, |gap| {
            for_each_gap(&gap, &regions.committed, |gap| {
                self.leave(teller, &gap);
                Ok(())
            })
        })
    }

    /// Carries out what [`SoftReservedRange::evaluate`] came to, unless it has been decided for
    /// good. Returns whether the range has become CXL's.
    pub(crate) fn apply(
        &mut self,
        teller: &mut Teller<'_>,
        regions: &Regions,
        taking: &Taking,
        settled: bool,
    ) -> bool {
        let Some(verdict) = self.verdict else {
            return false;
        };
        if !matches!(self.state, State::Deferred | State::Cxl { settled: false }) {
            // Without memory the next decision tries again.
            let included = self.is_included(&verdict, taking);
            if !included || self.leave_included(teller, regions).is_err() {
                return false;
            }
        }
        let was_deferred = self.state == State::Deferred;
        self.covered = verdict.mode == Mode::Drop;
        match verdict.mode {
            Mode::Defer => {
                if !was_deferred {
                    teller.tell(self.at, Event::Deferred { again: true });
                }
                self.state = State::Deferred;
                false
            }
            Mode::Drop => {
                if self.other(taking) || was_deferred {
                    teller.tell(self.at, Event::Decided(verdict));
                }
                self.tell_others(teller);
                self.state = State::Cxl { settled };
                was_deferred
            }
            Mode::Register => {
                teller.tell(self.at, Event::Decided(verdict));
                self.state = State::Hmem;
                self.todo = true;
                false
            }
            Mode::Leave => {
                teller.tell(self.at, Event::Decided(verdict));
                self.state = State::Left;
                self.other(taking);
                // Who has it is told piece by piece.
                self.todo = true;
                false
            }
        }
    }

    /// Has what HMEM owns of it and does not serve registered: what shared a device that has gone
    /// with another range, and what could not be registered before.
    pub(crate) fn serve_rest(&mut self) {
        self.todo |= self.state == State::Hmem;
    }

    /// Gives up on a range that cannot be decided.
    pub(crate) fn fail(&mut self, teller: &mut Teller<'_>, error: Error) {
        if matches!(self.state, State::Deferred | State::Cxl { settled: false }) {
            self.state = State::Failed;
            teller.tell(self.at, Event::Undecidable { error });
        }
    }

    /// Announces that all devices go, because the platform device is unbound.
    pub(crate) fn close(&mut self, teller: &mut Teller<'_>) {
        for served in &self.served {
            teller.tell(
                self.at,
                Event::Closed {
                    piece: served.range,
                },
            );
        }
    }
}
