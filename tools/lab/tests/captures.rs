// SPDX-License-Identifier: GPL-2.0

//! The captures of the scenarios that daxown is tested with: each scenario has its own, and what
//! daxown makes of it is what the scenario expects. `make captures` renews them.

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use daxmap::problem;
use daxmap::problem::Kind;
use daxmap::problem::Problem;
use daxmap::problem::Severity;
use daxmap::Map;
use daxmap::Tree;
use lab::scenario::Drivers;
use lab::scenario::Scenario;
use lab::scenario::MIB;

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn fixtures() -> PathBuf {
    repo().join("tools/daxown/tests/fixtures/scenarios")
}

/// A capture for each scenario that has one, and each set of drivers of which it expects something.
fn captures() -> Vec<(String, Scenario, Drivers)> {
    let mut all = Vec::new();
    for path in Scenario::all(&repo()).expect("scenarios") {
        let scenario = Scenario::load(&repo(), &path.to_string_lossy()).expect("valid");
        for &drivers in &scenario.drivers {
            if scenario.captured && scenario.expect(drivers).is_some() {
                let name = format!("{}-{drivers}", scenario.name);
                all.push((name, scenario.clone(), drivers));
            }
        }
    }
    all
}

fn map(name: &str) -> Map {
    let path = fixtures().join(format!("{name}.tar.gz"));
    let tree = Tree::open(&path).unwrap_or_else(|error| panic!("{error}; run: make captures"));
    Map::read(&tree)
}

/// MiB online in all ranges, if the scenario says it of each.
fn expected_mib(scenario: &Scenario, drivers: Drivers) -> Option<u64> {
    let state = &scenario.expect(drivers)?.end;
    let ranges = scenario.soft_reserved.iter();
    ranges
        .map(|range| state.ranges.get(&range.name)?.online)
        .sum()
}

#[test]
fn each_scenario_has_its_captures_and_there_are_no_others() {
    let wanted: BTreeSet<String> = captures().into_iter().map(|capture| capture.0).collect();
    let there: BTreeSet<String> = std::fs::read_dir(fixtures())
        .expect("the folder of captures")
        .map(|entry| {
            entry
                .expect("entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .filter_map(|name| name.strip_suffix(".tar.gz").map(str::to_owned))
        .collect();
    assert_eq!(there, wanted, "run: make captures");
}

#[test]
fn as_much_is_online_as_the_scenario_expects() {
    let mut compared = 0;
    for (name, scenario, drivers) in captures() {
        let Some(expected) = expected_mib(&scenario, drivers) else {
            continue;
        };
        let map = map(&name);
        let pieces = map.reserved.iter().flat_map(|range| &range.pieces);
        let online: u64 = pieces.filter_map(|piece| piece.online_bytes).sum();
        assert_eq!(online, expected * MIB, "{name}");
        compared += 1;
    }
    assert!(compared > 20, "{compared}");
}

fn is_in_use(problem: &Problem) -> bool {
    let kinds = [
        Kind::Undecoded,
        Kind::MemberGone,
        Kind::Stuck,
        Kind::WithoutDevice,
        Kind::Foreign,
    ];
    problem.severity == Severity::Loss && kinds.contains(&problem.kind)
}

/// Where whole memory blocks are neither online nor otherwise in use, doctor says so as a loss, with
/// a cause and what to do; elsewhere, and with our drivers, it speaks of no loss.
#[test]
fn doctor_names_each_loss_and_its_cause() {
    let mut losing = Vec::new();
    for (name, _, drivers) in captures() {
        let map = map(&name);
        let block = map.memory.block_size.unwrap_or(128 * MIB);
        let mut lost = 0;
        let mut missing = 0;
        for reserved in &map.reserved {
            let usable: u64 = reserved
                .pieces
                .iter()
                .map(|piece| piece.online_bytes.expect("root captured it") + piece.file_bytes)
                .sum();
            let whole = reserved.range.aligned_inside(block).map_or(0, |r| r.len());
            lost += whole.saturating_sub(usable);
            missing += reserved.range.len() - usable;
        }
        let mut problems = problem::find(&map);
        let in_reserved = |problem: &Problem| {
            let place = problem.range;
            let mut ranges = map.reserved.iter().map(|reserved| reserved.range);
            place.is_some_and(|place| ranges.any(|range| range.overlaps(&place)))
        };
        problems.retain(|problem| problem.bytes > 0 && in_reserved(problem));
        // Of what is in use the lab emulates what is behind it, or leaves it in use on purpose.
        problems.retain(|problem| !is_in_use(problem));
        let told: u64 = problems.iter().map(|problem| problem.bytes).sum();
        assert_eq!(told, missing, "{name}: {problems:#?}");
        let is_loss = |problem: &&Problem| problem.severity == Severity::Loss;
        let losses: Vec<&Problem> = problems.iter().filter(is_loss).collect();
        match drivers {
            Drivers::C => assert_eq!(lost > 0, !losses.is_empty(), "{name}: {problems:#?}"),
            _ => assert!(losses.is_empty(), "{name}: {problems:#?}"),
        }
        for loss in losses {
            assert_ne!(loss.kind, Kind::Unexplained, "{name}: {loss:?}");
            assert!(
                !loss.cause.is_empty() && !loss.remedy.is_empty(),
                "{name}: {loss:?}"
            );
        }
        if lost > 0 && drivers == Drivers::C {
            losing.push(name);
        }
    }
    assert!(losing.len() > 8, "{losing:?}");
}
