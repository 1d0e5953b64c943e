// SPDX-License-Identifier: GPL-2.0

//! One decision: a look at the regions, and what it makes of each range.

use super::Arbiter;
use crate::{
    decoded::Decoded,
    iomem_tree::Tree,
    ownership::{
        Extent,
        Policy,
        Range, //
    },
    params,
    regions::Regions,
    report::Teller,
    soft_reserved::{
        register,
        SoftReservedRange,
        Taking, //
    }, //
};
use core::mem::take;
use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};

impl Arbiter {
    /// Decides what can be decided now. Returns whether ranges remain undecided.
    pub(super) fn decide(&self, settled: bool) -> bool {
        self.busy.store(true, Relaxed);
        // `stop()` sets the gate, then asks whether this is busy, so one of the two sees the other.
        let waiting = !self.is_stopping() && self.decide_now(settled);
        self.busy.store(false, Relaxed);
        waiting
    }

    fn decide_now(&self, settled: bool) -> bool {
        // Before the look at the bus: what goes after it is for the next decision.
        let (mut gone, seen) = {
            let mut notes = self.notes.lock();
            (take(&mut notes.gone), take(&mut notes.decoded))
        };
        let mut ranges = self.ranges.lock();
        let ranges = &mut *ranges;
        let mut teller = self.report.begin();

        let looked = Regions::collect(&self.notes, settled).and_then(|mut regions| {
            let decoded = &mut ranges.decoded;
            self.note(decoded, &seen, &regions).inspect_err(|_| {
                for range in &regions.resetting {
                    self.note_decoded(range);
                }
            })?;
            decoded.keep(&self.device);
            if self.end(&regions, &mut gone) {
                regions.tree = Tree::new()?;
            }
            // A region of which HMEM may have nothing is dax_cxl's. One that has lost to HMEM is offered anew.
            let is_free = |r: &Range| self.shared.devices.next_over(r, None).is_none();
            let offered = regions.hold_excluded(is_free);
            let taking = Taking::new(&regions, decoded)?;
            Ok((regions, taking, offered))
        });
        let (mut regions, mut taking, offered) = match looked {
            Ok(looked) => looked,
            Err(e) => return self.put_off(&mut ranges.all, &mut teller, gone, &seen, settled, e),
        };
        if settled {
            self.shared.devices.end_stale();
        }
        let split = params::POLICY.get() == Policy::Split;
        let mut waiting = false;
        let mut left_to_cxl = false;

        // What is CXL's comes first: HMEM must not take a region for one range that CXL needs
        // for another.
        loop {
            let held = regions.held.len();
            for range in ranges.all.iter_mut() {
                if range.evaluate(&regions, &taking, settled) {
                    regions.hold(range.range());
                }
            }
            if regions.held.len() == held {
                break;
            }
            // What CXL has is not excluded, which may change a verdict. There are only so many regions.
            // Without memory the older look serves, here and below.
            match Taking::new(&regions, &ranges.decoded) {
                Ok(now) => taking = now,
                Err(_) => break,
            }
        }
        for range in ranges.all.iter_mut() {
            // What HMEM lets go of may be what a region has lost to.
            left_to_cxl |= range.follow(&mut teller, &regions, &taking, &gone);
        }
        if left_to_cxl {
            // What went with it is in the way of nothing any more.
            if let Ok(tree) = Tree::new() {
                regions.tree = tree;
            }
            if let Ok(now) = Taking::new(&regions, &ranges.decoded) {
                taking = now;
            }
        }
        for range in ranges.all.iter_mut() {
            range.serve_rest();
            left_to_cxl |= range.apply(&mut teller, &regions, &taking, settled);
            waiting |= range.is_deferred();
        }
        left_to_cxl |= register(
            &mut ranges.all,
            &mut teller,
            &regions,
            &taking,
            &self.shared,
            || self.is_stopping(),
        ) && (split || offered);
        for region in &gone {
            self.shared.devices.end_going(&region.range);
        }
        teller.end();
        if left_to_cxl && !self.is_stopping() {
            regions.reprobe(split);
        }
        waiting
    }

    /// Notes what is and was decoded. Fails with `ENOMEM`.
    pub(super) fn note(&self, decoded: &mut Decoded, seen: &[Range], regions: &Regions) -> Result {
        decoded.note(seen, &regions.decoding)?;
        decoded.note(&regions.resetting, &self.notes.lock().ended)?;
        self.remember_plugged(decoded)
    }

    /// There is no memory to decide. Returns whether ranges remain undecided.
    fn put_off(
        &self,
        all: &mut KVVec<SoftReservedRange>,
        teller: &mut Teller<'_>,
        gone: KVec<Extent>,
        seen: &[Range],
        settled: bool,
        error: Error,
    ) -> bool {
        dev_warn!(
            self.device,
            "cannot look at CXL regions: {:?}; looking again at their next change\n",
            error
        );
        for region in &gone {
            self.note_gone(region);
        }
        for range in seen {
            self.note_decoded(range);
        }
        // There will be news: probing settles at some time.
        if !settled {
            return true;
        }
        for range in all.iter_mut() {
            range.fail(teller, error);
        }
        false
    }
}
