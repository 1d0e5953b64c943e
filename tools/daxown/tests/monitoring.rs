// SPDX-License-Identifier: GPL-2.0

//! The alert rules and the dashboard ask for metrics that are there, with labels that they have.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use common::{daxown, fixture};
use serde_json::Value;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("monitoring")
        .join(name)
}

/// Names of metrics with their labels, from real output.
fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in ["union-c", "smaller-rust", "offline-c"] {
        for line in daxown(&fixture(name), &["metrics"]).stdout.lines() {
            if line.starts_with('#') {
                continue;
            }
            let series = line.rsplit_once(' ').unwrap().0;
            let (metric, labels) = series.split_once('{').unwrap_or((series, ""));
            let known = out.entry(metric.to_string()).or_default();
            for part in labels.split("=\"") {
                let label = part.rsplit([',', '"']).next().unwrap().trim();
                known.insert(label.to_string());
            }
        }
    }
    out
}

/// The metrics that an expression names.
fn asked_for(expr: &str) -> Vec<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    expr.split(|c| !word(c))
        .filter(|w| w.starts_with("daxown_"))
        .map(str::to_string)
        .collect()
}

/// The labels that a legend or an annotation names.
fn labels(text: &str, before: &str) -> Vec<String> {
    let parts = text.split("{{").skip(1);
    parts
        .filter_map(|p| p.trim_start().strip_prefix(before))
        .map(|p| {
            let end = p.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            p[..end.unwrap_or(p.len())].to_string()
        })
        .filter(|l| l != "instance" && !l.is_empty())
        .collect()
}

fn check(expr: &str, labels: &[String]) {
    let metrics = metrics();
    let names = asked_for(expr);
    assert!(!names.is_empty(), "{expr}");
    for name in &names {
        let known = metrics
            .get(name)
            .unwrap_or_else(|| panic!("{expr}: no {name}"));
        for label in labels {
            assert!(known.contains(label), "{expr}: {name} has no {label}");
        }
    }
}

#[test]
fn alerts_ask_for_what_is_there() {
    let text = std::fs::read_to_string(file("daxown.rules.yml")).unwrap();
    let alerts: Vec<&str> = text.split("- alert: ").skip(1).collect();
    assert!(alerts.len() > 5);
    for alert in alerts {
        let expr = alert
            .split("expr: ")
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap();
        check(expr, &labels(alert, "$labels."));
        for key in ["for: ", "severity: ", "summary: ", "description: "] {
            assert!(alert.contains(key), "{alert}: no {key}");
        }
    }
}

#[test]
fn the_dashboard_asks_for_what_is_there() {
    let text = std::fs::read_to_string(file("dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 8);
    for panel in panels {
        assert!(panel["title"].is_string() && panel["gridPos"].is_object());
        for target in panel["targets"].as_array().unwrap() {
            let legend = labels(target["legendFormat"].as_str().unwrap(), "");
            check(target["expr"].as_str().unwrap(), &legend);
        }
    }
}

/// Prometheus' own judgement, where it is installed.
#[test]
fn promtool_accepts_rules_and_metrics() {
    let rules = Command::new("promtool")
        .args(["check", "rules"])
        .arg(file("daxown.rules.yml"))
        .output();
    let Ok(rules) = rules else {
        eprintln!("promtool is not installed: not checked");
        return;
    };
    assert!(
        rules.status.success(),
        "{}",
        String::from_utf8_lossy(&rules.stderr)
    );
    for name in ["union-c", "smaller-rust", "user-c"] {
        let script = format!(
            "{} --sysroot {} metrics | promtool check metrics",
            env!("CARGO_BIN_EXE_daxown"),
            fixture(name).display()
        );
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        // Its style guide has opinions on names; a fault of the format is what counts.
        assert!(!told.contains("error while linting"), "{name}: {told}");
    }
}
