// SPDX-License-Identifier: GPL-2.0

//! What is advised, run on random machines: no advice makes anything worse, and each mends its problem.

mod sim;

use daxmap::problem::{self, Problem, Severity};
use daxmap::{Map, Tree};
use proptest::prelude::*;

use sim::{Kind, Machine, KINDS};

fn problems(machine: &Machine) -> Vec<Problem> {
    let dir = tempfile::tempdir().unwrap();
    sim::tree::write(machine, dir.path());
    problem::find(&Map::read(&Tree::open(dir.path()).unwrap()))
}

fn commands(problem: &Problem) -> Vec<&str> {
    let lines = problem.remedy.iter().map(String::as_str);
    lines.filter(|l| !l.starts_with('#')).collect()
}

/// Runs one advice, and compares the machine before and after.
fn follow(before: &Machine, problem: &Problem) {
    let commands = commands(problem);
    if commands.is_empty() || commands == ["reboot"] {
        return;
    }
    let mut after = before.clone();
    for command in &commands {
        let done = after.run(command);
        assert!(
            done.is_ok(),
            "{command}: {done:?}\n{problem:#?}\n{before:#?}"
        );
    }
    let ((good, bad), (good_then, bad_then)) = (before.in_use(), after.in_use());
    assert!(after.is_sane(), "memory is mapped twice: {problem:#?}");
    assert!(
        bad_then <= bad,
        "memory with nothing behind it: {problem:#?}\n{after:#?}"
    );
    assert!(
        good_then >= good,
        "memory was lost: {problem:#?}\n{after:#?}"
    );
    if problem.bytes > 0 && bad_then == bad {
        assert!(
            good_then >= good + problem.bytes,
            "{} bytes were to come back, {} did: {problem:#?}",
            problem.bytes,
            good_then - good
        );
    }
    let same = |p: &&Problem| {
        (p.kind, &p.subject, p.range) == (problem.kind, &problem.subject, problem.range)
    };
    let left = problems(&after);
    assert!(
        left.iter()
            .find(same)
            .is_none_or(|p| p.bytes < problem.bytes),
        "it is still there: {problem:#?}\n{after:#?}"
    );
}

/// Losses of memory that is in use and must not be.
const NOTHING_BEHIND: [&str; 3] = ["undecoded", "member-gone", "foreign"];

/// What is said of a machine agrees with what is behind its memory.
fn check(machine: &Machine) {
    let found = problems(machine);
    let (_, bad) = machine.in_use();
    let told: u64 = found
        .iter()
        .filter(|p| {
            p.severity == Severity::Loss && NOTHING_BEHIND.contains(&p.kind.word().as_str())
        })
        .map(|p| p.bytes)
        .sum();
    assert_eq!(told, bad, "{found:#?}\n{machine:#?}");
    for problem in &found {
        follow(machine, problem);
    }
}

#[test]
fn each_kind_alone() {
    for kind in KINDS {
        for flags in 0..8 {
            check(&Machine {
                map_lost: flags & 4 > 0,
                ..Machine::of(&[kind], flags & 1 > 0, flags & 2 > 0)
            });
        }
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
        let advised = |p: &&Problem| p.kind.word() == word && !commands(p).is_empty();
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
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_advice_makes_anything_worse(
        kinds in proptest::collection::vec(proptest::sample::select(&KINDS[..]), 1..5),
        has_state in any::<bool>(),
        has_dax_cxl in any::<bool>(),
        map_lost in any::<bool>(),
    ) {
        check(&Machine { map_lost, ..Machine::of(&kinds, has_state, has_dax_cxl) });
    }
}
