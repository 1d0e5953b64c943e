// SPDX-License-Identifier: GPL-2.0

//! Collecting something from every state that can be reached.

use crate::{protocol::Protocol, state::State, step::Step};
use stateright::{Checker, Model, Property};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

/// A [`Protocol`] that collects instead of checking.
struct Collecting<T> {
    protocol: Protocol,
    what: fn(&Protocol, &State) -> Option<T>,
    found: Arc<Mutex<BTreeSet<T>>>,
}

impl<T: Ord> Model for Collecting<T> {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        self.protocol.init_states()
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        self.protocol.actions(state, steps);
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        self.protocol.next_state(last, step)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        // The checker asks this of every state that it comes to.
        vec![Property::always("collected", |model: &Self, state| {
            if let Some(found) = (model.what)(&model.protocol, state) {
                let mut all = model.found.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert(found);
            }
            true
        })]
    }
}

/// What `what` finds in the states of `protocol`.
pub fn collect<T: Ord + Send + 'static>(
    protocol: Protocol,
    what: fn(&Protocol, &State) -> Option<T>,
) -> BTreeSet<T> {
    let found = Arc::new(Mutex::new(BTreeSet::new()));
    let collecting = Collecting {
        protocol,
        what,
        found: found.clone(),
    };
    // Its result is what it has left in `found`.
    let _ = collecting.checker().spawn_dfs().join();
    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *found)
}
