// SPDX-License-Identifier: GPL-2.0

//! The walkthrough in `Documentation/daxown.md` shows real output, and names every kind of problem.
//!
//! After an intended change: `DOCS=overwrite cargo test -p daxown --test docs`.

mod common;

use std::path::PathBuf;

use common::{daxown, fixture};

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../Documentation/daxown.md")
}

/// The text with the output below each command made anew.
fn renew(text: &str) -> String {
    let mut out = String::new();
    let mut in_session = false;
    for line in text.lines() {
        if line == "```console" {
            in_session = true;
        } else if line == "```" {
            in_session = false;
        }
        match line.strip_prefix("$ daxown --sysroot ") {
            Some(command) if in_session => {
                let mut words = command.split_whitespace();
                let name = words.next().unwrap().trim_end_matches(".tar.gz");
                let args: Vec<&str> = words.collect();
                if !out.ends_with("```console\n") {
                    out.push('\n');
                }
                let shown = daxown(&fixture(name), &args).stdout;
                out.push_str(&format!("{line}\n{shown}"));
            }
            _ if in_session && line != "```console" => {}
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    out
}

#[test]
fn shows_real_output() {
    let text = std::fs::read_to_string(page()).unwrap();
    let fresh = renew(&text);
    if std::env::var("DOCS").is_ok_and(|v| v == "overwrite") {
        std::fs::write(page(), &fresh).unwrap();
        return;
    }
    assert!(fresh.matches("$ daxown --sysroot").count() > 8);
    snapbox::assert_data_eq!(text, fresh);
}

#[test]
fn names_every_kind_of_problem() {
    let text = std::fs::read_to_string(page()).unwrap();
    let source = include_str!("../../daxmap/src/problem.rs");
    let body = source.split("pub enum Kind {").nth(1).unwrap();
    let body = body.split('}').next().unwrap();
    let kinds: Vec<String> = body
        .lines()
        .map(str::trim)
        .filter_map(|l| l.strip_suffix(','))
        .map(kebab)
        .collect();
    assert!(kinds.len() > 20);
    for kind in kinds {
        assert!(text.contains(&format!("| `{kind}` |")), "{kind}");
    }
}

fn kebab(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_uppercase() && i > 0 {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}
