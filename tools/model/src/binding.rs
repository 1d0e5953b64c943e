// SPDX-License-Identifier: GPL-2.0

//! Binding and unbinding hmem_platform, and the closing that follows: `platform.rs`,
//! `Host::start()` and the closing of the module.

use crate::{
    code::Mutant,
    host::{Hold, Host, Owner, Record, Settling, Stage},
    protocol::Protocol,
    queue::{At, Seen, Who, Work},
    state::{Hmem, State},
    step::Step,
    universe::{Trouble, RANGES, REGIONS},
};
use ownership::{decide, Extents, Mode, World};

impl Protocol {
    /// What binding and unbinding do by themselves.
    pub(crate) fn binding_steps(&self, state: &State, steps: &mut Vec<Step>) {
        match state.current.as_ref().map(|host| host.stage) {
            Some(Stage::Due | Stage::Flushing(0)) => steps.push(Step::BindingBegins),
            Some(Stage::Listening) => steps.push(Step::BindingStarts),
            Some(Stage::Queueing) => steps.push(Step::BindingQueues),
            _ => {}
        }
    }

    /// What the administrator may do to the device.
    pub(crate) fn binding_choices(&self, state: &State, steps: &mut Vec<Step>) {
        if state.hmem != Hmem::Loaded {
            return;
        }
        match state.current.as_ref().map(|host| host.stage) {
            None => steps.push(Step::Bind),
            Some(Stage::Parked) if !state.queue.is_pending(Who::Current) => {
                steps.push(Step::Bind);
            }
            // Of one earlier binding at a time the work may go on.
            Some(Stage::Bound) if state.old.is_none() && self.may(state, Trouble::Unbind) => {
                steps.push(Step::Unbind);
            }
            _ => {}
        }
    }

    /// The administrator binds the device, which waits until an earlier binding is closed.
    pub(crate) fn bind(&self, state: &mut State) {
        let wait = state.queue.len();
        let mut host = state.current.take().unwrap_or(Host::new(false));
        host.stage = Stage::Flushing(wait);
        state.current = Some(host);
        if wait == 0 || self.code.is(Mutant::ClosingNotFlushed) {
            self.binding_begins(state);
        }
    }

    /// The ranges are found, and the bus is listened to.
    pub(crate) fn binding_begins(&self, state: &mut State) {
        state.note_binding();
        let (window, probed) = (state.window, state.probed);
        let Some(host) = &mut state.current else {
            return;
        };
        host.stage = Stage::Listening;
        host.listening = true;
        for i in self.universe.range_numbers() {
            let in_window = window && self.universe.window.meets(self.universe.ranges[i]);
            host.records[i] = Some(Record {
                in_window,
                owner: if in_window && probed {
                    Owner::Cxl(true)
                } else {
                    Owner::Deferred
                },
                served: Default::default(),
                left: Default::default(),
            });
        }
        self.walk_bus(state);
        self.recall_bare(state);
    }

    /// `Host::start()` takes the records.
    pub(crate) fn binding_starts(&self, state: &mut State) {
        if let Some(host) = &mut state.current {
            host.stage = Stage::Starting(0, None);
        }
        self.start_goes_on(state);
    }

    /// `Host::start()` goes through the ranges, and registers what no window intersects.
    pub(crate) fn start_goes_on(&self, state: &mut State) {
        let window = state.window;
        let Some(host) = &mut state.current else {
            return;
        };
        while let Stage::Starting(i, None) = host.stage {
            let record = host
                .records
                .get_mut(usize::from(i))
                .and_then(Option::as_mut);
            let Some(record) = record else {
                host.stage = Stage::Queueing;
                return;
            };
            let range = self.universe.ranges[usize::from(i)].range();
            let world = World {
                in_window: record.in_window,
                regions: Extents::NONE,
                taken: &[],
                settled: true,
            };
            let registers = !record.in_window
                && range.is_some_and(|range| decide(&range, &world).mode == Mode::Register);
            let mut job = None;
            if registers {
                record.owner = Owner::Hmem;
                job = self.pieces(window, i, record, &[Seen::default(); REGIONS], &[]);
            }
            host.stage = Stage::Starting(i + 1, job);
        }
    }

    /// The decision and the settling are queued, if anything is to be decided.
    pub(crate) fn binding_queues(&self, state: &mut State) {
        let mut waiting = false;
        if let Some(host) = &mut state.current {
            waiting = host.records.iter().flatten().any(|r| r.in_window);
            host.stage = Stage::Bound;
            if waiting {
                host.settling = Settling::Waiting;
            } else {
                host.settled = true;
                host.undecided = false;
            }
        }
        self.queue_decision(state, Who::Current);
        if !waiting {
            self.news(state, Who::Current);
        }
        if state.hmem == Hmem::Loading {
            state.hmem = Hmem::Loaded;
        }
    }

    /// hmem_platform is unbound: the gate closes, and closing is queued.
    pub(crate) fn unbind(&self, state: &mut State) {
        state.note_unbinding(&self.universe);
        if self.code.is(Mutant::GuardedByPending) {
            if let Some(host) = &mut state.current {
                host.stage = Stage::Parked;
                host.listening = false;
                host.records = [None; RANGES];
            }
            return;
        }
        let Some(mut host) = state.current.take() else {
            return;
        };
        host.stopping = true;
        host.stage = Stage::Closing;
        // What goes before closing has removed the devices must be heard of.
        host.listening = !self.code.is(Mutant::ListenerGoesFirst);
        state.old = Some(host);
        for work in state.queue.pending.iter_mut().flatten() {
            *work = match *work {
                Work::Decide(_) => Work::Decide(Who::Old),
                Work::Close => Work::Close,
            };
        }
        if let Some(run) = &mut state.queue.run {
            run.who = Who::Old;
        }
        state.queue.push(Work::Close);
        self.news(state, Who::Old);
    }

    /// No decision runs any more: all devices go.
    pub(crate) fn closes(&self, state: &mut State) {
        if let Some(host) = &mut state.old {
            host.records = [None; RANGES];
        }
        if let Some(run) = &mut state.queue.run {
            run.at = At::Unlisten;
        }
        if !state.regions.iter().any(|r| r.life.waits()) {
            self.unlistens(state);
        }
    }

    /// As [`Protocol::closes`], while all memory is in use.
    pub(crate) fn closes_in_use(&self, state: &mut State) {
        let records = state.old.iter().flat_map(|h| h.records.iter().flatten());
        let devices = records.flat_map(|r| r.served.iter().flatten());
        let bound = devices.filter(|d| d.hold == Hold::Bound);
        state.online = state.online.and(bound.map(|d| d.units).collect());
        state.ghost.before = None;
        self.closes(state);
    }

    /// The notifier is unregistered, which waits for calls of it that run.
    pub(crate) fn unlistens(&self, state: &mut State) {
        if let Some(host) = &mut state.old {
            host.stage = Stage::Closed;
            host.listening = false;
            host.departing = Default::default();
            host.stuck = Default::default();
        }
        self.keep_bare(state);
        self.work_ends(state);
    }
}
