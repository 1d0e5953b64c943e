// SPDX-License-Identifier: GPL-2.0

//! `daxown assign` on simulated machines: what its plan does ends with the owner that was asked for, or
//! there is no plan; and nobody else loses memory by it.

mod common;
#[path = "../../daxmap/tests/sim/mod.rs"]
mod sim;

use common::{commands, daxown};
use daxmap::range::covered_bytes;
use daxmap::Range;
use sim::{region_name, Machine, Setup, Use, KINDS};

const OWNERS: [&str; 4] = ["cxl", "hmem", "file", "nobody"];

/// What can be named, with its addresses.
fn subjects(machine: &Machine) -> Vec<(String, Range)> {
    let regions = machine.live().map(|(i, r)| (region_name(i), r.range));
    let hmems = machine
        .hmems
        .iter()
        .map(|h| (format!("hmem.{}", h.id), h.range));
    regions.chain(hmems).collect()
}

/// Who has what is within a range.
fn is_with(machine: &Machine, range: &Range, owner: &str) -> bool {
    let overlaps = |r: Option<Range>| r.is_some_and(|r| r.overlaps(range));
    let dax: Vec<_> = machine.dax.iter().filter(|d| overlaps(d.range)).collect();
    let hmem = machine
        .hmems
        .iter()
        .any(|h| h.bound && h.range.overlaps(range));
    let served = machine
        .live()
        .any(|(_, r)| r.served && r.range.overlaps(range));
    match owner {
        "cxl" => !dax.is_empty() && dax.iter().all(|d| d.region.is_some()),
        "hmem" => !dax.is_empty() && dax.iter().all(|d| d.hmem.is_some()),
        "file" => !dax.is_empty() && dax.iter().all(|d| d.used == Use::File),
        _ => dax.is_empty() && !hmem && !served,
    }
}

/// Bytes in use within a range, or outside of it.
fn used(machine: &Machine, range: &Range, inside: bool) -> u64 {
    let used = machine.dax.iter();
    let used = used.filter(|d| matches!(d.used, Use::Online | Use::File));
    let used: Vec<Range> = used.filter_map(|d| d.range).collect();
    let here = covered_bytes(range, &used);
    match inside {
        true => here,
        false => used.iter().map(Range::len).sum::<u64>() - here,
    }
}

/// How many plans there were.
fn hand_over(machine: &Machine) -> [usize; 4] {
    let dir = tempfile::tempdir().unwrap();
    sim::tree::write(machine, dir.path());
    let mut plans = [0; 4];
    for (name, range) in subjects(machine) {
        for (i, owner) in OWNERS.iter().enumerate() {
            let output = daxown(dir.path(), &["assign", &name, "--to", owner, "--script"]);
            let about = format!("{name} to {owner}\n{}{}", output.stdout, output.stderr);
            if output.status != 0 || output.stdout.contains("already") {
                continue;
            }
            plans[i] += 1;
            let mut after = machine.clone();
            for command in commands(&output.stdout) {
                let done = after.run(&command);
                assert!(done.is_ok(), "{command}: {done:?}\n{about}\n{machine:#?}");
                let (bad, was_bad) = (after.in_use().1, machine.in_use().1);
                assert!(
                    bad <= was_bad,
                    "{command}: nothing behind it\n{about}\n{machine:#?}"
                );
            }
            assert!(after.is_sane(), "{about}\n{machine:#?}");
            let is_reached = is_with(&after, &range, owner);
            assert!(is_reached, "not reached: {about}\n{after:#?}\n{machine:#?}");
            // What goes with it is told.
            let is_told = output.stdout.contains(" then") || output.stderr.contains(" then");
            let kept = used(&after, &range, false) >= used(machine, &range, false);
            assert!(kept || is_told, "somebody else lost: {about}\n{machine:#?}");
            let kept = used(&after, &range, true) >= used(machine, &range, true);
            assert!(kept || *owner == "nobody", "lost: {about}\n{machine:#?}");
        }
    }
    plans
}

#[test]
fn a_plan_ends_with_the_owner_that_was_asked_for() {
    let mut plans = [0; 4];
    for kind in KINDS {
        for (has_state, setups) in [(true, &[][..]), (false, &[Setup::Rust][..])] {
            let machine = Machine::of(&[kind], has_state, true).with(setups);
            let more = hand_over(&machine);
            for (sum, n) in plans.iter_mut().zip(more) {
                *sum += n;
            }
        }
    }
    // Each owner has to come up, or nothing is proved of it.
    assert!(plans.iter().all(|n| *n > 0), "{OWNERS:?}: {plans:?}");
}
