// SPDX-License-Identifier: GPL-2.0

//! The output of every verb on captured guests, compared with what is kept in `tests/golden`.
//!
//! After an intended change: `SNAPSHOTS=overwrite cargo test -p daxown`, then read the difference.

mod common;

use common::{daxown, fixtures, machines, scenarios, stem};
use snapbox::{Assert, Data};

/// Verbs that are shown for every fixture.
const VERBS: [&[&str]; 5] = [
    &["list"],
    &["tree"],
    &["explain", "0x490200000"],
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
fn session(fixture: &std::path::Path, args: &[&str]) -> String {
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

#[test]
fn text() {
    for fixture in fixtures() {
        let all: String = VERBS.iter().map(|v| session(&fixture, v)).collect();
        assert(&format!("{}.txt", stem(&fixture)), all);
    }
}

/// As above; what is explained are all Soft Reserved ranges of the scenario.
#[test]
fn each_scenario() {
    each("scenarios", scenarios());
}

/// Each was judged against what its report, or its reporter, calls right: see `machines.rs`.
#[test]
fn each_machine() {
    each("machines", machines());
}

fn each(folder: &str, fixtures: Vec<std::path::PathBuf>) {
    for fixture in fixtures {
        let starts = daxown(&fixture, &["list", "-n", "-k", "reserved", "-o", "start"]).stdout;
        let mut explain = vec!["explain"];
        explain.extend(starts.lines().map(str::trim));
        let all: String = VERBS
            .iter()
            .map(|verb| match verb[0] {
                "explain" if explain.len() == 1 => String::new(),
                "explain" => session(&fixture, &explain),
                _ => session(&fixture, verb),
            })
            .collect();
        assert(&format!("{folder}/{}.txt", stem(&fixture)), all);
    }
}

#[test]
fn json() {
    for fixture in fixtures() {
        let name = stem(&fixture);
        if !["union-c", "smaller-rust", "user-c"].contains(&name.as_str()) {
            continue;
        }
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
    for fixture in fixtures().into_iter().chain(scenarios()) {
        let name = stem(&fixture);
        if ["union-c", "smaller-rust", "default-rust", "straddle-c"].contains(&name.as_str()) {
            let output = daxown(&fixture, &["tree", "--svg", "-"]);
            assert(&format!("{name}.svg"), output.stdout);
        }
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
