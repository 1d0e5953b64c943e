// SPDX-License-Identifier: GPL-2.0

//! The kernel comes to rest.

use model::{
    code::Code,
    ends::longest_run,
    protocol::Protocol,
    universe::{self, Universe},
};

#[test]
fn the_kernel_comes_to_rest() {
    for universe in [
        universe::COVERED,
        universe::PART,
        universe::LATE,
        universe::PAIR,
    ] {
        let name = universe.name;
        let universe = Universe {
            budget: 1,
            ..universe
        };
        match longest_run(&Protocol::new(universe, Code::default())) {
            Ok(steps) => println!("{name}: quiet after at most {steps} steps"),
            Err(state) => panic!("{name}: comes back to {state}"),
        }
    }
}
