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
            "machines/genoa-reset-no-sr",
            "machines/hmem-beside-soft-reserved",
            "machines/region-lost-no-dax-cxl",
            "machines/twelve-ways-serial-0",
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
            let verbs: [&[&str]; 14] = [
                &["list"],
                &["list", "-o", "+members"],
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

/// Columns that are asked for are shown, and beside them what tells rows apart.
#[test]
fn columns_that_are_added_leave_the_names() {
    let columns = "+members,window,source,kind,end";
    for width in [60, 80, 120] {
        let list = at_width(&fixture("union-c"), &["list", "-o", columns], width).stdout;
        let heads = list.lines().next().unwrap();
        for name in [
            "NAME", "RANGE", "MEMBERS", "WINDOW", "SOURCE", "KIND", "END",
        ] {
            let mut words = heads.split_whitespace();
            assert!(words.any(|w| w == name), "{name} at {width}: {list}");
        }
    }
    // What was not asked for goes first.
    let list = at_width(&fixture("union-c"), &["list", "-o", "+device,members"], 80).stdout;
    let heads = list.lines().next().unwrap();
    assert!(
        heads.contains("DEVICE") && !heads.contains("OFFLINE"),
        "{list}"
    );
}

/// A part of a number is none.
#[test]
fn the_tree_cuts_no_number() {
    for capture in captures() {
        for width in [60, 80, 100] {
            let tree = at_width(&capture, &["tree"], width).stdout;
            let is_cut = |l: &&str| l.contains(" usa") && !l.contains(" usable");
            assert_eq!(tree.lines().find(is_cut), None, "{}", capture.display());
        }
    }
}
