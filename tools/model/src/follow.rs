// SPDX-License-Identifier: GPL-2.0

//! Following the regions below what HMEM serves: `Record::follow()` of the module.

use crate::{
    code::Mutant,
    host::{Hold, Link, Owner, Record, Served},
    protocol::Protocol,
    queue::{At, Run},
    state::{Life, State},
    units::Units,
    universe::REGIONS,
};

impl Protocol {
    /// The first half of `Record::follow()`: releases devices whose region has gone.
    pub(crate) fn decision_follows(&self, state: &mut State) {
        let Some(run) = state.queue.run else { return };
        let At::Follow(i) = run.at else { return };
        let window = state.window;
        let mut job = None;
        if let Some(record) = state
            .host_mut(run.who)
            .and_then(|h| h.records[usize::from(i)].as_mut())
        {
            if self.release_left(&run, record) {
                job = self.pieces(window, i, record, &run.seen);
            }
        }
        if let Some(run) = &mut state.queue.run {
            run.at = At::Depend(i);
            run.job = job;
        }
        self.advance(state);
    }

    /// `Record::release_left()`. Returns whether there is something to be registered.
    fn release_left(&self, run: &Run, record: &mut Record) -> bool {
        let forgets = self.code.is(Mutant::ForgetsWhatLeft);
        let mut beyond = false;
        let mut left = Units::NONE;
        for slot in &mut record.served {
            let Some(device) = slot else { continue };
            let taken = if self.code.is(Mutant::LosesTrack) {
                self.gone(run, device).map(|r| self.universe.regions[r])
            } else if run.gone.meets(device.units) || self.is_kept_out(run, device) {
                Some(run.gone)
            } else {
                None
            };
            if let Some(taken) = taken {
                beyond |= !taken.contains(device.units) || forgets;
                left = left.and(taken);
                *slot = None;
            }
        }
        if !self.code.is(Mutant::LosesTrack) && record.owner == Owner::Hmem {
            left = left.and(run.gone);
        }
        if !forgets {
            record.left = record.left.and(left);
        }
        record.tidy();
        beyond
    }

    /// Whether CXL may have kept a device from being bound.
    fn is_kept_out(&self, run: &Run, device: &Served) -> bool {
        let meets =
            |r: usize| run.seen[r].committed && self.universe.regions[r].meets(device.units);
        device.hold == Hold::Idle && (0..REGIONS).any(meets)
    }

    /// [`Mutant::LosesTrack`]: infers which region has taken the device along.
    fn gone(&self, run: &Run, device: &Served) -> Option<usize> {
        let bound = device.hold == Hold::Bound;
        let there = self.below(&run.seen, device.units);
        (0..REGIONS).find(|&r| {
            let held = run.seen[r].committed && run.seen[r].held;
            device.below[r] && (!there[r] || (!bound && held))
        })
    }

    /// The second half of `Record::follow()`: makes devices depend on regions that are new.
    pub(crate) fn decision_depends(&self, state: &mut State) {
        let Some(run) = state.queue.run else { return };
        let At::Depend(i) = run.at else { return };
        let lives: [Life; REGIONS] = state.regions.map(|r| r.life);
        let mut warned = false;
        if let Some(record) = state
            .host_mut(run.who)
            .and_then(|h| h.records[usize::from(i)].as_mut())
        {
            for device in record.served.iter_mut().flatten() {
                let now = self.below(&run.seen, device.units);
                let new = now
                    .iter()
                    .zip(device.below)
                    .any(|(&now, noted)| now && !noted);
                if new && device.hold == Hold::Bound {
                    self.depend(lives, device);
                    device.below = now;
                    self.note_links(device);
                }
                warned |= device.links.contains(&Link::Late);
            }
        }
        state.ghost.warned |= warned;
        if let Some(run) = &mut state.queue.run {
            run.at = At::Decide(i);
        }
        self.advance(state);
    }
}
