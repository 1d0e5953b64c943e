// SPDX-License-Identifier: GPL-2.0

//! The trace events `dax_hmem:*`.
//!
//! C header: `include/dax_hmem_trace.h`

use crate::{
    bindings as dax,
    hmem_device::Memory, //
};
use kernel::prelude::*;

/// A step in the life of a Soft Reserved piece; the name of the event.
#[derive(Clone, Copy)]
pub enum Step {
    /// dax_hmem found it.
    Seen,
    /// Its owner depends on what CXL assembles.
    Deferred,
    /// It has an owner.
    Decided,
    /// HMEM has registered a device for it.
    Served,
    /// Nobody serves it.
    Failed,
    /// What served it went.
    Released,
}

/// What an event tells beside the piece.
pub struct Event {
    /// The state, as in the ledger.
    pub state: &'static CStr,
    /// The reason, as in the ledger.
    pub reason: &'static CStr,
    /// The number of the CXL region concerned.
    pub region: Option<c_int>,
    /// The number of the `hmem` device concerned.
    pub device: Option<c_int>,
    /// The error, if it is one.
    pub error: Option<Error>,
}

impl Step {
    const fn to_raw(self) -> dax::dax_hmem_step {
        match self {
            Self::Seen => dax::dax_hmem_step_DAX_HMEM_SEEN,
            Self::Deferred => dax::dax_hmem_step_DAX_HMEM_DEFERRED,
            Self::Decided => dax::dax_hmem_step_DAX_HMEM_DECIDED,
            Self::Served => dax::dax_hmem_step_DAX_HMEM_SERVED,
            Self::Failed => dax::dax_hmem_step_DAX_HMEM_FAILED,
            Self::Released => dax::dax_hmem_step_DAX_HMEM_RELEASED,
        }
    }
}

/// Whether anybody listens to the event of `step`; spares making one for nobody.
pub fn is_heard(step: Step) -> bool {
    // SAFETY: The function reads a static key and may be called at any time.
    unsafe { dax::dax_hmem_trace_enabled(step.to_raw()) }
}

/// Fires an event about `piece`.
pub fn fire(step: Step, piece: &Memory, event: &Event) {
    let trace = dax::dax_hmem_trace {
        start: piece.range.start(),
        end: piece.range.end(),
        state: event.state.as_char_ptr(),
        reason: event.reason.as_char_ptr(),
        node: piece.target_node,
        region: event.region.unwrap_or(-1),
        device: event.device.unwrap_or(-1),
        error: event.error.map_or(0, |e| e.to_errno().saturating_neg()),
    };
    // SAFETY: All strings are NUL-terminated and static. The structure is only read, and only
    // during the call.
    unsafe { dax::dax_hmem_trace(step.to_raw(), &trace) };
}
