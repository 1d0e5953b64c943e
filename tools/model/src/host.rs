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
    /// Regions that have gone and that no decision has followed yet: `Host::departed`.
    pub gone: Units,
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
    /// It has found its ranges and hears of the bus, but a decision finds no range yet.
    Listening,
    /// It has its ranges and registers those outside of windows, holding the records.
    Starting(u8, Option<Job>),
    /// It is about to queue the decision.
    Queueing,
    /// Bound.
    Bound,
    /// Being unbound: waits for so many more decisions.
    Stopping(u8),
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
    /// The regions noted as being below.
    pub below: [bool; REGIONS],
    /// Its device links to regions.
    pub links: [Link; REGIONS],
}

/// The driver of a device `hmem.N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// None.
    Idle,
    /// It is being probed, and depends on the regions below.
    Probing,
    /// It is being probed, and has its dax region.
    Claimed,
    /// It is bound.
    Bound,
}

/// A device link from a device of HMEM to a region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Link {
    /// There is none.
    #[default]
    None,
    /// The consumer is being probed.
    Probe,
    /// Both are bound.
    Active,
    /// Made while the supplier was being probed and the consumer was bound: never becomes active.
    Inert,
    /// Made when the supplier was being unbound already.
    Late,
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
            gone: Default::default(),
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
    /// The driver is unbound: the dax region and the links go.
    pub(crate) fn unbind(&mut self) {
        self.hold = Hold::Idle;
        self.links = Default::default();
    }
}
