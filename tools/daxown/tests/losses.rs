// SPDX-License-Identifier: GPL-2.0

//! On each layout in which the stock drivers lose memory, doctor names the loss and its cause.

mod common;

use common::{daxown, fixture};
use serde_json::Value;

const MIB: u64 = 1 << 20;

fn doctor(name: &str) -> (Value, i32) {
    let output = daxown(&fixture(name), &["doctor", "-J"]);
    (serde_json::from_str(&output.stdout).unwrap(), output.status)
}

/// The one problem that counts `mib` MiB is of `kind`, its cause and evidence say `words`.
fn loses(name: &str, mib: u64, kind: &str, words: &[&str]) {
    let (report, status) = doctor(name);
    assert_eq!(status, 2, "{name}: {report:#}");
    assert_eq!(report["status"], 2);
    assert_eq!(report["totals"]["not_usable"], mib * MIB, "{name}");
    let counted: Vec<&Value> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["bytes"] != 0)
        .collect();
    assert_eq!(counted.len(), 1, "{name}: {report:#}");
    assert_eq!(counted[0]["kind"], kind, "{name}");
    assert_eq!(counted[0]["severity"], "loss", "{name}");
    assert_ne!(counted[0]["remedy"].as_array().unwrap().len(), 0, "{name}");
    let text = counted[0].to_string();
    for word in words {
        assert!(text.contains(word), "{name}: no {word:?} in {text}");
    }
}

#[test]
fn a_region_smaller_than_the_range() {
    loses(
        "smaller-c",
        1024,
        "kmem-cannot-reserve",
        &["error -16", "edge of region0", "/size"],
    );
}

#[test]
fn two_regions_that_fill_the_range() {
    loses(
        "union-c",
        1024,
        "kmem-cannot-reserve",
        &["error -16", "region0", "region1", "dax_region/create"],
    );
}

#[test]
fn a_range_across_two_windows() {
    loses(
        "twowin-c",
        1024,
        "kmem-cannot-reserve",
        &["CXL Window 0", "CXL Window 1"],
    );
}

#[test]
fn an_unaligned_end() {
    loses(
        "misalign-c",
        513,
        "misaligned",
        &[
            "error -12",
            "1 MiB too many at its end",
            "0x490000000-0x4afffffff",
        ],
    );
}

#[test]
fn an_unaligned_start() {
    loses(
        "shifted-c",
        512,
        "misaligned",
        &["error -12", "1 MiB too many at its start"],
    );
}

#[test]
fn a_rebind() {
    loses("rebind-c", 512, "left-to-cxl", &["left the range to CXL"]);
}

#[test]
fn a_reload() {
    loses("reload-c", 512, "left-to-cxl", &["left the range to CXL"]);
}

/// The scenarios of the suite in which the stock drivers lose memory.
#[test]
fn each_scenario_that_loses_memory() {
    let reserve = "kmem-cannot-reserve";
    let left = "dax_hmem is bound and left the range to CXL";
    for (name, mib, kind, words) in [
        (
            "region-smaller-c",
            1024,
            reserve,
            &["error -16", "edge of region0"][..],
        ),
        (
            "two-regions-c",
            1024,
            reserve,
            &["error -16", "region0", "region1"],
        ),
        (
            "straddle-c",
            1024,
            reserve,
            &["error -16", "CXL Window 0", "CXL Window 1"],
        ),
        (
            "straddle-regions-c",
            1024,
            reserve,
            &["error -16", "region0", "region1"],
        ),
        (
            "misaligned-end-c",
            513,
            "misaligned",
            &["error -12", "1 MiB too many at its end"],
        ),
        (
            "misaligned-start-c",
            512,
            "misaligned",
            &["error -12", "1 MiB too many at its start"],
        ),
        ("rebind-c", 512, "left-to-cxl", &[left]),
        ("reload-after-c", 512, "left-to-cxl", &[left]),
        ("reload-during-c", 512, "left-to-cxl", &[left]),
    ] {
        loses(&format!("scenarios/{name}"), mib, kind, words);
    }
}

#[test]
fn missing_modules() {
    loses(
        "nodrv-c",
        512,
        "module-not-loaded",
        &["dax_hmem is not loaded", "modprobe dax_hmem"],
    );
    loses(
        "nokmem-c",
        512,
        "module-not-loaded",
        &["kmem is not loaded", "modprobe kmem"],
    );
}

#[test]
fn losing_regions_are_named_with_the_winner() {
    let (report, _) = doctor("union-c");
    let lost: Vec<&Value> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|p| p["kind"] == "region-lost")
        .collect();
    assert_eq!(lost.len(), 2);
    for p in lost {
        assert_eq!(p["bytes"], 0);
        let text = p.to_string();
        assert!(text.contains("hmem."), "{text}");
        assert!(text.contains("dax_region resource conflict"), "{text}");
    }
}

#[test]
fn offline_and_idle_by_choice_are_warnings() {
    for (name, kind) in [("offline-c", "offline"), ("idlehmem-c", "unallocated")] {
        let (report, status) = doctor(name);
        assert_eq!(status, 1, "{name}: {report:#}");
        let first = &report["problems"][0];
        assert_eq!(
            (&first["kind"], &first["severity"]),
            (&kind.into(), &"warning".into())
        );
        assert_eq!(first["bytes"], 512 * MIB);
    }
}

#[test]
fn whole_machines_are_well() {
    for name in [
        "cover-c",
        "noregion-c",
        "conflict-c",
        "devdax-c",
        "cover-rust",
        "noregion-rust",
        "smaller-rust",
        "union-rust",
    ] {
        let (report, status) = doctor(name);
        assert_eq!(status, 0, "{name}: {report:#}");
        assert_eq!(report["totals"]["not_usable"], 0, "{name}");
    }
}

#[test]
fn without_root_what_is_unknown_is_said() {
    let (report, status) = doctor("user-c");
    assert_eq!(status, 1, "{report:#}");
    let gaps = report["gaps"].as_array().unwrap();
    assert!(gaps
        .iter()
        .any(|g| g["path"] == "/proc/iomem" && g["needs_root"] == true));
}

#[test]
fn trimmed_memory_has_an_edge_and_a_size() {
    for (name, words) in [
        (
            "halfblock-c",
            "64 MiB at the end of dax1.0 (0x4a8000000-0x4abffffff)",
        ),
        (
            "scenarios/misaligned-start-rust",
            "126 MiB at the start of dax1.0 (0x110200000-0x117ffffff)",
        ),
    ] {
        let text = daxown(&fixture(name), &["doctor"]).stdout;
        let text: Vec<&str> = text.split_whitespace().collect();
        assert!(text.join(" ").contains(words), "{text:?}");
    }
}

/// What firmware declares there may be the device's own memory, and a region would map it twice.
#[test]
fn a_region_is_not_made_where_the_memory_map_is_lost() {
    let (report, _) = doctor("machines/log-wrapped-false-ok");
    let problems = report["problems"].as_array().unwrap();
    let lines = problems
        .iter()
        .flat_map(|p| p["remedy"].as_array().unwrap());
    for line in lines.filter_map(|l| l.as_str()) {
        assert!(line.starts_with('#'), "{line}");
    }
}
