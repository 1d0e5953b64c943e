// SPDX-License-Identifier: GPL-2.0

//! No advice that the kernel refuses: decoders are committed in order, and some cannot be had.

mod small;

use small::{range, Small, BASE, GIB};

const RESET: (u64, u64) = (BASE, 8 * GIB);
const ABOVE: (u64, u64) = (BASE + 8 * GIB, 8 * GIB);

fn two_regions(first: bool, second: bool) -> Small {
    let small = Small::new(16);
    small.memdev(0, 16, true);
    small.maps(0, 0, RESET, Some("region0"));
    small.maps(0, 1, ABOVE, Some("region1"));
    small.region("region0", RESET, first, &["decoder10.0"]);
    small.region("region1", ABOVE, second, &["decoder10.1"]);
    small
}

#[test]
fn a_reset_region_below_a_committed_one_cannot_be_committed() {
    let small = two_regions(false, true);
    let commands = small.commands();
    assert!(
        !commands.iter().any(|c| c.contains("commit")),
        "{commands:#?}"
    );
    let remarks = small.remarks("region-disabled");
    assert!(
        remarks.contains("decoder10.1 of region1 is committed"),
        "{remarks}"
    );
}

#[test]
fn of_two_reset_regions_the_first_is_committed_first() {
    let commands = two_regions(false, false).commands();
    let commits: Vec<&String> = commands.iter().filter(|c| c.contains("commit")).collect();
    assert_eq!(commits, ["echo 1 > /sys/bus/cxl/devices/region0/commit"]);
}

/// A device of 16 GiB with 8 GiB left, behind a bridge with so many decoders.
fn behind(bridge: u64) -> Small {
    let small = Small::new(0);
    small.memdev(0, 16, true);
    small.maps(0, 0, RESET, Some("region0"));
    small.region("region0", RESET, true, &["decoder10.0"]);
    small.bridge(0, Some(RESET), Some("region0"));
    for i in 1..bridge {
        small.bridge(i, None, None);
    }
    small
}

fn creates(small: &Small) -> bool {
    small
        .commands()
        .iter()
        .any(|c| c.starts_with("cxl create-region"))
}

#[test]
fn a_region_needs_a_decoder_of_the_bridge() {
    assert!(creates(&behind(2)));
    assert!(!creates(&behind(1)));
    // The second is committed, and the first was reset.
    let small = behind(2);
    small.bridge(0, None, None);
    small.bridge(1, Some(RESET), Some("region0"));
    assert!(!creates(&small));
}

#[test]
fn volatile_capacity_below_persistent_is_lost() {
    let small = behind(2);
    assert!(creates(&small));
    small.maps(0, 0, RESET, None);
    small.file(
        "sys/devices/platform/ACPI0017:00/root0/port1/endpoint10/decoder10.0/mode",
        "pmem\n",
    );
    assert!(!creates(&small));
    assert_eq!(small.map().memdevs[0].free_ram(), 0);
}

/// What is left of a region, of which the ledger says that its memory is free.
fn left(locked: bool) -> Small {
    let small = Small::new(8);
    small.memdev(0, 16, true);
    let region = small.region("region0", RESET, false, &["", ""]);
    small.values(&region, &[("locked", u8::from(locked).to_string())]);
    small.file(
        "sys/kernel/debug/dax_hmem/ledger",
        "range=0x2080000000-0x227fffffff node=1 state=free reason=region-gone errno=0\n",
    );
    small
}

#[test]
fn what_is_locked_is_not_deleted() {
    let deletes = |small: &Small| small.commands().iter().any(|c| c.contains("delete_region"));
    assert!(deletes(&left(false)), "{:#?}", left(false).problems());
    assert!(!deletes(&left(true)));
    assert!(left(true).remarks("free").contains("locked"));
}

#[test]
fn persistent_memory_is_no_accelerators() {
    let small = Small::new(0);
    small.memdev(0, 16, true);
    small.maps(0, 0, RESET, Some("region0"));
    let region = small.region("region0", RESET, true, &["decoder10.0"]);
    let end = BASE + 8 * GIB - 1;
    small.iomem(&[
        (0, BASE, BASE + 64 * GIB - 1, "CXL Window 0"),
        (1, BASE, end, "region0"),
        (2, BASE, end, "namespace0.0"),
    ]);
    small.values(&region, &[("mode", "pmem".into())]);
    let map = small.map();
    assert_eq!(map.accelerator_of(&map.regions[0]), None);
}

#[test]
fn devices_end_where_their_alignment_lets_them() {
    let small = Small::new(16);
    let at = BASE + 8 * GIB;
    small.iomem(&[
        (0, BASE, BASE + 64 * GIB - 1, "CXL Window 0"),
        (1, at, at + 0xffff, "acpi_foo"),
    ]);
    small.memdev(0, 16, true);
    small.maps(0, 0, (BASE, 16 * GIB), None);
    small.hmem(16, Some("hmem"), Some((16 * GIB, None)));
    let whole = range(BASE, 16 * GIB);
    small.file(
        "dev/kmsg",
        &format!(
            "3,1,11000000,-;kmem dax0.0: mapping0: {:#x}-{:#x} could not reserve region\n",
            whole.start, whole.end
        ),
    );
    let commands = small.commands();
    let sizes: Vec<u64> = commands
        .iter()
        .filter(|c| c.ends_with("/size"))
        .map(|c| c.split_whitespace().nth(1).unwrap().parse().unwrap())
        .collect();
    assert_eq!(
        sizes,
        [8 * GIB, 2 << 20, 8 * GIB - (2 << 20)],
        "{commands:#?}"
    );
}
