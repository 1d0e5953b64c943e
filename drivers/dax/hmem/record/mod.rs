// SPDX-License-Identifier: GPL-2.0

//! One Soft Reserved range: its state, and what HMEM has registered for it.

use crate::{
    hmem_device::{
        HmemDevice,
        Memory, //
    },
    iomem::SoftReserved,
    ledger::{
        Entry,
        Ledger, //
    },
    lines::Lines,
    memregion::MemregionId,
    ownership::{
        decide,
        Extent,
        Extents,
        Mode,
        Range,
        Verdict,
        World, //
    },
    regions::Regions,
    trace::Step,
    words::{
        Standing,
        Why, //
    }, //
};
use kernel::{
    device,
    fmt,
    prelude::*, //
};

mod follow;
mod register;

/// Who owns a range, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not decided: CXL may still assemble regions.
    Deferred,
    /// CXL owns it. As long as it is not `settled`, the regions may turn out to go away again
    /// before device probing settles; then it is decided anew.
    Cxl {
        /// Whether the decision was made, or confirmed, after device probing had settled.
        settled: bool,
    },
    /// HMEM owns it, less what other owners have.
    Hmem,
    /// It could not be decided, for lack of memory. Binding the platform device anew tries again.
    Failed,
}

/// What came out of a look at a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    /// Nothing: it is still to be decided.
    Not,
    /// Nothing new.
    Before,
    /// That it is CXL's.
    Cxl,
    /// That it is HMEM's.
    Hmem,
}

/// A device that serves a piece of a range.
///
/// Fields are dropped in order: the device goes before its number is free for others.
struct Served {
    range: Range,
    /// Whether its driver took it when it was registered.
    taken: bool,
    /// The regions below it, which take the device along when they go.
    below: KVec<Extent>,
    device: HmemDevice,
    id: MemregionId,
}

/// A Soft Reserved range.
///
/// Fields are dropped in order: the devices go before the entries of the iomem tree that contain
/// what the devices have reserved.
pub(crate) struct Record {
    memory: Memory,
    /// Whether a CXL window intersects it.
    in_window: bool,
    state: State,
    served: KVec<Served>,
    entries: KVec<SoftReserved>,
    /// What regions took along when they were torn down. It stays free for CXL.
    left: KVec<Range>,
    /// What the last look at the regions gave; for a range that is HMEM's, the one that made it so.
    verdict: Option<Verdict>,
    ledger: Ledger,
}

impl Record {
    /// A range found at `seen_ns`, that nobody has decided about; `in_window` tells whether CXL may
    /// own it.
    pub(crate) fn new(memory: Memory, in_window: bool, seen_ns: u64) -> Self {
        Self {
            memory,
            in_window,
            state: State::Deferred,
            served: KVec::new(),
            entries: KVec::new(),
            left: KVec::new(),
            verdict: None,
            ledger: Ledger::new(memory, seen_ns),
        }
    }

    /// The addresses.
    pub(crate) fn range(&self) -> &Range {
        &self.memory.range
    }

    /// Looks who owns the range, given these regions, and remembers it for [`Record::decide`].
    /// Returns whether that is CXL. What HMEM owns stays HMEM's.
    pub(crate) fn look(&mut self, regions: Extents<'_>, settled: bool) -> bool {
        if !matches!(self.state, State::Deferred | State::Cxl { .. }) {
            return false;
        }
        let verdict = decide(
            &self.memory.range,
            &World {
                in_window: self.in_window,
                regions,
                settled,
            },
        );
        self.verdict = Some(verdict);
        verdict.mode == Mode::Drop
    }

    /// Writes the ledger of the range as it stands at this moment.
    pub(crate) fn write_ledger(&mut self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for served in &self.served {
            self.ledger
                .note_bound(served.id.get(), served.device.is_bound());
        }
        self.ledger.write(f)
    }

    /// The number of the first `hmem` device that has a byte of `range`.
    pub(crate) fn holder_of(&self, range: &Range) -> Option<c_int> {
        self.served
            .iter()
            .find(|s| s.range.intersects(range) && s.device.is_bound())
            .map(|s| s.id.get())
    }

    /// Defers the decision if it depends on CXL, with a line in the log if `told`. Returns whether
    /// it does.
    pub(crate) fn defer(&mut self, host: &device::Device, told: bool) -> bool {
        if self.in_window {
            if told {
                dev_info!(host, "{}: undecided, waiting for CXL\n", self.memory.range);
            }
            self.ledger.defer();
        }
        self.in_window
    }

    /// Carries out what [`Record::look`] came to, unless it has been decided for good.
    pub(crate) fn decide(
        &mut self,
        lines: &mut Lines<'_>,
        regions: &Regions,
        settled: bool,
    ) -> Decided {
        let (State::Deferred | State::Cxl { settled: false }, Some(verdict)) =
            (self.state, self.verdict)
        else {
            return Decided::Before;
        };
        let range = self.memory.range;
        match verdict.mode {
            Mode::Defer => {
                if self.state != State::Deferred {
                    dev_info!(
                        lines.host(),
                        "{}: its CXL region is gone again, undecided\n",
                        range
                    );
                    self.ledger.defer();
                }
                self.state = State::Deferred;
                Decided::Not
            }
            Mode::Drop => {
                let news = self.state == State::Deferred;
                if news {
                    lines.decided(range, verdict.reason);
                    let entry = Entry::decided(range, Standing::Cxl, &verdict.reason);
                    self.ledger.decide_whole(lines.now_ns(), entry);
                }
                self.state = State::Cxl { settled };
                if news {
                    Decided::Cxl
                } else {
                    Decided::Before
                }
            }
            Mode::Register => {
                lines.decided(range, verdict.reason);
                self.state = State::Hmem;
                let entry = Entry::decided(range, Standing::Hmem, &verdict.reason);
                self.ledger.decide(lines.now_ns(), &entry);
                self.register(lines, regions);
                Decided::Hmem
            }
        }
    }

    /// Gives up on a range that cannot be decided.
    pub(crate) fn fail(&mut self, host: &device::Device, error: Error) {
        if matches!(self.state, State::Deferred | State::Cxl { settled: false }) {
            self.state = State::Failed;
            dev_warn!(
                host,
                "{}: nobody serves it: {:?} while looking for CXL regions; bind {} anew\n",
                self.memory.range,
                error,
                host.name()
            );
            let entry =
                Entry::new(self.memory.range, Standing::Failed, Why::Undecidable).error(error);
            self.ledger.replace(Step::Failed, entry);
        }
    }

    /// Announces that all devices go, because the platform device is unbound.
    pub(crate) fn close(&mut self) {
        for served in &self.served {
            let entry = Entry::new(served.range, Standing::Free, Why::Unbound);
            self.ledger.add(Step::Released, entry);
        }
    }
}
