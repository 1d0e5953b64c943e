// SPDX-License-Identifier: GPL-2.0

//! Logs alone, whole or searched or cut, as they are pasted most: what a line names is no absence, and each
//! failure is told.

mod common;

use std::collections::BTreeSet;

use common::{fixtures, given, machines, scenarios, words};
use daxmap::Tree;

/// The logs of all captures, and what is left of each behind a `grep` or a `tail`.
fn logs() -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for path in fixtures().into_iter().chain(scenarios()).chain(machines()) {
        let Ok(log) = Tree::open(&path).unwrap().kernel_log() else {
            continue;
        };
        let all: Vec<&str> = log.lines().collect();
        let grep = |word: &str| {
            let lines = all.iter().filter(|l| l.to_lowercase().contains(word));
            lines.flat_map(|l| [l, "\n"]).collect::<String>()
        };
        let tail = |n: usize| all[all.len().saturating_sub(n)..].join("\n");
        out.extend([log.clone(), tail(10), tail(2)]);
        out.extend(["hmem", "dax", "cxl"].map(grep));
        let at = log.len().saturating_sub(300);
        out.extend(log.get(at..).map(str::to_string));
    }
    out.retain(|log| !log.trim().is_empty());
    out
}

/// Failures by their words, and the kinds that tell them.
const FAILURES: [(&str, &[&str]); 13] = [
    ("could not reserve region", &["kmem-cannot-reserve"]),
    ("failed to attach decoder", &["region-incomplete"]),
    ("rejecting DAX region with invalid node", &["kmem-failed"]),
    (
        "probe of hmem.",
        &["hmem-probe-failed", "conflict", "misaligned"],
    ),
    (
        "with driver hmem failed",
        &["hmem-probe-failed", "conflict", "misaligned"],
    ),
    (
        "with driver kmem failed",
        &["kmem-cannot-reserve", "kmem-failed", "trimmed", "stuck"],
    ),
    ("has System RAM", &["boot-ram"]),
    ("Card not present", &["device-gone"]),
    ("no CXL window for range", &["decoder-unassigned"]),
    (
        "DAX region truncated by",
        &["trimmed", "kmem-cannot-reserve"],
    ),
    ("dax_region resource conflict", &["conflict", "region-lost"]),
    ("stuck online until reboot", &["stuck"]),
    (": offlining failed", &["offline"]),
];

/// The text of a line behind its stamp, if it has one that is whole.
fn text(line: &str) -> Option<&str> {
    let at = line
        .find(" kmem")
        .or(line.find(" cxl"))
        .or(line.find(" hmem"))?;
    line.get(at + 1..)
}

#[test]
fn what_a_log_names_is_no_absence_and_each_failure_is_told() {
    let logs = logs();
    assert!(logs.len() > 300, "{}", logs.len());
    let mut told = BTreeSet::new();
    for log in &logs {
        let doctor = given(log, &["doctor"]);
        if doctor.status == 3 {
            let said = doctor.stderr.contains("nothing that is understood");
            assert!(said && !log.contains("[mem 0x"), "{log}\n{}", doctor.stderr);
            continue;
        }
        let said = words(&doctor.stdout);
        let list = words(&given(log, &["list"]).stdout);
        let mut lines = log.lines();
        let named = lines.any(|l| {
            let of_hmem = l.contains("hmem_platform hmem_platform.0: ") && l.contains("[mem 0x");
            of_hmem || l.contains("soft reserved") || l.contains(": mapping0: 0x")
        });
        assert!(doctor.status != 0, "{log}\n{said}");
        for wrong in ["no Soft Reserved memory", "No Soft Reserved memory"] {
            let is_there = said.contains(wrong) || list.contains(wrong);
            assert!(!named || !is_there, "{log}\n{said}\n{list}");
        }
        // A line that was cut may have lost its address.
        let is_told = list.contains("0x") || list.contains("lies could not be read");
        assert!(!named || is_told, "{log}\n{list}");
        for line in log.lines() {
            for (failure, kinds) in FAILURES.iter().filter(|(f, _)| line.contains(f)) {
                let is_told = kinds.iter().any(|k| said.contains(&format!("[{k}]")));
                assert!(is_told, "{line}\n{log}\n{said}");
                if let Some(text) = text(line) {
                    assert!(said.contains(&words(text)), "{line}\n{said}");
                }
                told.insert(*failure);
            }
        }
    }
    assert_eq!(told.len(), FAILURES.len(), "{told:?}");
}

/// A map of which the end alone is there tells nothing of what stood before.
#[test]
fn the_end_of_a_map() {
    const MAP: &str = "\
[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009ffff] usable
[    0.000000] BIOS-e820: [mem 0x0000000490000000-0x00000004cfffffff] soft reserved
[    0.000000] BIOS-e820: [mem 0x000000fd00000000-0x000000ffffffffff] reserved
";
    let lines: Vec<&str> = MAP.lines().collect();
    let part = lines[1].split_once("[mem").unwrap().1;
    let fragment = format!("{}\n{}\n", &part[20..], lines[2]);
    for log in [lines[2], &fragment] {
        let said = words(&given(log, &["doctor"]).stdout);
        assert!(!said.contains("no Soft Reserved memory"), "{said}");
    }
    let whole = format!("{}\n{}\n", lines[0], lines[2]);
    let said = words(&given(whole, &["doctor"]).stdout);
    assert!(said.contains("no Soft Reserved memory"), "{said}");
}

/// The C driver's lines, of which the last two are all that there is.
#[test]
fn the_tail_of_a_log() {
    const LOG: &str = "\
[   24.807234] hmem_platform hmem_platform.0: registering CXL range: [mem 0xa90000000-0xccfffffff flags 0x80000200]
[   25.043776] kmem dax2.0: mapping0: 0xa90000000-0xccfffffff could not reserve region
[   25.044553] kmem dax2.0: probe with driver kmem failed with error -16
";
    let list = words(&given(LOG, &["list"]).stdout);
    assert!(
        list.contains("Soft Reserved 0xa90000000-0xccfffffff 9 GiB unknown"),
        "{list}"
    );
    let tail: String = LOG.lines().skip(1).flat_map(|l| [l, "\n"]).collect();
    let doctor = given(&tail, &["doctor"]);
    let said = words(&doctor.stdout);
    for word in [
        "LOSS dax2.0 0xa90000000-0xccfffffff [kmem-cannot-reserve]",
        "the log tells of 9 GiB that could not be reserved",
    ] {
        assert!(said.contains(word), "{said}");
    }
    assert_eq!(doctor.status, 2);
    let list = words(&given(&tail, &["list"]).stdout);
    assert!(
        list.contains("dax2.0 0xa90000000-0xccfffffff 9 GiB unknown dax2.0"),
        "{list}"
    );
    let tree = words(&given(&tail, &["tree"]).stdout);
    assert!(
        tree.contains(
            "is not in what was given; the log speaks of 0xa90000000-0xccfffffff (dax2.0)"
        ),
        "{tree}"
    );
    let explain = given(&tail, &["explain", "dax2.0"]);
    assert!(
        explain.stdout.contains("kmem-cannot-reserve"),
        "{}",
        explain.stdout
    );
}

/// The Rust drivers say who has a range.
#[test]
fn owners_that_a_log_names() {
    const LOG: &str = "\
[    0.000000] BIOS-e820: [mem 0x0000000490000000-0x00000004cfffffff] soft reserved
[    2.000000] hmem_platform hmem_platform.0: [mem 0x490000000-0x4afffffff]: owner CXL: region0 covers it
[    2.000100] hmem_platform hmem_platform.0: [mem 0x4b0000000-0x4cfffffff]: owner HMEM: no committed CXL region covers any of it
[    2.000200] hmem_platform hmem_platform.0: [mem 0x4b0000000-0x4cfffffff]: hmem.2 serves it
";
    let without_map: String = LOG.lines().skip(1).flat_map(|l| [l, "\n"]).collect();
    for log in [LOG, &without_map] {
        let list = words(&given(log, &["list"]).stdout);
        for word in [
            "0x490000000-0x4afffffff 512 MiB unknown",
            "0x4b0000000-0x4cfffffff 512 MiB unknown",
        ] {
            assert!(list.contains(word), "{list}");
        }
        let doctor = words(&given(log, &["doctor"]).stdout);
        for word in [
            "the log says: owner CXL: region0 covers it; what became of it since is not in what was given",
            "the log says: owner HMEM: no committed CXL region covers any of it; hmem.2 serves it; what became",
        ] {
            assert!(doctor.contains(word), "{doctor}");
        }
        assert!(!doctor.contains("who owns this range"), "{doctor}");
    }
}
