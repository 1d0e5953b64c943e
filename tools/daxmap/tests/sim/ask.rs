// SPDX-License-Identifier: GPL-2.0

//! What daxmap says of such a machine, and the machines that tests ask about.

use daxmap::problem::{self, Problem};
use daxmap::{Map, Tree};
use proptest::prelude::*;

use super::{tree, Machine, Setup, KINDS, SETUPS};

pub fn map(machine: &Machine) -> Map {
    // Thousands of small files: in memory, where the machine has a place for that.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let dir = dir.unwrap();
    tree::write(machine, dir.path());
    Map::read(&Tree::open(dir.path()).unwrap())
}

pub fn problems(machine: &Machine) -> Vec<Problem> {
    problem::find(&map(machine))
}

pub fn commands(problem: &Problem) -> Vec<&str> {
    let lines = problem.remedy.iter().map(String::as_str);
    lines.filter(|l| !l.starts_with('#')).collect()
}

/// Each kind alone, with and without what kernels may lack, and in each setup.
pub fn each_alone() -> impl Iterator<Item = Machine> {
    let setups = SETUPS.iter().map(|s| (vec![*s], [1, 3].as_slice()));
    let all = setups.chain([(Vec::new(), [0, 1, 2, 3, 4, 5, 6, 7].as_slice())]);
    all.flat_map(|(setups, flags)| {
        let each = |kind| flags.iter().map(move |flags| (kind, *flags));
        let kinds = KINDS.into_iter().flat_map(each);
        kinds.map(move |(kind, flags)| {
            let machine = Machine {
                map_lost: flags & 4 > 0,
                ..Machine::of(&[kind], flags & 1 > 0, flags & 2 > 0)
            };
            machine.with(&setups)
        })
    })
}

/// A few windows of any kind, and a setup or two.
pub fn any_machine() -> impl Strategy<Value = Machine> {
    let kinds = proptest::collection::vec(proptest::sample::select(&KINDS[..]), 1..5);
    let setups = proptest::collection::vec(proptest::sample::select(&SETUPS[..]), 0..3);
    (kinds, setups, any::<[bool; 3]>()).prop_map(
        |(kinds, setups, [has_state, has_dax_cxl, map_lost])| {
            let machine = Machine::of(&kinds, has_state, has_dax_cxl);
            let setups: Vec<Setup> = setups;
            Machine {
                map_lost,
                ..machine
            }
            .with(&setups)
        },
    )
}
