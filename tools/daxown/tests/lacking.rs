// SPDX-License-Identifier: GPL-2.0

//! Captures that lack a part of a machine, or hold one that cannot be read: that is told, and nothing is
//! concluded from it.

mod common;
#[path = "../../daxmap/tests/harm/mod.rs"]
mod harm;

use common::{daxown, fixture, words, Output};
use harm::{Entry, Files};
use serde_json::Value;

const LEDGER: &str = "sys/kernel/debug/dax_hmem/ledger";

/// What a verb says of a capture that was edited.
fn said(name: &str, verb: &[&str], edit: impl FnOnce(&mut Files)) -> Output {
    let mut files = harm::load(&fixture(name));
    // Archives name what is in them with or without a folder in front.
    let strip = |name: String| name.trim_start_matches("./").to_string();
    files = files
        .into_iter()
        .map(|(name, entry)| (strip(name), entry))
        .collect();
    edit(&mut files);
    let file = tempfile::NamedTempFile::new().unwrap();
    harm::save(&files, &file);
    daxown(file.path(), verb)
}

fn without(path: &'static str) -> impl FnOnce(&mut Files) {
    move |files| {
        let before = files.len();
        files.retain(|name, _| name != path && !name.starts_with(&format!("{path}/")));
        assert!(files.len() < before, "{path}");
    }
}

fn text(files: &mut Files, path: &str, text: &str) {
    files.insert(path.into(), Entry::File(text.as_bytes().to_vec()));
}

/// Memory that nobody would serve may be there: that is no "OK".
#[test]
fn a_lost_map_is_no_good_news() {
    let disabled = said(
        "machines/device-hmem-disable",
        &["doctor"],
        without("dev/kmsg"),
    );
    let said_so = words(&disabled.stdout);
    assert_eq!(disabled.status, 1, "{said_so}");
    assert!(
        said_so.contains("device_hmem.disable keeps the kernel from registering"),
        "{said_so}"
    );
    assert!(!said_so.contains("OK:"), "{said_so}");

    let windows = said("cover-c", &["doctor"], |files| {
        without("dev/kmsg")(files);
        text(files, "proc/cmdline", "console=ttyS0\n");
        files.retain(|name, _| {
            let gone = [
                "dax_hmem",
                "hmem_platform",
                "/hmem.",
                "firmware/memmap",
                "dax0.0",
            ];
            !gone.iter().any(|word| name.contains(word))
        });
        for (path, old) in [
            ("proc/iomem", "Soft Reserved"),
            ("proc/modules", "dax_hmem"),
        ] {
            let Some(Entry::File(bytes)) = files.get_mut(path) else {
                panic!("{path}")
            };
            let kept = String::from_utf8_lossy(bytes)
                .lines()
                .fold(String::new(), |all, l| match l.contains(old) {
                    true => all,
                    false => all + l + "\n",
                });
            *bytes = kept.into_bytes();
        }
        let lists = files
            .iter_mut()
            .filter(|(name, _)| name.contains("lib/modules/"));
        for (_, entry) in lists {
            if let Entry::File(bytes) = entry {
                *bytes = String::from_utf8_lossy(bytes)
                    .replace("dax_hmem", "dax_none")
                    .into_bytes();
            }
        }
    });
    let said_so = words(&windows.stdout);
    assert_eq!(windows.status, 1, "{said_so}");
    assert!(
        said_so.contains("there are CXL windows, and no dax_hmem is known"),
        "{said_so}"
    );
}

/// What every machine has and a capture has not is told, and bounds the verdict.
#[test]
fn a_capture_without_the_resource_tree_or_memory_blocks() {
    let iomem = said(
        "machines/twelve-ways-serial-0",
        &["doctor"],
        without("proc/iomem"),
    );
    let said_so = words(&iomem.stdout);
    assert_eq!(iomem.status, 1, "{said_so}");
    assert!(said_so.contains("/proc/iomem: is not there"), "{said_so}");
    let blocks = "sys/devices/system/memory";
    let blocks = said("machines/partly-offline", &["doctor"], without(blocks));
    let said_so = words(&blocks.stdout);
    assert_eq!(blocks.status, 1, "{said_so}");
    assert!(
        said_so.contains("/sys/devices/system/memory: is not there"),
        "{said_so}"
    );
    assert!(!said_so.contains("usable;"), "{said_so}");
}

#[test]
fn a_ledger_that_cannot_be_read() {
    let whole = String::from_utf8(match &harm::load(&fixture("smaller-rust"))[LEDGER] {
        Entry::File(bytes) => bytes.clone(),
        Entry::Link(_) => panic!("no file"),
    })
    .unwrap();
    for odd in ["\u{1}\u{2}what is this\n", &whole[..whole.len() / 2]] {
        let output = said("smaller-rust", &["doctor"], |files| {
            text(files, LEDGER, odd)
        });
        let said_so = words(&output.stdout);
        assert!(said_so.contains("[unreadable]"), "{odd:?}: {said_so}");
        assert!(said_so.contains("dax_hmem/ledger: "), "{odd:?}: {said_so}");
    }
}

/// Who has a region is not known where it is not known who has its memory.
#[test]
fn a_ledger_of_another_version() {
    let edit = |files: &mut Files| {
        let Some(Entry::File(bytes)) = files.get_mut(LEDGER) else {
            panic!("no ledger")
        };
        *bytes = String::from_utf8_lossy(bytes)
            .replace("state=hmem", "state=hmem2")
            .into_bytes();
    };
    let output = said("smaller-rust", &["list", "-J"], edit);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    let rows = document["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert_eq!(row["owner"]["kind"], "unknown", "{row:#}");
        assert_eq!(row["state"], "unknown", "{row:#}");
    }
}

/// The parameter is not guessed where it can be read.
#[test]
fn how_a_dax_region_came_to_be_divided() {
    let path = "sys/module/dax_hmem/parameters/region_idle";
    let cause = |value: Option<&str>| {
        let output = said("machines/hmem-divided", &["doctor"], |files| {
            if let Some(value) = value {
                text(files, path, value);
            }
        });
        words(&output.stdout)
    };
    let (unknown, off, on) = (cause(None), cause(Some("N\n")), cause(Some("Y\n")));
    let idle = "dax_hmem.region_idle=1 leaves the division to the administrator";
    assert!(
        unknown.contains(&format!("it was divided, or {idle}")),
        "{unknown}"
    );
    assert!(off.contains("no dax device: it was divided do "), "{off}");
    assert!(on.contains(&format!("no dax device: {idle} do ")), "{on}");
}
