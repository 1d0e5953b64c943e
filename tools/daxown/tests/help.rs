// SPDX-License-Identifier: GPL-2.0

//! The help of each verb is broken into lines once: at the width of the terminal.

mod common;

use std::path::Path;

use common::at_width;

const VERBS: [&str; 14] = [
    "list", "tree", "explain", "doctor", "fix", "assign", "predict", "diff", "scenario", "metrics",
    "wait", "timeline", "watch", "capture",
];

/// Lines of prose that end although the next word has room, and lines that are too long.
fn faults(help: &str, width: usize) -> Vec<String> {
    let lines: Vec<&str> = help.lines().collect();
    let is_prose = |l: &str| l.starts_with(|c: char| c.is_alphabetic());
    let pairs = lines
        .windows(2)
        .filter(|w| is_prose(w[0]) && is_prose(w[1]));
    let is_head = |l: &str| l.ends_with(':');
    let early = pairs.filter(|w| !is_head(w[0])).filter(|w| {
        let next = w[1].split(' ').next().unwrap_or_default();
        w[0].chars().count() + 1 + next.chars().count() <= width
    });
    let early = early.map(|w| format!("ends early: {}", w[0]));
    let wide = lines.iter().filter(|l| l.chars().count() > width);
    early
        .chain(wide.map(|l| format!("too wide: {l}")))
        .collect()
}

#[test]
fn no_line_is_broken_twice() {
    for width in [80, 90, 100] {
        for verb in VERBS {
            let help = at_width(Path::new("/"), &[verb, "--help"], width);
            let faults = faults(&help.stdout, width);
            assert!(faults.is_empty(), "{verb} at {width}: {faults:#?}");
        }
        let help = at_width(Path::new("/"), &["--help"], width).stdout;
        assert!(faults(&help, width).is_empty(), "{help}");
    }
}
