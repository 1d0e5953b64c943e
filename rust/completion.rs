// SPDX-License-Identifier: GPL-2.0

//! A completion that can be waited for a limited time. The one of the `kernel` crate waits for good.
//!
//! C header: [`include/linux/completion.h`](srctree/include/linux/completion.h)

use kernel::{
    bindings,
    prelude::*,
    time::msecs_to_jiffies,
    types::Opaque, //
};

/// Something that happens once.
///
/// # Invariants
///
/// `inner` is initialised.
#[pin_data]
pub struct Completion {
    #[pin]
    inner: Opaque<bindings::completion>,
}

// SAFETY: A completion does its own locking.
unsafe impl Send for Completion {}
// SAFETY: As above.
unsafe impl Sync for Completion {}

impl Completion {
    /// It has not happened.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // INVARIANT: It is initialised here.
            inner <- Opaque::ffi_init(|slot: *mut bindings::completion| {
                // SAFETY: `slot` is valid for writes.
                unsafe { bindings::init_completion(slot) };
            }),
        })
    }

    /// It has happened: all who wait go on, and nobody waits any more.
    pub fn complete_all(&self) {
        // SAFETY: By the type invariant it is a valid completion.
        unsafe { bindings::complete_all(self.inner.get()) };
    }

    /// Waits until it happens, for `ms` milliseconds at most. Returns whether it has. Sleeps, and no
    /// signal ends that.
    pub fn wait_ms(&self, ms: u32) -> bool {
        // SAFETY: As above.
        unsafe {
            bindings::wait_for_completion_timeout(self.inner.get(), msecs_to_jiffies(ms)) != 0
        }
    }
}
