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
    /// What committed decoders were ever seen to decode: the property of hmem_platform.0, which
    /// outlives the module.
    pub history: Units,
    /// Which memory devices were seen to decode without a region: with the history.
    pub remembered: [bool; REGIONS],
    /// Memory in use that stayed online when its driver was unbound.
    pub online: Units,
    /// A new memory device is being probed, which takes the lock of the regions.
    pub newcomer: bool,
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
    /// How it goes, while it goes.
    pub way: Way,
    /// Its decoders are committed: its memory is decoded.
    pub committed: bool,
    /// It is no region, but what a memory device decodes without one.
    pub bare: bool,
    /// The driver of that memory device is unbound, so that its decoders do not show.
    pub hidden: bool,
    /// Its device `dax_regionN`.
    pub dax: Dax,
    /// dax_cxl's probe lost to HMEM and was not repeated.
    pub lost: bool,
    /// Its unbinding waits until no device is being probed. Only in
    /// [`crate::code::Mutant::ProbeWaitUnderLock`].
    pub waits_for_probes: bool,
    /// For the properties only: dax_hmem could know that its decoders were committed.
    pub witnessed: bool,
    /// For the properties only: how well dax_hmem knows that another driver has it.
    pub known: Known,
}

/// How far the binding or unbinding of a region is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Life {
    /// Its driver is not bound: not there, not committed, or disabled.
    #[default]
    Absent,
    /// Its dax device can be seen on the bus.
    Adding,
    /// That was announced.
    Announced,
    /// It counts as bound.
    Attached,
    /// That was announced. The region is at rest.
    Up,
    /// The endpoint port below it is about to be unbound: the notifier waits for HMEM.
    PortWaits,
    /// The decoders of the port are reset, and the region goes next.
    PortReset,
    /// It is about to be unbound: the notifier waits for HMEM, with the lock of the region held.
    Waits,
    /// HMEM has let go; its dax device is being removed.
    Unbinding,
    /// The dax device can no longer be seen.
    DaxGone,
    /// That was announced.
    DaxGoneTold,
    /// It does not count as bound any more, which is yet to be announced.
    Unbound,
    /// That was announced; its decoders are to be reset.
    Ending,
}

/// How a region goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Way {
    /// It does not go.
    #[default]
    None,
    /// Its driver is unbound by hand. It stays committed.
    Disable,
    /// It is destroyed: its driver is unbound, then its decoders are reset.
    Destroy,
    /// Its memory device goes: the decoders of the endpoint port are reset, then the region's
    /// driver is unbound.
    Port,
    /// As [`Way::Port`], and whoever removes the device holds the lock of memory hotplug, without
    /// which kmem neither brings memory online nor takes it away.
    Eject,
    /// It is a memory device that decodes without a region, and is removed.
    Unplug,
}

/// How well dax_hmem knows of a region of another driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Known {
    /// Not at all.
    #[default]
    No,
    /// A decision has begun since it was committed.
    Begun,
    /// Such a decision has ended.
    Followed,
}

impl Region {
    /// Whether the kernel says that it is committed. One that is being destroyed has been taken
    /// off the bus, or marked, before its driver is unbound.
    pub fn counts(&self) -> bool {
        self.committed && self.way != Way::Destroy
    }

    /// Whether the bus shows that it decodes or has decoded: one that is bound was committed.
    pub fn has_decoded(&self) -> bool {
        (self.committed || self.life.is_bound()) && self.way != Way::Destroy && !self.bare
    }

    /// Whether it is committed while its driver is not bound.
    pub fn is_disabled(&self) -> bool {
        self.committed && self.life == Life::Absent && !self.bare
    }
}

impl Life {
    /// Whether the driver core says that it is bound.
    pub fn is_bound(self) -> bool {
        (Self::Attached..=Self::DaxGoneTold).contains(&self)
    }

    /// Whether its probe runs.
    pub fn is_probing(self) -> bool {
        (Self::Adding..=Self::Attached).contains(&self)
    }

    /// Whether it is being removed.
    pub fn is_going(self) -> bool {
        self >= Self::PortWaits
    }

    /// Whether the notifier waits for HMEM.
    pub fn waits(self) -> bool {
        matches!(self, Self::PortWaits | Self::Waits)
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

    /// Whether memory can come online and go.
    pub fn hotplug_is_free(&self) -> bool {
        !self.regions.iter().any(|r| r.way == Way::Eject)
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
