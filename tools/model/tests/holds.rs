// SPDX-License-Identifier: GPL-2.0

//! All properties hold of the modules, in every state that any interleaving leads to.

use model::{
    code::Code,
    report::explore,
    universe::{self, Universe},
};

fn holds(universe: Universe) {
    let report = explore(universe, Code::default());
    println!("{report}");
    assert!(
        report.broken.is_none(),
        "{report}\n{}",
        report.counterexample.as_deref().unwrap_or_default()
    );
}

macro_rules! universes {
    ($($test:ident: $universe:ident;)*) => {
        $(
            #[test]
            fn $test() {
                holds(universe::$universe);
            }
        )*

        /// None of them was forgotten.
        #[test]
        fn all_universes() {
            let here = [$(universe::$universe.name),*];
            assert_eq!(here, universe::ALL.map(|u| u.name));
        }
    };
}

universes! {
    covered: COVERED;
    rescan: RESCAN;
    part: PART;
    split: SPLIT;
    late: LATE;
    pair: PAIR;
    late_pair: LATE_PAIR;
    across: ACROSS;
    covered_fine: COVERED_FINE;
    part_fine: PART_FINE;
    decoded: DECODED;
    decoded_fine: DECODED_FINE;
    in_use: IN_USE;
    hand: HAND;
    hot_add: HOT_ADD;
    eject: EJECT;
    foreign: FOREIGN;
    guest: GUEST;
    bare: BARE;
    bare_late: BARE_LATE;
    bare_set: BARE_SET;
    bare_missing: BARE_MISSING;
}
