// SPDX-License-Identifier: GPL-2.0

//! What the parts of dax_hmem share: its queues and its devices, and how its driver callbacks and
//! dax_cxl reach them.
//!
//! Driver callbacks get no state of their module, and a function that another module calls gets
//! none either, so there is one place for both, filled while the module is loaded.
//!
//! C header: [`drivers/dax/bus.h`](srctree/drivers/dax/bus.h)

use crate::{
    hmem_device::Devices,
    workqueue::OwnedQueue, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc, //
    }, //
};

/// The queues and devices of a module that decides, and that lets another module wait for its
/// decisions.
#[pin_data]
pub struct Shared {
    /// Where decisions run, one at a time; what [`flush_decisions`] flushes.
    pub decisions: OwnedQueue,
    /// Where the wait for device probing runs. Not on `decisions`: a flush of that does not wait
    /// for drivers that have nothing to do with the answer.
    pub settling: OwnedQueue,
    /// Where devices are unbound whose region is going. Not on `decisions`: the end of a region does
    /// not wait for all that a decision does. For a device that is coming online at that moment it
    /// does, in the DAX core.
    pub unbinding: OwnedQueue,
    /// How many bindings have ended whose devices are still to go, by work on `decisions`.
    pub closings: Atomic<usize>,
    /// The `hmem` devices.
    #[pin]
    pub devices: Devices,
}

kernel::sync::global_lock! {
    // SAFETY: `Published::new()` initialises it once, and `READY` keeps every other use until then.
    unsafe(uninit) static PUBLISHED: Mutex<Option<Arc<Shared>>> = None;
}

/// Whether `PUBLISHED` is initialised.
static READY: Atomic<bool> = Atomic::new(false);

/// Makes the queues and devices of a module known to its driver callbacks and to other modules.
///
/// Dropping it waits for all work. Work items hold references to the queues; were the last one
/// dropped by a work item, a queue would wait for itself. So the module drops this last, when its
/// drivers are unregistered: behind the closing of a binding nothing is queued.
pub struct Published(());

impl Published {
    /// Creates the queues and publishes them.
    ///
    /// A module can do this once in its life; it fails with `EBUSY` the second time, and with
    /// `ENOMEM` without memory.
    pub fn new() -> Result<Self> {
        static ONCE: Atomic<bool> = Atomic::new(false);

        let shared = Arc::pin_init(
            try_pin_init!(Shared {
                decisions: OwnedQueue::new_ordered(c"dax_hmem_wq")?,
                settling: OwnedQueue::new_unbound(c"dax_hmem_settle")?,
                unbinding: OwnedQueue::new_unbound(c"dax_hmem_unbind")?,
                closings: Atomic::new(0),
                devices <- Devices::new(),
            }? Error),
            GFP_KERNEL,
        )?;
        if ONCE.xchg(true, Relaxed) {
            return Err(EBUSY);
        }
        // SAFETY: `ONCE` lets only one caller come here, and `READY` is not set before the lock is
        // initialised.
        unsafe { PUBLISHED.init() };
        *PUBLISHED.lock() = Some(shared);
        // A reader that sees this set also sees the lock initialised.
        READY.store(true, Release);
        Ok(Self(()))
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        let shared = PUBLISHED.lock().take();
        if let Some(shared) = shared {
            // In this order: the wait for probing may end with queueing a decision.
            shared.settling.flush();
            shared.decisions.flush();
            shared.unbinding.flush();
        }
    }
}

/// What is published; [`None`] before and after.
pub fn shared() -> Option<Arc<Shared>> {
    if !READY.load(Acquire) {
        return None;
    }
    PUBLISHED.lock().clone()
}

/// Waits until the decisions queued before this call are made.
pub fn flush_decisions() {
    // No lock is held over the flush: a decision may take seconds.
    if let Some(shared) = shared() {
        shared.decisions.flush();
    }
}
