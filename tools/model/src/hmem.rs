// SPDX-License-Identifier: GPL-2.0

//! Loading and unloading dax_hmem: `hmem.rs` of the module, `Published` of `rust/hmem_queues.rs`.

use crate::{
    code::Mutant,
    host::{Host, Stage},
    protocol::Protocol,
    state::{Hmem, State},
    step::Step,
    units::Units,
    universe::Trouble,
};

impl Protocol {
    /// What unloading does by itself.
    pub(crate) fn hmem_steps(&self, state: &State, steps: &mut Vec<Step>) {
        match state.hmem {
            Hmem::Draining if state.settling_is_idle() => steps.push(Step::HmemDrained),
            Hmem::Flushing(0) => steps.push(Step::HmemGone),
            _ => {}
        }
    }

    /// What the administrator may do to the module.
    pub(crate) fn hmem_choices(&self, state: &State, steps: &mut Vec<Step>) {
        // dax_cxl keeps it loaded.
        let free = state.old.is_none() && state.cxl.work == Default::default();
        // Whoever holds the lock of the device is waited for.
        let at_rest = (state.current.as_ref())
            .is_none_or(|h| matches!(h.stage, Stage::Bound | Stage::Parked));
        match state.hmem {
            Hmem::Gone if free => steps.push(Step::LoadHmem),
            Hmem::Loaded if free && at_rest && self.may(state, Trouble::UnloadHmem) => {
                steps.push(Step::UnloadHmem);
            }
            _ => {}
        }
    }

    /// Loading dax_hmem binds its device, now or, with [`Mutant::AsyncBinding`], soon.
    pub(crate) fn load_hmem(&self, state: &mut State) {
        state.hmem = if self.code.is(Mutant::AsyncBinding) {
            Hmem::Loaded
        } else {
            Hmem::Loading
        };
        state.current = Some(Host::new(true));
        if !self.code.is(Mutant::AsyncBinding) {
            self.binding_begins(state);
        }
    }

    /// dax_hmem is unloaded: the platform driver goes first.
    pub(crate) fn unload_hmem(&self, state: &mut State) {
        state.ghost.before = None;
        let bound = state
            .current
            .as_ref()
            .is_some_and(|h| h.stage == Stage::Bound);
        if bound {
            self.unbind(state);
        }
        self.hmem_drains(state);
    }

    fn hmem_drains(&self, state: &mut State) {
        state.hmem = if self.code.is(Mutant::WorkOutlivesModule) {
            Hmem::Gone
        } else {
            Hmem::Draining
        };
    }

    /// The settling work of all bindings has ended; what it has queued is next.
    pub(crate) fn hmem_drained(&self, state: &mut State) {
        state.hmem = Hmem::Flushing(state.queue.len());
    }

    /// The last work has ended.
    pub(crate) fn hmem_gone(&self, state: &mut State) {
        state.hmem = Hmem::Gone;
        state.current = None;
        if self.code.is(Mutant::HistoryLost) {
            state.history = Units::NONE;
        }
    }
}
