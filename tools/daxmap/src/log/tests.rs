// SPDX-License-Identifier: GPL-2.0

//! Messages as the kernel prints them, in each of the log's forms.

use super::*;

fn r(start: u64, end: u64) -> Range {
    Range::new(start, end).unwrap()
}

fn one(line: &str) -> Event {
    let messages = parse(line);
    assert_eq!(messages.len(), 1, "{line}");
    messages[0].event.clone()
}

#[test]
fn stamps_of_all_forms() {
    for line in [
        "[    5.140900] hmem hmem.0: probe with driver hmem failed with error -12",
        "4,339,5140900,-;hmem hmem.0: probe with driver hmem failed with error -12",
        "[    5.140900][  T31] hmem hmem.0: probe with driver hmem failed with error -12",
        "[    5.140900] host kernel: hmem hmem.0: probe with driver hmem failed with error -12",
    ] {
        let messages = parse(line);
        assert_eq!(messages[0].time_us, Some(5_140_900), "{line}");
        assert_eq!(
            messages[0].event,
            Event::ProbeFailed {
                device: "hmem.0".into(),
                driver: "hmem".into(),
                errno: 12
            }
        );
    }
}

#[test]
fn conflict_and_reserve() {
    assert_eq!(
        one("[    1.000000] cxl_dax_region dax_region0: dax_region resource conflict for [mem 0x490000000-0x4afffffff]"),
        Event::Conflict { device: "dax_region0".into(), range: r(0x490000000, 0x4afffffff) }
    );
    assert_eq!(
        one("kmem dax0.0: mapping0: 0x490000000-0x4cfffffff could not reserve region"),
        Event::ReserveFailed {
            device: "dax0.0".into(),
            range: r(0x490000000, 0x4cfffffff)
        }
    );
    assert_eq!(
        one("kmem dax1.0: DAX region truncated by 126 MiB due to alignment"),
        Event::Truncated {
            device: "dax1.0".into(),
            by: "126 MiB".into()
        }
    );
}

#[test]
fn debug_messages_of_the_c_driver() {
    assert_eq!(
        one("hmem_platform hmem_platform.0: deferring range to CXL: [mem 0x490000000-0x4afffffff flags 0x80000200]"),
        Event::Decision { range: r(0x490000000, 0x4afffffff), verdict: Verdict::Defers }
    );
}

#[test]
fn the_last_memory_map_counts() {
    let log = "\
[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff]  System RAM
[    0.000000] BIOS-e820: [mem 0x0000000490000000-0x00000004cfffffff]  soft reserved
[    0.000000] user: [mem 0x0000000000000000-0x000000000009fbff]  System RAM
[    0.000000] user: [mem 0x0000000490000000-0x00000004afffffff]  soft reserved
";
    let messages = parse(log);
    assert_eq!(soft_reserved(&messages), [r(0x490000000, 0x4afffffff)]);
    assert!(has_memory_map(&messages));
    assert!(!has_memory_map(&parse("hmem x")));
}

#[test]
fn strangers_and_secrets_are_left_out() {
    for line in [
        "[    0.000000] Command line: root=/dev/vda password=x cxl",
        "[    0.000000] Kernel command line: cxl_acpi: secret",
        "[    3.000000] e1000 eth0: link up",
        "[    3.000000] serial8250 ttyS0: probe with driver serial8250 failed with error -5",
        " SUBSYSTEM=platform",
        "",
    ] {
        assert!(parse(line).is_empty(), "{line}");
        assert!(for_capture(line).is_none());
    }
}

#[test]
fn others_of_the_drivers_are_kept_as_text() {
    assert_eq!(
        one("[    1.000000] hmem_platform hmem_platform.0: something new"),
        Event::Said {
            device: "hmem_platform.0".into()
        }
    );
    assert_eq!(
        one("[    1.000000] cxl_region region0: failed to enable, range: [mem 0x1-0x2]"),
        Event::Said {
            device: "region0".into()
        }
    );
}

#[test]
fn a_capture_has_no_name_of_the_host() {
    let text =
        "cxl_pci 0000:0e:00.0: mem0:decoder2.0 no CXL window for range 0xb90000000:0xc8fffffff";
    let stamped = format!("[   24.692068] {text}");
    for before in [
        "",
        "node17 login: ",
        "root@node17:~# ",
        "[node17] ",
        "node17 console> ",
        "Nov 24 10:00:01 node17 kernel: ",
    ] {
        let line = format!("{before}{stamped}");
        assert_eq!(for_capture(&line).as_deref(), Some(&*stamped), "{line}");
    }
    for before in ["", "node17 login: ", "root@node17:~# "] {
        let line = format!("{before}{text}");
        assert_eq!(for_capture(&line).as_deref(), Some(text), "{line}");
    }
    for line in [
        "cxl-lab-7 login: root",
        "Nov 24 10:00:01 node17 daxctl[812]: onlined memory",
        "[   24.692068] node17 cxl-monitor[9]: started",
    ] {
        assert_eq!(for_capture(line), None, "{line}");
    }
}

#[test]
fn what_could_not_be_read_is_told() {
    let odd = "<<19:40>> node17 BIOS-e820: [mem 0x490000000-0x4cfffffff] soft reserved";
    let log = format!("{odd}\n[    1.0] kmem dax0.0: something\n[    2.0] e1000 eth0: link up\n");
    // Whatever stands before it may be the host's name.
    let told = "[mem 0x490000000-0x4cfffffff] soft reserved";
    assert_eq!(unread(&log), [told]);
    let copy = unread_for_capture(odd).unwrap();
    assert_eq!(unread(&copy), [told]);
    assert_eq!(for_capture(&copy), None);
    // Nor is it known what is reserved where more stands behind it.
    let odd = "[    0.0] BIOS-e820: [mem 0x490000000-0x4cfffffff] soft reserved / 1";
    assert_eq!(
        unread(odd),
        ["[mem 0x490000000-0x4cfffffff] soft reserved / 1"]
    );
}
