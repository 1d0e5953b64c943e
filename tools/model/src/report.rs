// SPDX-License-Identifier: GPL-2.0

//! Exploring a universe and telling what came out.

use crate::{code::Code, protocol::Protocol, universe::Universe};
use stateright::{Checker, HasDiscoveries, Model};
use std::{
    fmt::{self, Write},
    time::{Duration, Instant},
};

/// What an exploration found.
pub struct Report {
    /// What was explored.
    pub universe: Universe,
    /// With which code.
    pub code: String,
    /// How many steps were taken.
    pub steps: usize,
    /// How many states there are.
    pub states: usize,
    /// The length of the longest shortest way to a state.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// The property that does not hold, if there is one.
    pub broken: Option<&'static str>,
    /// A shortest way to where it does not hold.
    pub counterexample: Option<String>,
}

/// Explores all of `universe`, or up to the first state in which a property does not hold.
pub fn explore(universe: Universe, code: Code) -> Report {
    explore_until(universe, code, HasDiscoveries::AnyFailures)
}

/// Explores `universe` up to the first state in which the property `name` does not hold.
pub fn explore_for(universe: Universe, code: Code, name: &'static str) -> Report {
    explore_until(universe, code, HasDiscoveries::AnyOf([name].into()))
}

fn explore_until(universe: Universe, code: Code, until: HasDiscoveries) -> Report {
    let began = Instant::now();
    let text = code.to_string();
    // One thread: the way that is found is a shortest one, and the same each time.
    let checker = Protocol::new(universe.clone(), code)
        .checker()
        .finish_when(until.clone())
        .threads(1)
        .spawn_bfs()
        .join();

    let mut found: Vec<_> = checker.discoveries().into_iter().collect();
    found.retain(|(name, _)| match &until {
        HasDiscoveries::AnyOf(names) => names.contains(name),
        _ => true,
    });
    found.sort_by_key(|(name, path)| (path.clone().into_actions().len(), *name));
    let first = found.into_iter().next();
    Report {
        universe,
        code: text,
        steps: checker.state_count(),
        states: checker.unique_state_count(),
        depth: checker.max_depth(),
        took: began.elapsed(),
        broken: first.as_ref().map(|(name, _)| *name),
        counterexample: first.map(|(_, path)| {
            let mut text = String::new();
            for (number, (state, step)) in path.into_vec().into_iter().enumerate() {
                let _ = writeln!(text, "        {state}");
                if let Some(step) = step {
                    let _ = writeln!(text, "{:4}. {step}", number + 1);
                }
            }
            text
        }),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Universe {
            name,
            about,
            budget,
            ..
        } = &self.universe;
        write!(
            f,
            "{name} ({about}; up to {budget} troubles), {}: {} states, {} steps, depth {}, {:.1} s: ",
            self.code,
            self.states,
            self.steps,
            self.depth,
            self.took.as_secs_f64()
        )?;
        match self.broken {
            None => f.write_str("all properties hold"),
            Some(name) => write!(f, "BROKEN: {name}"),
        }
    }
}
