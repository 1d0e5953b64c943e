// SPDX-License-Identifier: GPL-2.0

//! The model: which steps are possible in a state, and what they do.

use crate::{
    code::Code,
    host::{Settling, Stage},
    properties,
    queue::Who,
    state::{CxlWork, Dax, Hmem, Region, State},
    step::{Actor, Step},
    units::Units,
    universe::{Trouble, Universe},
};
use stateright::{Model, Property};

/// A universe and the code that runs in it.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// The machine and what may happen to it.
    pub universe: Universe,
    /// The modules, or a variant of them.
    pub code: Code,
}

impl Protocol {
    /// `code` in `universe`.
    pub fn new(universe: Universe, code: Code) -> Self {
        Self { universe, code }
    }

    /// Whether there may be this trouble now.
    pub(crate) fn may(&self, state: &State, trouble: Trouble) -> bool {
        state.budget > 0 && self.universe.troubles.contains(&trouble)
    }

    /// The steps that the kernel takes by itself.
    pub fn kernel_steps(&self, state: &State, steps: &mut Vec<Step>) {
        self.region_steps(state, steps);
        self.binding_steps(state, steps);
        self.settling_steps(state, steps);
        self.hmem_steps(state, steps);
        self.decision_steps(state, steps);
        self.serve_steps(state, Actor::Binding, steps);
        self.serve_steps(state, Actor::Decision, steps);
        self.hand_steps(state, steps);
        self.cxl_steps(state, steps);
    }

    /// The steps that come from outside of the kernel, and what may go wrong.
    fn choices(&self, state: &State, steps: &mut Vec<Step>) {
        if state.slow {
            steps.push(Step::SlowEnds);
        }
        if !state.window {
            steps.push(Step::Publish);
        }
        self.region_choices(state, steps);
        self.hmem_choices(state, steps);
        self.binding_choices(state, steps);
        self.hand_choices(state, steps);
        self.cxl_choices(state, steps);
        self.decision_choices(state, steps);
        self.serve_choices(state, Actor::Binding, steps);
        self.serve_choices(state, Actor::Decision, steps);
    }

    fn take(&self, state: &mut State, step: Step) {
        match step {
            Step::SlowEnds => state.slow = false,
            Step::Publish => {
                state.window = true;
                state.ghost.stale |= state.current.is_some();
                state.ghost.before = None;
            }
            Step::Rescan => self.rescan(state),
            Step::Commit(r) => self.commit(state, r.into()),
            Step::Enable(r) => self.commit(state, r.into()),
            Step::Reset(r) => {
                state.note_removal();
                self.reset(state, r.into());
            }
            Step::Remove(r, way) => self.remove(state, r.into(), way),
            Step::Hide(r) => {
                self.hide(state, r.into());
                self.tell_listeners(state);
            }
            Step::Show(r) => {
                state.regions[usize::from(r)].hidden = false;
                self.note_plugged(state, r.into());
                self.tell_listeners(state);
            }
            Step::HotAdd => state.newcomer = true,
            Step::NewcomerProbed => state.newcomer = false,
            Step::LoadHmem => self.load_hmem(state),
            Step::UnloadHmem => self.unload_hmem(state),
            Step::LoadCxl => self.load_cxl(state),
            Step::UnloadCxl => {
                state.ghost.before = None;
                state.cxl.unloading = true;
            }
            Step::Bind => self.bind(state),
            Step::Unbind => self.unbind(state),
            Step::DeviceUnbound(n) => self.device_unbound(state, n),
            Step::BindDevice(n) => self.bind_device(state, n),
            Step::ClosesInUse => self.closes_in_use(state),
            Step::StaysOnline(r) => self.stays_online(state, r.into()),
            Step::PieceFails(by) => self.piece_fails(state, by),
            Step::LookFails => self.look_fails(state),
            Step::CxlRegisterFails => self.cxl_registers(state, false),
            Step::RegionAdvances(r) => self.region_advances(state, r.into()),
            Step::WorkerUnbinds(r) => {
                self.worker_unbinds(state, r.into());
            }
            Step::BindingBegins => self.binding_begins(state),
            Step::BindingStarts => self.binding_starts(state),
            Step::BindingQueues => self.binding_queues(state),
            Step::SettlingReturns(who) => {
                if let Some(host) = state.host_mut(who) {
                    host.settling = Settling::Returned;
                }
            }
            Step::SettlingTells(who) => self.settling_tells(state, who),
            Step::SettlingQueues(who) => self.settling_queues(state, who),
            Step::HmemDrained => self.hmem_drained(state),
            Step::HmemGone => self.hmem_gone(state),
            Step::WorkBegins => self.work_begins(state),
            Step::Closes => self.closes(state),
            Step::Unlistens => self.unlistens(state),
            Step::DecisionLooks => self.decision_looks(state),
            Step::DecisionLocks => self.decision_locks(state),
            Step::DecisionFollows => self.decision_follows(state),
            Step::DecisionWakes => {
                if let Some(run) = state.queue.run {
                    self.look_at_gate(state, run.who);
                }
            }
            Step::DeviceAdded(by) => self.device_added(state, by),
            Step::DeviceClaims(by) => self.device_claims(state, by),
            Step::DeviceBound(by) => self.device_bound(state, by),
            Step::CxlFlushReturns => state.cxl.work = CxlWork::Flushed,
            Step::CxlRegisters => self.cxl_registers(state, true),
            Step::CxlUnregisters => self.cxl_unregisters(state),
            Step::CxlClaims(r) => self.cxl_claims_region(state, r.into()),
            Step::CxlBinds(r) => state.regions[usize::from(r)].dax = Dax::Bound,
        }
    }

    /// Makes states that mean the same the same.
    fn tidy(&self, state: &mut State) {
        let idle = state.old.as_ref().is_some_and(|old| {
            let runs = state.queue.run.is_some_and(|r| r.who == Who::Old);
            let pending = state.queue.is_pending(Who::Old);
            old.stage != Stage::Closing && old.settling == Settling::Idle && !runs && !pending
        });
        if idle {
            state.old = None;
        }
        let hosts = [&mut state.current, &mut state.old].into_iter().flatten();
        for record in hosts.flat_map(|h| h.records.iter_mut().flatten()) {
            record.tidy();
        }
        let mut steps = Vec::new();
        self.kernel_steps(state, &mut steps);
        state.quiet = steps.is_empty();
    }
}

impl Step {
    /// Whether it counts as trouble.
    pub fn is_trouble(self) -> bool {
        matches!(
            self,
            Self::Remove(..)
                | Self::Hide(_)
                | Self::HotAdd
                | Self::Unbind
                | Self::DeviceUnbound(_)
                | Self::ClosesInUse
                | Self::StaysOnline(_)
                | Self::UnloadHmem
                | Self::UnloadCxl
                | Self::PieceFails(_)
                | Self::LookFails
                | Self::CxlRegisterFails
        )
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            slow: true,
            window: !self.universe.late_window,
            rescan: self.universe.early_devices,
            budget: self.universe.budget,
            regions: std::array::from_fn(|r| {
                let bare = self.universe.bare[r];
                Region {
                    bare,
                    committed: bare && !(self.universe.missing && r > 0),
                    hidden: bare && self.universe.hidden,
                    ..Region::default()
                }
            }),
            hmem: Hmem::Gone,
            cxl: Default::default(),
            current: None,
            old: None,
            queue: Default::default(),
            probed: false,
            history: Units::NONE,
            remembered: Default::default(),
            online: Units::NONE,
            newcomer: false,
            ghost: Default::default(),
            quiet: true,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        self.kernel_steps(state, steps);
        self.choices(state, steps);
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        if step.is_trouble() {
            state.budget = state.budget.saturating_sub(1);
        }
        self.take(&mut state, step);
        self.tidy(&mut state);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }

    fn format_action(&self, step: &Step) -> String {
        step.to_string()
    }
}
