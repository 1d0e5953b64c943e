// SPDX-License-Identifier: GPL-2.0

//! That the kernel comes to rest: however the steps fall, after finitely many nothing happens any
//! more unless somebody outside of the kernel acts.
//!
//! The checker looks at single states only; what is stated of quiet states would hold of a kernel
//! that never gets quiet. Its steps must therefore form no circle.

use crate::{protocol::Protocol, state::State};
use stateright::Model;
use std::collections::HashMap;

/// How far the search is with a state.
enum Mark {
    /// On the way that is being followed.
    Open,
    /// All that follows is known: at most so many steps until the kernel is quiet.
    Done(usize),
}

/// The most steps that the kernel takes by itself from any state that can be reached. Fails with a
/// state that it can come back to.
pub fn longest_run(protocol: &Protocol) -> Result<usize, Box<State>> {
    let mut marks: HashMap<State, Mark> = HashMap::new();
    let mut found = protocol.init_states();
    let mut longest = 0;

    while let Some(start) = found.pop() {
        if marks.contains_key(&start) {
            continue;
        }
        longest = longest.max(follow(protocol, start, &mut marks, &mut found)?);
    }
    Ok(longest)
}

/// Follows the steps of the kernel from `start`; what comes from outside goes to `found`.
fn follow(
    protocol: &Protocol,
    start: State,
    marks: &mut HashMap<State, Mark>,
    found: &mut Vec<State>,
) -> Result<usize, Box<State>> {
    // Each state on the way, the states after it that are to be followed, and the most steps so far.
    let mut way = vec![(start.clone(), successors(protocol, &start, found), 0)];
    marks.insert(start, Mark::Open);

    while let Some((_, next, steps)) = way.last_mut() {
        if let Some(state) = next.pop() {
            match marks.get(&state) {
                Some(Mark::Open) => return Err(Box::new(state)),
                Some(Mark::Done(more)) => *steps = (*steps).max(more + 1),
                None => {
                    let after = successors(protocol, &state, found);
                    marks.insert(state.clone(), Mark::Open);
                    way.push((state, after, 0));
                }
            }
            continue;
        }
        let steps = *steps;
        if let Some((state, _, _)) = way.pop() {
            marks.insert(state, Mark::Done(steps));
        }
        match way.last_mut() {
            Some((_, _, before)) => *before = (*before).max(steps + 1),
            None => return Ok(steps),
        }
    }
    Ok(0)
}

/// The states after a step of the kernel.
fn successors(protocol: &Protocol, state: &State, found: &mut Vec<State>) -> Vec<State> {
    let mut all = Vec::new();
    protocol.kernel_steps(state, &mut all);
    let kernel = all.len();
    all.clear();
    // The steps of the kernel come first.
    protocol.actions(state, &mut all);

    let mut next = Vec::new();
    for (number, step) in all.into_iter().enumerate() {
        let Some(after) = protocol.next_state(state, step) else {
            continue;
        };
        if number < kernel {
            next.push(after);
        } else {
            found.push(after);
        }
    }
    next
}
