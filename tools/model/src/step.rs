// SPDX-License-Identifier: GPL-2.0

//! What can happen next; each is as much as the locking makes atomic.

use crate::queue::Who;
use std::fmt;

/// Who registers devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The thread that binds hmem_platform.
    Binding,
    /// The decision.
    Decision,
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
    /// A region is disabled or destroyed.
    Remove(u8),
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
    /// There is no memory for a piece.
    PieceFails(Actor),
    /// There is no memory to look at the regions.
    LookFails,
    /// dax_cxl cannot register its driver.
    CxlRegisterFails,

    /// A region's binding or unbinding goes on.
    RegionAdvances(u8),
    /// The driver core unbinds a device of HMEM that depends on a region.
    ConsumerUnbound(u8),

    /// The asynchronous probe of hmem_platform begins.
    BindingBegins,
    /// The ranges are handed over.
    BindingStarts,
    /// The decision and the settling are queued.
    BindingQueues,
    /// The records are let go of.
    BindingEnds,
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

    /// The next decision begins, and looks at the gate.
    DecisionBegins,
    /// The decision looks at the next region, and with the last one decides.
    DecisionLooks,
    /// The decision gets the lock of the records.
    DecisionLocks,
    /// The decision releases devices whose region has gone.
    DecisionFollows,
    /// The decision makes devices depend on new regions.
    DecisionDepends,
    /// The decision wakes up, and looks at the gate.
    DecisionWakes,

    /// A device hmem.N is added, and depends on the regions below.
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
            Self::Remove(r) => write!(f, "admin: disables or destroys region{r}"),
            Self::LoadHmem => write!(f, "admin: modprobe dax_hmem"),
            Self::UnloadHmem => write!(f, "admin: rmmod dax_hmem"),
            Self::LoadCxl => write!(f, "admin: modprobe dax_cxl, which flushes"),
            Self::UnloadCxl => write!(f, "admin: rmmod dax_cxl"),
            Self::Bind => write!(f, "admin: binds hmem_platform"),
            Self::Unbind => write!(f, "admin: unbinds hmem_platform"),
            Self::PieceFails(by) => write!(f, "{by}: no memory for the next piece"),
            Self::LookFails => write!(f, "decision: no memory to look at the regions"),
            Self::CxlRegisterFails => write!(f, "dax_cxl: cannot register its driver"),
            Self::RegionAdvances(r) => write!(f, "driver core: region{r} goes on"),
            Self::ConsumerUnbound(r) => {
                write!(f, "driver core: unbinds a device of HMEM above region{r}")
            }
            Self::BindingBegins => write!(f, "binding: begins"),
            Self::BindingStarts => write!(f, "binding: hands the ranges over"),
            Self::BindingQueues => write!(f, "binding: queues decision and settling"),
            Self::BindingEnds => write!(f, "unbinding: flushed, lets go of everything"),
            Self::SettlingReturns(who) => write!(f, "settling{who}: probing has settled"),
            Self::SettlingTells(who) => write!(f, "settling{who}: tells"),
            Self::SettlingQueues(who) => write!(f, "settling{who}: queues the decision"),
            Self::HmemDrained => write!(f, "rmmod dax_hmem: settling flushed"),
            Self::HmemGone => write!(f, "rmmod dax_hmem: decisions flushed, gone"),
            Self::DecisionBegins => write!(f, "decision: begins"),
            Self::DecisionLooks => write!(f, "decision: looks at the next region"),
            Self::DecisionLocks => write!(f, "decision: gets the records"),
            Self::DecisionFollows => write!(f, "decision: releases what has lost its region"),
            Self::DecisionDepends => write!(f, "decision: depends on new regions"),
            Self::DecisionWakes => write!(f, "decision: wakes up"),
            Self::DeviceAdded(by) => write!(f, "{by}: adds hmem.N, which links to regions"),
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
        f.write_str(match self {
            Self::Binding => "binding",
            Self::Decision => "decision",
        })
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
