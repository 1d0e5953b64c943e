// SPDX-License-Identifier: GPL-2.0

//! The decision about all Soft Reserved ranges of one `hmem_platform` device.
//!
//! # The protocol
//!
//! Binding the device queues two work items. The *decision*, on the ordered queue that dax_cxl
//! flushes, decides what it can, then waits for news, and ends when no range is undecided. The
//! *settling*, on a queue of its own, waits until device probing has settled, on the CXL bus too,
//! which may take as long as the slowest driver of the system, and tells the decision, which then
//! decides the rest. So a range is CXL's as soon as committed regions cover it; only a "no" waits.
//!
//! An early "yes" is what waiting would have given unless a region goes away again before probing
//! settles. Until then every change on the CXL bus queues the decision once more, and so does the
//! end of the settling; the last one decides with the regions that are there at that moment, as if
//! it had waited. A flush in between waits for it.
//!
//! # When a region goes
//!
//! The driver core tells before it unbinds a region, or the port of a memory device, while nothing
//! is undone yet. The notifier then has the `hmem` devices over it unbound, and waits for that. It
//! does so from another thread, because the driver core's notifier chains are of one class to
//! lockdep. From that moment no device over the region can be bound, until the decision has
//! followed. What the region decoded is remembered by [`Decoded`], beyond this module's life, and
//! not served again.
//!
//! # Locks
//!
//! - `ranges` is held by the decision, and by binding and closing, for as long as memory comes
//!   online or goes, thus outside of the device locks of `hmem` devices, those of the DAX core and
//!   of memory hotplug. Nobody who must answer at once takes it: not the readers of the ledger or
//!   of `ownership`, not the notifier, not the unbinding of the platform device.
//! - `gate`, `notes`, the lock of [`Devices`] and that of [`Report`] are innermost. Under them nothing
//!   is called that takes a lock of this module, or sleeps but for memory: the decision is queued under
//!   `gate`, devices are looked up and let go of under `notes`.
//!
//! The notifier runs with the locks of CXL and of the region or port held. What it waits for, the
//! unbinding of `hmem` devices, takes none of these, and neither does the probe of such a device,
//! for which that unbinding waits. It takes the lock of memory hotplug, which whoever removes the
//! memory device may hold (ACPI does); so the notifier does not wait for good.
//!
//! Under `ranges` the decision also has regions that are CXL's probed again, which takes the lock of
//! their dax devices. A flush of the decision, by dax_cxl or by binding, holds no such lock;
//! unregistering dax_cxl's driver waits for that probe and for nothing else of the decision.
//!
//! The settling holds none of these locks. It waits for probes, and for what the CXL bus has
//! queued, which take the locks of devices and may end with a call of the notifier. Nobody waits
//! for the settling but the unloading of the module, which holds no lock.
//!
//! # Closing
//!
//! Unbinding the platform device queues the closing behind the decision on the ordered queue. It
//! waits for that, but not for long if a device is coming online at that moment: then the closing
//! follows by itself. Binding again and unloading the module wait for it, so no later binding meets the
//! devices of an earlier one. Until it has removed the last device, the notifier stays.
//!
//! [`Devices`]: crate::hmem_device::Devices

use crate::{
    attribute::{
        announce,
        Show, //
    },
    cxl::Follower,
    decoded::Decoded,
    hmem_shared::Shared,
    regions::Regions,
    report::Report,
    soft_reserved::{
        register,
        SoftReservedRange,
        Taking, //
    }, //
};
use kernel::{
    device,
    new_condvar,
    new_mutex,
    new_work,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        CondVar,
        CondVarTimeoutResult,
        Mutex, //
    },
    time::msecs_to_jiffies,
    workqueue::{
        impl_has_work,
        Work, //
    }, //
};

/// Identifies the work item of the settling.
const SETTLING: u64 = 1;
/// Identifies the work item of the closing.
const CLOSING: u64 = 2;

/// How long unbinding waits for memory that is just coming online, in milliseconds.
const PATIENCE_MS: u32 = 2000;

mod decision;
mod notes;
mod work;

pub(crate) use notes::Notes;

/// Decides about the ranges of a bound `hmem_platform` device.
#[pin_data]
pub(crate) struct Arbiter {
    pub(crate) device: ARef<device::Device>,
    pub(crate) shared: Arc<Shared>,
    #[pin]
    pub(crate) report: Report,
    /// Whether a range is undecided, for the attribute.
    undecided: Atomic<bool>,
    /// Whether the decision is bringing memory online or taking it away.
    busy: Atomic<bool>,
    #[pin]
    ranges: Mutex<Ranges>,
    #[pin]
    gate: Mutex<Gate>,
    #[pin]
    news: CondVar,
    #[pin]
    pub(crate) notes: Mutex<Notes>,
    /// What tells of regions that come and go. It stays until the last device has gone, so that none
    /// is over a region that goes unnoticed.
    #[pin]
    follower: Mutex<Option<Follower>>,
    #[pin]
    decision: Work<Arbiter>,
    #[pin]
    settling: Work<Arbiter, SETTLING>,
    #[pin]
    closing: Work<Arbiter, CLOSING>,
}

/// What is decided about.
struct Ranges {
    all: KVVec<SoftReservedRange>,
    decoded: Decoded,
}

/// What the decision waits for.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Gate {
    /// The device is being unbound; no work item may be queued any more.
    stopping: bool,
    /// The ranges are there. News of the CXL bus may come earlier, when nothing can be decided.
    started: bool,
    /// Device probing has settled.
    settled: bool,
    /// All is let go of.
    closed: bool,
    /// Counts changes on the CXL bus.
    changes: usize,
}

impl_has_work! {
    impl HasWork<Self> for Arbiter { self.decision }
    impl HasWork<Self, SETTLING> for Arbiter { self.settling }
    impl HasWork<Self, CLOSING> for Arbiter { self.closing }
}

impl Arbiter {
    /// An arbiter without ranges. `decoded` is what the device remembers.
    pub(crate) fn new(
        device: ARef<device::Device>,
        shared: Arc<Shared>,
        decoded: Decoded,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            report <- Report::new(device.clone()),
            device,
            shared,
            undecided: Atomic::new(true),
            busy: Atomic::new(false),
            ranges <- new_mutex!(Ranges { all: KVVec::new(), decoded }, "dax_hmem::ranges"),
            gate <- new_mutex!(Gate::default(), "dax_hmem::gate"),
            news <- new_condvar!("dax_hmem::news"),
            notes <- new_mutex!(Notes::default(), "dax_hmem::notes"),
            follower <- new_mutex!(None, "dax_hmem::follower"),
            decision <- new_work!("dax_hmem::decision"),
            settling <- new_work!("dax_hmem::settling"),
            closing <- new_work!("dax_hmem::closing"),
        })
    }

    /// Takes over the ranges: registers at once what no CXL window intersects, and queues the
    /// decision about the others. Called once. What fails is logged and harms no other range.
    pub(crate) fn start(this: &Arc<Self>, all: KVVec<SoftReservedRange>) {
        this.shared.devices.begin_binding();
        // Without news of regions, nothing in a window may be served.
        let followed = Follower::new(this).and_then(|follower| {
            *this.follower.lock() = Some(follower);
            this.recall_plugged()
        });
        let waiting = this.start_ranges(all, followed);

        // Also when all is decided: regions may have come or gone since the ranges were found.
        Self::look_again(this, |gate| {
            gate.started = true;
            gate.settled |= !waiting;
        });
        if waiting {
            // Fails only if it is queued already, and nobody else queues it.
            let _ = this.shared.settling.enqueue::<_, SETTLING>(this.clone());
        } else {
            this.decided();
        }
    }

    /// Returns whether ranges are undecided.
    fn start_ranges(&self, all: KVVec<SoftReservedRange>, followed: Result) -> bool {
        // What no window intersects does not wait. No region matters for it, but persistent memory does.
        let looked = if all.iter().all(SoftReservedRange::in_window) {
            Regions::none()
        } else {
            Regions::collect(&self.notes, true)
        };
        let mut ranges = self.ranges.lock();
        let mut teller = self.report.begin();
        let mut waiting = false;

        ranges.all = all;
        for range in ranges.all.iter_mut() {
            waiting |= range.open(&mut teller);
        }
        let done = looked.and_then(|regions| {
            self.note(&mut ranges.decoded, &[], &regions)?;
            let taking = Taking::new(&regions, &ranges.decoded)?;
            for range in ranges.all.iter_mut().filter(|r| !r.in_window()) {
                range.evaluate(&regions, &taking, true);
                range.apply(&mut teller, &regions, &taking, true);
            }
            register(
                &mut ranges.all,
                &mut teller,
                &regions,
                &taking,
                &self.shared,
                || self.is_stopping(),
            );
            Ok(())
        });
        if let Err(e) = done {
            for range in ranges.all.iter_mut().filter(|r| !r.in_window()) {
                range.fail(&mut teller, e);
            }
        }
        if let Err(e) = followed {
            for range in ranges.all.iter_mut().filter(|r| r.in_window()) {
                range.fail(&mut teller, e);
            }
            return false;
        }
        waiting
    }

    /// Ends the decision for good, and has everything let go of.
    pub(crate) fn stop(this: &Arc<Self>) {
        this.update(|gate| gate.stopping = true);
        let _ = this.shared.closings.fetch_add(1, Relaxed);
        // Cannot fail: it is queued once. The settling may take its time: it finds the gate closed.
        let _ = this.shared.decisions.enqueue::<_, CLOSING>(this.clone());
        // A decision that waits ends at once. One that brings memory online may take minutes; after
        // a moment the closing is left to come behind it.
        if !this.busy.load(Relaxed) {
            this.shared.decisions.flush();
            return;
        }
        let mut left = msecs_to_jiffies(PATIENCE_MS);
        let mut gate = this.gate.lock();
        while !gate.closed {
            match this.news.wait_interruptible_timeout(&mut gate, left) {
                CondVarTimeoutResult::Woken { jiffies } => left = jiffies,
                CondVarTimeoutResult::Timeout | CondVarTimeoutResult::Signal { .. } => return,
            }
        }
    }

    /// Whether nothing more is to be served.
    fn is_stopping(&self) -> bool {
        self.gate.lock().stopping
    }

    /// Tells the world that no range is undecided.
    fn decided(&self) {
        if self.undecided.xchg(false, Relaxed) {
            announce(&self.device, Self::NAME, c"OWNERSHIP=settled");
        }
    }

    /// Changes the gate, and wakes a decision that waits.
    fn update(&self, change: impl FnOnce(&mut Gate)) {
        change(&mut self.gate.lock());
        self.news.notify_all();
    }

    /// Changes the gate, wakes a decision that waits, and queues one more.
    ///
    /// It is queued under the lock, so that none comes behind the closing, which is the last that a module
    /// waits for as it goes.
    fn look_again(this: &Arc<Self>, change: impl FnOnce(&mut Gate)) {
        this.update(|gate| {
            change(gate);
            if !gate.stopping {
                // Fails only if it is queued already and has not begun, which is as good.
                let _ = this.shared.decisions.enqueue::<_, 0>(this.clone());
            }
        });
    }

    /// Has what changed on the CXL bus looked at.
    pub(crate) fn changed(this: &Arc<Self>) {
        Self::look_again(this, |gate| gate.changes = gate.changes.wrapping_add(1));
    }
}
