// SPDX-License-Identifier: GPL-2.0

//! All that is advised, done one after the other with another look after each: it comes to an end, and on
//! the way there is never less memory than before, nor any in use that nothing decodes.

mod sim;

use proptest::prelude::*;

use sim::ask::{any_machine, commands, problems};
use sim::follow::follow;
use sim::{Machine, KINDS, SETUPS};

/// More steps than a machine of four windows can need.
const MANY: usize = 24;

/// Takes the `pick`-th of what is advised, again and again, until nothing is.
fn mend(machine: &Machine, pick: usize) {
    let mut now = machine.clone();
    let mut trail: Vec<String> = Vec::new();
    loop {
        let found = problems(&now);
        let advised: Vec<_> = found.iter().filter(|p| !commands(p).is_empty()).collect();
        let Some(next) = advised.get(pick % advised.len().max(1)) else {
            break;
        };
        trail.push(format!("{}: {:?}", next.kind.word(), commands(next)));
        assert!(trail.len() < MANY, "without end: {trail:#?}\n{machine:#?}");
        now = match follow(&now, next) {
            Ok(after) => after.expect("commands"),
            Err(why) => panic!("{why}\n{trail:#?}\n{next:#?}\n{now:#?}\n{machine:#?}"),
        };
    }
    assert_eq!(
        now.in_use().1,
        0,
        "in use, with nothing behind it: {trail:#?}\n{now:#?}"
    );
}

#[test]
fn each_kind_alone_is_mended_to_the_end() {
    let setups = SETUPS.iter().map(|s| vec![*s]).chain([Vec::new()]);
    for setups in setups {
        for kind in KINDS {
            mend(&Machine::of(&[kind], true, true).with(&setups), 0);
        }
    }
}

proptest! {
    #![proptest_config(sim::config(24))]

    #[test]
    fn whatever_comes_first(machine in any_machine(), pick in 0usize..8) {
        mend(&machine, pick);
    }
}
