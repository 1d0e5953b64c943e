// SPDX-License-Identifier: GPL-2.0

//! The ordered workqueue of dax_hmem, and the work item that runs on it: a decision, or the closing
//! of a binding.

use crate::{
    code::Mutant,
    host::{Departing, Hold, Stage, PIECES},
    protocol::Protocol,
    state::{CxlWork, Hmem, State},
    step::Step,
    units::Units,
    universe::{Trouble, REGIONS},
};

/// The ordered workqueue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Queue {
    /// What is queued, in order.
    pub pending: [Option<Work>; 3],
    /// The work item that runs.
    pub run: Option<Run>,
}

/// A work item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// The decision of a binding.
    Decide(Who),
    /// The closing of [`State::old`].
    Close,
}

/// One of the bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// [`State::current`].
    Current,
    /// [`State::old`].
    Old,
}

/// A work item that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// Whose it is.
    pub who: Who,
    /// What it does next.
    pub at: At,
    /// What it is registering.
    pub job: Option<Job>,
    /// Probing had settled when it looked at the gate.
    pub settled: bool,
    /// It has left a range undecided.
    pub waiting: bool,
    /// It has dropped devices. Only in [`Mutant::RestOnlyOnce`].
    pub released: bool,
    /// It has left regions to CXL that were nobody's.
    pub offers: bool,
    /// The regions that it follows: those that had gone when it looked at the gate.
    pub gone: [bool; REGIONS],
    /// What it knows to have decoded: what was noted when it looked at the gate, and what it saw. A
    /// region that comes later does not count, for it is not seen to decode either.
    pub known: Units,
    /// What it saw of the regions.
    pub seen: [Seen; REGIONS],
    /// A memory device was removed while it looked.
    pub unplugged: bool,
}

/// What a work item does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// Looks at a region.
    Look(u8),
    /// Takes the lock of the records.
    Lock,
    /// Drops devices of this range whose region has gone.
    Follow(u8),
    /// Decides about this range.
    Decide(u8),
    /// Sleeps until there is news.
    Asleep,
    /// Closing: removes the devices.
    Close,
    /// Closing: stops listening to the bus, which waits for notifiers that run.
    Unlisten,
}

/// What a decision saw of one region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// It stands in the iomem tree.
    pub stands: bool,
    /// It is committed: its memory is decoded.
    pub committed: bool,
    /// CXL can serve it.
    pub covers: bool,
    /// Another driver has it.
    pub foreign: bool,
    /// It is not to be taken from CXL: dax_cxl has it or is to have it, it is disabled, or it goes.
    pub held: bool,
}

/// The registration of the pieces of one range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// Which range.
    pub record: u8,
    /// The pieces to come; the first may be under way.
    pub todo: [Units; PIECES],
}

impl Queue {
    /// How many work items a flush that begins now waits for.
    pub fn len(&self) -> u8 {
        (self.pending.iter().flatten().count() + usize::from(self.run.is_some())) as u8
    }

    /// Whether no work item is queued or runs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a decision of `who` is queued and has not begun.
    pub fn is_pending(&self, who: Who) -> bool {
        self.pending.contains(&Some(Work::Decide(who)))
    }

    /// Queues a work item.
    pub(crate) fn push(&mut self, work: Work) {
        if let Some(slot) = self.pending.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(work);
        }
    }
}

impl Run {
    fn new(who: Who, at: At) -> Self {
        Self {
            who,
            at,
            job: None,
            settled: false,
            waiting: false,
            released: false,
            offers: false,
            gone: Default::default(),
            known: Units::NONE,
            seen: Default::default(),
            unplugged: false,
        }
    }
}

impl Protocol {
    /// The gate changes, which a decision that runs will notice.
    pub(crate) fn news(&self, state: &mut State, who: Who) {
        let runs = state.queue.run.is_some_and(|run| run.who == who);
        if let Some(host) = state.host_mut(who) {
            host.news |= runs;
        }
    }

    /// Queues the decision, unless it is queued already.
    pub(crate) fn queue_decision(&self, state: &mut State, who: Who) {
        if !state.queue.is_pending(who) {
            state.queue.push(Work::Decide(who));
        }
    }

    /// What the queue does by itself.
    pub(crate) fn decision_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let Some(run) = &state.queue.run else {
            if state.queue.pending[0].is_some() {
                steps.push(Step::WorkBegins);
            }
            return;
        };
        if run.job.is_some() {
            return;
        }
        match run.at {
            At::Look(_) => steps.push(Step::DecisionLooks),
            At::Lock if !self.records_are_locked(state, run.who) => {
                steps.push(Step::DecisionLocks);
            }
            At::Follow(_) if state.hotplug_is_free() => steps.push(Step::DecisionFollows),
            At::Asleep if state.host(run.who).is_some_and(|h| h.news) => {
                steps.push(Step::DecisionWakes);
            }
            At::Close if !self.is_probed_by_hand(state) && state.hotplug_is_free() => {
                steps.push(Step::Closes)
            }
            At::Unlisten if !state.regions.iter().any(|r| r.life.waits()) => {
                steps.push(Step::Unlistens);
            }
            At::Lock | At::Follow(_) | At::Asleep | At::Decide(_) | At::Close | At::Unlisten => {}
        }
    }

    /// What can go wrong in a decision.
    pub(crate) fn decision_choices(&self, state: &State, steps: &mut Vec<Step>) {
        let begins = state.queue.run.is_some_and(|run| run.at == At::Look(0));
        if begins && self.may(state, Trouble::LookFails) {
            steps.push(Step::LookFails);
        }
        let closes = state.queue.run.is_some_and(|run| run.at == At::Close);
        let uses = state.devices().any(|d| d.hold == Hold::Bound);
        if closes && uses && !self.is_probed_by_hand(state) && self.may(state, Trouble::InUse) {
            steps.push(Step::ClosesInUse);
        }
    }

    /// The next work item of the queue begins.
    pub(crate) fn work_begins(&self, state: &mut State) {
        let Some(work) = state.queue.pending[0].take() else {
            return;
        };
        state.queue.pending.rotate_left(1);
        let who = match work {
            Work::Decide(who) => who,
            Work::Close => {
                state.queue.run = Some(Run::new(Who::Old, At::Close));
                return;
            }
        };
        if self.code.is(Mutant::ProbedTooEarly) {
            state.probed = true;
        }
        self.look_at_gate(state, who);
    }

    /// The head of the loop: what is to be done depends on the gate.
    pub(crate) fn look_at_gate(&self, state: &mut State, who: Who) {
        let patient = self.code.patient;
        let hasty = self.code.is(Mutant::HastyNews);
        let Some(host) = state.host_mut(who) else {
            return self.work_ends(state);
        };
        host.news = false;
        let (stopping, settled) = (host.stopping, host.settled);
        // `Gate::started`
        let started = !matches!(host.stage, Stage::Listening | Stage::Starting(..));
        if !started && !hasty {
            return self.work_ends(state);
        }
        if stopping {
            return self.work_ends(state);
        }
        state.queue.run = Some(Run {
            settled,
            known: state.history,
            ..Run::new(who, At::Look(0))
        });
        if patient && !settled {
            return self.go_to_sleep(state);
        }
        self.take_departed(state, who);
        state.note_begun(&self.universe);
        if settled && who == Who::Current {
            state.note_judgement();
        }
    }

    /// The decision follows what has gone.
    fn take_departed(&self, state: &mut State, who: Who) {
        let early = self.code.is(Mutant::DepartingClearedEarly);
        let Some(host) = state.host_mut(who) else {
            return;
        };
        let gone = (host.departing).map(|d| matches!(d, Departing::Gone | Departing::Back));
        for departing in &mut host.departing {
            match *departing {
                _ if early => *departing = Departing::No,
                Departing::Gone => *departing = Departing::Followed,
                Departing::Back => *departing = Departing::No,
                _ => {}
            }
        }
        if let Some(run) = &mut state.queue.run {
            run.gone = gone;
        }
    }

    pub(crate) fn go_to_sleep(&self, state: &mut State) {
        let Some(run) = &mut state.queue.run else {
            return;
        };
        run.at = At::Asleep;
        run.seen = Default::default();
        run.gone = Default::default();
        run.known = Units::NONE;
        run.unplugged = false;
        let who = run.who;
        if let Some(host) = state.host_mut(who) {
            host.undecided = true;
        }
    }

    /// The work item is done, and everybody who flushes has one less to wait for.
    pub(crate) fn work_ends(&self, state: &mut State) {
        state.queue.run = None;
        if let Some(Stage::Flushing(wait)) = state.current.as_mut().map(|h| &mut h.stage) {
            *wait = wait.saturating_sub(1);
        }
        if let Hmem::Flushing(wait) = &mut state.hmem {
            *wait = wait.saturating_sub(1);
        }
        if let CxlWork::Flushing(wait) = &mut state.cxl.work {
            *wait = wait.saturating_sub(1);
        }
    }
}
