// SPDX-License-Identifier: GPL-2.0

//! The state of a binding of hmem_platform: `Host`, `Record` and `Served` of the module.

use crate::{
    queue::Job,
    units::Units,
    universe::{RANGES, REGIONS},
};

/// The most pieces of one range.
pub const PIECES: usize = 3;

/// A binding of hmem_platform: `Host` of the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// How far it is.
    pub stage: Stage,
    /// It was bound when its module was loaded, not by the administrator.
    pub first: bool,
    /// It hears of the CXL bus.
    pub listening: bool,
    /// `Gate::stopping`.
    pub stopping: bool,
    /// `Gate::settled`.
    pub settled: bool,
    /// The gate has changed since the decision that runs has looked at it.
    pub news: bool,
    /// What goes from below its devices: the departing ranges.
    pub departing: [Departing; REGIONS],
    /// What the ledger says is online and is not decoded, or soon will not be.
    pub stuck: Units,
    /// What the attribute says: a range is undecided.
    pub undecided: bool,
    /// Its settling work.
    pub settling: Settling,
    /// Its ranges, once it has them.
    pub records: [Option<Record>; RANGES],
}

/// How far a binding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// An asynchronous probe is scheduled.
    Due,
    /// Waits for so many more work items of the ordered queue: an earlier binding may be closing.
    Flushing(u8),
    /// It has found its ranges and hears of the bus, but a decision finds no range yet.
    Listening,
    /// It has its ranges and registers those outside of windows, holding the records.
    Starting(u8, Option<Job>),
    /// It is about to queue the decision.
    Queueing,
    /// Bound.
    Bound,
    /// Unbound; closing is queued behind the decision.
    Closing,
    /// Closed: its devices are gone, and it is deaf.
    Closed,
    /// Unbound, but kept for the next binding. Only in [`crate::code::Mutant::GuardedByPending`].
    Parked,
}

/// The settling work of a binding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Settling {
    /// Not queued.
    #[default]
    Idle,
    /// Waits for device probing.
    Waiting,
    /// The wait is over.
    Returned,
    /// It has told, and is about to queue a decision.
    Told,
}

/// A Soft Reserved range: `Record` of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Record {
    /// A window intersected it when it was found.
    pub in_window: bool,
    /// Who owns it.
    pub owner: Owner,
    /// The devices that serve pieces of it.
    pub served: [Option<Served>; PIECES],
    /// What regions took along.
    pub left: Units,
}

/// `State` of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Undecided.
    Deferred,
    /// CXL; whether that was decided after probing had settled.
    Cxl(bool),
    /// HMEM.
    Hmem,
    /// Nobody: nothing of it is decoded, or others have it.
    Nobody,
    /// Nobody, for lack of memory.
    Failed,
}

/// A device `hmem.N`: `Served` of the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Served {
    /// Its memory.
    pub units: Units,
    /// How far its driver is.
    pub hold: Hold,
    /// Its driver took it when it was registered.
    pub taken: bool,
    /// The probe that runs was started by hand.
    pub hand: bool,
    /// The regions whose notifier waits until it is unbound.
    pub owed: [bool; REGIONS],
}

/// The driver of a device `hmem.N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// None.
    Idle,
    /// It is being probed, and found nothing departing below it.
    Probing,
    /// It is being probed, and has its dax region.
    Claimed,
    /// It is bound.
    Bound,
}

/// A region, or its endpoint port, that goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Departing {
    /// It does not.
    #[default]
    No,
    /// It is about to be unbound.
    Going,
    /// It has been unbound, and no decision has begun since.
    Gone,
    /// As [`Departing::Gone`], but it is bound again, and keeps no probe out any more.
    Back,
    /// A decision follows it.
    Followed,
}

impl Record {
    /// Where the next device goes.
    pub fn free_slot(&mut self) -> Option<&mut Option<Served>> {
        self.served.iter_mut().find(|slot| slot.is_none())
    }

    /// Sorts the devices, which have no order of their own.
    pub(crate) fn tidy(&mut self) {
        self.served.sort_by_key(|slot| {
            slot.map_or(u64::MAX, |s| s.units.range().map_or(0, |r| r.start()))
        });
    }
}

impl Host {
    pub(crate) fn new(first: bool) -> Self {
        Self {
            stage: Stage::Due,
            first,
            listening: false,
            stopping: false,
            settled: false,
            news: false,
            departing: Default::default(),
            stuck: Units::NONE,
            undecided: true,
            settling: Settling::Idle,
            records: [None; RANGES],
        }
    }
}

impl Hold {
    /// Its probe runs.
    pub fn is_probing(self) -> bool {
        matches!(self, Self::Probing | Self::Claimed)
    }

    /// It has its dax region.
    pub fn claims(self) -> bool {
        matches!(self, Self::Claimed | Self::Bound)
    }
}

impl Served {
    /// Its driver is unbound: the dax region goes.
    pub(crate) fn unbind(&mut self) {
        self.hold = Hold::Idle;
        self.hand = false;
    }
}

impl Departing {
    /// Whether no device over it may be bound.
    pub fn keeps_out(self) -> bool {
        !matches!(self, Self::No | Self::Back)
    }
}
