// SPDX-License-Identifier: GPL-2.0

//! Unbinding the devices of HMEM over what CXL stops decoding: on behalf of the notifier, and in a decision.

use crate::{
    arbiter::Arbiter,
    completion::Completion,
    hmem_device::{
        is_bound,
        release_driver, //
    },
    iomem_tree::Tree,
    ownership::{
        range::for_each_gap,
        Extent,
        Range, //
    },
    regions::Regions, //
};
use core::mem::take;
use kernel::{
    prelude::*,
    sync::Arc,
    workqueue::{
        impl_has_work,
        new_work,
        Work,
        WorkItem, //
    }, //
};

/// How long a region that is going waits for the devices of HMEM over it, in milliseconds. To take
/// away a terabyte that is offline is a matter of seconds.
const UNBINDING_MS: u32 = 60_000;

/// Unbinds the devices of HMEM over a region that is going.
#[pin_data]
pub(crate) struct Unbinding {
    arbiter: Arc<Arbiter>,
    range: Range,
    #[pin]
    work: Work<Unbinding>,
    #[pin]
    done: Completion,
}

impl_has_work! {
    impl HasWork<Self> for Unbinding { self.work }
}

impl Unbinding {
    /// Unbinds the devices over `range`, and returns when that is done, or takes too long: whoever
    /// removes the memory device may hold the lock of memory hotplug, for which kmem waits.
    pub(crate) fn run_and_wait(arbiter: &Arc<Arbiter>, range: Range) {
        if arbiter.shared.devices.next_over(&range, None).is_none() {
            return;
        }
        let this = Arc::pin_init(
            pin_init!(Self {
                arbiter: arbiter.clone(),
                range,
                work <- new_work!("dax_hmem::unbinding"),
                done <- Completion::new(),
            }),
            GFP_KERNEL,
        );
        match this {
            Ok(this) => {
                // Cannot fail: it is queued once.
                let _ = arbiter.shared.unbinding.enqueue::<_, 0>(this.clone());
                if !this.done.wait_ms(UNBINDING_MS) {
                    dev_err!(
                        arbiter.device,
                        "{}: memory there is not given up in time, and its CXL region goes all the \
                         same\n",
                        range
                    );
                }
            }
            // Without memory, here: it is only lockdep that minds.
            Err(_) => Self::unbind(arbiter, &range),
        }
    }

    /// Unbinds the devices over `range`, and says what stays online all the same.
    pub(crate) fn unbind(arbiter: &Arbiter, range: &Range) {
        let mut after = None;
        let mut any = false;

        while let Some((id, device)) = arbiter.shared.devices.next_over(range, after) {
            // One that is just being bound counts as well.
            any |= is_bound(&device) != Some(false);
            release_driver(&device);
            after = Some(id);
        }
        // kmem lets go of memory that is in use without taking it offline.
        if let Some(tree) = any.then(Tree::new).and_then(Result::ok) {
            for ram in tree.managed_ram(range) {
                arbiter.report.stuck(&ram);
            }
        }
    }
}

impl Arbiter {
    /// Takes out of use what memory devices do not decode any more, and nobody told. Returns whether
    /// there was any.
    ///
    /// Unbinds here and not by way of the queue: no lock of a bus or of a notifier chain is held, only
    /// `ranges`, which the unbinding of an `hmem` device does not take. What could not be followed is
    /// not served anew all the same, for nothing decodes it.
    pub(crate) fn end(&self, regions: &Regions, gone: &mut KVec<Extent>) -> bool {
        let ended = take(&mut self.notes.lock().ended);
        for range in &ended {
            let unbound = for_each_gap(range, &regions.decoding, |range| {
                let region = -1;
                Unbinding::unbind(self, &range);
                if gone.push(Extent { range, region }, GFP_KERNEL).is_err() {
                    dev_warn!(
                        self.device,
                        "{}: no memory to follow what a memory device has stopped decoding\n",
                        range
                    );
                }
                Ok::<(), Error>(())
            });
            // The callback does not fail.
            debug_assert!(unbound.is_ok());
        }
        !ended.is_empty()
    }
}

impl WorkItem for Unbinding {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        Self::unbind(&this.arbiter, &this.range);
        this.done.complete_all();
    }
}
