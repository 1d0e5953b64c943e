// SPDX-License-Identifier: GPL-2.0

//! The pages about daxown show real output; the walkthrough in `Documentation/daxown.md` also has a line
//! for each scenario and names every kind of problem.
//!
//! After an intended change: `DOCS=overwrite cargo test -p daxown --test docs`.

mod common;

use std::path::{Path, PathBuf};

use daxmap::problem::Kind;

use common::{daxown, fixture, scenarios, stem, typed};
use serde_json::Value;

/// Below this line, up to the next empty one, is the table of the scenarios.
const TABLE: &str = "<!-- made by tools/daxown/tests/docs.rs -->";

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../Documentation/daxown.md")
}

/// The walkthrough, and the pages of single verbs that it links to.
fn pages() -> Vec<PathBuf> {
    let dir = page().with_extension("");
    let mut pages = vec![page()];
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        // That page is made whole, see below.
        if path.extension().is_some_and(|e| e == "md") && !path.ends_with("kinds.md") {
            pages.push(path);
        }
    }
    pages.sort();
    pages
}

/// The text with the output below each command made anew.
fn renew(text: &str) -> String {
    let mut out = String::new();
    let (mut in_session, mut in_table) = (false, false);
    for line in text.lines() {
        in_table &= !line.is_empty();
        if in_table {
            continue;
        }
        if line == TABLE {
            in_table = true;
            out.push_str(&format!("{TABLE}\n{}", table()));
            continue;
        }
        if line == "```console" {
            in_session = true;
        } else if line == "```" {
            in_session = false;
        }
        match line.strip_prefix("$ daxown ") {
            Some(command) if in_session => {
                if !out.ends_with("```console\n") {
                    out.push('\n');
                }
                out.push_str(&format!("{line}\n{}", typed(command)));
            }
            _ if in_session && line != "```console" => {}
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    out
}

fn document(name: &str, verb: &str) -> Value {
    let output = daxown(&fixture(name), &[verb, "-J"]);
    serde_json::from_str(&output.stdout).unwrap()
}

/// A line for each scenario.
fn table() -> String {
    let mut names: Vec<String> = scenarios()
        .iter()
        .map(|path| stem(path).rsplit_once('-').unwrap().0.to_string())
        .collect();
    names.sort();
    names.dedup();
    let mut out =
        "| scenario | kernel's own | | Rust | |\n| --- | --- | --- | --- | --- |\n".to_string();
    for name in names {
        let sides = ["c", "rust"].map(|drivers| {
            let capture = format!("scenarios/{name}-{drivers}");
            match fixture(&capture).is_file() {
                true => side(&capture),
                false => " | ".to_string(),
            }
        });
        out.push_str(&format!("| {name} | {} | {} |\n", sides[0], sides[1]));
    }
    out
}

/// Owners, and how much is usable, or what is not and why.
fn side(capture: &str) -> String {
    let list = document(capture, "list");
    let mut owners: Vec<&str> = list["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["kind"] == "reserved")
        .map(|row| match row["owner"]["kind"].as_str().unwrap() {
            "cxl" => "CXL",
            "hmem" => "HMEM",
            other => other,
        })
        .collect();
    owners.dedup();
    let doctor = document(capture, "doctor");
    let mib = |key: &str| doctor["totals"][key].as_u64().unwrap() >> 20;
    let problems = doctor["problems"].as_array().unwrap().iter();
    let mut kinds: Vec<String> = problems
        .filter(|problem| problem["bytes"] != 0)
        .map(|problem| format!("`{}`", problem["kind"].as_str().unwrap()))
        .collect();
    kinds.sort();
    kinds.dedup();
    let (total, lost) = (mib("reserved") + mib("regions"), mib("not_usable"));
    let verdict = match lost {
        0 => format!("all of {total} MiB usable"),
        _ => format!("{lost} of {total} MiB not usable: {}", kinds.join(", ")),
    };
    format!("{} | {verdict}", owners.join(", "))
}

#[test]
fn shows_real_output() {
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        let fresh = renew(&text);
        if std::env::var("DOCS").is_ok_and(|v| v == "overwrite") {
            std::fs::write(&page, &fresh).unwrap();
            continue;
        }
        assert!(fresh.contains("$ daxown "), "{}", page.display());
        snapbox::assert_data_eq!(text, fresh);
    }
}

#[test]
fn names_every_kind_of_problem() {
    let text = std::fs::read_to_string(page()).unwrap();
    for kind in kinds() {
        assert!(text.contains(&format!("| `{kind}` |")), "{kind}");
    }
}

/// The words of all kinds.
fn kinds() -> impl Iterator<Item = &'static str> {
    Kind::ALL.iter().map(|kind| kind.word())
}

/// The page about kinds is what the program has to say of each, and it says something of each.
#[test]
fn explains_every_kind_of_problem() {
    let dir = tempfile::tempdir().unwrap();
    let output = daxown(
        Path::new("/"),
        &["generate", "kinds", dir.path().to_str().unwrap()],
    );
    assert_eq!(output.status, 0, "{}", output.stderr);
    let fresh = std::fs::read_to_string(dir.path().join("kinds.md")).unwrap();
    for kind in kinds() {
        assert!(fresh.contains(&format!("\n## {kind}\n")), "{kind}");
    }
    let path = page().with_extension("").join("kinds.md");
    if std::env::var("DOCS").is_ok_and(|v| v == "overwrite") {
        std::fs::write(&path, &fresh).unwrap();
        return;
    }
    snapbox::assert_data_eq!(std::fs::read_to_string(path).unwrap(), fresh);
}
