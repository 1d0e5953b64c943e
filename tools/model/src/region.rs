// SPDX-License-Identifier: GPL-2.0

//! CXL regions: how they come and go, what decodes, and what the bus announces.
//!
//! Facts: `drivers/cxl/core/region.c`, `region_dax.c`, `port.c`, `drivers/base/dd.c`.

use crate::{
    host::Hold,
    protocol::Protocol,
    state::{Dax, Known, Life, State, Way},
    step::Step,
    universe::{Grain, Trouble},
};

impl Protocol {
    /// What regions do by themselves.
    pub(crate) fn region_steps(&self, state: &State, steps: &mut Vec<Step>) {
        if state.rescan {
            steps.push(Step::Rescan);
        }
        // Its probe takes the lock of the regions, which is held while one is removed.
        if state.newcomer && !state.regions.iter().any(|r| r.life.is_going()) {
            steps.push(Step::NewcomerProbed);
        }
        for r in self.universe.region_numbers() {
            match state.regions[r].life {
                Life::Absent | Life::Up => {}
                Life::PortWaits | Life::Waits => self.worker_steps(state, r, steps),
                // The probe in progress holds the lock of the dax device.
                Life::Unbinding if state.regions[r].dax == Dax::Claimed => {}
                _ => steps.push(Step::RegionAdvances(r as u8)),
            }
        }
    }

    /// What happens to regions from outside of the kernel.
    pub(crate) fn region_choices(&self, state: &State, steps: &mut Vec<Step>) {
        if !state.newcomer && self.may(state, Trouble::HotAdd) {
            steps.push(Step::HotAdd);
        }
        for r in self.universe.region_numbers() {
            let n = r as u8;
            let region = state.regions[r];
            if region.bare {
                self.bare_choices(state, r, steps);
                continue;
            }
            match region.life {
                Life::Absent if region.committed => {
                    steps.push(Step::Enable(n));
                    steps.push(Step::Reset(n));
                }
                // What is online has an entry in the iomem tree: there is no room for a region.
                Life::Absent if state.online.meets(self.universe.regions[r]) => {}
                Life::Absent if state.window && !state.rescan => steps.push(Step::Commit(n)),
                Life::Up => {
                    for (trouble, way) in [
                        (Trouble::Remove, Way::Destroy),
                        (Trouble::Disable, Way::Disable),
                        (Trouble::Detach, Way::Port),
                        (Trouble::Eject, Way::Eject),
                    ] {
                        if self.may(state, trouble) {
                            steps.push(Step::Remove(n, way));
                        }
                    }
                }
                Life::Waits | Life::PortWaits => self.worker_choices(state, r, steps),
                Life::Unbinding if region.dax == Dax::Bound && self.may(state, Trouble::InUse) => {
                    steps.push(Step::StaysOnline(n));
                }
                _ => {}
            }
        }
    }

    /// The probe or the removal of region `r` goes on.
    pub(crate) fn region_advances(&self, state: &mut State, r: usize) {
        self.region_advances_once(state, r);
        if self.universe.grain == Grain::Coarse {
            while state.regions[r].life.is_passing() {
                self.region_advances_once(state, r);
            }
        }
    }

    /// The memory devices are probed once more, which finds the regions that firmware committed.
    ///
    /// No decision is excused for having been made before: these regions were there all the time.
    pub(crate) fn rescan(&self, state: &mut State) {
        state.rescan = false;
        for r in self
            .universe
            .region_numbers()
            .filter(|&r| !self.universe.bare[r])
        {
            self.appear(state, r);
        }
    }

    /// Region `r` is committed and probed.
    pub(crate) fn commit(&self, state: &mut State, r: usize) {
        state.note_change();
        self.appear(state, r);
    }

    fn appear(&self, state: &mut State, r: usize) {
        let units = self.universe.regions[r];
        let dax = !self.universe.foreign[r] && !state.online.meets(units);
        state.note_committed(units);
        let region = &mut state.regions[r];
        region.life = Life::Adding;
        region.committed = true;
        region.dax = if dax { Dax::Idle } else { Dax::Absent };
        if self.universe.grain == Grain::Coarse {
            self.region_advances(state, r);
        }
    }

    /// Region `r` goes on. It does not wait for good for devices of HMEM that cannot go.
    fn note_overtaken(&self, state: &mut State, r: usize) {
        let owed = (state.devices()).any(|d| d.owed[r] && d.hold != Hold::Idle);
        if state.regions[r].way == Way::Eject && owed {
            state.ghost.unheard = state.ghost.unheard.and(self.universe.regions[r]);
        }
    }

    /// The decoders of region `r` are reset.
    pub(crate) fn reset(&self, state: &mut State, r: usize) {
        let remembered = state.history.contains(self.universe.regions[r]) || state.remembered[r];
        let region = &mut state.regions[r];
        if region.committed && (region.witnessed || remembered) {
            state.ghost.undone = state.ghost.undone.and(self.universe.regions[r]);
        }
        region.committed = false;
        region.witnessed = false;
        region.known = Known::No;
    }

    /// Region `r` begins to go.
    pub(crate) fn remove(&self, state: &mut State, r: usize, way: Way) {
        if way == Way::Unplug {
            return self.unplug(state, r);
        }
        state.note_removal();
        let region = &mut state.regions[r];
        region.way = way;
        region.life = match way {
            Way::Port | Way::Eject => Life::PortWaits,
            _ => Life::Waits,
        };
        self.told_unbinding(state, r);
    }

    fn region_advances_once(&self, state: &mut State, r: usize) {
        self.note_overtaken(state, r);
        let region = &mut state.regions[r];
        match region.life {
            Life::Absent | Life::Up => {}
            Life::Adding => {
                region.life = Life::Announced;
                if state.cxl_driver() && state.regions[r].dax == Dax::Idle {
                    state.regions[r].dax = Dax::Queued;
                }
                self.announce(state, r);
            }
            Life::Announced => region.life = Life::Attached,
            Life::Attached => {
                region.life = Life::Up;
                self.told_bound(state, r);
                self.announce(state, r);
            }
            Life::PortWaits => {
                region.life = Life::PortReset;
                self.reset(state, r);
            }
            Life::PortReset => {
                region.life = Life::Waits;
                self.told_unbinding(state, r);
            }
            Life::Waits if region.bare => self.unplugged(state, r),
            Life::Waits => {
                region.life = Life::Unbinding;
                region.waits_for_probes = false;
                for device in state.devices_mut() {
                    device.owed[r] = false;
                }
            }
            Life::Unbinding => {
                region.life = Life::DaxGone;
                region.dax = Dax::Absent;
                region.lost = false;
                state.note_dax_gone(self.universe.regions[r]);
            }
            Life::DaxGone => {
                region.life = Life::DaxGoneTold;
                self.announce(state, r);
            }
            Life::DaxGoneTold => region.life = Life::Unbound,
            Life::Unbound => {
                state.note_gone(r, &self.universe);
                let region = &mut state.regions[r];
                region.life = Life::Ending;
                if region.way != Way::Destroy {
                    region.life = Life::Absent;
                    region.way = Way::None;
                }
                self.told_unbound(state, r);
                self.announce(state, r);
            }
            Life::Ending => {
                region.life = Life::Absent;
                region.way = Way::None;
                self.reset(state, r);
            }
        }
    }
}

impl Life {
    /// Whether it lies between two moments at which others are told.
    fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Adding | Self::Attached | Self::PortReset | Self::DaxGone | Self::Unbound
        )
    }
}
