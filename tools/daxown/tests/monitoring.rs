// SPDX-License-Identifier: GPL-2.0

//! The alert rules and the dashboard ask for metrics that are there, with labels that they have.

mod common;
#[path = "common/promql.rs"]
mod promql;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{daxown, fixture, fixtures, machines, scenarios, stem};
use promql::Vector;
use promql_parser::parser::{self, Expr};
use serde_json::Value;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("monitoring")
        .join(name)
}

fn samples(capture: &Path) -> BTreeMap<String, Vector> {
    promql::samples(&daxown(capture, &["metrics"]).stdout)
}

/// Names of metrics with their labels, from real output.
fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in [
        "union-c",
        "smaller-rust",
        "offline-c",
        "machines/partly-offline",
    ] {
        for (metric, vector) in samples(&fixture(name)) {
            let labels = vector
                .into_iter()
                .flat_map(|(labels, _)| labels.into_keys());
            out.entry(metric).or_default().extend(labels);
        }
    }
    out
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

fn parsed(expr: &str) -> Expr {
    parser::parse(expr).unwrap_or_else(|e| panic!("{expr}: {e}"))
}

/// That an expression is one, and asks for metrics and labels that are there.
fn check(expr: &str, named: &[String]) {
    let metrics = metrics();
    let (names, mut labels) = promql::asks(&parsed(expr));
    labels.extend(named.iter().cloned());
    assert!(!names.is_empty(), "{expr}");
    for name in &names {
        let known = metrics
            .get(name)
            .unwrap_or_else(|| panic!("{expr}: no {name}"));
        for label in &labels {
            // What one side of a comparison matches, the other need not say again.
            let is_known = known.contains(label);
            assert!(is_known, "{expr}: {name} has no {label}");
        }
    }
}

/// An alert of the rules.
struct Alert {
    name: String,
    expr: Expr,
}

/// Reads the rules line by line: the file has this form and no other, so that it is YAML without a
/// reader of all of YAML.
fn alerts() -> Vec<Alert> {
    let text = std::fs::read_to_string(file("daxown.rules.yml")).unwrap();
    let mut lines = text.lines().filter(|l| !l.starts_with('#')).peekable();
    for head in ["groups:", "  - name: daxown", "    rules:"] {
        assert_eq!(lines.next(), Some(head));
    }
    let mut out = Vec::new();
    while lines.peek().is_some() {
        let mut field = |before: &str| {
            let line = lines.next().unwrap_or_default();
            let value = line.strip_prefix(before);
            let value = value.unwrap_or_else(|| panic!("{before:?} is not in {line:?}"));
            value.to_string()
        };
        let name = field("      - alert: ");
        let expr = field("        expr: ");
        let is_plain = |c: char| c.is_ascii_alphanumeric();
        assert!(name.chars().all(is_plain) && field("        for: ").chars().all(is_plain));
        // In a plain scalar these would begin something else.
        assert!(!expr.contains(": ") && !expr.contains(" #"), "{expr}");
        assert_eq!(field("        labels:"), "");
        let severity = field("          severity: ");
        assert!(
            ["critical", "warning"].contains(&severity.as_str()),
            "{name}"
        );
        assert_eq!(field("        annotations:"), "");
        let mut asked = Vec::new();
        for key in ["          summary: ", "          description: "] {
            let quoted = field(key);
            let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
            let inner = inner.unwrap_or_else(|| panic!("{quoted} is not quoted"));
            assert!(!inner.contains(['"', '\\']), "{inner}");
            asked.extend(labels(inner, "$labels."));
        }
        check(&expr, &asked);
        let expr = parsed(&expr);
        out.push(Alert { name, expr });
    }
    out
}

#[test]
fn alerts_ask_for_what_is_there() {
    assert!(alerts().len() > 5);
    assert!(parser::parse("sum by (instance (daxown_status) > 0").is_err());
}

fn kinds(doctor: &Value) -> Vec<(String, u64)> {
    let problems = doctor["problems"].as_array().unwrap();
    let kind = |p: &Value| {
        (
            p["kind"].as_str().unwrap().into(),
            p["bytes"].as_u64().unwrap_or(0),
        )
    };
    problems.iter().map(kind).collect()
}

/// What fires on a machine is what its doctor says, and nothing fires on one that is well.
#[test]
fn alerts_fire_where_doctor_finds_something() {
    let alerts = alerts();
    let all = fixtures().into_iter().chain(scenarios()).chain(machines());
    for capture in all {
        let samples = samples(&capture);
        let fires = |a: &&Alert| !promql::vector(&a.expr, &samples).is_empty();
        let firing: Vec<&str> = alerts
            .iter()
            .filter(fires)
            .map(|a| a.name.as_str())
            .collect();
        let said = daxown(&capture, &["doctor", "-J"]);
        let doctor: Value = serde_json::from_str(&said.stdout).unwrap();
        let kinds = kinds(&doctor);
        let has = |kind: &str| kinds.iter().any(|(k, _)| k == kind);
        let name = stem(&capture);
        let about = format!("{name}: {firing:?} {kinds:?}");
        if said.status == 0 {
            assert!(firing.is_empty(), "{about}");
        }
        assert_eq!(firing.contains(&"MemoryLost"), said.status == 2, "{about}");
        let offline = kinds.iter().any(|(k, bytes)| k == "offline" && *bytes > 0);
        assert_eq!(firing.contains(&"MemoryOffline"), offline, "{about}");
        let unbound = has("memdev-unbound");
        assert_eq!(firing.contains(&"DeviceWithoutDriver"), unbound, "{about}");
        // Nothing of a region can be used, and that is no more than a warning.
        if firing.contains(&"RegionIdle") {
            assert_eq!(said.status, 2, "{about}");
        }
        // MemoryLost tells of one of which HMEM has a part.
        let problems = doctor["problems"].as_array().unwrap().iter();
        for p in problems.filter(|p| p["kind"] == "region-idle") {
            let list = daxown(&capture, &["list", "-J"]).stdout;
            let list: Value = serde_json::from_str(&list).unwrap();
            let mut rows = list["rows"].as_array().unwrap().iter();
            let row = rows.find(|r| r["name"] == p["subject"]).unwrap();
            let is_idle = row["use"]["usable"] == 0;
            assert_eq!(firing.contains(&"RegionIdle"), is_idle, "{about}");
        }
    }
}

#[test]
fn an_accelerator_is_no_idle_region() {
    let samples = samples(&fixture("machines/type2-owned"));
    let one = |name: &str| samples[name][0].1;
    assert_eq!(one("daxown_region_committed"), 1.0);
    assert_eq!(one("daxown_region_served"), 0.0);
    assert_eq!(one("daxown_region_foreign"), 1.0);
    assert_eq!(one("daxown_region_usable_bytes"), f64::from(1u32 << 30));
}

/// A region outside of Soft Reserved memory, of which 8 blocks are offline.
#[test]
fn offline_memory_is_told_wherever_it_is() {
    let samples = samples(&fixture("machines/partly-offline"));
    for name in [
        "daxown_offline_bytes",
        "daxown_region_offline_bytes",
        "daxown_dax_offline_bytes",
        "daxown_node_other_offline_bytes",
    ] {
        assert_eq!(samples[name][0].1, f64::from(1u32 << 30), "{name}");
    }
    let node = &samples["daxown_node_other_online_bytes"][0];
    assert_eq!(node.0["node"], "1");
    assert_eq!(node.1, 63.0 * f64::from(1u32 << 30));
    assert!(!samples.contains_key("daxown_node_reserved_bytes"));
}

/// Bytes that several metrics tell agree with each other.
#[test]
fn sums_agree() {
    let all = fixtures().into_iter().chain(scenarios()).chain(machines());
    for capture in all {
        let samples = samples(&capture);
        let sum = |name: &str| -> f64 {
            let vector = samples.get(name).map(Vec::as_slice);
            vector.unwrap_or_default().iter().map(|(_, n)| n).sum()
        };
        let name = stem(&capture);
        let parts = sum("daxown_node_offline_bytes") + sum("daxown_node_other_offline_bytes");
        let known = sum("daxown_offline_bytes");
        // What has no node is in no node's sum.
        assert!(parts <= known, "{name}: {parts} {known}");
        assert!(sum("daxown_reserved_offline_bytes") <= known, "{name}");
        assert!(
            sum("daxown_region_usable_bytes") <= sum("daxown_region_bytes"),
            "{name}"
        );
    }
}

#[test]
fn the_dashboard_asks_for_what_is_there() {
    let text = std::fs::read_to_string(file("dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 8);
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(panel["title"].is_string() && panel["gridPos"].is_object());
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "{}",
            panel["title"]
        );
        for target in panel["targets"].as_array().unwrap() {
            let legend = labels(target["legendFormat"].as_str().unwrap(), "");
            check(target["expr"].as_str().unwrap(), &legend);
        }
    }
}

/// Prometheus' own judgement. The lab names its program; elsewhere it is looked for in $PATH.
#[test]
fn promtool_accepts_rules_and_metrics() {
    let promtool = std::env::var("PROMTOOL").unwrap_or_else(|_| "promtool".into());
    let rules = Command::new(&promtool)
        .args(["check", "rules"])
        .arg(file("daxown.rules.yml"))
        .output()
        .unwrap_or_else(|e| panic!("{promtool}: {e}: install prometheus, or run `make check`"));
    assert!(
        rules.status.success(),
        "{}",
        String::from_utf8_lossy(&rules.stderr)
    );
    for name in ["union-c", "smaller-rust", "user-c"] {
        let script = format!(
            "{} --sysroot {} metrics | {promtool} check metrics",
            env!("CARGO_BIN_EXE_daxown"),
            fixture(name).display()
        );
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        // Its style guide has opinions on names, which is 3; a fault of the format is what counts.
        let is_read = matches!(output.status.code(), Some(0 | 3));
        let is_sound = !told.contains("error while linting");
        assert!(is_read && is_sound, "{name}: {told}");
    }
}
