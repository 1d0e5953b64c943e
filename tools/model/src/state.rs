// SPDX-License-Identifier: GPL-2.0

//! The state of the machine: what every actor is at, as far as another can tell.

use crate::{
    ghost::Ghost,
    host::{Host, Served, Stage},
    queue::{Queue, Who},
    units::Units,
    universe::REGIONS,
};

/// The whole machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// A driver that has nothing to do with all this is still probing.
    pub slow: bool,
    /// The CXL window is published.
    pub window: bool,
    /// The CXL bus is yet to probe its memory devices once more, because they were there before the
    /// window: a work item of cxl_core.
    pub rescan: bool,
    /// How much more trouble there may be.
    pub budget: u8,
    /// The CXL regions.
    pub regions: [Region; REGIONS],
    /// The module dax_hmem.
    pub hmem: Hmem,
    /// The module dax_cxl.
    pub cxl: Cxl,
    /// The binding of hmem_platform.
    pub current: Option<Host>,
    /// An earlier binding, with work that has not ended.
    pub old: Option<Host>,
    /// The ordered workqueue of dax_hmem.
    pub queue: Queue,
    /// The device remembers that it was probed. Only in
    /// [`crate::code::Mutant::ProbedTooEarly`].
    pub probed: bool,
    /// What is remembered for the properties only.
    pub ghost: Ghost,
    /// Nothing happens any more unless somebody outside of the kernel does something.
    pub quiet: bool,
}

/// A CXL region and its devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Region {
    /// Its device `regionN`.
    pub life: Life,
    /// Its device `dax_regionN`.
    pub dax: Dax,
    /// dax_cxl's probe lost to HMEM and was not repeated.
    pub lost: bool,
    /// For the properties only: the devices of HMEM above it when its removal began.
    pub owed: Units,
}

/// How far the binding or unbinding of a region is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Life {
    /// Not committed, or disabled.
    #[default]
    Absent,
    /// Its dax device can be seen on the bus.
    Adding,
    /// That was announced.
    Announced,
    /// It counts as bound, but for the driver core's links it is still being probed.
    Attached,
    /// For the links, too, it is bound.
    Linked,
    /// That was announced. The region is at rest.
    Up,
    /// Being unbound: consumers go first.
    Unlinking,
    /// No consumer is left; its dax device is being removed.
    Unbinding,
    /// The dax device can no longer be seen.
    DaxGone,
    /// That was announced.
    DaxGoneTold,
    /// It does not count as bound any more, which is yet to be announced.
    Unbound,
}

impl Life {
    /// Whether the driver core says that it is bound.
    pub fn is_bound(self) -> bool {
        (Self::Attached..=Self::DaxGoneTold).contains(&self)
    }

    /// Whether its probe runs.
    pub fn is_probing(self) -> bool {
        (Self::Adding..=Self::Linked).contains(&self)
    }

    /// Whether it is being unbound, as far as links are concerned.
    pub fn is_unbinding(self) -> bool {
        (Self::Unlinking..=Self::DaxGoneTold).contains(&self)
    }
}

/// The dax device of a region and the driver dax_cxl.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dax {
    /// Not on the bus.
    #[default]
    Absent,
    /// Without a driver.
    Idle,
    /// An asynchronous probe is scheduled.
    Queued,
    /// Being probed; it has its dax region.
    Claimed,
    /// Bound.
    Bound,
}

/// The module dax_hmem.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Hmem {
    /// Not loaded.
    #[default]
    Gone,
    /// Its init function runs.
    Loading,
    /// Loaded.
    Loaded,
    /// Being unloaded: the platform driver is being unregistered.
    Unbinding,
    /// Being unloaded: waits for the settling work of all bindings.
    Draining,
    /// Being unloaded: waits for so many more decisions.
    Flushing(u8),
}

/// The module dax_cxl.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cxl {
    /// What its work item is at.
    pub work: CxlWork,
    /// It is being unloaded.
    pub unloading: bool,
}

/// The work item of dax_cxl.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CxlWork {
    /// There is none: not loaded.
    #[default]
    None,
    /// Waits for so many more decisions.
    Flushing(u8),
    /// The flush has returned.
    Flushed,
    /// Done; whether the driver is registered.
    Done(bool),
}

impl State {
    /// The binding.
    pub fn host(&self, who: Who) -> Option<&Host> {
        match who {
            Who::Current => self.current.as_ref(),
            Who::Old => self.old.as_ref(),
        }
    }

    /// The binding.
    pub fn host_mut(&mut self, who: Who) -> Option<&mut Host> {
        match who {
            Who::Current => self.current.as_mut(),
            Who::Old => self.old.as_mut(),
        }
    }

    /// All devices of HMEM.
    pub fn devices(&self) -> impl Iterator<Item = &Served> {
        [&self.current, &self.old]
            .into_iter()
            .flatten()
            .flat_map(|host| host.records.iter().flatten())
            .flat_map(|record| record.served.iter().flatten())
    }

    /// All devices of HMEM.
    pub fn devices_mut(&mut self) -> impl Iterator<Item = &mut Served> {
        [&mut self.current, &mut self.old]
            .into_iter()
            .flatten()
            .flat_map(|host| host.records.iter_mut().flatten())
            .flat_map(|record| record.served.iter_mut().flatten())
    }

    /// Whether dax_cxl's driver is registered.
    pub fn cxl_driver(&self) -> bool {
        self.cxl.work == CxlWork::Done(true)
    }

    /// Whether both modules are loaded, bound and registered.
    pub fn all_loaded(&self) -> bool {
        self.hmem == Hmem::Loaded
            && self
                .current
                .as_ref()
                .is_some_and(|h| h.stage == Stage::Bound)
            && self.cxl_driver()
            && !self.cxl.unloading
    }
}
