// SPDX-License-Identifier: GPL-2.0

//! Tests that need no guest: those of the host's workspace, and its property tests at length.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;

use super::Item;
use super::Report;
use crate::provision::cargo_target;
use crate::provision::promtool;
use crate::provision::Ctx;
use crate::provision::Lock;

/// The tests of the workspace.
pub fn items(ctx: &Ctx) -> Vec<Item> {
    let ctx = ctx.clone();
    vec![Item::new("host tests", move || cargo_test(&ctx))]
}

/// The tests that draw their cases at random, by file.
const PROPERTIES: [&str; 6] = ["advice", "fuzz", "layouts", "range", "sequences", "taken"];

/// The property tests with as many cases each, drawn from `seed`.
pub fn properties(ctx: &Ctx, cases: u32, seed: u64) -> Item {
    let ctx = ctx.clone();
    let mut args: Vec<&str> = PROPERTIES
        .iter()
        .flat_map(|file| ["--test", file])
        .collect();
    args.extend(["--no-fail-fast", "--workspace"]);
    Item::new("property tests", move || {
        cargo(
            &ctx,
            &args,
            &[("PROPTEST_CASES", cases.into()), (SEED, seed)],
        )
    })
}

const SEED: &str = "PROPTEST_RNG_SEED";

/// All tests. What is drawn at random is the same each time, so that the verdict is about the change.
fn cargo_test(ctx: &Ctx) -> Result<Report> {
    cargo(ctx, &["--workspace", "--no-fail-fast"], &[(SEED, 1)])
}

/// `cargo test`; a variable that is set already stays.
fn cargo(ctx: &Ctx, args: &[&str], variables: &[(&str, u64)]) -> Result<Report> {
    let log = ctx.cache.join("logs/host-tests.log");
    let _lock = Lock::exclusive(&ctx.cache.join("cargo-tests.lock"), "the host tests")?;
    let unset = variables
        .iter()
        .filter(|(name, _)| env::var_os(name).is_none());
    let output = Command::new("cargo")
        .args(["test", "--locked"])
        .args(args)
        .envs(unset.map(|(name, value)| (name, value.to_string())))
        .env("PROMTOOL", promtool(ctx)?)
        .arg("--manifest-path")
        .arg(ctx.repo.join("tools/Cargo.toml"))
        .arg("--target-dir")
        .arg(cargo_target(ctx, "dev")?)
        .output()
        .context("cannot start cargo")?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let text = format!("{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    write_log(&log, &text)?;
    let mut report = parse(&stdout);
    if !output.status.success() && report.failed.is_empty() {
        let reasons = text
            .lines()
            .filter(|line| line.starts_with("error"))
            .map(str::to_owned)
            .collect();
        report.failed.push(("host tests".to_owned(), reasons));
    }
    if report.passed == 0 && report.failed.is_empty() {
        report = Report::failure("host tests", "there are none");
    }
    report.log = Some(log);
    Ok(report)
}

/// Writes a log whose directory may not be there yet.
pub fn write_log(path: &Path, text: &str) -> Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads the lines of libtest: `test NAME ... ok`.
fn parse(text: &str) -> Report {
    let mut report = Report::default();
    for line in text.lines() {
        let Some((name, verdict)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.rsplit_once(" ... "))
        else {
            continue;
        };
        match verdict.trim() {
            "ok" => report.passed += 1,
            verdict => report
                .failed
                .push((format!("host test {name}"), vec![verdict.to_owned()])),
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtest_lines_are_counted() {
        let text = "running 3 tests\n\
                    test a::b ... ok\n\
                    test a::c ... FAILED\n\
                    test d ... ignored, needs root\n\
                    test result: FAILED. 1 passed; 1 failed; 1 ignored\n";
        let report = parse(text);
        assert_eq!(report.passed, 1);
        let names: Vec<&str> = report
            .failed
            .iter()
            .map(|failed| failed.0.as_str())
            .collect();
        assert_eq!(names, ["host test a::c", "host test d"]);
    }
}
