// SPDX-License-Identifier: GPL-2.0

//! Memory devices that decode without a region: firmware has committed their decoders, and the
//! kernel makes no region of them. One goes on decoding while its driver is unbound, when it shows
//! nothing, and until it is removed, which the PCI bus tells. Of an interleave set all of them do.
//!
//! Of such a device the range of its "region" is what it decodes.

use crate::{
    code::Mutant,
    protocol::Protocol,
    state::{Life, State, Way},
    step::Step,
    units::Units,
    universe::{Trouble, REGIONS},
};

impl Protocol {
    /// What happens to device `r` from outside of the kernel.
    pub(crate) fn bare_choices(&self, state: &State, r: usize, steps: &mut Vec<Step>) {
        let region = state.regions[r];
        let n = r as u8;
        if region.life.waits() {
            return self.worker_choices(state, r, steps);
        }
        if !region.committed {
            return;
        }
        if region.hidden {
            steps.push(Step::Show(n));
        } else if self.may(state, Trouble::Hide) {
            steps.push(Step::Hide(n));
        }
        // One that never had a driver is known to nobody.
        let is_known = !region.hidden || region.witnessed || !self.universe.hidden;
        if is_known && self.may(state, Trouble::Unplug) {
            steps.push(Step::Remove(n, Way::Unplug));
        }
    }

    /// The driver of device `r` is unbound.
    pub(crate) fn hide(&self, state: &mut State, r: usize) {
        self.note_plugged(state, r);
        state.regions[r].hidden = true;
    }

    /// Whoever listens notes what device `r` decodes, whose driver has come or goes.
    pub(crate) fn note_plugged(&self, state: &mut State, r: usize) {
        let region = state.regions[r];
        if !region.committed || region.hidden || !self.is_heard(state) {
            return;
        }
        self.witness(state, r);
        state.remembered[r] |= !matches!(
            self.code.mutant,
            Some(Mutant::PluggedAtLooks | Mutant::Deaf)
        );
    }

    /// Device `r` is removed. Who has noted that it decodes has HMEM's devices over it unbound first.
    pub(crate) fn unplug(&self, state: &mut State, r: usize) {
        state.note_removal();
        // The PCI core unbinds the driver before it tells.
        self.hide(state, r);
        if let Some(run) = &mut state.queue.run {
            run.unplugged = true;
        }
        if !self.is_heard(state)
            || !state.remembered[r]
            || self.code.is(Mutant::UnplugUnheard)
            || self.code.is(Mutant::Deaf)
        {
            return self.reset(state, r);
        }
        state.remembered[r] = false;
        state.regions[r].way = Way::Unplug;
        state.regions[r].life = Life::Waits;
        self.told_unbinding(state, r);
    }

    /// HMEM has let go of what device `r` decodes, and it is removed.
    pub(crate) fn unplugged(&self, state: &mut State, r: usize) {
        let region = &mut state.regions[r];
        region.life = Life::Absent;
        region.way = Way::None;
        for device in state.devices_mut() {
            device.owed[r] = false;
        }
        state.note_dax_gone(self.universe.regions[r]);
        state.note_gone(r, &self.universe);
        self.reset(state, r);
        self.told_unbound(state, r);
        self.announce(state, r);
    }

    /// Whether a decision takes device `r` for decoding: it shows that, or it shows nothing and has.
    pub(crate) fn decodes_bare(&self, state: &State, r: usize) -> bool {
        let region = state.regions[r];
        let shows = region.committed && !region.hidden;
        shows || state.remembered[r] && !self.code.is(Mutant::HiddenForgotten)
    }

    /// The devices that decoded when the last binding ended are looked up. What one decoded that has gone
    /// is decoded no more, also if it was one of several.
    pub(crate) fn recall_bare(&self, state: &mut State) {
        for r in 0..REGIONS {
            if !state.remembered[r]
                || state.regions[r].committed
                || self.code.is(Mutant::UnpluggedKept)
            {
                continue;
            }
            state.remembered[r] = false;
            if !self.code.is(Mutant::GoneShareForgotten) {
                state.history = state.history.and(self.universe.regions[r]);
            }
        }
    }

    /// A decision has looked at all of the bus, and notes which devices decode. Returns whether it has
    /// to look again: what it saw of a device that has been removed since must not be noted.
    pub(crate) fn note_bare(&self, state: &mut State) -> bool {
        let Some(run) = &mut state.queue.run else {
            return false;
        };
        if run.unplugged && !self.code.is(Mutant::LookNotRepeated) {
            run.unplugged = false;
            return true;
        }
        for r in self.universe.region_numbers() {
            state.remembered[r] = self.universe.bare[r] && run.seen[r].committed;
        }
        let whole = self.whole_bare(state);
        let Some(run) = &mut state.queue.run else {
            return false;
        };
        for r in self.universe.region_numbers() {
            if self.universe.bare[r] {
                run.seen[r].committed = whole.contains(self.universe.regions[r]);
            }
        }
        run.known = run.known.and(whole);
        state.history = state.history.and(whole);
        false
    }

    /// What those devices that are remembered decode in full.
    fn whole_bare(&self, state: &State) -> Units {
        let half = self.universe.set && !self.code.is(Mutant::HalfStripe);
        if half && !state.remembered.iter().all(|&remembered| remembered) {
            return Units::NONE;
        }
        let remembered = self
            .universe
            .region_numbers()
            .filter(|&r| state.remembered[r]);
        remembered.map(|r| self.universe.regions[r]).collect()
    }

    /// What was noted and not looked at is remembered when a binding ends.
    pub(crate) fn keep_bare(&self, state: &mut State) {
        state.history = state.history.and(self.whole_bare(state));
    }
}
