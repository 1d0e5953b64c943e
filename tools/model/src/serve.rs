// SPDX-License-Identifier: GPL-2.0

//! Serving pieces: `Record::serve()` of the module, and the probe of the devices hmem.N.

use crate::{
    code::Mutant,
    host::{Hold, Owner, Record, Served, Stage},
    protocol::Protocol,
    queue::{Job, Who},
    state::{Known, State},
    step::{Actor, Step},
    units::Units,
    universe::Trouble,
};

impl Protocol {
    /// What `actor` is registering for whom.
    fn job(&self, state: &State, actor: Actor) -> Option<(Who, Job)> {
        match actor {
            Actor::Binding => match state.current.as_ref()?.stage {
                Stage::Starting(_, job) => Some((Who::Current, job?)),
                _ => None,
            },
            Actor::Decision => {
                let run = state.queue.run.as_ref()?;
                Some((run.who, run.job?))
            }
            Actor::Hand(_) => None,
        }
    }

    fn set_job(&self, state: &mut State, actor: Actor, job: Option<Job>) {
        match actor {
            Actor::Binding => {
                if let Some(host) = &mut state.current {
                    if let Stage::Starting(_, slot) = &mut host.stage {
                        *slot = job;
                    }
                }
            }
            Actor::Decision => {
                if let Some(run) = &mut state.queue.run {
                    run.job = job;
                }
            }
            Actor::Hand(_) => {}
        }
    }

    /// The device that `actor` is having probed, if it has begun.
    fn device_of<'a>(&self, state: &'a mut State, actor: Actor) -> Option<&'a mut Served> {
        if let Actor::Hand(n) = actor {
            return state.devices_mut().nth(n.into());
        }
        let (who, job) = self.job(state, actor)?;
        let record = state.host_mut(who)?.records[usize::from(job.record)].as_mut()?;
        record.served.iter_mut().flatten().find(|s| s.is_made())
    }

    /// The steps of registering a piece.
    pub(crate) fn serve_steps(&self, state: &State, actor: Actor, steps: &mut Vec<Step>) {
        let Some((who, job)) = self.job(state, actor) else {
            return;
        };
        let record = state
            .host(who)
            .and_then(|h| h.records[usize::from(job.record)]);
        let mut made = record.iter().flat_map(|r| r.served.iter().flatten());
        match made.find(|d| d.is_made()) {
            None => steps.push(Step::DeviceAdded(actor)),
            Some(device) if device.hold == Hold::Claimed => {
                if state.hotplug_is_free() {
                    steps.push(Step::DeviceBound(actor));
                }
            }
            Some(device) if self.may_claim(state, device) => steps.push(Step::DeviceClaims(actor)),
            Some(_) => {}
        }
    }

    /// Whether nothing keeps the probe of a device from going on.
    pub(crate) fn may_claim(&self, state: &State, device: &Served) -> bool {
        let locked = (self.universe.region_numbers())
            .any(|r| state.regions[r].life.waits() && self.universe.regions[r].meets(device.units));
        !locked || !self.code.is(Mutant::ProbeTakesRegionLock)
    }

    /// What can go wrong with a piece.
    pub(crate) fn serve_choices(&self, state: &State, actor: Actor, steps: &mut Vec<Step>) {
        let mut first = Vec::new();
        if self.may(state, Trouble::PieceFails) {
            self.serve_steps(state, actor, &mut first);
            if first == [Step::DeviceAdded(actor)] {
                steps.push(Step::PieceFails(actor));
            }
        }
    }

    /// A device is registered: it is listed, and its probe looks it up.
    pub(crate) fn device_added(&self, state: &mut State, actor: Actor) {
        let Some((who, job)) = self.job(state, actor) else {
            return;
        };
        let units = job.todo[0];
        let departing = state.host(who).map_or(Default::default(), |h| h.departing);
        let fails = self.is_departing(departing, units);
        let device = Served {
            units,
            hold: if fails { Hold::Idle } else { Hold::Probing },
            taken: false,
            hand: false,
            owed: Default::default(),
        };
        if let Some(slot) = state
            .host_mut(who)
            .and_then(|h| h.records[usize::from(job.record)].as_mut())
            .and_then(Record::free_slot)
        {
            *slot = Some(device);
        }
        if fails {
            self.next_piece(state, actor, job);
        }
    }

    /// There is no memory for the device of a piece.
    pub(crate) fn piece_fails(&self, state: &mut State, actor: Actor) {
        let Some((who, job)) = self.job(state, actor) else {
            return;
        };
        state.note_starved(job.todo[0]);
        if self.code.is(Mutant::WalkStopsAtError) {
            self.set_job(state, actor, None);
            // As in C, nobody comes back to what comes after it.
            if let Some(host) = state.host_mut(who) {
                for record in host.records.iter_mut().flatten() {
                    if record.owner == Owner::Deferred {
                        record.owner = Owner::Failed;
                    }
                }
            }
            return self.go_on(state, actor);
        }
        self.next_piece(state, actor, job);
    }

    /// The probe of a device asks for its dax region.
    pub(crate) fn device_claims(&self, state: &mut State, actor: Actor) {
        let Some(units) = self.device_of(state, actor).map(|d| d.units) else {
            return;
        };
        let free = self.dax_region_is_free(state, units);
        if free && !matches!(actor, Actor::Hand(_)) {
            state.note_probe(units, Known::Begun, &self.universe);
        }
        if let Some(device) = self.device_of(state, actor) {
            if free {
                device.hold = Hold::Claimed;
                return;
            }
            device.unbind();
        }
        self.piece_done(state, actor);
    }

    /// The probe of a device has ended well.
    pub(crate) fn device_bound(&self, state: &mut State, actor: Actor) {
        if let Some(device) = self.device_of(state, actor) {
            device.hold = Hold::Bound;
            device.hand = false;
            device.taken = true;
            let units = device.units;
            state.ghost.by_hand = state.ghost.by_hand.without(units);
        }
        self.piece_done(state, actor);
    }

    /// The outcome for a piece is known: on to the next.
    fn piece_done(&self, state: &mut State, actor: Actor) {
        if let Some((_, job)) = self.job(state, actor) {
            self.next_piece(state, actor, job);
        }
    }

    fn next_piece(&self, state: &mut State, actor: Actor, mut job: Job) {
        job.todo[0] = Units::NONE;
        job.todo.rotate_left(1);
        let job = (!job.todo[0].is_empty()).then_some(job);
        self.set_job(state, actor, job);
        if job.is_none() {
            self.go_on(state, actor);
        }
    }

    fn go_on(&self, state: &mut State, actor: Actor) {
        match actor {
            Actor::Binding => self.start_goes_on(state),
            Actor::Decision => self.advance(state),
            Actor::Hand(_) => {}
        }
    }
}

impl Served {
    /// Whether it is being registered.
    fn is_made(&self) -> bool {
        self.hold.is_probing() && !self.hand
    }
}
