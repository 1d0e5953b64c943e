// SPDX-License-Identifier: GPL-2.0

//! The early decision ends where one that always waits would have ended.

use model::{
    code::Code,
    outcome::{outcomes, Outcome},
    universe::{self, Universe},
};

/// The outcomes of only the one and of only the other.
fn differences(universe: Universe) -> (Vec<Outcome>, Vec<Outcome>) {
    let universe = Universe {
        budget: 1,
        ..universe
    };
    let patient = Code {
        patient: true,
        ..Code::default()
    };
    let early = outcomes(universe.clone(), Code::default());
    let late = outcomes(universe.clone(), patient);
    println!("{}: {} outcomes", universe.name, early.len());
    assert!(
        early.len() > 10,
        "{}: next to nothing happens",
        universe.name
    );
    (
        early.difference(&late).copied().collect(),
        late.difference(&early).copied().collect(),
    )
}

/// What has gone is not decided about, so that an early "yes" stays true.
#[test]
fn with_one_region_they_agree() {
    for universe in [
        universe::COVERED,
        universe::RESCAN,
        universe::PART,
        universe::SPLIT,
        universe::LATE,
    ] {
        assert_eq!(differences(universe), (vec![], vec![]));
    }
}

/// The others cover the rest, if one of several regions goes before probing settles.
#[test]
fn with_more_they_agree() {
    for universe in [universe::PAIR, universe::ACROSS] {
        assert_eq!(differences(universe), (vec![], vec![]));
    }
}
