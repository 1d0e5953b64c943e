// SPDX-License-Identifier: GPL-2.0

//! What can happen next; each is as much as the locking makes atomic.

use crate::{queue::Who, state::Way};
use std::fmt;

/// Who registers devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The thread that binds hmem_platform.
    Binding,
    /// The decision.
    Decision,
    /// An administrator who binds the device of this number.
    Hand(u8),
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The slow driver's probe ends.
    SlowEnds,
    /// cxl_acpi publishes the window.
    Publish,
    /// The CXL bus probes its memory devices once more, and finds the regions of firmware.
    Rescan,
    /// A region is committed and probed: its dax device appears.
    Commit(u8),
    /// A region that is disabled is enabled again.
    Enable(u8),
    /// The decoders of a region that is disabled are reset. Nobody is told.
    Reset(u8),
    /// A region begins to go.
    Remove(u8, Way),
    /// The driver of a memory device that decodes without a region is unbound.
    Hide(u8),
    /// It is bound again.
    Show(u8),
    /// A new memory device is added, and probed.
    HotAdd,
    /// The new memory device has been probed.
    NewcomerProbed,
    /// dax_hmem is loaded.
    LoadHmem,
    /// dax_hmem is unloaded.
    UnloadHmem,
    /// dax_cxl is loaded.
    LoadCxl,
    /// dax_cxl is unloaded.
    UnloadCxl,
    /// hmem_platform is bound by hand.
    Bind,
    /// hmem_platform is unbound by hand.
    Unbind,
    /// A device hmem.N is unbound by hand.
    DeviceUnbound(u8),
    /// A device hmem.N is bound by hand.
    BindDevice(u8),
    /// Closing removes the devices, whose memory is in use and stays online.
    ClosesInUse,
    /// The next memory to go for a region is in use, and stays online.
    StaysOnline(u8),
    /// There is no memory for a piece.
    PieceFails(Actor),
    /// There is no memory to look at the regions.
    LookFails,
    /// dax_cxl cannot register its driver.
    CxlRegisterFails,

    /// A region's binding or unbinding goes on.
    RegionAdvances(u8),
    /// The worker unbinds a device of HMEM above a region that goes.
    WorkerUnbinds(u8),

    /// The asynchronous probe of hmem_platform begins.
    BindingBegins,
    /// The ranges are handed over.
    BindingStarts,
    /// The decision and the settling are queued.
    BindingQueues,
    /// The wait for device probing is over.
    SettlingReturns(Who),
    /// The settling tells.
    SettlingTells(Who),
    /// The settling queues a decision.
    SettlingQueues(Who),
    /// All settling work of dax_hmem has ended.
    HmemDrained,
    /// All decisions have ended; dax_hmem is gone.
    HmemGone,

    /// The next work item begins; a decision looks at the gate.
    WorkBegins,
    /// Closing removes the devices.
    Closes,
    /// Closing stops listening.
    Unlistens,
    /// The decision looks at the next region, and with the last one decides.
    DecisionLooks,
    /// The decision gets the lock of the records.
    DecisionLocks,
    /// The decision drops devices whose region has gone.
    DecisionFollows,
    /// The decision wakes up, and looks at the gate.
    DecisionWakes,

    /// A device hmem.N is added, and its probe looks it up.
    DeviceAdded(Actor),
    /// Its probe asks for the dax region.
    DeviceClaims(Actor),
    /// It is bound.
    DeviceBound(Actor),

    /// dax_cxl's flush returns.
    CxlFlushReturns,
    /// dax_cxl registers its driver.
    CxlRegisters,
    /// dax_cxl unregisters its driver.
    CxlUnregisters,
    /// dax_cxl's probe of a region asks for the dax region.
    CxlClaims(u8),
    /// The dax device of a region is bound.
    CxlBinds(u8),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SlowEnds => write!(f, "probing: the slow driver has probed"),
            Self::Publish => write!(f, "cxl: window published"),
            Self::Rescan => write!(f, "cxl: memory devices probed once more, regions found"),
            Self::Commit(r) => write!(f, "cxl: region{r} committed, dax_region{r} on the bus"),
            Self::Enable(r) => write!(f, "admin: enables region{r}"),
            Self::Reset(r) => write!(f, "admin: resets the decoders of region{r}"),
            Self::Remove(r, Way::Disable) => write!(f, "admin: disables region{r}"),
            Self::Remove(r, Way::Port) => write!(f, "admin: removes the device of region{r}"),
            Self::Remove(r, Way::Eject) => write!(f, "acpi: ejects the device of region{r}"),
            Self::Remove(r, Way::Unplug) => write!(f, "admin: removes memory device {r}"),
            Self::Hide(r) => write!(f, "admin: unbinds the driver of memory device {r}"),
            Self::Show(r) => write!(f, "admin: binds the driver of memory device {r}"),
            Self::Remove(r, _) => write!(f, "admin: destroys region{r}"),
            Self::HotAdd => write!(f, "admin: adds a memory device"),
            Self::NewcomerProbed => write!(f, "cxl: the new memory device has probed"),
            Self::LoadHmem => write!(f, "admin: modprobe dax_hmem"),
            Self::UnloadHmem => write!(f, "admin: rmmod dax_hmem"),
            Self::LoadCxl => write!(f, "admin: modprobe dax_cxl, which flushes"),
            Self::UnloadCxl => write!(f, "admin: rmmod dax_cxl"),
            Self::Bind => write!(f, "admin: binds hmem_platform"),
            Self::Unbind => write!(f, "admin: unbinds hmem_platform"),
            Self::DeviceUnbound(n) => write!(f, "admin: unbinds hmem.{n}"),
            Self::BindDevice(n) => write!(f, "admin: binds hmem.{n}"),
            Self::ClosesInUse => write!(f, "closing: removes all devices, memory stays online"),
            Self::StaysOnline(r) => {
                write!(f, "kmem: memory in use stays online while region{r} goes")
            }
            Self::PieceFails(by) => write!(f, "{by}: no memory for the next piece"),
            Self::LookFails => write!(f, "decision: no memory to look at the regions"),
            Self::CxlRegisterFails => write!(f, "dax_cxl: cannot register its driver"),
            Self::RegionAdvances(r) => write!(f, "driver core: region{r} goes on"),
            Self::WorkerUnbinds(r) => write!(f, "worker: unbinds a device above region{r}"),
            Self::BindingBegins => write!(f, "binding: begins"),
            Self::BindingStarts => write!(f, "binding: hands the ranges over"),
            Self::BindingQueues => write!(f, "binding: queues decision and settling"),
            Self::SettlingReturns(who) => write!(f, "settling{who}: probing has settled"),
            Self::SettlingTells(who) => write!(f, "settling{who}: tells"),
            Self::SettlingQueues(who) => write!(f, "settling{who}: queues the decision"),
            Self::HmemDrained => write!(f, "rmmod dax_hmem: settling flushed"),
            Self::HmemGone => write!(f, "rmmod dax_hmem: decisions flushed, gone"),
            Self::WorkBegins => write!(f, "queue: the next work item begins"),
            Self::Closes => write!(f, "closing: removes all devices"),
            Self::Unlistens => write!(f, "closing: stops listening"),
            Self::DecisionLooks => write!(f, "decision: looks at the next region"),
            Self::DecisionLocks => write!(f, "decision: gets the records"),
            Self::DecisionFollows => write!(f, "decision: drops what has lost its region"),
            Self::DecisionWakes => write!(f, "decision: wakes up"),
            Self::DeviceAdded(by) => write!(f, "{by}: adds hmem.N, whose probe looks it up"),
            Self::DeviceClaims(by) => write!(f, "{by}: hmem.N asks for its dax region"),
            Self::DeviceBound(by) => write!(f, "{by}: hmem.N is bound"),
            Self::CxlFlushReturns => write!(f, "dax_cxl: flush returns"),
            Self::CxlRegisters => write!(f, "dax_cxl: registers its driver"),
            Self::CxlUnregisters => write!(f, "dax_cxl: unregisters its driver"),
            Self::CxlClaims(r) => write!(f, "dax_cxl: dax_region{r} asks for its dax region"),
            Self::CxlBinds(r) => write!(f, "dax_cxl: dax_region{r} is bound"),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binding => f.write_str("binding"),
            Self::Decision => f.write_str("decision"),
            Self::Hand(n) => write!(f, "probe of hmem.{n} by hand"),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Current => "",
            Self::Old => " of the earlier binding",
        })
    }
}
