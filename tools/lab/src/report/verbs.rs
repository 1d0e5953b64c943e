// SPDX-License-Identifier: GPL-2.0

//! Judges what daxown said in the guest: every verb ends as documented, a capture reads as the live
//! kernel did, and doctor accounts for exactly the memory that the lab itself finds missing.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;
use serde_json::Value;

use super::ownership::usable;
use super::Ownership;
use super::RangeReport;
use crate::guest::Capture;
use crate::guest::Verb;
use crate::guest::Verbs;
use crate::scenario::Drivers;

/// What must have been run.
const VERBS: [&str; 10] = [
    "wait", "list", "doctor", "tree", "metrics", "predict", "timeline", "fix", "explain", "capture",
];

/// Everything that is wrong with what was said.
pub fn faults(verbs: &Verbs, program: &Path, archive: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for name in VERBS {
        // Without ranges and devices there is nothing to explain.
        if name != "explain" && !verbs.0.iter().any(|verb| verb.name() == name) {
            faults.push(format!("daxown {name} was not run in the guest"));
        }
    }
    faults.extend(verbs.0.iter().filter_map(ending));
    for verb in ["list", "doctor"] {
        let Some(live) = verbs.of(&format!("{verb} -J")) else {
            continue;
        };
        match on_host(program, archive, &[verb, "-J"]) {
            Ok(captured) => faults.extend(difference(verb, &live.stdout, &captured)),
            Err(error) => faults.push(format!("{error:#}")),
        }
    }
    faults
}

/// What is wrong with how a verb ended.
fn ending(verb: &Verb) -> Option<String> {
    let documented: &[i32] = match verb.name() {
        "doctor" => &[0, 1, 2],
        "wait" => &[0, 1],
        _ => &[0],
    };
    let said = verb.stderr.trim();
    if !documented.contains(&verb.status) {
        return Some(format!(
            "daxown {} ended with {}: {said}",
            verb.args, verb.status
        ));
    }
    said.contains("panicked")
        .then(|| format!("daxown {}: {said}", verb.args))
}

/// What the same daxown makes of the guest's capture out here.
fn on_host(program: &Path, archive: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .arg("--sysroot")
        .arg(archive)
        .args(args)
        .output()
        .with_context(|| format!("cannot start {}", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn difference(verb: &str, live: &str, captured: &str) -> Option<String> {
    let mut lines = captured.lines();
    let first = live.lines().find_map(|line| {
        let other = lines.next().unwrap_or_default();
        (other != line).then(|| (line.trim(), other.trim()))
    });
    match (first, lines.next()) {
        (None, None) => None,
        (first, more) => {
            let (line, other) = first.unwrap_or(("", more.unwrap_or_default()));
            Some(format!(
                "daxown {verb} says `{line}` of the live kernel, `{other}` of its capture"
            ))
        }
    }
}

/// Kinds of problem about memory that is in use all the same.
const IN_USE: [&str; 5] = [
    "undecoded",
    "member-gone",
    "stuck",
    "without-device",
    "foreign",
];

/// Compares doctor's account with what the lab finds missing.
pub fn diagnosis(
    verbs: &Verbs,
    ownership: &Ownership,
    capture: &Capture,
    drivers: Drivers,
) -> Result<Vec<String>> {
    let Some(verb) = verbs.of("doctor -J") else {
        return Ok(Vec::new());
    };
    let document = verb.document()?;
    let list = match verbs.of("list -J") {
        Some(verb) => verb.document()?,
        None => Value::Null,
    };
    let mut faults = Vec::new();
    for range in &ownership.ranges {
        let others = of_others(range, &list);
        let found = range_faults(range, &document, capture, drivers, others);
        faults.extend(
            found
                .into_iter()
                .map(|fault| format!("{}: doctor {fault}", range.name)),
        );
    }
    Ok(faults)
}

/// How a fault begins that is about a loss which daxown cannot explain.
pub const NO_CAUSE: &str = "knows no cause";

fn range_faults(
    range: &RangeReport,
    document: &Value,
    capture: &Capture,
    drivers: Drivers,
    others: u64,
) -> Vec<String> {
    let problems: Vec<&Value> = document["problems"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|problem| problem["bytes"] != 0 && overlaps(problem, range))
        // The lab counts what is online; whether something is behind it, it only emulates.
        .filter(|problem| {
            let is_kind = |kind: &&str| problem["kind"] == **kind;
            problem["severity"] != "loss" || !IN_USE.iter().any(is_kind)
        })
        .collect();
    let told: u64 = problems
        .iter()
        .filter_map(|problem| problem["bytes"].as_u64())
        .sum();
    let files = in_files(range, capture);
    let missing = range.size().saturating_sub(range.online() + files + others);
    let mut faults = Vec::new();
    if told != missing {
        faults.push(format!(
            "accounts for {told} bytes, the lab misses {missing}"
        ));
    }
    let offline = offline(range, capture);
    let lost = usable(range).saturating_sub(range.online() + files + offline);
    let losses = problems.iter().filter(|p| p["severity"] == "loss").count();
    match lost {
        0 if losses > 0 => faults.push("reports a loss where there is none".to_owned()),
        0 => {}
        // Ours may still wait, or have let the range go: then a warning says so.
        _ if losses == 0 && (drivers == Drivers::C || problems.is_empty()) => {
            faults.push(format!("does not report that {lost} bytes are lost"));
        }
        _ => {}
    }
    for problem in problems {
        let cause = problem["cause"].as_str().unwrap_or_default();
        if problem["kind"] == "unexplained" || cause.is_empty() {
            faults.push(format!("{NO_CAUSE}: {problem}"));
        }
    }
    faults
}

fn overlaps(problem: &Value, range: &RangeReport) -> bool {
    let address = |key: &str| {
        let text = problem["range"][key].as_str()?;
        u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
    };
    address("start")
        .zip(address("end"))
        .is_some_and(|(start, end)| start <= range.end && range.start <= end)
}

/// Bytes of the range that programs can map as a file.
fn in_files(range: &RangeReport, capture: &Capture) -> u64 {
    let devices = capture.dax.iter();
    devices
        .filter(|device| device.driver == "device_dax")
        .flat_map(|device| &device.ranges)
        .map(|&(start, end)| common(range, start, end))
        .sum()
}

/// Bytes of the range that another driver has, which are no loss.
fn of_others(range: &RangeReport, list: &Value) -> u64 {
    let address = |row: &Value, key: &str| {
        let text = row["range"][key].as_str()?.trim_start_matches("0x");
        u64::from_str_radix(text, 16).ok()
    };
    let rows = list["rows"].as_array();
    rows.into_iter()
        .flatten()
        .filter(|row| row["kind"] == "reserved" && row["owner"]["kind"] == "driver")
        .filter_map(|row| Some(common(range, address(row, "start")?, address(row, "end")?)))
        .sum()
}

/// Bytes of the range in memory blocks that are there but offline.
fn offline(range: &RangeReport, capture: &Capture) -> u64 {
    let blocks = capture.blocks.iter();
    blocks
        .filter(|block| !block.online)
        .map(|block| {
            let start = block.index.saturating_mul(capture.block_size);
            let end = start.saturating_add(capture.block_size.saturating_sub(1));
            common(range, start, end)
        })
        .sum()
}

fn common(range: &RangeReport, start: u64, end: u64) -> u64 {
    let (start, end) = (start.max(range.start), end.min(range.end));
    if start <= end {
        end - start + 1
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::Part;
    use crate::scenario::Owner;

    const MIB: u64 = 1 << 20;

    /// 512 MiB at 4 GiB, of which the first `online` bytes are in use.
    fn range(online: u64) -> RangeReport {
        let (start, end) = (4096 * MIB, 4608 * MIB - 1);
        RangeReport {
            name: "sr".to_owned(),
            start,
            end,
            parts: vec![Part {
                start,
                end,
                owner: Owner::Hmem,
                device: String::new(),
                online,
            }],
            reason: String::new(),
            persistent: 0,
            block_size: 128 * MIB,
        }
    }

    fn document(bytes: u64, severity: &str, kind: &str) -> Value {
        let range = json!({ "start": "0x100000000", "end": "0x11fffffff" });
        json!({ "problems": [
            { "bytes": bytes, "severity": severity, "kind": kind, "cause": "x", "range": range },
            { "bytes": 0, "severity": "note", "kind": "unmapped", "cause": "x", "range": null },
        ] })
    }

    fn faults(online: u64, document: &Value) -> Vec<String> {
        range_faults(&range(online), document, &Capture::default(), Drivers::C, 0)
    }

    #[test]
    fn doctor_must_account_for_every_byte() {
        let all = 512 * MIB;
        let none: Vec<String> = Vec::new();
        assert_eq!(faults(0, &document(all, "loss", "conflict")), none);

        for (online, document, fault) in [
            (0, document(MIB, "loss", "conflict"), "accounts for"),
            (0, document(all, "warning", "offline"), "does not report"),
            (0, document(all, "loss", "unexplained"), "knows no cause"),
            (0, json!({}), "does not report"),
            (
                all,
                document(MIB, "loss", "conflict"),
                "where there is none",
            ),
        ] {
            let found = faults(online, &document);
            assert!(
                found.iter().any(|found| found.contains(fault)),
                "{fault}: {found:?}"
            );
        }
    }

    #[test]
    fn offline_by_choice_is_no_loss() {
        let mut capture = Capture {
            block_size: 128 * MIB,
            ..Capture::default()
        };
        capture
            .blocks
            .extend((32..36).map(|index| crate::guest::Block {
                index,
                online: false,
            }));
        let document = document(512 * MIB, "warning", "offline");
        let found = range_faults(&range(0), &document, &capture, Drivers::C, 0);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn endings_are_documented_ones() {
        let verb = |args: &str, status, stderr: &str| Verb {
            args: args.to_owned(),
            status,
            stderr: stderr.to_owned(),
            ..Verb::default()
        };
        assert!(ending(&verb("doctor -J", 2, "")).is_none());
        assert!(ending(&verb("list", 2, "")).is_some());
        assert!(ending(&verb("wait --timeout 1", 1, "not settled")).is_none());
        assert!(ending(&verb("tree", 101, "panicked at")).is_some());
    }

    #[test]
    fn a_capture_reads_as_the_live_kernel() {
        assert_eq!(difference("list", "a\nb\n", "a\nb\n"), None);
        for (live, captured) in [("a\nb\n", "a\nc\n"), ("a\n", "a\nb\n"), ("a\nb\n", "a\n")] {
            assert!(
                difference("list", live, captured).is_some(),
                "{live} {captured}"
            );
        }
    }
}
