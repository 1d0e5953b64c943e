// SPDX-License-Identifier: GPL-2.0

//! Causes that the evidence gives: of members and cards that are missing, of plain RAM, of pages with errors.

mod common;

use common::judged::{self, Judged};

const JUDGED: &[Judged] = &[
    // The member that is missing is there, and maps nothing.
    (
        "two-hb-one-blank",
        "doctor",
        2,
        &["mem1, which is there, maps nothing"],
        &["no other device is there"],
    ),
    (
        "hot-removed-online",
        "doctor",
        2,
        &[
            "Card not present",
            "cannot be hotremoved until the next reboot",
        ],
        &[],
    ),
    // What is kept in persistent memory comes back with the missing device, as the ledger says.
    (
        "rust-persistent",
        "doctor",
        1,
        &["[persistent]", "overwrite what is kept there"],
        &["[member-gone]"],
    ),
    (
        "nosoftreserve",
        "doctor",
        1,
        &["do # boot without efi=nosoftreserve"],
        &[],
    ),
    (
        "acpi-hotplug",
        "doctor",
        1,
        &["it was hot-plugged"],
        &["CONFIG_EFI_SOFT_RESERVE"],
    ),
    // Pages of 64 KiB, and EFI's own map.
    (
        "arm64-64k",
        "doctor",
        1,
        &["pages with errors in memory32771"],
        &["daxctl online-memory", "the log has lost it"],
    ),
];

#[test]
fn each_has_the_cause_that_is_known() {
    judged::check(JUDGED);
}

/// Of a log with EFI's own map, Soft Reserved memory is known; with efi=nosoftreserve it is none.
#[test]
fn the_map_of_efi() {
    for (word, is_known) in [("quiet", true), ("efi=nosoftreserve", false)] {
        let log = format!(
            "[    0.000000] Command line: root=/dev/sda1 {word}\n\
             [    0.000000] efi: mem58: [Conventional Memory|   |  |SP|  |  |  |  |  |   |WB|WT|WC|UC] \
             range=[0x0000002080000000-0x000000407fffffff] (131072MB)\n\
             [    0.000000] efi: mem59: [Conventional Memory|   |  |  |  |  |  |  |  |   |WB|WT|WC|UC] \
             range=[0x0000004080000000-0x000000607fffffff] (131072MB)\n"
        );
        let text = common::words(&common::given(log, &["doctor"]).stdout);
        let range = "0x2080000000-0x407fffffff";
        assert_eq!(text.contains(range), is_known, "{text}");
        assert!(!text.contains("0x4080000000"), "{text}");
    }
}

#[test]
fn plain_ram_of_a_log_names_the_option() {
    let log = "[    0.000000] Command line: root=/dev/sda1 efi=nosoftreserve\n\
               [   11.000000] cxl region0: [mem 0x2080000000-0x407fffffff flags 0x200] has System RAM: [mem \
               0x2080000000-0x407fffffff flags 0x83000200]\n";
    let text = common::words(&common::given(log, &["doctor"]).stdout);
    assert!(text.contains("boot without efi=nosoftreserve"), "{text}");
    assert!(!text.contains("the rest"), "{text}");
}

/// A capture is compared with the machine that --sysroot names.
#[test]
fn a_capture_is_compared_with_the_machine_asked_for() {
    let (a, b) = (common::fixture("union-c"), common::fixture("cover-c"));
    let name = a.to_str().unwrap();
    assert_eq!(common::daxown(&a, &["diff", name]).status, 0);
    assert_eq!(common::daxown(&b, &["diff", name]).status, 1);
    // B says it better.
    assert_eq!(common::daxown(&b, &["diff", name, name]).status, 0);
}
