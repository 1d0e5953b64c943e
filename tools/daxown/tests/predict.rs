// SPDX-License-Identifier: GPL-2.0

//! What `predict` says of a guest is what its twin with the other drivers came to.

mod common;
#[path = "../../daxmap/tests/harm/mod.rs"]
mod harm;

use std::path::Path;

use common::{daxown, fixture, fixtures, scenarios, stem};
use harm::Entry;
use serde_json::Value;

/// Guests whose end is the work of their steps, not of a boot: what was bound, loaded, divided or made
/// by hand, and what was left out.
const BY_HAND: [&str; 15] = [
    "conflict",
    "destroy-",
    "hmemfirst",
    "hmem-first",
    "nodrv",
    "nokmem",
    "rebind-c",
    "reload-c",
    "reload-after-c",
    "reload-during-c",
    "remedy-",
    "unplug-hmem-rust",
    // Captured by a user: nothing can be predicted.
    "user",
    // Its HMAT is not in the capture; see below.
    "hmat",
    "policy-split",
];

/// A run of addresses with one owner: start, end, owner, bytes in use.
type Run = (u64, u64, String, u64);

fn number(range: &Value, key: &str) -> u64 {
    daxmap::range::parse_hex(range[key].as_str().unwrap()).unwrap()
}

/// Joins neighbours with one kind of owner.
fn joined(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort();
    let mut out: Vec<Run> = Vec::new();
    for run in runs {
        match out.last_mut() {
            Some(last) if last.1 + 1 == run.0 && last.2 == run.2 => {
                last.1 = run.1;
                last.3 += run.3;
            }
            _ => out.push(run),
        }
    }
    out
}

fn actual(capture: &Path) -> Vec<Run> {
    let list: Value = serde_json::from_str(&daxown(capture, &["list", "-J"]).stdout).unwrap();
    let rows = list["rows"].as_array().unwrap().iter();
    let run = |row: &Value| {
        let used = |key: &str| row["use"][key].as_u64().unwrap_or(0);
        (
            number(&row["range"], "start"),
            number(&row["range"], "end"),
            row["owner"]["kind"].as_str().unwrap().to_string(),
            used("online") + used("offline") + used("file"),
        )
    };
    joined(rows.filter(|r| r["kind"] == "reserved").map(run).collect())
}

/// The forecast for `drivers`.
fn predicted(capture: &Path, drivers: &str, args: &[&str]) -> Vec<Run> {
    let output = daxown(capture, &[&["predict", "-J"], args].concat());
    assert_eq!(output.status, 0, "{}: {}", capture.display(), output.stderr);
    runs(&serde_json::from_str(&output.stdout).unwrap(), drivers)
}

fn runs(document: &Value, drivers: &str) -> Vec<Run> {
    let mut forecasts = document["forecasts"].as_array().unwrap().iter();
    let forecast = forecasts.find(|f| f["drivers"] == drivers).unwrap();
    let parts = forecast["parts"].as_array().unwrap().iter();
    let run = |p: &Value| {
        (
            number(&p["range"], "start"),
            number(&p["range"], "end"),
            p["owner"]["kind"].as_str().unwrap().to_string(),
            p["ram"].as_u64().unwrap(),
        )
    };
    // A region outside of Soft Reserved memory has a part of its own.
    let reserved = |p: &&Value| p["reason"] != "region";
    joined(parts.filter(reserved).map(run).collect())
}

/// A guest by its layout and drivers.
struct Guest {
    layout: String,
    drivers: String,
    end: Vec<Run>,
    nodes: Vec<(u64, u64, u64)>,
    prediction: Value,
}

/// Addresses of which a node is told, in `rows` of a document.
fn nodes(rows: &Value) -> Vec<(u64, u64, u64)> {
    let rows = rows.as_array().unwrap().iter();
    let of = |row: &Value| {
        let range = &row["range"];
        let node = row["node"].as_u64()?;
        Some((number(range, "start"), number(range, "end"), node))
    };
    rows.filter(|r| r["owner"]["kind"] != "nobody")
        .filter_map(of)
        .collect()
}

impl Guest {
    fn of(capture: &Path) -> Option<Guest> {
        let name = stem(capture);
        if BY_HAND.iter().any(|n| name.starts_with(n)) {
            return None;
        }
        let (layout, drivers) = name.rsplit_once('-')?;
        let output = daxown(capture, &["predict", "-J"]);
        assert_eq!(output.status, 0, "{name}: {}", output.stderr);
        let list: Value = serde_json::from_str(&daxown(capture, &["list", "-J"]).stdout).unwrap();
        Some(Guest {
            layout: layout.to_string(),
            drivers: drivers.to_string(),
            end: actual(capture),
            nodes: nodes(&list["rows"]),
            prediction: serde_json::from_str(&output.stdout).unwrap(),
        })
    }
}

#[test]
fn what_is_predicted_is_what_came_out() {
    let (mut pairs, mut compared) = (0, 0);
    for captures in [fixtures(), scenarios()] {
        let guests: Vec<Guest> = captures.iter().filter_map(|c| Guest::of(c)).collect();
        for guest in &guests {
            let (layout, drivers) = (&guest.layout, &guest.drivers);
            for from in guests.iter().filter(|g| g.layout == *layout) {
                let prediction = runs(&from.prediction, drivers);
                let told = format!("{layout}-{drivers} from {}", from.drivers);
                assert_eq!(prediction, guest.end, "{told}");
                pairs += usize::from(from.drivers != *drivers);
                // Where both tell a node it is the same.
                let forecasts = from.prediction["forecasts"].as_array().unwrap();
                let mut forecasts = forecasts.iter().filter(|f| f["drivers"] == *drivers);
                for part in nodes(&forecasts.next().unwrap()["parts"]) {
                    for row in &guest.nodes {
                        let meet = row.0 <= part.1 && part.0 <= row.1;
                        assert!(!meet || row.2 == part.2, "{told}: {part:x?} {row:x?}");
                        compared += usize::from(meet);
                    }
                }
            }
        }
    }
    assert!(pairs > 40, "{pairs}");
    assert!(compared > 100, "{compared}");
}

/// Each window has the node that cxl_acpi found for it; of one that nothing tells of, none is said.
#[test]
fn each_window_has_its_own_node() {
    let rust = |machine: &str| {
        let capture = fixture(&format!("machines/{machine}"));
        let output = daxown(&capture, &["predict", "--drivers", "rust", "-J"]);
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        let parts = document["forecasts"][0]["parts"]
            .as_array()
            .unwrap()
            .clone();
        parts
            .into_iter()
            .map(|p| p["node"].as_u64())
            .collect::<Vec<_>>()
    };
    assert_eq!(rust("undecoded-gigabyte"), [Some(1), Some(2), Some(2)]);
    assert_eq!(rust("cut-from-aligned-range"), [Some(1), None]);
}

#[test]
fn policy_split() {
    let capture = fixture("scenarios/policy-split-rust");
    for args in [&["--policy", "split"][..], &[]] {
        assert_eq!(predicted(&capture, "rust", args), actual(&capture));
    }
    let whole = predicted(&capture, "rust", &["--policy", "whole"]);
    assert_ne!(whole, actual(&capture));
}

/// With an HMAT the kernel lists whole nodes, and its own dax_hmem takes them whole.
#[test]
fn ranges_by_node() {
    let mut files = harm::load(&fixture("scenarios/hmat-c"));
    let hmat = "sys/firmware/acpi/tables/HMAT".to_string();
    files.insert(hmat, Entry::File(Vec::new()));
    let file = tempfile::NamedTempFile::new().unwrap();
    harm::save(&files, &file);
    for (drivers, online) in [("c", 512 << 20), ("rust", 768 << 20)] {
        let prediction = predicted(file.path(), drivers, &["--drivers", drivers]);
        assert_eq!(
            prediction,
            actual(&fixture(&format!("scenarios/hmat-{drivers}")))
        );
        assert_eq!(prediction.iter().map(|r| r.3).sum::<u64>(), online);
    }
}

/// A committed region without a dax region: an accelerator's driver has its memory, and it is no gain.
#[test]
fn an_accelerator_is_no_gain() {
    let mut files = harm::load(&fixture("cover-c"));
    files.retain(|path, _| !path.contains("dax_region0"));
    let file = tempfile::NamedTempFile::new().unwrap();
    harm::save(&files, &file);
    let text = daxown(file.path(), &["predict"]).stdout;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(!text.contains("install the Rust drivers:"), "{text}");
    assert!(text.contains("0 of 512 MiB would be System RAM"), "{text}");
    let kept: Vec<String> = predicted(file.path(), "c", &[])
        .into_iter()
        .map(|r| r.2)
        .collect();
    assert_eq!(kept, ["cxl"]);
}

/// With a parameter that it does not take, dax_hmem is not loaded, and dax_cxl not without it.
#[test]
fn a_refused_parameter() {
    for (option, mib) in [
        ("policy=both", 0),
        ("exclude=4G", 0),
        ("region_idle=perhaps", 0),
        ("policy=whole exclude=0x1000-0x1fff region_idle=Off", 512),
    ] {
        let mut files = harm::load(&fixture("cover-c"));
        files.retain(|path, _| !path.starts_with("sys/module/dax_hmem/parameters/"));
        let text = format!("options dax_hmem {option}\n").into_bytes();
        files.insert("etc/modprobe.d/dax.conf".into(), Entry::File(text));
        let file = tempfile::NamedTempFile::new().unwrap();
        harm::save(&files, &file);
        let used: u64 = predicted(file.path(), "rust", &[])
            .iter()
            .map(|r| r.3)
            .sum();
        assert_eq!(used >> 20, mib, "{option}");
        let text = daxown(file.path(), &["predict"]).stdout;
        let is_named = text.contains(&format!("mend {option} on the kernel command line"));
        assert_eq!(is_named, mib == 0, "{text}");
    }
    // Another policy can be asked for.
    let policy = ["--policy", "split"];
    assert!(predicted(&fixture("cover-c"), "rust", &policy).len() == 1);
}

/// What keeps the kernel from listing anything keeps both drivers from serving it, whatever is rebooted.
#[test]
fn an_unlisted_range() {
    let mut files = harm::load(&fixture("hmemfirst-c"));
    let key = "sys/module/device_hmem/parameters/disable".to_string();
    files.insert(key, Entry::File(b"Y\n".to_vec()));
    files.retain(|path, _| !path.contains("hmem_platform"));
    let file = tempfile::NamedTempFile::new().unwrap();
    harm::save(&files, &file);
    let text = daxown(file.path(), &["predict"]).stdout;
    assert!(text.contains("remove device_hmem.disable"), "{text}");
    assert!(!text.contains("a reboot alone"), "{text}");
    let platform = daxown(file.path(), &["doctor", "--platform"]).stdout;
    assert!(platform.contains("missing command"), "{platform}");
}

/// What no device is behind is no gain, and what is System RAM since boot is there now and then.
#[test]
fn what_is_no_memory_is_not_predicted() {
    for (name, ram) in [
        ("machines/undecoded-gigabyte", None),
        ("machines/boot-ram-half", Some(2u64 << 30)),
        ("machines/type2-owned", Some(0)),
    ] {
        let output = daxown(&fixture(name), &["predict", "-J", "--drivers", "c"]);
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        let forecast = &document["forecasts"][0];
        let total = document["total"].as_u64().unwrap();
        match ram {
            Some(ram) => assert_eq!(forecast["ram"], ram, "{name}"),
            None => assert!(forecast["ram"].as_u64().unwrap() < total, "{name}"),
        }
        assert_eq!(document["now"], forecast["ram"], "{name}: {document:#}");
        let advice = document["advice"].to_string();
        assert!(!advice.contains("a reboot alone"), "{name}: {advice}");
    }
}

/// The sentence that an administrator reads.
#[test]
fn advice() {
    for (name, words) in [
        ("union-c", "install the Rust drivers: 1 GiB more"),
        (
            "union-rust",
            "keep the Rust drivers: the kernel's own would lose 1 GiB",
        ),
        ("cover-c", "nothing to gain here"),
        ("cover-rust", "would make as much of it System RAM"),
        ("rebind-c", "a reboot alone gives 512 MiB more"),
        (
            "scenarios/remedy-reserve-c",
            "a reboot alone gives 1 GiB less",
        ),
        ("scenarios/interleave-ways-rust", "policy=split"),
    ] {
        // Prose is broken into lines.
        let text = daxown(&fixture(name), &["predict"]).stdout;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(words), "{name}: {text}");
    }
    let output = daxown(&fixture("user-c"), &["predict"]);
    assert_eq!(output.status, 3);
    assert!(
        output.stderr.contains("captured as root"),
        "{}",
        output.stderr
    );
}

/// Two ranges of firmware that touch each other are two for the kernel, and each is served by itself.
#[test]
fn neighbours_are_predicted_one_by_one() {
    let said = daxown(&fixture("machines/stock-hand-unbound"), &["predict"]).stdout;
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in [
        "The kernel's own drivers: all of 96 GiB would be System RAM",
        "nothing to gain here",
        "now 32 of 96 GiB in use",
    ] {
        assert!(words.contains(line), "{line}: {said}");
    }
    let ram = |text: &str| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("paste.txt");
        std::fs::write(&file, text).unwrap();
        let said = daxown(&file, &["predict", "--drivers", "c"]).stdout;
        said.lines().next().unwrap().to_string()
    };
    // The seam is inside a memory block: each side loses its part of that.
    let iomem = "490000000-58fffffff : CXL Window 0\n";
    let log = "[    0.0] BIOS-e820: [mem 0x0000000490000000-0x00000004b3ffffff] soft reserved\n\
               [    0.0] BIOS-e820: [mem 0x00000004b4000000-0x00000004cfffffff] soft reserved\n";
    assert!(
        ram(&format!("{iomem}{log}")).contains("896 MiB of 1 GiB"),
        "{}",
        ram(&format!("{iomem}{log}"))
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("paste.txt");
    std::fs::write(&file, format!("{iomem}{log}")).unwrap();
    let said = daxown(&file, &["doctor", "--platform"]).stdout;
    assert!(said.contains("64 MiB at its end"), "{said}");
    let soft = "  490000000-4b3ffffff : Soft Reserved\n  4b4000000-4cfffffff : Soft Reserved\n";
    assert!(
        ram(&format!("{iomem}{soft}")).contains("896 MiB of 1 GiB"),
        "{}",
        ram(&format!("{iomem}{soft}"))
    );
}

/// What is offline is not in use.
#[test]
fn offline_memory_is_not_in_use() {
    let output = daxown(&fixture("offline-c"), &["predict", "-J"]);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    let of = |key: &str| document[key].as_u64().unwrap();
    assert!(of("offline") > 0, "{document:#}");
    assert_eq!(of("now") + of("offline"), of("total"), "{document:#}");
    let text = daxown(&fixture("offline-c"), &["predict"]).stdout;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("System RAM that is offline"), "{text}");
}
