// SPDX-License-Identifier: GPL-2.0

//! The rows of memory devices, their metrics, the rows of memory and the doctor tell one story.

mod common;
#[path = "common/promql.rs"]
#[allow(dead_code, reason = "only samples are read")]
mod promql;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use common::{daxown, fixture, fixtures, machines, scenarios, stem};
use serde_json::Value;

const GIB: u64 = 1 << 30;

fn json(capture: &Path, args: &[&str]) -> Value {
    let said = daxown(capture, &[args, &["-J"]].concat());
    serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{e}: {}", said.stderr))
}

/// What is said of a machine.
struct Said {
    name: String,
    list: Value,
    doctor: Value,
    metrics: String,
}

/// All captures, read once.
fn all() -> &'static [Said] {
    static ALL: LazyLock<Vec<Said>> = LazyLock::new(|| {
        let captures = fixtures().into_iter().chain(scenarios()).chain(machines());
        let said = |capture: PathBuf| Said {
            name: stem(&capture),
            list: json(&capture, &["list"]),
            doctor: json(&capture, &["doctor"]),
            metrics: daxown(&capture, &["metrics"]).stdout,
        };
        captures.map(said).collect()
    });
    &ALL
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn range(value: &Value) -> Option<daxmap::Range> {
    let edge = |key: &str| daxmap::range::parse_hex(value[key].as_str()?);
    daxmap::Range::new(edge("start")?, edge("end")?)
}

fn sum(devices: &[Value], key: &str) -> u64 {
    devices.iter().filter_map(|d| d[key].as_u64()).sum()
}

/// No device has more in regions than it has, and the shares of the members are the region.
#[test]
fn shares_are_what_there_is() {
    for Said { name, list, .. } in all() {
        let devices = array(&list["devices"]);
        for d in devices {
            if let (Some(mapped), Some(volatile)) = (d["mapped"].as_u64(), d["volatile"].as_u64()) {
                assert!(mapped <= volatile, "{name}: {d}");
            }
        }
        let regions = array(&list["rows"])
            .iter()
            .filter(|r| r["kind"] == "region");
        let volatile = regions.filter(|r| !text(&r["reason"]["text"]).starts_with("pmem"));
        let volatile: Vec<&Value> = volatile.collect();
        let whole = |r: &&Value| {
            let members = array(&r["members"]);
            !members.is_empty() && members.iter().all(|m| m["memdev"].is_string())
        };
        let is_read = devices.iter().all(|d| d["mapped"].is_u64());
        if !is_read || !volatile.iter().all(whole) {
            continue;
        }
        let sizes = volatile.iter().filter_map(|r| r["range"]["size"].as_u64());
        assert_eq!(sum(devices, "mapped"), sizes.sum::<u64>(), "{name}");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What HMEM has of devices is what HMEM has at the addresses that they map.
#[test]
fn hmem_is_shared_out_once() {
    for Said { name, list, .. } in all() {
        let devices = array(&list["devices"]);
        let rows = array(&list["rows"]);
        let of_hmem: Vec<daxmap::Range> = rows
            .iter()
            .filter(|r| r["kind"] == "reserved" && r["owner"]["kind"] == "hmem")
            .filter_map(|r| range(&r["range"]))
            .collect();
        let all: u64 = of_hmem.iter().map(daxmap::Range::len).sum();
        assert!(sum(devices, "hmem") <= all, "{name}");
        for d in devices.iter().filter(|d| d["hmem"] != 0) {
            let served = rows.iter().filter(|r| r["owner"]["kind"] == "hmem");
            let mut behind = served.filter(|r| r["device"].is_string());
            // It is behind the dax device that has its memory, if there is one.
            let is_listed = behind.any(|r| array(&d["dax"]).contains(&r["device"]));
            assert!(is_listed || array(&d["dax"]).is_empty(), "{name}: {d}");
        }
        for row in rows
            .iter()
            .filter(|r| r["kind"] == "region" && r["state"] == "lost")
        {
            let Some(place) = range(&row["range"]) else {
                continue;
            };
            let lost = daxmap::range::covered_bytes(&place, &of_hmem);
            let members = array(&row["members"]);
            for m in members.iter().filter(|m| m["memdev"].is_string()) {
                let mut found = devices.iter().filter(|d| d["name"] == m["memdev"]);
                let device = found.next().unwrap();
                let share = lost / members.len() as u64;
                assert!(device["hmem"].as_u64() >= Some(share), "{name}: {device}");
            }
        }
    }
}

/// A decoder that doctor finds in no region is in no region's share.
#[test]
fn what_doctor_finds_in_no_region_is_in_none() {
    for Said {
        name, list, doctor, ..
    } in all()
    {
        let found = array(&doctor["problems"]).iter();
        for p in found.filter(|p| p["kind"] == "decoder-unassigned") {
            let devices = array(&list["devices"]);
            // A log names devices that nothing else shows.
            if devices.is_empty() {
                continue;
            }
            let mut devices = devices.iter();
            let device = devices.find(|d| d["name"] == p["subject"]).unwrap();
            assert_ne!(device["unassigned"], 0, "{name}: {p}");
        }
        let unmapped = array(&doctor["problems"]).iter();
        for p in unmapped.filter(|p| p["kind"] == "unmapped") {
            let mut devices = array(&list["devices"]).iter();
            let device = devices.find(|d| d["name"] == p["subject"]).unwrap();
            assert_ne!(device["unmapped"], 0, "{name}: {p}");
        }
    }
}

#[test]
fn metrics_repeat_the_rows() {
    for said in all() {
        let (name, list) = (&said.name, &said.list);
        let metrics = promql::samples(&said.metrics);
        for d in array(&list["devices"]) {
            for key in ["volatile", "mapped", "unassigned", "unmapped", "hmem"] {
                let family = metrics.get(&format!("daxown_device_{key}_bytes"));
                let mut samples = family.into_iter().flatten();
                let of = samples.find(|(l, _)| {
                    l["pci"] == text(&d["pci"]) && l["serial"] == text(&d["serial"])
                });
                let told = of.map(|(_, n)| *n as u64);
                assert_eq!(told, d[key].as_u64(), "{name}: {key} of {}", d["name"]);
            }
        }
    }
}

/// Three machines that were judged one by one.
#[test]
fn devices_with_decoders_in_no_region() {
    let devices =
        |name: &str| json(&fixture(&format!("machines/{name}")), &["list"])["devices"].clone();
    let bytes = |d: &Value| {
        ["mapped", "unassigned", "hmem", "unmapped"].map(|key| d[key].as_u64().unwrap() / (GIB / 4))
    };
    // Its decoder reaches over two windows; HMEM serves what it decodes.
    let found = devices("undecoded-gigabyte");
    assert_eq!(bytes(&found[0]), [0, 16, 16, 0]);
    assert_eq!(found[0]["dax"], serde_json::json!(["dax2.0"]));
    assert_eq!(bytes(&found[1]), [16, 0, 16, 0]);
    // A second decoder maps low memory.
    for d in array(&devices("twelve-ways-serial-0")) {
        assert_eq!(bytes(d), [256, 1, 0, 0], "{d}");
    }
    // The kernel refused the last member, and the addresses are routed all the same.
    let found = devices("member-refused");
    for d in &array(&found)[..7] {
        assert_eq!(bytes(d), [512, 0, 512, 0], "{d}");
    }
    assert_eq!(bytes(&found[7]), [0, 512, 512, 0]);
    assert_eq!(found[7]["dax"], serde_json::json!(["dax0.0"]));
    let table = daxown(
        &fixture("machines/member-refused"),
        &["list", "-k", "device"],
    )
    .stdout;
    assert!(table.contains("unassigned 128 GiB"), "{table}");
}

#[test]
fn members_are_named_where_serials_do_not_tell() {
    let list = daxown(&fixture("machines/twelve-ways-serial-0"), &["list"]).stdout;
    assert!(list.contains("ram, 12-way, mem0-mem11"), "{list}");
    let tree = daxown(&fixture("machines/twelve-ways-serial-0"), &["tree"]).stdout;
    let mut lines = tree.lines().skip_while(|l| !l.contains("decoder0.0"));
    assert!(lines.nth(1).unwrap().contains("System RAM"), "{tree}");
}
