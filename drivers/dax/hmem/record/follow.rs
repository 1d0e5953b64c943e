// SPDX-License-Identifier: GPL-2.0

//! Following the CXL regions below what HMEM serves of a range.

use super::{
    Record,
    Served,
    State, //
};
use crate::{
    ledger::Entry,
    lines::Lines,
    ownership::{
        Coverage,
        Extent,
        Mode,
        Range, //
    },
    regions::{
        depend,
        Regions, //
    },
    trace::Step,
    words::{
        Standing,
        Why, //
    }, //
};
use kernel::{
    device,
    prelude::*, //
};

impl Record {
    /// Follows the regions below what HMEM serves: lets go of devices whose region has gone, which
    /// the driver core has unbound by then, and makes devices depend on regions that are new.
    ///
    /// Comes after [`Record::look`]. `departed` are the regions that have been torn down or
    /// disabled since this was last called. They may be back by now.
    pub(crate) fn follow(&mut self, lines: &mut Lines<'_>, regions: &Regions, departed: &[Extent]) {
        if self.state == (State::Cxl { settled: true }) {
            self.note_coverage(lines.now_ns());
        }
        if self.state != State::Hmem {
            return;
        }
        if self.release(lines.host(), regions, departed) {
            self.register(lines, regions);
        }
        let committed = regions.committed();
        self.ledger.follow(|range| match committed.cover(range) {
            Coverage::Full { region, .. } => Some(region),
            Coverage::Part { .. } | Coverage::None => None,
        });
        for served in &mut self.served {
            served.depend(regions);
        }
    }

    /// Notes that the administrator has let go of what CXL owns, or has assembled it again.
    fn note_coverage(&mut self, now_ns: u64) {
        let range = self.memory.range;

        match self.verdict {
            Some(verdict) if verdict.mode == Mode::Drop => {
                if self.ledger.is(Standing::Free) {
                    let entry = Entry::decided(range, Standing::Cxl, &verdict.reason);
                    self.ledger.decide_whole(now_ns, entry);
                }
            }
            _ if self.ledger.is(Standing::Cxl) => {
                let entry = Entry::new(range, Standing::Free, Why::RegionTornDown);
                self.ledger.replace(Step::Released, entry);
            }
            _ => {}
        }
    }

    /// Lets go of devices below which a region has gone, and of those that CXL may have kept from
    /// being bound, so that what CXL does not have is served. Returns whether a part of their
    /// memory may be served all the same.
    fn release(&mut self, host: &device::Device, regions: &Regions, departed: &[Extent]) -> bool {
        let mut again = false;
        let mut remembered = true;
        let range = self.memory.range;
        let served_before = self.served.len();

        for region in departed.iter().filter(|e| e.range.intersects(&range)) {
            remembered &= self.leave(host, &region.range);
        }
        let ledger = &mut self.ledger;
        self.served.retain(|served| {
            let gone = departed.iter().find(|e| e.range.intersects(&served.range));
            if let Some(gone) = gone {
                dev_info!(
                    host,
                    "{}: {} goes, region{} below it was torn down or disabled\n",
                    served.range,
                    served.device.device().name(),
                    gone.region
                );
                if let Some(hole) = gone.range.intersection(&served.range) {
                    let entry = Entry::new(hole, Standing::Free, Why::RegionTornDown);
                    ledger.add(Step::Released, entry.region(gone.region));
                }
                again |= !gone.range.contains(&served.range);
                return false;
            }
            if served.taken || served.device.is_bound() || !regions.meet(&served.range) {
                return true;
            }
            dev_info!(
                host,
                "{}: {} goes, it was not bound; tried anew without what CXL has\n",
                served.range,
                served.device.device().name()
            );
            let entry = Entry::new(served.range, Standing::Free, Why::RegionCame);
            ledger.add(Step::Released, entry);
            again = true;
            false
        });
        if self.served.len() == served_before {
            return false;
        }

        // CXL finds no room for another region where an entry stands, so the entries now cover
        // what is still served and nothing else.
        self.entries.clear();
        for i in 0..self.served.len() {
            if let Some(range) = self.served.get(i).map(|s| s.range) {
                self.insert_entry(host, &range, false);
            }
        }
        again && remembered
    }

    /// Remembers that a region has taken `range` along. Returns whether there was memory for it.
    fn leave(&mut self, host: &device::Device, range: &Range) -> bool {
        if self.left.iter().any(|left| left.contains(range)) {
            return true;
        }
        // Were there no memory to remember this, the range would be served again by `register()`,
        // which is wrong only where the region has stopped decoding.
        self.left
            .push(*range, GFP_KERNEL)
            .inspect_err(|_| dev_warn!(host, "{}: no memory to remember that it left\n", range))
            .is_ok()
    }
}

impl Served {
    /// Makes the device depend on regions below it that are new.
    pub(super) fn depend(&mut self, regions: &Regions) {
        let new = regions.below(&self.range).any(|e| !self.below.contains(e));
        if !new || !self.device.is_bound() {
            return;
        }
        // A region that is being torn down at this moment will be said to have departed.
        if let Ok(below) = depend(self.device.device(), &self.range) {
            self.below = below;
        }
    }
}
