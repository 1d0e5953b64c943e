// SPDX-License-Identifier: GPL-2.0

//! No line is wider than the terminal, save commands, which are there to be copied.

mod common;

use std::path::{Path, PathBuf};

use common::{at_width, fixture, fixtures, machines, scenarios};

/// Captures in which each verb has much to say.
fn captures() -> Vec<PathBuf> {
    let all = [fixtures(), scenarios(), machines()].concat();
    let mut chosen: Vec<PathBuf> = all.into_iter().step_by(12).collect();
    chosen.extend(
        [
            "union-c",
            "misalign-rust",
            "user-c",
            "scenarios/interleave-ways-rust",
        ]
        .map(fixture),
    );
    chosen
}

/// Whether a line is, or ends with, a command, or is one word.
fn may_be_wide(line: &str) -> bool {
    let text = line.trim().trim_start_matches("cause").trim_start();
    let text = text.strip_prefix("do  ").unwrap_or(text).trim_start();
    let text = text.trim_start_matches(|c: char| c == '#' || c.is_ascii_digit() || c == '.');
    let text = text.trim_start();
    let text = text.strip_prefix("back: ").unwrap_or(text);
    let commands = [
        "echo ",
        "cxl ",
        "daxctl ",
        "daxown ",
        "modprobe ",
        "memmap=",
    ];
    commands.iter().any(|c| text.starts_with(c)) || !text.contains(' ')
}

fn check(capture: &Path, args: &[&str], width: usize) {
    let output = at_width(capture, args, width);
    for line in output.stdout.lines() {
        let is_wide = line.chars().count() > width;
        assert!(
            !is_wide || may_be_wide(line),
            "{} {} at {width}: {line}",
            capture.display(),
            args.join(" ")
        );
    }
}

#[test]
fn every_verb_keeps_to_the_terminal() {
    let other = fixture("smaller-rust");
    let other = other.to_str().unwrap();
    for capture in captures() {
        for width in [80, 120] {
            let verbs: [&[&str]; 13] = [
                &["list"],
                &["list", "--kind", "device"],
                &["list", other],
                &["list", other, "--kind", "reserved"],
                &["doctor"],
                &["doctor", other],
                &["doctor", "--platform"],
                &["explain", "0x490200000"],
                &["tree"],
                &["predict"],
                &["fix", "--dry-run"],
                &["timeline"],
                &["explain", "--kind", "kmem-cannot-reserve"],
            ];
            for verb in verbs {
                check(&capture, verb, width);
            }
        }
    }
}
