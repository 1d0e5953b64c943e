// SPDX-License-Identifier: GPL-2.0

//! The three work items of an arbiter, and what user space reads of it.

use super::{
    Arbiter,
    CLOSING,
    SETTLING, //
};
use crate::{
    attribute::Show,
    cxl,
    probing, //
};
use core::mem::take;
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Relaxed,
            Release, //
        },
        Arc, //
    },
    workqueue::WorkItem, //
};

/// The decision.
impl WorkItem for Arbiter {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        loop {
            let gate = *this.gate.lock();
            if gate.stopping || !gate.started {
                return;
            }
            if !this.decide(gate.settled) {
                // What was told to stop has decided nothing.
                if !this.is_stopping() {
                    this.decided();
                }
                return;
            }
            this.undecided.store(true, Relaxed);
            let mut now = this.gate.lock();
            while *now == gate {
                this.news.wait(&mut now);
            }
        }
    }
}

/// The settling.
impl WorkItem<SETTLING> for Arbiter {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        probing::wait_until_settled();
        // Memory devices that were there before their window are probed once more, by a work item.
        if cxl::flush() {
            probing::wait_until_settled();
        }

        Self::look_again(&this, |gate| gate.settled = true);
    }
}

/// The closing.
impl WorkItem<CLOSING> for Arbiter {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let mut ranges = this.ranges.lock();
        let mut teller = this.report.begin();

        for range in ranges.all.iter_mut() {
            range.close(&mut teller);
        }
        ranges.all.clear();
        // Waits for a callback that is running, which may wait for a device to be unbound.
        {
            let _follower = this.follower.lock().take();
        }

        // What was noted and not looked at is remembered all the same.
        let (seen, ended) = {
            let mut notes = this.notes.lock();
            (take(&mut notes.decoded), take(&mut notes.ended))
        };
        let noted = ranges.decoded.note(&seen, &ended);
        let plugged = this.remember_plugged(&mut ranges.decoded);
        if noted.is_err() || plugged.is_err() {
            dev_warn!(
                this.device,
                "no memory to remember all that CXL decoded; reboot before binding it again\n"
            );
        }
        ranges.decoded.keep(&this.device);
        let _ = this.shared.closings.fetch_sub(1, Release);
        this.update(|gate| gate.closed = true);
    }
}

impl Show for Arbiter {
    const NAME: &'static CStr = c"ownership";

    /// `settled` when no range is undecided, else `pending`.
    fn show(&self) -> &'static CStr {
        if self.undecided.load(Relaxed) {
            c"pending\n"
        } else {
            c"settled\n"
        }
    }
}
