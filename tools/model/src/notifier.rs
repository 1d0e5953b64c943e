// SPDX-License-Identifier: GPL-2.0

//! The notifier of the CXL bus, and the worker that unbinds devices of HMEM for it.
//!
//! The driver core calls the notifier with the lock of the region, or of the port, held. Before a
//! region goes, the notifier records it as departing, so that no probe of `hmem.N` gets beyond its
//! beginning any more, and waits until the worker has unbound the devices above it.

use crate::{
    code::Mutant,
    host::{Departing, Hold, Served},
    protocol::Protocol,
    queue::Who,
    state::State,
    step::Step,
    units::Units,
    universe::{Trouble, REGIONS},
};

impl Protocol {
    /// What the worker does for region `r`, and what the notifier does when it is done.
    pub(crate) fn worker_steps(&self, state: &State, r: usize, steps: &mut Vec<Step>) {
        let waits = !self.code.is(Mutant::NotifierDoesNotWait);
        let owed = || state.devices().filter(|d| d.owed[r]);
        let may = state.hotplug_is_free();
        if owed().any(|d| d.hold != Hold::Idle) && !may && waits {
            // The notifier waits for a minute, and the region goes all the same.
            if !self.code.is(Mutant::WaitsForGood) {
                steps.push(Step::RegionAdvances(r as u8));
            }
        } else if owed().any(|d| d.hold == Hold::Bound) && waits {
            steps.push(Step::WorkerUnbinds(r as u8));
        } else if owed().any(|d| d.hold != Hold::Idle) && waits {
            // The probe in progress holds the lock of the device.
        } else if !state.regions[r].waits_for_probes || !self.is_probing(state) {
            steps.push(Step::RegionAdvances(r as u8));
        }
    }

    /// Whether a probe of anybody runs.
    fn is_probing(&self, state: &State) -> bool {
        state.slow || state.newcomer || self.is_cxl_probing(state) || self.is_hmem_probing(state)
    }

    pub(crate) fn is_cxl_probing(&self, state: &State) -> bool {
        let mut regions = state.regions.iter();
        regions.any(|r| r.life.is_probing() || r.dax.is_probing())
    }

    pub(crate) fn is_hmem_probing(&self, state: &State) -> bool {
        state.devices().any(|d| d.hold.is_probing())
    }

    /// What may keep the worker from taking memory away.
    pub(crate) fn worker_choices(&self, state: &State, r: usize, steps: &mut Vec<Step>) {
        let mut next = Vec::new();
        if self.may(state, Trouble::InUse) {
            self.worker_steps(state, r, &mut next);
            if next == [Step::WorkerUnbinds(r as u8)] {
                steps.push(Step::StaysOnline(r as u8));
            }
        }
    }

    /// The worker unbinds one device.
    pub(crate) fn worker_unbinds(&self, state: &mut State, r: usize) -> Units {
        let bound = |d: &&mut Served| d.owed[r] && d.hold == Hold::Bound;
        let Some(device) = state.devices_mut().find(bound) else {
            return Units::NONE;
        };
        device.unbind();
        device.units
    }

    /// Memory above or of region `r` is in use, and stays online when its driver is unbound.
    pub(crate) fn stays_online(&self, state: &mut State, r: usize) {
        let units = if state.regions[r].life.waits() {
            self.worker_unbinds(state, r)
        } else {
            self.region_advances(state, r);
            self.universe.regions[r]
        };
        state.online = state.online.and(units);
        state.ghost.before = None;
    }

    /// `BUS_NOTIFY_UNBIND_DRIVER` of region `r`, or of the port below it.
    pub(crate) fn told_unbinding(&self, state: &mut State, r: usize) {
        let units = self.universe.regions[r];
        if !self.is_heard(state) {
            state.note_unheard(r, units);
            return;
        }
        if self.code.is(Mutant::Deaf) {
            return;
        }
        if !self.code.is(Mutant::HistoryAtLooks) {
            self.note_history(state, r);
        }
        let listed_late = self.code.is(Mutant::ListedLate);
        let old_way = self.code.is(Mutant::ProbeWaitUnderLock);
        let mut probing = false;
        for host in [&mut state.current, &mut state.old].into_iter().flatten() {
            if !host.listening {
                continue;
            }
            host.departing[r] = Departing::Going;
            let records = host.records.iter_mut().flatten();
            for device in records.flat_map(|r| r.served.iter_mut().flatten()) {
                let listed = !listed_late || device.hold == Hold::Bound;
                device.owed[r] = device.units.meets(units) && listed;
                probing |= device.owed[r] && device.hold.is_probing();
            }
        }
        state.regions[r].waits_for_probes = old_way && probing;
    }

    /// `BUS_NOTIFY_UNBOUND_DRIVER`: the next decision follows.
    pub(crate) fn told_unbound(&self, state: &mut State, r: usize) {
        if self.code.is(Mutant::Deaf) {
            return;
        }
        for host in [&mut state.current, &mut state.old].into_iter().flatten() {
            if host.listening {
                host.departing[r] = if self.code.is(Mutant::LosesTrack) {
                    Departing::No
                } else {
                    Departing::Gone
                };
            }
        }
    }

    /// `BUS_NOTIFY_BOUND_DRIVER`: what is decoded again keeps no probe out.
    pub(crate) fn told_bound(&self, state: &mut State, r: usize) {
        for host in [&mut state.current, &mut state.old].into_iter().flatten() {
            if host.listening {
                host.departing[r] = match host.departing[r] {
                    Departing::Gone | Departing::Back => Departing::Back,
                    _ => Departing::No,
                };
            }
        }
    }

    /// The CXL bus tells who listens that region `r` has changed: the decision is queued.
    pub(crate) fn announce(&self, state: &mut State, r: usize) {
        if self.code.is(Mutant::Deaf) || !self.is_heard(state) {
            return;
        }
        if !self.code.is(Mutant::HistoryAtLooks) {
            self.note_history(state, r);
        }
        self.witness(state, r);
        self.tell_listeners(state);
    }

    /// Has the decision of each host that listens look at the bus.
    pub(crate) fn tell_listeners(&self, state: &mut State) {
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

    pub(crate) fn is_heard(&self, state: &State) -> bool {
        let hosts = [&state.current, &state.old].into_iter().flatten();
        hosts.into_iter().any(|h| h.listening)
    }

    /// Remembers what region `r` has decoded.
    pub(crate) fn note_history(&self, state: &mut State, r: usize) {
        let settled = state.queue.run.is_some_and(|run| run.settled);
        if settled || !self.code.is(Mutant::ForgetsUndecided) {
            state.history = state.history.and(self.universe.regions[r]);
        }
    }

    /// For the properties only: dax_hmem could know of region `r`.
    pub(crate) fn witness(&self, state: &mut State, r: usize) {
        let region = &mut state.regions[r];
        if region.committed {
            region.witnessed = true;
        } else {
            state.ghost.undone = state.ghost.undone.and(self.universe.regions[r]);
        }
    }

    /// Whether something below `units` is departing, as the probe of a device finds under the lock
    /// of the devices.
    pub(crate) fn is_departing(&self, departing: [Departing; REGIONS], units: Units) -> bool {
        !self.code.is(Mutant::DepartingUnchecked)
            && (0..REGIONS)
                .any(|r| departing[r].keeps_out() && self.universe.regions[r].meets(units))
    }

    /// The bus is walked when the notifier has been registered: what is committed is remembered.
    pub(crate) fn walk_bus(&self, state: &mut State) {
        for r in self.universe.region_numbers() {
            if state.regions[r].has_decoded() {
                if !self.code.is(Mutant::HistoryMissesBinding) {
                    self.note_history(state, r);
                }
                self.witness(state, r);
            }
        }
    }
}
