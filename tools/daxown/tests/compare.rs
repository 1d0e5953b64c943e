// SPDX-License-Identifier: GPL-2.0

//! Two machines compared, and many in one call.

mod common;

use std::path::Path;

use common::{daxown, fixture, typed, Output};
use serde_json::Value;

fn diff(a: &str, b: &str, args: &[&str]) -> Output {
    let (a, b) = (fixture(a), fixture(b));
    let pair = ["diff", a.to_str().unwrap(), b.to_str().unwrap()];
    // `diff` names its machines itself.
    daxown(Path::new("/"), &[&pair, args].concat())
}

fn changes(a: &str, b: &str) -> Vec<Value> {
    let output = diff(a, b, &["-J"]);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    let changes = document["changes"].as_array().unwrap().clone();
    assert_eq!(
        output.status,
        i32::from(!changes.is_empty()),
        "{}",
        output.stderr
    );
    assert_eq!(document["same"], changes.is_empty());
    changes
}

#[test]
fn nothing_differs_from_itself() {
    for name in ["union-c", "smaller-rust", "user-c", "scenarios/pmem-rust"] {
        assert_eq!(changes(name, name), Vec::<Value>::new(), "{name}");
    }
    assert_eq!(diff("union-c", "union-c", &[]).stdout, "Nothing differs.\n");
}

/// Names that a boot hands out anew are no difference.
#[test]
fn names_do_not_count() {
    let files = harm::load(&fixture("cover-rust"));
    let renamed = |text: &str| text.replace("region0", "region7").replace("mem0", "mem5");
    assert!(files.keys().any(|path| renamed(path) != *path));
    let files: harm::Files = files
        .into_iter()
        .map(|(path, entry)| {
            let entry = match entry {
                harm::Entry::File(bytes) => {
                    harm::Entry::File(renamed(&String::from_utf8_lossy(&bytes)).into_bytes())
                }
                harm::Entry::Link(target) => harm::Entry::Link(renamed(&target)),
            };
            (renamed(&path), entry)
        })
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    harm::save(&files, &file);
    let a = fixture("cover-rust");
    let output = daxown(
        Path::new("/"),
        &["diff", a.to_str().unwrap(), file.path().to_str().unwrap()],
    );
    assert_eq!(output.stdout, "Nothing differs.\n", "{}", output.stderr);
}

#[test]
fn memory_is_compared_by_address() {
    let found = changes("smaller-c", "smaller-rust");
    let online: Vec<&Value> = found
        .iter()
        .filter(|c| c["what"] == "memory" && c["attribute"] == "online")
        .collect();
    assert_eq!(online.len(), 1, "{found:#?}");
    assert_eq!(
        (&online[0]["a"], &online[0]["b"]),
        (&0.into(), &(1u64 << 30).into())
    );
    // Whose drivers run is of the machine.
    assert!(found
        .iter()
        .any(|c| c["attribute"] == "drivers" && c["a"] == "stock" && c["b"] == "rust"));
    let found = changes("cover-c", "noregion-c");
    let owner = found.iter().find(|c| c["attribute"] == "owner").unwrap();
    assert_eq!(
        (&owner["a"], &owner["b"]),
        (&"CXL, serial 0x1".into(), &"HMEM".into())
    );
    assert!(found
        .iter()
        .any(|c| c["what"] == "region" && c["b"].is_null()));
    // The memory devices have their serial numbers for keys.
    assert!(found
        .iter()
        .any(|c| c["what"] == "device" && c["which"] == "serial 0x1"));
}

#[test]
fn quiet_says_it_by_its_status() {
    let output = diff("cover-c", "cover-rust", &["--quiet"]);
    assert_eq!((output.status, output.stdout.as_str()), (1, ""));
    assert_eq!(diff("cover-c", "cover-c", &["--quiet"]).status, 0);
}

#[test]
fn a_line_for_each_machine() {
    let paths: Vec<String> = ["cover-c", "union-c", "offline-c"]
        .map(|n| fixture(n).to_str().unwrap().to_string())
        .into();
    let mut args = vec!["doctor"];
    args.extend(paths.iter().map(String::as_str));
    let run = |args: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_daxown"))
            .args(args)
            .env("COLUMNS", "200")
            .output()
            .unwrap();
        (
            String::from_utf8(output.stdout).unwrap(),
            output.status.code().unwrap(),
        )
    };
    let (text, status) = run(&args);
    assert_eq!(status, 2);
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(
        text.lines().last().unwrap().starts_with("3 machines"),
        "{text}"
    );
    args.push("-J");
    let (text, _) = run(&args);
    let document: Value = serde_json::from_str(&text).unwrap();
    let statuses: Vec<u64> = document["machines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| m["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [0, 2, 1]);
    // One that cannot be read keeps none of the others from being told.
    let (text, status) = run(&["list", "--sysroot", "/no/such", "--sysroot", &paths[1]]);
    assert_eq!(status, 3);
    assert_eq!(text.lines().count(), 4, "{text}");
    // Other verbs are about one.
    assert_eq!(
        run(&["tree", "--sysroot", &paths[0], "--sysroot", &paths[1]]).1,
        3
    );
}

#[path = "../../daxmap/tests/harm/mod.rs"]
mod harm;

/// A filter or a column holds for each of many machines.
#[test]
fn what_is_asked_for_of_many_machines() {
    let both = "cover-c.tar.gz union-c.tar.gz";
    let text = typed(&format!("list {both} --kind reserved -o start,owner"));
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows,
        [
            vec!["MACHINE", "START", "OWNER"],
            vec!["cover-c", "0x490000000", "CXL", "region0"],
            vec!["union-c", "0x490000000", "HMEM", "hmem.3"],
        ]
    );
    assert_eq!(
        typed(&format!("list {both} --owner nobody")),
        "Nothing matches.\n"
    );
    // Only one of them has it.
    let text = typed(&format!("list {both} region1 -n -o name"));
    assert!(
        text.contains("union-c") && !text.contains("cover-c"),
        "{text}"
    );
    let document: Value = serde_json::from_str(&typed(&format!("list {both} --lost -J"))).unwrap();
    let rows = |i: usize| document["machines"][i]["rows"].as_array().unwrap().len();
    assert_eq!((rows(0), rows(1)), (0, 3));
}

/// What a paste does not hold is no difference; what both hold is one.
#[test]
fn a_paste_is_compared_as_far_as_it_goes() {
    let (whole, paste) = (
        "machines/undecoded-gigabyte",
        "machines/paste-dmesg-and-iomem",
    );
    let same = diff(whole, paste, &[]);
    assert_eq!(same.status, 0, "{}", same.stdout);
    let text = common::words(&same.stdout);
    assert!(
        text.starts_with("Nothing differs of what both hold."),
        "{text}"
    );
    for word in [
        "the kernel and its modules",
        "memory devices",
        "what doctor finds",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let given: Value = serde_json::from_str(&diff(paste, whole, &["-J"]).stdout).unwrap();
    assert!(
        !given["not_compared"].as_array().unwrap().is_empty(),
        "{given}"
    );
    // Another machine has other memory.
    let other = changes("machines/genoa-reset-no-sr", paste);
    assert!(other.iter().any(|c| c["what"] == "memory"), "{other:#?}");
    assert!(other.iter().all(|c| c["b"] != "unknown"), "{other:#?}");
}

/// Of a machine that could not be read nothing is zero.
#[test]
fn what_could_not_be_read_has_no_numbers() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    let (empty, good) = (empty.path().to_str().unwrap(), fixture("cover-c"));
    for verb in ["list", "doctor"] {
        let run = ["--sysroot", empty, verb];
        let output = daxown(&good, &run);
        let row = output
            .stdout
            .lines()
            .find(|l| l.starts_with(empty))
            .unwrap();
        assert!(
            row.contains('?') && !row.contains(" 0"),
            "{}",
            output.stdout
        );
        assert_eq!(output.status, 3);
    }
}

/// Two that share nothing are not the same.
#[test]
fn nothing_in_common_is_no_comparison() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let line = "[    0.000000] kmem dax2.0: probe with driver kmem failed with error -16\n";
    std::fs::write(log.path(), line).unwrap();
    let (log, whole) = (log.path().to_str().unwrap(), fixture("cover-c"));
    let pair = ["diff", log, whole.to_str().unwrap()];
    let output = daxown(Path::new("/"), &pair);
    assert_eq!(output.status, 3, "{}", output.stdout);
    assert!(
        output.stdout.starts_with("Nothing was compared"),
        "{}",
        output.stdout
    );
    let output = daxown(Path::new("/"), &[&pair[..], &["-J"]].concat());
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.status, &document["same"]), (3, &false.into()));
}
