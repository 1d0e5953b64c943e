// SPDX-License-Identifier: GPL-2.0

//! Workqueues that a module owns, with flush and drain.
//!
//! The `kernel` crate wraps the system's workqueues only, which no module may drain.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    workqueue::Queue, //
};

/// A workqueue that lives as long as this object.
///
/// Dropping it waits until every work item that is queued has run. The owner makes sure that
/// nothing queues any more by then; the borrow checker cannot, because a work item may hold a
/// counted reference to what it would queue.
///
/// # Invariants
///
/// `0` points to a workqueue that is ours to destroy.
pub struct OwnedQueue(NonNull<bindings::workqueue_struct>);

// SAFETY: A workqueue may be used and destroyed from any thread.
unsafe impl Send for OwnedQueue {}
// SAFETY: All operations on a workqueue through a shared reference are thread-safe.
unsafe impl Sync for OwnedQueue {}

impl OwnedQueue {
    /// Creates a queue that runs one work item at a time, in the order of queueing.
    ///
    /// The counterpart of `alloc_ordered_workqueue()`. Fails with `ENOMEM`.
    pub fn new_ordered(name: &'static CStr) -> Result<Self> {
        let flags = bindings::wq_flags_WQ_UNBOUND | bindings::wq_flags___WQ_ORDERED;
        Self::new(name, flags, 1)
    }

    /// Creates a queue whose work items may run side by side and may sleep for long.
    ///
    /// Fails with `ENOMEM`.
    pub fn new_unbound(name: &'static CStr) -> Result<Self> {
        Self::new(name, bindings::wq_flags_WQ_UNBOUND, 0)
    }

    fn new(name: &'static CStr, flags: bindings::wq_flags, max_active: c_int) -> Result<Self> {
        // SAFETY: Both strings are NUL-terminated, and the format takes just the one string.
        let queue = unsafe {
            bindings::alloc_workqueue_noprof(
                c"%s".as_char_ptr(),
                flags,
                max_active,
                name.as_char_ptr(),
            )
        };
        // INVARIANT: A new workqueue is its creator's to destroy.
        NonNull::new(queue).map(Self).ok_or(ENOMEM)
    }

    /// Waits until every work item that was queued before this call has run.
    ///
    /// The counterpart of `flush_workqueue()`. Must not be called from a work item of this queue,
    /// nor under a lock that one of them takes.
    pub fn flush(&self) {
        // SAFETY: By the type invariant the queue is valid.
        unsafe { bindings::__flush_workqueue(self.0.as_ptr()) };
    }
}

impl Deref for OwnedQueue {
    type Target = Queue;

    fn deref(&self) -> &Queue {
        // SAFETY: By the type invariant the queue is valid, and it stays so while `self` lives.
        unsafe { Queue::from_raw(self.0.as_ptr()) }
    }
}

impl Drop for OwnedQueue {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the queue is valid and ours to destroy. Destroying drains.
        unsafe { bindings::destroy_workqueue(self.0.as_ptr()) };
    }
}
