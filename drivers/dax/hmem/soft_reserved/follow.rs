// SPDX-License-Identifier: GPL-2.0

//! Following the CXL regions below what HMEM serves of a range, and below what CXL owns.

use super::{
    SoftReservedRange,
    State,
    Taking, //
};
use crate::{
    cxl,
    event::Event,
    ownership::{
        Coverage,
        Extent,
        Mode,
        Obstacle,
        Range,
        Taken, //
    },
    regions::Regions,
    report::Teller, //
};
use kernel::prelude::*;

impl SoftReservedRange {
    /// Follows the regions: lets go of devices whose region has gone, which have been unbound by
    /// then, and says what has become of a range that is not HMEM's.
    ///
    /// Returns whether HMEM has let go of something.
    ///
    /// Comes after [`SoftReservedRange::evaluate`]. `gone` are the regions that have been torn down
    /// or disabled since this was last called. They may be back by now.
    pub(crate) fn follow(
        &mut self,
        teller: &mut Teller<'_>,
        regions: &Regions,
        taking: &Taking,
        gone: &[Extent],
    ) -> bool {
        match self.state {
            State::Cxl { settled: true } | State::Left => {
                self.follow_region(teller, taking);
                false
            }
            State::Hmem => {
                let released = self.release(teller, regions, gone);
                let committed = regions.committed();
                teller.covered(self.at, |range| match committed.cover(range) {
                    Coverage::Full { region, .. } if !regions.disabled.contains(&region) => {
                        Some(region)
                    }
                    _ => None,
                });
                teller.decoding(self.at, &regions.decoding);
                self.tell_kept(teller, regions);
                released
            }
            State::Deferred | State::Cxl { settled: false } | State::Failed => false,
        }
    }

    /// Says that the administrator has let go of what CXL owns, or has assembled it again, and what others
    /// have of it by now.
    fn follow_region(&mut self, teller: &mut Teller<'_>, taking: &Taking) {
        let Some(verdict) = self.verdict.filter(|v| !self.is_included(v, taking)) else {
            return;
        };
        let was_covered = self.covered;
        self.covered = verdict.mode == Mode::Drop;
        let changed = self.other(taking);
        if self.covered && (changed || !was_covered) {
            teller.tell(self.at, Event::Decided(verdict));
        } else if was_covered && !self.covered {
            let piece = self.memory.range;
            let region = None;
            teller.tell(self.at, Event::Released { piece, region });
        }
        self.tell_others(teller);
    }

    /// Says which parts of what HMEM left to CXL have a region now.
    fn tell_kept(&self, teller: &mut Teller<'_>, regions: &Regions) {
        let committed = regions.committed();

        for left in &self.left {
            let found = committed.intersecting(left).iter();
            for extent in found.filter(|e| !regions.disabled.contains(&e.region)) {
                let piece = extent.range.intersection(left);
                if let Some(piece) = piece.and_then(|p| p.intersection(&self.memory.range)) {
                    teller.tell(
                        self.at,
                        Event::Taken {
                            piece,
                            taken: Taken::Region(extent.region),
                            holder: None,
                        },
                    );
                }
            }
        }
    }

    /// Notes what of a range neither HMEM nor CXL has. Returns whether that has changed.
    pub(super) fn other(&mut self, taking: &Taking) -> bool {
        let now = taking.all().iter().filter_map(|o| {
            let range = o.range.intersection(&self.memory.range)?;
            Some(Obstacle { range, ..*o })
        });
        let mut others = KVec::new();
        for other in now {
            // Without memory it is told of the next time.
            if others.push(other, GFP_KERNEL).is_err() {
                return false;
            }
        }
        let changed = *others != *self.others;
        self.others = others;
        changed
    }

    /// Says what nothing decodes any more of a range that is CXL's, or nobody's, and what others have.
    /// What is known is not said twice.
    pub(super) fn tell_others(&self, teller: &mut Teller<'_>) {
        for &Obstacle { range, taken } in &self.others {
            let holder = match taken {
                Taken::Foreign(_) | Taken::Persistent(_) => cxl::device_behind(&range),
                _ => None,
            };
            teller.tell(
                self.at,
                Event::Taken {
                    piece: range,
                    taken,
                    holder,
                },
            );
        }
    }

    /// Lets go of devices below which a region has gone, and of those without a driver that CXL may
    /// have kept from being bound, or whose memory is another driver's now, so that what others do
    /// not have is served. Returns whether there was one.
    fn release(&mut self, teller: &mut Teller<'_>, regions: &Regions, gone: &[Extent]) -> bool {
        let at = self.at;
        let served_before = self.served.len();

        for region in gone {
            let meets = |range: &Range| region.range.intersects(range);
            if meets(&self.memory.range) || self.served.iter().any(|s| meets(&s.range)) {
                self.leave(teller, &region.range);
            }
        }
        self.served.retain(|served| {
            let mut below = gone
                .iter()
                .filter_map(|e| Some((e.range.intersection(&served.range)?, e.region)))
                .peekable();
            if let Some(&(_, first)) = below.peek() {
                teller.goes(&served.range, served.device.id(), Some(first));
                for (hole, region) in below {
                    teller.released(&hole, region);
                }
                return false;
            }
            let foreign = regions
                .foreign
                .iter()
                .any(|o| o.range.intersects(&served.range));
            let wanted = foreign || (!served.taken && regions.meet(&served.range));
            if !wanted || served.device.is_bound() {
                return true;
            }
            teller.goes(&served.range, served.device.id(), None);
            teller.tell(
                at,
                Event::Retried {
                    piece: served.range,
                },
            );
            false
        });
        if self.served.len() == served_before {
            return false;
        }

        // CXL finds no room for another region where an entry stands, so the entries now cover
        // what is still served and nothing else.
        self.entries.clear();
        self.entered = false;
        for i in 0..self.served.len() {
            if let Some(range) = self.served.get(i).map(|s| s.range) {
                self.insert_entry(teller, &range, false);
            }
        }
        true
    }

    /// Remembers that a region keeps `range`, or has taken it along.
    pub(super) fn leave(&mut self, teller: &Teller<'_>, range: &Range) {
        if self.left.iter().any(|left| left.contains(range)) {
            return;
        }
        // Were there no memory to remember this, HMEM would serve it once more when the region
        // decodes again.
        if self.left.push(*range, GFP_KERNEL).is_err() {
            dev_warn!(
                teller.device(),
                "{}: no memory to remember that it left\n",
                range
            );
        }
    }
}
