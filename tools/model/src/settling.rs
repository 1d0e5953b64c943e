// SPDX-License-Identifier: GPL-2.0

//! The settling work: waits until device probing has settled, and tells the decision.

use crate::{
    code::Mutant, host::Settling, protocol::Protocol, queue::Who, state::State, step::Step,
    universe::Grain,
};

impl Protocol {
    /// What the settling works do by themselves.
    pub(crate) fn settling_steps(&self, state: &State, steps: &mut Vec<Step>) {
        for who in [Who::Current, Who::Old] {
            match state.host(who).map(|host| host.settling) {
                Some(Settling::Waiting) if self.probing_has_settled(state) => {
                    steps.push(Step::SettlingReturns(who));
                }
                Some(Settling::Returned) => steps.push(Step::SettlingTells(who)),
                Some(Settling::Told) => steps.push(Step::SettlingQueues(who)),
                _ => {}
            }
        }
    }

    /// `probing::wait_until_settled()` returns, after `cxl_flush::flush()` has.
    fn probing_has_settled(&self, state: &State) -> bool {
        let probing = self.is_cxl_probing(state) || self.is_hmem_probing(state) || state.newcomer;
        let rescan = state.rescan && !self.code.is(Mutant::MissesRescan);
        !state.slow && !rescan && !probing
    }

    /// The settling work tells that probing has settled.
    pub(crate) fn settling_tells(&self, state: &mut State, who: Who) {
        let Some(host) = state.host_mut(who) else {
            return;
        };
        host.settled = true;
        host.settling = if host.stopping {
            Settling::Idle
        } else {
            Settling::Told
        };
        let told = host.settling == Settling::Told;
        if !self.code.is(Mutant::SettlingDoesNotWake) {
            self.news(state, who);
        }
        if told && self.universe.grain == Grain::Coarse {
            self.settling_queues(state, who);
        }
    }

    /// The settling work queues a decision.
    pub(crate) fn settling_queues(&self, state: &mut State, who: Who) {
        if let Some(host) = state.host_mut(who) {
            host.settling = Settling::Idle;
        }
        self.queue_decision(state, who);
    }
}

impl State {
    pub(crate) fn settling_is_idle(&self) -> bool {
        [&self.current, &self.old]
            .into_iter()
            .flatten()
            .all(|host| host.settling == Settling::Idle)
    }
}
