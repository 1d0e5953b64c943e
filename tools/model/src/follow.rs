// SPDX-License-Identifier: GPL-2.0

//! Following the regions below what HMEM serves: `Record::follow()` of the module.

use crate::{
    code::Mutant,
    host::{Hold, Owner, Record, Served},
    protocol::Protocol,
    queue::{At, Run},
    state::State,
    units::Units,
    universe::REGIONS,
};

impl Protocol {
    /// Drops devices whose region has gone; what lies beyond is registered afterwards.
    pub(crate) fn decision_follows(&self, state: &mut State) {
        let Some(run) = state.queue.run else { return };
        let At::Follow(i) = run.at else { return };
        let record = state
            .host_mut(run.who)
            .and_then(|h| h.records[usize::from(i)].as_mut());
        let released = record.is_some_and(|record| self.release(&run, record));
        if let Some(run) = &mut state.queue.run {
            run.at = At::Follow(i + 1);
            run.released |= released && self.code.is(Mutant::RestOnlyOnce);
            // What it had may be left to a region that has lost to it.
            run.offers |= released;
        }
        self.advance(state);
    }

    /// `SoftReservedRange::release()`. Returns whether something may be served again.
    fn release(&self, run: &Run, record: &mut Record) -> bool {
        if record.owner != Owner::Hmem {
            return false;
        }
        let gone: Units = (0..REGIONS)
            .filter(|&r| run.gone[r])
            .map(|r| self.universe.regions[r])
            .collect();
        let mut released = false;
        for slot in &mut record.served {
            let Some(device) = slot else { continue };
            if gone.meets(device.units) || self.is_kept_out(run, device) {
                released = true;
                *slot = None;
            }
        }
        if !self.code.is(Mutant::ForgetsWhatLeft) {
            record.left = record.left.and(gone);
        }
        record.tidy();
        released
    }

    /// Whether a device is not bound, and what it is for is CXL's or another driver's.
    fn is_kept_out(&self, run: &Run, device: &Served) -> bool {
        let meets = |r: usize| self.universe.regions[r].meets(device.units);
        let taken = |r: usize| {
            let seen = run.seen[r];
            meets(r) && (seen.foreign || seen.covers && !device.taken)
        };
        device.hold == Hold::Idle && (0..REGIONS).any(taken)
    }
}
