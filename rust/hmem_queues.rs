// SPDX-License-Identifier: GPL-2.0

//! The queues of dax_hmem, and how its driver callbacks and dax_cxl reach them.
//!
//! Driver callbacks get no state of their module, and a function that another module calls gets
//! none either, so there is one place for the queues, filled while the module is loaded.
//!
//! C header: [`drivers/dax/bus.h`](srctree/drivers/dax/bus.h)

use crate::workqueue::OwnedQueue;
use core::sync::atomic::{
    AtomicBool,
    Ordering, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The queues of a module that decides, and that lets another module wait for its decisions.
pub struct Queues {
    /// Where decisions run, one at a time; what [`flush_decisions`] flushes.
    pub decisions: OwnedQueue,
    /// Where the wait for device probing runs. Not on the other queue: who flushes that need not
    /// wait for drivers that have nothing to do with the answer.
    pub settling: OwnedQueue,
}

kernel::sync::global_lock! {
    // SAFETY: `Published::new()` initialises it once, and `READY` keeps every other use until then.
    unsafe(uninit) static PUBLISHED: Mutex<Option<Arc<Queues>>> = None;
}

/// Whether `PUBLISHED` is initialised.
static READY: AtomicBool = AtomicBool::new(false);

/// Makes the queues of a module known to its driver callbacks and to other modules.
///
/// Dropping it waits for all work. Work items hold references to the queues; were the last one
/// dropped by a work item, a queue would wait for itself. So the module drops this last, when its
/// drivers are unregistered and nothing queues any more.
pub struct Published(());

impl Published {
    /// Creates the queues and publishes them.
    ///
    /// A module can do this once in its life; it fails with `EBUSY` the second time, and with
    /// `ENOMEM` without memory.
    pub fn new(decisions: &'static CStr, settling: &'static CStr) -> Result<Self> {
        static ONCE: AtomicBool = AtomicBool::new(false);

        let queues = Arc::new(
            Queues {
                decisions: OwnedQueue::new_ordered(decisions)?,
                settling: OwnedQueue::new_unbound(settling)?,
            },
            GFP_KERNEL,
        )?;
        if ONCE.swap(true, Ordering::Relaxed) {
            return Err(EBUSY);
        }
        // SAFETY: `ONCE` lets only one caller come here, and `READY` is not set before the lock is
        // initialised.
        unsafe { PUBLISHED.init() };
        *PUBLISHED.lock() = Some(queues);
        // Whoever sees this set also sees the lock initialised.
        READY.store(true, Ordering::Release);
        Ok(Self(()))
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        let queues = PUBLISHED.lock().take();
        if let Some(queues) = queues {
            // In this order: the wait for probing may end with queueing a decision.
            queues.settling.flush();
            queues.decisions.flush();
        }
    }
}

/// The published queues; [`None`] before they are published and after.
pub fn queues() -> Option<Arc<Queues>> {
    if !READY.load(Ordering::Acquire) {
        return None;
    }
    PUBLISHED.lock().clone()
}

/// Waits until the decisions queued before this call are made.
pub fn flush_decisions() {
    // No lock is held over the flush: a decision may take seconds.
    if let Some(queues) = queues() {
        queues.decisions.flush();
    }
}
