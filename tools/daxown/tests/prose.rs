// SPDX-License-Identifier: GPL-2.0

//! How things are said: sizes in the unit of the tables, and a row in a line.

mod common;

use common::{at_width, daxown, fixture, fixtures, machines, scenarios};
use serde_json::Value;

/// A size in a unit that is too small for it, or of nothing.
fn odd_size(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split([' ', '(', ')', ',', ';']).collect();
    let pairs = words
        .windows(2)
        .filter_map(|w| Some((w[0].parse::<u64>().ok()?, w[1])));
    let mut odd = pairs.filter(|(n, unit)| match *unit {
        "KiB" | "MiB" | "GiB" => *n == 0 || n % 1024 == 0,
        "bytes" => *n >= 1024 && n % 1024 == 0,
        _ => false,
    });
    odd.next().map(|(n, unit)| format!("{n} {unit}"))
}

/// What people read of a problem; the log's own lines have its own sizes.
fn prose(document: &Value) -> Vec<String> {
    let problems = document["problems"].as_array().unwrap().iter();
    let mut out = Vec::new();
    for p in problems {
        out.push(p["cause"].as_str().unwrap().to_string());
        let remedy = p["remedy"].as_array().unwrap().iter();
        out.extend(remedy.map(|l| l.as_str().unwrap().to_string()));
    }
    out
}

#[test]
fn sizes_are_those_of_the_tables() {
    let mut wrong = Vec::new();
    for capture in [fixtures(), scenarios(), machines()].concat() {
        let json = |verb: &str| -> Option<Value> {
            serde_json::from_str(&daxown(&capture, &[verb, "-J"]).stdout).ok()
        };
        let mut texts = prose(&json("doctor").unwrap());
        // Of what was captured by a user nothing can be predicted.
        if let Some(document) = json("predict") {
            for forecast in document["forecasts"].as_array().unwrap() {
                let parts = forecast["parts"].as_array().unwrap().iter();
                texts.extend(parts.map(|p| p["text"].as_str().unwrap().to_string()));
            }
        }
        texts.push(daxown(&capture, &["fix", "--dry-run"]).stdout);
        let odd = texts.iter().filter_map(|t| Some((odd_size(t)?, t)));
        wrong.extend(odd.map(|(size, text)| format!("{}: {size}: {text}", capture.display())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_row_is_a_line() {
    for capture in [fixtures(), scenarios(), machines()].concat() {
        let rows = at_width(&capture, &["list", "-n", "-o", "start"], 120).stdout;
        for width in [60, 80, 100, 120] {
            let list = at_width(&capture, &["list", "-n"], width).stdout;
            let lines = list.lines().count();
            assert_eq!(
                lines,
                rows.lines().count(),
                "{} at {width}: {list}",
                capture.display()
            );
        }
    }
    // What is cut says so, and elsewhere it is whole.
    let together = "no single region covers it (region0 and region1 do together)";
    let list = at_width(&fixture("union-c"), &["list"], 120).stdout;
    assert!(list.contains("…") && !list.contains(together), "{list}");
    let list = at_width(&fixture("union-c"), &["list"], 200).stdout;
    assert!(list.contains(together), "{list}");
    let explain = common::words(&daxown(&fixture("union-c"), &["explain", "0x490000000"]).stdout);
    assert!(explain.contains(together), "{explain}");
}
