// SPDX-License-Identifier: GPL-2.0

//! Each step of each plan says what it changes, and how to go back or that there is no way.

mod common;
#[path = "../../daxmap/tests/sim/mod.rs"]
mod sim;

use std::path::Path;

use common::{commands, daxown, fixture, fixtures, machines, scenarios};
use serde_json::Value;

/// The plan for every problem of a machine, notes included.
fn whole_plan(machine: &Path) -> String {
    let doctor: Value = serde_json::from_str(&daxown(machine, &["doctor", "-J"]).stdout).unwrap();
    let problems = doctor["problems"].as_array().unwrap();
    let mut kinds: Vec<&str> = problems.iter().filter_map(|p| p["kind"].as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() {
        return String::new();
    }
    let mut args = vec!["fix", "--dry-run"];
    args.extend(kinds);
    let output = daxown(machine, &args);
    assert_eq!(output.status, 0, "{}", output.stderr);
    output.stdout
}

/// Each step says what it changes, and how to go back or that there is no way; what only looks is named.
fn is_explained(plan: &str, machine: &str) {
    assert!(!plan.contains("daxown does not know"), "{machine}: {plan}");
    const CHANGES_NOTHING: [&str; 3] = ["waits until", "shows which", "nothing: "];
    let is_step = |line: &str| {
        let number = line.strip_prefix("  ").and_then(|l| l.split_once(". "));
        number.is_some_and(|(n, _)| n.parse::<usize>().is_ok())
    };
    let lines: Vec<&str> = plan.lines().collect();
    for (at, line) in lines.iter().enumerate().filter(|(_, l)| is_step(l)) {
        let below: Vec<&str> = lines[at + 1..]
            .iter()
            .take_while(|l| l.starts_with("     "))
            .map(|l| l.trim())
            .collect();
        let changes = below.first().expect(line);
        let has_way = |l: &&str| l.starts_with("back: ") || l.starts_with("cannot be undone: ");
        assert!(
            CHANGES_NOTHING.iter().any(|c| changes.starts_with(c)) || below.iter().any(has_way),
            "{machine}: {line}: {below:#?}"
        );
        let only_looks = line.contains("it only looks");
        assert!(
            !only_looks || line.contains("lsinitramfs"),
            "{machine}: {line}"
        );
    }
}

#[test]
fn every_step_of_every_capture_is_known() {
    for capture in fixtures().into_iter().chain(scenarios()).chain(machines()) {
        is_explained(&whole_plan(&capture), &capture.display().to_string());
    }
}

#[test]
fn every_step_of_every_simulated_kind_is_known() {
    for kind in sim::KINDS {
        for has_state in [false, true] {
            let machine = sim::Machine::of(&[kind], has_state, true);
            let dir = tempfile::tempdir().unwrap();
            sim::tree::write(&machine, dir.path());
            is_explained(&whole_plan(dir.path()), &format!("{kind:?}"));
        }
    }
}

#[test]
fn the_hardest_remedies_are_steps_of_daxown() {
    for (machine, command, words) in [
        (
            "region-anew-behind",
            "daxctl offline-memory dax18.0",
            ["takes the memory blocks", "cannot be undone"],
        ),
        (
            "member-gone-hmem-serves",
            "daxctl offline-memory dax0.0",
            ["takes the memory blocks", "it may stop half-way"],
        ),
        (
            "genoa-reset-no-sr",
            "cxl enable-memdev mem0 mem1",
            ["binds the driver of", "back: cxl disable-memdev mem0 mem1"],
        ),
    ] {
        let machine = fixture(&format!("machines/{machine}"));
        let script = daxown(&machine, &["fix", "--script"]).stdout;
        assert!(commands(&script).contains(&command.to_string()), "{script}");
        let plan = daxown(&machine, &["fix", "--dry-run"]).stdout;
        for word in words {
            assert!(plan.contains(word), "{word}: {plan}");
        }
    }
}
