// SPDX-License-Identifier: GPL-2.0

//! Each number of `Documentation/requirements.md` is cited by a test, and no test cites another: a
//! scenario by its field `holds`, everything else by `Holds:` in a comment.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use lab::scenario::Scenario;
use regex::Regex;

/// Where tests that are no scenarios say what they hold.
const COMMENTED: [&str; 3] = [
    "tests/selftests/dax-hmem",
    "drivers/dax/kunit",
    "tools/model/src",
];

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The numbers with which rows of the page's tables begin.
fn requirements() -> BTreeSet<String> {
    let page = read(&repo().join("Documentation/requirements.md"));
    let row = Regex::new(r"(?m)^\| ([REC]\d+) \|").expect("valid");
    row.captures_iter(&page).map(|c| c[1].to_owned()).collect()
}

/// What scenarios hold, with the name of the scenario.
fn by_scenarios() -> Vec<(String, String)> {
    let repo = repo();
    let paths = [
        Scenario::all(&repo),
        Scenario::all_flavors(&repo),
        Scenario::all_debug(&repo),
        Scenario::all_cxl_test(&repo),
    ];
    let mut held = Vec::new();
    for path in paths
        .into_iter()
        .flat_map(|paths| paths.expect("scenarios"))
    {
        let scenario = Scenario::load(&repo, &path.to_string_lossy()).expect("valid");
        for number in scenario.holds {
            held.push((number, scenario.name.clone()));
        }
    }
    held
}

/// What comments of other tests say they hold, with the path of the file.
fn by_comments() -> Vec<(String, String)> {
    let holds = Regex::new(r"Holds: ([A-Z]\d+(?:, [A-Z]\d+)*)").expect("valid");
    let mut held = Vec::new();
    for dir in COMMENTED {
        for entry in fs::read_dir(repo().join(dir)).expect(dir) {
            let path = entry.expect(dir).path();
            if !path.is_file() {
                continue;
            }
            for found in holds.captures_iter(&read(&path)) {
                for number in found[1].split(", ") {
                    held.push((number.to_owned(), path.display().to_string()));
                }
            }
        }
    }
    held
}

#[test]
fn each_requirement_has_a_test_and_each_test_a_requirement_that_there_is() {
    let wanted = requirements();
    assert!(
        wanted.len() > 30,
        "the page has changed its form: {wanted:?}"
    );
    let held: Vec<(String, String)> = by_scenarios().into_iter().chain(by_comments()).collect();

    let unknown: Vec<_> = held.iter().filter(|(n, _)| !wanted.contains(n)).collect();
    assert!(unknown.is_empty(), "not in requirements.md: {unknown:?}");
    let cited: BTreeSet<String> = held.into_iter().map(|(number, _)| number).collect();
    let missing: Vec<_> = wanted.difference(&cited).collect();
    assert!(missing.is_empty(), "no test cites {missing:?}");
}
