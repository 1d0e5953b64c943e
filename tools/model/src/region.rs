// SPDX-License-Identifier: GPL-2.0

//! CXL regions: how they come and go, what the bus announces, and who is unbound first.
//!
//! Facts: `drivers/cxl/core/region.c`, `region_dax.c`, `drivers/base/dd.c`, `core.c`.

use crate::{
    code::Mutant,
    host::{Hold, Link, Served},
    protocol::Protocol,
    queue::Who,
    state::{Dax, Life, State},
    step::Step,
    units::Units,
    universe::{Grain, Trouble, REGIONS},
};

impl Protocol {
    /// What regions do by themselves.
    pub(crate) fn region_steps(&self, state: &State, steps: &mut Vec<Step>) {
        if state.rescan {
            steps.push(Step::Rescan);
        }
        for r in self.universe.region_numbers() {
            match state.regions[r].life {
                Life::Absent | Life::Up => {}
                Life::Unlinking => {
                    if state.devices().any(|d| d.links[r] == Link::Active) {
                        steps.push(Step::ConsumerUnbound(r as u8));
                    } else if state.devices().any(|d| d.links[r] == Link::Probe) {
                        // wait_for_device_probe(), which does not wait for the region's own end.
                        // What it waits for ends by itself.
                    } else {
                        steps.push(Step::RegionAdvances(r as u8));
                    }
                }
                // The probe in progress holds the lock of the dax device.
                Life::Unbinding if state.regions[r].dax == Dax::Claimed => {}
                _ => steps.push(Step::RegionAdvances(r as u8)),
            }
        }
    }

    /// What happens to regions from outside of the kernel.
    pub(crate) fn region_choices(&self, state: &State, steps: &mut Vec<Step>) {
        for r in self.universe.region_numbers() {
            match state.regions[r].life {
                Life::Absent if state.window && !state.rescan => steps.push(Step::Commit(r as u8)),
                Life::Up if self.may(state, Trouble::Remove) => steps.push(Step::Remove(r as u8)),
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
        for r in self.universe.region_numbers() {
            self.appear(state, r);
        }
    }

    /// Region `r` is committed and probed.
    pub(crate) fn commit(&self, state: &mut State, r: usize) {
        state.note_change();
        self.appear(state, r);
    }

    fn appear(&self, state: &mut State, r: usize) {
        state.regions[r].life = Life::Adding;
        state.regions[r].dax = Dax::Idle;
        if self.universe.grain == Grain::Coarse {
            self.region_advances(state, r);
        }
    }

    fn region_advances_once(&self, state: &mut State, r: usize) {
        let region = &mut state.regions[r];
        match region.life {
            Life::Absent | Life::Up => {}
            Life::Adding => {
                region.life = Life::Announced;
                if state.cxl_driver() {
                    state.regions[r].dax = Dax::Queued;
                }
                self.announce(state);
            }
            Life::Announced => region.life = Life::Attached,
            Life::Attached => region.life = Life::Linked,
            Life::Linked => {
                region.life = Life::Up;
                self.announce(state);
            }
            Life::Unlinking => region.life = Life::Unbinding,
            Life::Unbinding => {
                region.life = Life::DaxGone;
                region.dax = Dax::Absent;
                region.lost = false;
                state.note_dax_gone(r, self.universe.regions[r]);
            }
            Life::DaxGone => {
                region.life = Life::DaxGoneTold;
                self.announce(state);
            }
            Life::DaxGoneTold => {
                region.life = Life::Unbound;
                // device_links_driver_cleanup()
                let mut warned = false;
                for device in state.devices_mut() {
                    warned |= device.links[r] != Link::None;
                    device.links[r] = Link::None;
                }
                state.ghost.warned |= warned;
            }
            Life::Unbound => {
                state.note_gone(r, &self.universe);
                if !self.code.is(Mutant::LosesTrack) {
                    self.remember(state, self.universe.regions[r]);
                }
                self.announce(state);
            }
        }
    }

    /// The driver core unbinds one device of HMEM that depends on region `r`.
    pub(crate) fn consumer_unbound(&self, state: &mut State, r: usize) {
        if let Some(device) = state.devices_mut().find(|d| d.links[r] == Link::Active) {
            device.unbind();
        }
    }

    /// The CXL bus tells who listens: `Host::regions_changed()`.
    fn announce(&self, state: &mut State) {
        if self.code.is(Mutant::Deaf) {
            return;
        }
        for who in [Who::Current, Who::Old] {
            if state.host(who).is_some_and(|h| h.listening) {
                self.news(state, who);
                if state.host(who).is_some_and(|h| !h.stopping) {
                    self.queue_decision(state, who);
                }
            }
        }
    }

    /// The listeners remember that a region has gone.
    fn remember(&self, state: &mut State, units: Units) {
        for host in [&mut state.current, &mut state.old].into_iter().flatten() {
            if host.listening && !self.code.is(Mutant::Deaf) {
                host.gone = host.gone.and(units);
            }
        }
    }

    /// Makes a device depend on the regions below it: `depend_on_regions()`. Returns whether the
    /// device may go on.
    pub(crate) fn depend(&self, regions: [Life; REGIONS], device: &mut Served) -> bool {
        if self.code.is(Mutant::NoDependency) {
            return true;
        }
        let timely = !self.code.is(Mutant::UntimelyLink);
        for r in self.universe.region_numbers() {
            let life = regions[r];
            if !self.universe.regions[r].meets(device.units) || device.links[r] != Link::None {
                continue;
            }
            if timely && life.is_unbinding() {
                return false;
            }
            let counts = if timely {
                matches!(life, Life::Linked | Life::Up)
            } else {
                life.is_bound()
            };
            if counts {
                device.links[r] = match (life, device.hold) {
                    (_, Hold::Idle) => Link::None,
                    (_, _) if life.is_unbinding() => Link::Late,
                    (Life::Attached, Hold::Bound) => Link::Inert,
                    (_, Hold::Bound) => Link::Active,
                    (_, _) => Link::Probe,
                };
            }
        }
        true
    }
}

impl Life {
    /// Whether it lies between two announcements.
    fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Adding | Self::Attached | Self::Linked | Self::DaxGone | Self::Unbound
        )
    }
}
