// SPDX-License-Identifier: GPL-2.0

//! The decision about all Soft Reserved ranges of one `hmem_platform` device.
//!
//! # The protocol
//!
//! Binding the device queues two work items. The *decision*, on the ordered queue that dax_cxl
//! flushes, decides what it can, then waits for news, and ends when no range is undecided. The
//! *settling*, on a queue of its own, waits until device probing has settled, on the CXL bus too,
//! which may take as long as the slowest driver of the system, and tells the decision, which then
//! decides the rest.
//! So a range is CXL's as soon as committed regions cover it, and only a "no" waits.
//!
//! An early "yes" is what waiting would have given unless a region goes away again before probing
//! settles. Until then every change on the CXL bus queues the decision once more, and so does the
//! end of the settling; the last one decides all over, with the regions that are there at that
//! moment, exactly as if it had waited. Who flushes in between waits for it.
//!
//! # Locks
//!
//! - `records` protects the ranges and is held while `hmem` devices come and go, thus outside of
//!   their device locks, those of the DAX core and of memory hotplug. Taken by the decision, and
//!   when the device is bound and unbound. Never by the notifier of the CXL bus: that runs inside
//!   a lock that the coming and going of devices takes as well.
//! - `gate` and `departed` are the innermost locks. Nothing but the allocator is called under them.
//!
//! The lock of a region's device is taken under `records`, when an `hmem` device is made to depend
//! on it. Whoever holds it binds or unbinds a region, and waits for nothing that needs `records`:
//! what he tells the notifier is only noted, and the devices of HMEM that depend on the region are
//! unbound before, without that lock.
//!
//! With none of these locks held, the decision has regions that are CXL's probed again, which takes
//! the lock of their dax devices. Whoever flushes the decision, unbinding or dax_cxl, holds no such
//! lock; unregistering dax_cxl's driver waits for that probe and for nothing else of the decision.
//!
//! The settling holds none of these locks either. It waits for probes, and for what the CXL bus has
//! queued, which take the locks of devices and may end with a call of the notifier; that one only
//! notes. Nobody waits for the settling but the unloading of the module, which holds no lock.

use crate::{
    attribute::{
        announce,
        Show, //
    },
    hmem_queues::Queues,
    lines::{
        Lines,
        NAMED, //
    },
    ownership::{
        Extent,
        Policy, //
    },
    params,
    probing,
    record::{
        Decided,
        Record, //
    },
    regions::{
        self,
        Regions, //
    }, //
};
#[cfg(CONFIG_DEV_DAX_CXL)]
use crate::{
    cxl_bus::Sighting,
    cxl_flush,
    cxl_listener::RegionEvents, //
};
use core::sync::atomic::{
    AtomicBool,
    Ordering, //
};
use kernel::{
    debugfs,
    device,
    fmt,
    new_condvar,
    new_mutex,
    new_work,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        CondVar,
        Mutex, //
    },
    workqueue::{
        impl_has_work,
        Work,
        WorkItem, //
    }, //
};

/// Identifies the work item of the settling.
const SETTLING: u64 = 1;

/// The ranges of a bound `hmem_platform` device.
#[pin_data]
pub(crate) struct Host {
    device: ARef<device::Device>,
    queues: Arc<Queues>,
    /// Whether a range is undecided, for the attribute.
    undecided: AtomicBool,
    #[pin]
    records: Mutex<KVVec<Record>>,
    #[pin]
    gate: Mutex<Gate>,
    #[pin]
    news: CondVar,
    /// Regions that have gone and that no decision has followed yet.
    #[pin]
    departed: Mutex<KVec<Extent>>,
    #[pin]
    decision: Work<Host>,
    #[pin]
    settling: Work<Host, SETTLING>,
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
    /// Counts changes on the CXL bus.
    changes: usize,
}

impl_has_work! {
    impl HasWork<Self> for Host { self.decision }
    impl HasWork<Self, SETTLING> for Host { self.settling }
}

impl Host {
    /// A host without ranges.
    pub(crate) fn new(
        device: ARef<device::Device>,
        queues: Arc<Queues>,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            device,
            queues,
            undecided: AtomicBool::new(true),
            records <- new_mutex!(KVVec::new(), "dax_hmem::records"),
            gate <- new_mutex!(Gate::default(), "dax_hmem::gate"),
            news <- new_condvar!("dax_hmem::news"),
            departed <- new_mutex!(KVec::new(), "dax_hmem::departed"),
            decision <- new_work!("dax_hmem::decision"),
            settling <- new_work!("dax_hmem::settling"),
        })
    }

    /// Takes over the ranges: registers at once what no CXL window intersects, and queues the
    /// decision about the others. Called once. What fails is logged and harms no other range.
    pub(crate) fn start(this: &Arc<Self>, ranges: KVVec<Record>) {
        let mut waiting = 0usize;
        {
            // No region matters for what no window intersects.
            let none = Regions::none();
            let mut records = this.records.lock();
            let mut lines = Lines::new(&this.device);
            *records = ranges;
            for record in records.iter_mut() {
                if record.defer(&this.device, waiting < NAMED) {
                    waiting = waiting.saturating_add(1);
                    continue;
                }
                match &none {
                    Ok(none) => {
                        record.look(none.committed(), true);
                        record.decide(&mut lines, none, true);
                    }
                    Err(e) => record.fail(&this.device, *e),
                }
            }
        }
        if waiting > NAMED {
            dev_info!(
                this.device,
                "{} ranges in all are undecided, waiting for CXL\n",
                waiting
            );
        }
        let waiting = waiting > 0;
        this.update(|gate| {
            gate.started = true;
            gate.settled |= !waiting;
        });
        // Also when all is decided: regions may have come or gone since the ranges were found.
        Self::queue_decision(this);
        if waiting {
            // Fails only if it is queued already, and nobody else queues it.
            let _ = this.queues.settling.enqueue::<_, SETTLING>(this.clone());
        } else {
            this.decided();
        }
    }

    /// Ends the decision for good and lets go of everything. No callback of the CXL bus may come
    /// any more once this is called.
    pub(crate) fn stop(&self) {
        self.update(|gate| gate.stopping = true);
        // A decision that waits ends at once; one that registers a device does so first. The
        // settling may take its time: it finds the gate closed.
        self.queues.decisions.flush();

        // Nobody else wants the lock any more, so it does not matter how long this takes.
        let mut records = self.records.lock();
        for record in records.iter_mut() {
            record.close();
        }
        records.clear();
    }

    /// Tells the world that no range is undecided.
    fn decided(&self) {
        if !self.undecided.swap(false, Ordering::Relaxed) {
            return;
        }
        announce(&self.device, Self::NAME, c"OWNERSHIP=settled");
    }

    /// Changes the gate, and wakes a decision that waits.
    fn update(&self, change: impl FnOnce(&mut Gate)) -> Gate {
        let gate = {
            let mut gate = self.gate.lock();
            change(&mut gate);
            *gate
        };
        self.news.notify_all();
        gate
    }

    /// Remembers a region that has gone for the next decision.
    fn note_departed(&self, region: &Extent) {
        if self.departed.lock().push(*region, GFP_KERNEL).is_err() {
            dev_warn!(
                self.device,
                "{}: no memory to follow region{}; bind {} anew\n",
                region.range,
                region.region,
                self.device.name()
            );
        }
    }

    fn queue_decision(this: &Arc<Self>) {
        // Fails only if it is queued already and has not begun, which is as good.
        let _ = this.queues.decisions.enqueue::<_, 0>(this.clone());
    }

    /// Decides what can be decided now. Returns whether ranges remain undecided.
    fn decide(&self, gate: &Gate) -> bool {
        // Before the look at the bus: what goes after it is for the next decision.
        let departed = core::mem::take(&mut *self.departed.lock());
        let mut regions = match Regions::collect() {
            Ok(regions) => regions,
            Err(e) => {
                for region in &departed {
                    dev_warn!(
                        self.device,
                        "{}: region{} went; followed at the next change on the CXL bus: {:?}\n",
                        region.range,
                        region.region,
                        e
                    );
                    self.note_departed(region);
                }
                // There will be news: probing settles at some time.
                if !gate.settled {
                    return true;
                }
                for record in self.records.lock().iter_mut() {
                    record.fail(&self.device, e);
                }
                return false;
            }
        };
        let mut waiting = false;
        let mut left_to_cxl = false;
        let split = params::POLICY.get() == Policy::Split;
        {
            let mut records = self.records.lock();
            let mut lines = Lines::new(&self.device);

            // What is CXL's comes first: HMEM must not take a region for one range that CXL needs
            // for another.
            for record in records.iter_mut() {
                if record.look(regions.committed(), gate.settled) {
                    regions.hold(record.range());
                }
            }
            for record in records.iter_mut() {
                record.follow(&mut lines, &regions, &departed);
                match record.decide(&mut lines, &regions, gate.settled) {
                    Decided::Not => waiting = true,
                    Decided::Cxl => left_to_cxl = true,
                    Decided::Hmem => left_to_cxl |= split,
                    Decided::Before => {}
                }
            }
        }
        if left_to_cxl {
            // Not under the lock: the probe may bring memory online, which takes its time.
            regions.offer_again(split);
        }
        waiting
    }
}

/// The decision.
impl WorkItem for Host {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        loop {
            let gate = *this.gate.lock();
            if gate.stopping || !gate.started {
                return;
            }
            if !this.decide(&gate) {
                this.decided();
                return;
            }
            this.undecided.store(true, Ordering::Relaxed);
            let mut now = this.gate.lock();
            while *now == gate {
                this.news.wait(&mut now);
            }
        }
    }
}

/// The settling.
impl WorkItem<SETTLING> for Host {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        probing::wait_until_settled();
        // Memory devices that were there before their window are probed once more, by a work item.
        #[cfg(CONFIG_DEV_DAX_CXL)]
        {
            cxl_flush::flush();
            probing::wait_until_settled();
        }

        let gate = this.update(|gate| gate.settled = true);
        if !gate.stopping {
            Self::queue_decision(&this);
        }
    }
}

impl Show for Host {
    const NAME: &'static CStr = c"ownership";

    /// `settled` when no range is undecided, else `pending`.
    fn show(&self) -> &'static CStr {
        if self.undecided.load(Ordering::Relaxed) {
            c"pending\n"
        } else {
            c"settled\n"
        }
    }
}

/// The file in debugfs that shows the ledger of a host.
pub(crate) struct LedgerFile(pub(crate) Arc<Host>);

impl debugfs::Writer for LedgerFile {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# dax_hmem ledger 1")?;
        let mut records = self.0.records.lock();
        for record in records.iter_mut() {
            record.write_ledger(f)?;
        }
        regions::write_outcomes(f, |range| records.iter().find_map(|r| r.holder_of(range)))
    }
}

#[cfg(CONFIG_DEV_DAX_CXL)]
impl RegionEvents for Host {
    /// Decides what is undecided, and follows the regions below what is served. A decision that
    /// waits wakes up; if none does, one more run is queued.
    fn regions_changed(this: &Arc<Self>, gone: Option<&Sighting>) {
        if let Some((range, region)) = gone.and_then(|seen| Some((seen.range?, seen.region))) {
            this.note_departed(&Extent { range, region });
        }
        let gate = this.update(|gate| gate.changes = gate.changes.wrapping_add(1));
        if !gate.stopping {
            Self::queue_decision(this);
        }
    }
}
