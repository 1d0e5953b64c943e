// SPDX-License-Identifier: GPL-2.0

//! The output of every verb on captured guests, compared with what is kept in `tests/golden`.
//!
//! After an intended change: `SNAPSHOTS=overwrite cargo test -p daxown`, then read the difference.

mod common;

use std::path::Path;

use common::{daxown, fixtures, machines, scenarios, stem};
use snapbox::{Assert, Data};

/// Verbs that are shown whole.
const VERBS: [&[&str]; 5] = [
    &["list"],
    &["tree"],
    &["explain"],
    &["doctor"],
    &["metrics"],
];

fn assert(name: &str, actual: String) {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let expected = Data::read_from(path.as_ref(), None);
    Assert::new()
        .action_env("SNAPSHOTS")
        .eq(actual, expected.raw());
}

/// The command, its output, its errors and its exit status, as one would see them.
fn session(fixture: &Path, args: &[&str]) -> String {
    let output = daxown(fixture, args);
    let errors: String = output.stderr.lines().map(|l| format!("! {l}\n")).collect();
    let status = match output.status {
        0 => String::new(),
        n => format!("? {n}\n"),
    };
    format!(
        "$ daxown {}\n{}{errors}{status}\n",
        args.join(" "),
        output.stdout
    )
}

/// Captures of which each shows lines of a kind that no other shows.
const WHOLE: [&str; 32] = [
    "conflict-c",
    "devdax-c",
    "hmemfirst-c",
    "idlehmem-c",
    "misalign-c",
    "nodrv-c",
    "nokmem-c",
    "offline-c",
    "rebind-c",
    "twowin-rust",
    "user-c",
    "scenarios/absent-node-rust",
    "scenarios/bound-by-hand-rust",
    "scenarios/destroy-unloaded-c",
    "scenarios/destroy-unloaded-rust",
    "scenarios/exclude-load-rust",
    "scenarios/hmat-c",
    "scenarios/hmat-rust",
    "scenarios/interleave-c",
    "scenarios/interleave-ways-c",
    "scenarios/interleave-ways-rust",
    "scenarios/member-blank-c",
    "scenarios/misaligned-start-rust",
    "scenarios/pmem-c",
    "scenarios/pmem-rust",
    "scenarios/policy-split-rust",
    "scenarios/selftests-kernel-rust",
    "scenarios/straddle-regions-c",
    "scenarios/straddle-regions-rust",
    "scenarios/unplug-hmem-rust",
    "scenarios/zero-sized-c",
    "scenarios/zero-sized-rust",
];

#[test]
fn whole() {
    for name in WHOLE {
        assert(&format!("{name}.txt"), all(&common::fixture(name)));
    }
}

/// Each was judged against what its report, or its reporter, calls right: see `machines.rs`.
#[test]
fn each_machine() {
    for machine in machines() {
        assert(&format!("machines/{}.txt", stem(&machine)), all(&machine));
    }
}

/// Every verb; what is explained are all Soft Reserved ranges.
fn all(capture: &Path) -> String {
    let starts = daxown(capture, &["list", "-n", "-k", "reserved", "-o", "start"]).stdout;
    let mut explain = vec!["explain"];
    explain.extend(starts.lines().map(str::trim));
    let sessions = VERBS.iter().map(|verb| match verb[0] {
        "explain" if explain.len() == 1 => String::new(),
        "explain" => session(capture, &explain),
        _ => session(capture, verb),
    });
    sessions.collect()
}

/// Of all captures: the rows, and the headlines of problems.
#[test]
fn brief() {
    let mut out = String::new();
    for capture in fixtures().into_iter().chain(scenarios()) {
        let list = daxown(&capture, &["list"]).stdout;
        let doctor = daxown(&capture, &["doctor"]).stdout;
        let heads = doctor
            .lines()
            .filter(|l| !l.starts_with(' ') && !l.is_empty());
        out.push_str(&format!("# {}\n{list}", stem(&capture)));
        out.extend(heads.flat_map(|l| [l, "\n"]));
        out.push('\n');
    }
    assert("brief.txt", out);
}

#[test]
fn json() {
    for name in ["union-c", "smaller-rust", "user-c"] {
        let fixture = common::fixture(name);
        let verbs: [&[&str]; 4] = [
            &["list", "-J"],
            &["tree", "-J"],
            &["explain", "0x490200000", "-J"],
            &["doctor", "-J"],
        ];
        let all: String = verbs.iter().map(|v| session(&fixture, v)).collect();
        assert(&format!("{name}.json.txt"), all);
    }
}

#[test]
fn picture() {
    for name in [
        "union-c",
        "smaller-rust",
        "scenarios/default-rust",
        "scenarios/straddle-c",
    ] {
        let fixture = common::fixture(name);
        let output = daxown(&fixture, &["tree", "--svg", "-"]);
        assert(&format!("{}.svg", stem(&fixture)), output.stdout);
    }
}

/// A capture of a capture is the same capture: nothing that is read is left out of it.
#[test]
fn captured_again() {
    let dir = tempfile::tempdir().unwrap();
    // A part of them is enough for each kind of file, and a capture takes its time.
    for fixture in fixtures().into_iter().step_by(4) {
        let copy = dir.path().join("copy.tar.gz");
        let output = daxown(&fixture, &["capture", copy.to_str().unwrap()]);
        assert_eq!(output.status, 0, "{}", output.stderr);
        for verb in [&["list"][..], &["doctor"]] {
            assert_eq!(
                session(&fixture, verb),
                session(&copy, verb),
                "{}",
                stem(&fixture)
            );
        }
    }
}
