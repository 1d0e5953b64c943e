// SPDX-License-Identifier: GPL-2.0

//! The ordered workqueue of dax_hmem, and the decision that runs on it.

use crate::{
    code::Mutant,
    host::{Stage, PIECES},
    protocol::Protocol,
    state::{CxlWork, Hmem, State},
    step::Step,
    units::Units,
    universe::{Trouble, REGIONS},
};

/// The ordered workqueue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Queue {
    /// The bindings whose decision is queued, in order.
    pub pending: [Option<Who>; 2],
    /// The decision that runs.
    pub run: Option<Run>,
}

/// One of the bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// [`State::current`].
    Current,
    /// [`State::old`].
    Old,
}

/// A decision that runs.
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
    /// It has left regions to CXL that were nobody's.
    pub offers: bool,
    /// [`crate::host::Host::gone`] when it looked at the gate.
    pub gone: Units,
    /// What it saw of the regions.
    pub seen: [Seen; REGIONS],
}

/// What a decision does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// Looks at a region.
    Look(u8),
    /// Takes the lock of the records.
    Lock,
    /// Releases devices of this range whose region has gone.
    Follow(u8),
    /// Makes devices of this range depend on new regions.
    Depend(u8),
    /// Decides about this range.
    Decide(u8),
    /// Sleeps until there is news.
    Asleep,
}

/// What a decision saw of one region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// It stands in the iomem tree.
    pub stands: bool,
    /// Its driver is bound.
    pub bound: bool,
    /// It is committed.
    pub committed: bool,
    /// dax_cxl has it.
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
    /// How many decisions a flush that begins now waits for.
    pub fn len(&self) -> u8 {
        (self.pending.iter().flatten().count() + usize::from(self.run.is_some())) as u8
    }

    /// Whether no decision is queued or runs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a decision of `who` is queued and has not begun.
    pub fn is_pending(&self, who: Who) -> bool {
        self.pending.contains(&Some(who))
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
        if state.queue.is_pending(who) {
            return;
        }
        if let Some(slot) = state.queue.pending.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(who);
        }
    }

    /// What the queue does by itself.
    pub(crate) fn decision_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let Some(run) = &state.queue.run else {
            if state.queue.pending[0].is_some() {
                steps.push(Step::DecisionBegins);
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
            At::Follow(_) => steps.push(Step::DecisionFollows),
            At::Depend(_) => steps.push(Step::DecisionDepends),
            At::Asleep if state.host(run.who).is_some_and(|h| h.news) => {
                steps.push(Step::DecisionWakes);
            }
            At::Lock | At::Asleep | At::Decide(_) => {}
        }
    }

    /// What can go wrong in a decision.
    pub(crate) fn decision_choices(&self, state: &State, steps: &mut Vec<Step>) {
        let begins = state.queue.run.is_some_and(|run| run.at == At::Look(0));
        if begins && self.may(state, Trouble::LookFails) {
            steps.push(Step::LookFails);
        }
    }

    /// The next decision of the queue begins.
    pub(crate) fn decision_begins(&self, state: &mut State) {
        let Some(who) = state.queue.pending[0].take() else {
            return;
        };
        state.queue.pending.rotate_left(1);
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
            return self.decision_ends(state);
        };
        host.news = false;
        let (stopping, settled) = (host.stopping, host.settled);
        // `Gate::started`
        let started = !matches!(host.stage, Stage::Listening | Stage::Starting(..));
        if !started && !hasty {
            return self.decision_ends(state);
        }
        let gone = std::mem::take(&mut host.gone);
        state.queue.run = Some(Run {
            who,
            at: At::Look(0),
            job: None,
            settled,
            waiting: false,
            offers: false,
            gone,
            seen: Default::default(),
        });
        if stopping {
            self.decision_ends(state);
        } else if patient && !settled {
            if let Some(host) = state.host_mut(who) {
                host.gone = gone;
            }
            self.go_to_sleep(state);
        } else if settled && who == Who::Current {
            state.note_judgement();
        }
    }

    pub(crate) fn go_to_sleep(&self, state: &mut State) {
        let Some(run) = &mut state.queue.run else {
            return;
        };
        run.at = At::Asleep;
        run.seen = Default::default();
        run.gone = Units::NONE;
        let who = run.who;
        if let Some(host) = state.host_mut(who) {
            host.undecided = true;
        }
    }

    /// The work item is done, and everybody who flushes has one less to wait for.
    pub(crate) fn decision_ends(&self, state: &mut State) {
        state.queue.run = None;
        for host in [&mut state.current, &mut state.old].into_iter().flatten() {
            if let Stage::Stopping(wait) = &mut host.stage {
                *wait = wait.saturating_sub(1);
            }
        }
        if let Hmem::Flushing(wait) = &mut state.hmem {
            *wait = wait.saturating_sub(1);
        }
        if let CxlWork::Flushing(wait) = &mut state.cxl.work {
            *wait = wait.saturating_sub(1);
        }
    }
}
