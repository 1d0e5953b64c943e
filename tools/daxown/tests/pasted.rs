// SPDX-License-Identifier: GPL-2.0

//! The forms that logs and lists have when they come out of terminals, mails, pages and chats, and logs
//! that hold more than one boot.

mod common;

use common::{given, words};

/// As the kernel has them.
const HEAD: &str = "\
[    0.000000] Linux version 6.18.0 (user@host)
[    0.000000] Command line: quiet
[    0.000000] BIOS-e820: [mem 0x0000000100000000-0x0000001fffffffff] usable
[    0.000000] BIOS-e820: [mem 0x0000002080000000-0x000000407fffffff] soft reserved
";
const LOST: &str = "\
[   12.000000] kmem dax0.0: mapping0: 0x2080000000-0x407fffffff could not reserve region
[   12.000100] kmem dax0.0: probe with driver kmem failed with error -16
";
const FINE: &str = "[   12.000200] Demotion targets for Node 0: preferred: 1, fallback: 1\n";
const IOMEM: &str = "\
100000000-1fffffffff : System RAM
2080000000-407fffffff : CXL Window 0
  2080000000-407fffffff : Soft Reserved
    2080000000-407fffffff : dax0.0
";
/// That log and resource tree were both read, to the last line.
fn is_read(text: impl AsRef<[u8]>, what: &str) {
    let doctor = given(&text, &["doctor"]);
    let said = words(&doctor.stdout);
    assert_eq!(doctor.status, 2, "{what}: {said} {}", doctor.stderr);
    for word in [
        "LOSS dax0.0 0x2080000000-0x407fffffff 128 GiB not usable [kmem-cannot-reserve]",
        "128 GiB of 128 GiB not usable",
    ] {
        assert!(said.contains(word), "{what}: {said}");
    }
    for wrong in ["no known form", "no Soft Reserved memory", "/proc/iomem"] {
        assert!(!said.contains(wrong), "{what}: {said}");
    }
    let tree = given(&text, &["tree"]).stdout;
    assert!(tree.contains("CXL Window 0"), "{what}: {tree}");
}

fn whole() -> String {
    format!("{HEAD}{LOST}{IOMEM}")
}

fn each(edit: impl Fn(usize, &str) -> String) -> String {
    let text = whole();
    let lines = text.lines().enumerate();
    lines.map(|(i, l)| edit(i + 1, l) + "\n").collect()
}

#[test]
fn a_timeline_by_the_clock() {
    let log = |stamp: &str| {
        let lines = LOST.lines().enumerate();
        lines
            .map(|(i, l)| format!("{}{}\n", stamp.replace('#', &i.to_string()), &l[15..]))
            .collect::<String>()
    };
    for (stamp, clock) in [
        ("[Mon Nov  3 10:11:1# 2025] ", "Mon Nov  3 10:11:1# 2025"),
        ("Nov 03 10:11:1# node17 kernel: ", "Nov 03 10:11:1#"),
        (
            "2025-11-03T10:11:1#+0100 node17 kernel: ",
            "2025-11-03T10:11:1#+0100",
        ),
        ("176467028#.123456 node17 kernel: ", "@176467028#.123456"),
        ("", "-"),
    ] {
        let said = given(log(stamp), &["timeline"]).stdout;
        let rows: Vec<&str> = said
            .lines()
            .filter(|l| l.contains("kmem dax0.0:"))
            .collect();
        assert_eq!(rows.len(), 2, "{stamp}: {said}");
        assert!(rows[0].contains("mapping0"), "{stamp}: {said}");
        for (i, row) in rows.iter().enumerate() {
            let clock = clock.replace('#', &i.to_string());
            assert!(row.trim_start().starts_with(&clock), "{stamp}: {said}");
        }
        let json = given(log(stamp), &["timeline", "-J"]).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(json["moments"][0]["at_us"].is_null(), "{json}");
    }
    // Lines of both kinds stay where they stand.
    let said = given(format!("{LOST}Nov 03 10:11:12 node17 kernel: kmem dax9.0: mapping0: 0x1000-0x1fff could not reserve region\n[   13.0] kmem dax8.0: mapping0: 0x3000-0x3fff could not reserve region\n"), &["timeline"]).stdout;
    let at = |what: &str| said.find(what).unwrap_or_else(|| panic!("{what}: {said}"));
    assert!(
        at("dax0.0") < at("dax9.0") && at("dax9.0") < at("dax8.0"),
        "{said}"
    );
    // Without a log nothing is said of it.
    let said = given(IOMEM, &["timeline"]).stdout;
    assert!(
        words(&said).contains("log is not in what was given"),
        "{said}"
    );
}
