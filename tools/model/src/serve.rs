// SPDX-License-Identifier: GPL-2.0

//! Serving pieces: `Record::serve()` of the module, and the probe of the devices hmem.N.

use crate::{
    code::Mutant,
    host::{Hold, Link, Owner, Record, Served, Stage},
    protocol::Protocol,
    queue::{Job, Who},
    state::State,
    step::{Actor, Step},
    units::Units,
    universe::{Trouble, REGIONS},
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
        }
    }

    /// The device that `actor` is making, if it has begun.
    fn device_of(state: &mut State, who: Who, job: Job) -> Option<&mut Served> {
        let record = state.host_mut(who)?.records[usize::from(job.record)].as_mut()?;
        record
            .served
            .iter_mut()
            .flatten()
            .find(|s| s.hold.is_probing())
    }

    /// The steps of registering a piece.
    pub(crate) fn serve_steps(&self, state: &State, actor: Actor, steps: &mut Vec<Step>) {
        let Some((who, job)) = self.job(state, actor) else {
            return;
        };
        let record = state
            .host(who)
            .and_then(|h| h.records[usize::from(job.record)]);
        let made = record.iter().flat_map(|r| r.served.iter().flatten());
        steps.push(match made.map(|d| d.hold).find(|h| h.is_probing()) {
            None => Step::DeviceAdded(actor),
            Some(Hold::Probing) => Step::DeviceClaims(actor),
            Some(_) => Step::DeviceBound(actor),
        });
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

    /// A device is registered, and its probe makes it depend on the regions below.
    pub(crate) fn device_added(&self, state: &mut State, actor: Actor) {
        let Some((who, job)) = self.job(state, actor) else {
            return;
        };
        let mut device = Served {
            units: job.todo[0],
            hold: Hold::Probing,
            below: [false; REGIONS],
            links: [Link::None; REGIONS],
        };
        if !self.depend(state.regions.map(|r| r.life), &mut device) {
            device.unbind();
        }
        let failed = device.hold == Hold::Idle;
        if let Some(slot) = state
            .host_mut(who)
            .and_then(|h| h.records[usize::from(job.record)].as_mut())
            .and_then(Record::free_slot)
        {
            *slot = Some(device);
        }
        if failed {
            self.piece_done(state, actor);
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
        let Some((who, job)) = self.job(state, actor) else {
            return;
        };
        let free = self.dax_region_is_free(state, job.todo[0]);
        if let Some(device) = Self::device_of(state, who, job) {
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
        let Some((who, job)) = self.job(state, actor) else {
            return;
        };
        let mut warned = false;
        if let Some(device) = Self::device_of(state, who, job) {
            device.hold = Hold::Bound;
            for link in &mut device.links {
                match *link {
                    Link::Probe => *link = Link::Active,
                    Link::Late => warned = true,
                    _ => {}
                }
            }
        }
        state.ghost.warned |= warned;
        self.piece_done(state, actor);
    }

    /// The outcome for a piece is known: `Served::note_below()`, and on to the next.
    fn piece_done(&self, state: &mut State, actor: Actor) {
        let Some((who, job)) = self.job(state, actor) else {
            return;
        };
        let seen = match (actor, state.queue.run) {
            (Actor::Decision, Some(run)) => run.seen,
            _ => Default::default(),
        };
        let units = job.todo[0];
        let below = self.below(&seen, units);
        let made = state
            .host_mut(who)
            .and_then(|h| h.records[usize::from(job.record)].as_mut())
            .and_then(|r| r.served.iter_mut().flatten().find(|s| s.units == units));
        if let Some(device) = made {
            device.below = below;
            self.note_links(device);
        }
        self.next_piece(state, actor, job);
    }

    /// What is noted is what there is a link to.
    pub(crate) fn note_links(&self, device: &mut Served) {
        let mutant = [Mutant::UntimelyLink, Mutant::NoDependency]
            .into_iter()
            .any(|m| self.code.is(m));
        if !mutant {
            device.below = device.links.map(|link| link != Link::None);
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
        }
    }
}
