// SPDX-License-Identifier: GPL-2.0

//! Where everything ends up, for comparing two codes: the decision that answers early against one
//! that always waits.

use crate::{
    code::Code,
    collect::collect,
    ghost::Owners,
    properties::settled,
    protocol::Protocol,
    state::{Dax, State},
    units::Units,
    universe::Universe,
};
use std::collections::BTreeSet;

/// Who owns what in the end, and what that may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// The regions that are there.
    pub regions: Units,
    /// The ranges that a window intersected when they were found.
    pub in_window: Units,
    /// It was the first binding since the module was loaded.
    pub first: bool,
    /// How much more trouble there could have been.
    pub budget: u8,
    /// A region went before the decision was final.
    pub swapped: bool,
    /// Regions came or went after that.
    pub stale: bool,
    /// What may be nobody's.
    pub excused: Units,
    /// What nothing decodes any more.
    pub undone: Units,
    /// Who owns what.
    pub owners: Owners,
}

impl Outcome {
    fn of(universe: &Universe, state: &State) -> Option<Self> {
        let host = settled(state)?;
        let regions = (universe.region_numbers())
            .filter(|&r| state.regions[r].dax != Dax::Absent)
            .map(|r| universe.regions[r]);
        let in_window = (universe.range_numbers())
            .filter(|&i| host.records[i].is_some_and(|r| r.in_window))
            .map(|i| universe.ranges[i]);
        Some(Self {
            regions: regions.collect(),
            in_window: in_window.collect(),
            first: host.first,
            budget: state.budget,
            swapped: state.ghost.swapped,
            stale: state.ghost.stale,
            excused: state.ghost.forgone.and(state.ghost.starved),
            undone: state.ghost.undone,
            owners: state.owners(universe),
        })
    }
}

/// All outcomes of `code` in `universe`.
pub fn outcomes(universe: Universe, code: Code) -> BTreeSet<Outcome> {
    collect(Protocol::new(universe, code), |protocol, state| {
        Outcome::of(&protocol.universe, state)
    })
}
