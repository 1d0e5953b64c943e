// SPDX-License-Identifier: GPL-2.0

//! What is advised, run on random machines: no advice makes anything worse, and each mends its problem.

mod sim;

use daxmap::problem::Severity;
use proptest::prelude::*;

use sim::ask::{any_machine, commands, each_alone, problems};
use sim::follow::follow;
use sim::{Kind, Machine};

/// Losses of memory that is in use and must not be.
const NOTHING_BEHIND: [&str; 3] = ["undecoded", "member-gone", "foreign"];

/// What is said of a machine agrees with what is behind its memory.
fn check(machine: &Machine) {
    let found = problems(machine);
    let (_, bad) = machine.in_use();
    let told: u64 = found
        .iter()
        .filter(|p| p.severity == Severity::Loss && NOTHING_BEHIND.contains(&p.kind.word()))
        .map(|p| p.bytes)
        .sum();
    assert_eq!(told, bad, "{found:#?}\n{machine:#?}");
    for problem in &found {
        if let Err(why) = follow(machine, problem) {
            panic!("{why}\n{problem:#?}\n{machine:#?}");
        }
    }
}

#[test]
fn each_kind_alone() {
    for machine in each_alone() {
        check(&machine);
    }
}

/// An advice for each kind that has one: else the test above would prove nothing.
#[test]
fn what_can_be_mended_is_advised() {
    for (kind, word) in [
        (Kind::Partial, "unmapped"),
        (Kind::Reset, "region-disabled"),
        (Kind::Idle, "region-idle"),
        (Kind::Lost, "region-lost"),
        (Kind::Over, "kmem-cannot-reserve"),
        (Kind::Offline, "offline"),
        (Kind::Unplugged, "unplugged"),
        (Kind::Unbound, "no-driver"),
        (Kind::NoNode, "kmem-failed"),
        (Kind::Divided, "unallocated"),
        (Kind::Left, "left-to-cxl"),
        (Kind::Behind, "undecoded"),
        (Kind::Blank, "unmapped"),
        (Kind::NoDriver, "memdev-unbound"),
        (Kind::Two, "unmapped"),
        (Kind::TwoIdle, "region-idle"),
        (Kind::TwoReset, "region-disabled"),
        (Kind::TwoBlank, "unmapped"),
        (Kind::MissingUsed, "member-gone"),
        (Kind::AcceleratorUsed, "foreign"),
    ] {
        let found = problems(&Machine::of(&[kind], true, true));
        let advised =
            |p: &&daxmap::problem::Problem| p.kind.word() == word && !commands(p).is_empty();
        assert!(found.iter().any(|p| advised(&p)), "{kind:?}: {found:#?}");
    }
}

/// Where the map of firmware is lost, a blank device may be behind memory that nothing shows.
#[test]
fn no_region_is_made_over_what_firmware_may_have_declared() {
    for kind in [Kind::LeftHidden, Kind::Left, Kind::Blank] {
        let machine = Machine {
            map_lost: true,
            ..Machine::of(&[kind], true, true)
        };
        let found = problems(&machine);
        let create = |c: &&str| c.starts_with("cxl create-region");
        assert!(
            !found.iter().flat_map(commands).any(|c| create(&c)),
            "{kind:?}: {found:#?}"
        );
        let told = found.iter().any(|p| {
            p.kind.word() == "unmapped" && p.cause.contains("memory map of firmware is not known")
        });
        assert!(told, "{kind:?}: {found:#?}");
    }
}

proptest! {
    #![proptest_config(sim::config(48))]

    #[test]
    fn no_advice_makes_anything_worse(machine in any_machine()) {
        check(&machine);
    }
}
