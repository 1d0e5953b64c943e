// SPDX-License-Identifier: GPL-2.0

//! No advice puts memory into use that nothing decodes, or that may not be decoded.

mod small;

use daxmap::problem;
use small::{Small, BASE, GIB};

/// Firmware declares 9 GiB, of which the one device maps 8.
fn nine_of_eight() -> Small {
    let small = Small::new(9);
    small.memdev(0, 8, true);
    small.maps(0, 0, (BASE, 8 * GIB), None);
    small
}

#[test]
fn an_hmem_device_without_driver_is_left_so() {
    let small = nine_of_eight();
    small.hmem(9, None, None);
    assert!(small.commands().is_empty(), "{:#?}", small.commands());
    let remarks = small.remarks("no-driver");
    assert!(
        remarks.contains("nothing decodes 0x2280000000-0x22bfffffff"),
        "{remarks}"
    );
    assert!(remarks.contains("region_idle=1"), "{remarks}");
    let bind = ["echo hmem.0 > /sys/bus/platform/drivers/hmem/bind".to_string()];
    assert!(problem::refusal(&small.map(), &bind).is_some());
}

#[test]
fn all_of_it_may_be_used_where_all_is_decoded() {
    let small = Small::new(8);
    small.memdev(0, 8, true);
    small.maps(0, 0, (BASE, 8 * GIB), None);
    small.hmem(8, None, None);
    let bind = ["echo hmem.0 > /sys/bus/platform/drivers/hmem/bind".to_string()];
    assert_eq!(small.commands(), bind);
    assert_eq!(problem::refusal(&small.map(), &bind), None);
}

#[test]
fn a_device_without_driver_is_cut_first() {
    let small = nine_of_eight();
    small.hmem(9, Some("hmem"), Some((9 * GIB, None)));
    assert_eq!(
        small.commands(),
        [
            "echo 8589934592 > /sys/bus/dax/devices/dax0.0/size",
            "modprobe kmem",
            "echo dax0.0 > /sys/bus/dax/drivers/kmem/bind",
        ]
    );
}

#[test]
fn an_idle_device_gets_no_more_than_is_decoded() {
    let small = nine_of_eight();
    small.hmem(9, Some("hmem"), Some((0, None)));
    let commands = small.commands();
    assert!(
        commands.contains(&"echo 8589934592 > /sys/bus/dax/devices/dax0.0/size".into()),
        "{commands:#?}"
    );
}

#[test]
fn what_was_unplugged_stays_so() {
    let small = nine_of_eight();
    small.hmem(9, Some("hmem"), Some((9 * GIB, Some("kmem"))));
    small.file(
        "sys/devices/platform/hmem_platform.0/hmem.0/dax0.0/state",
        "unplugged\n",
    );
    assert!(small.commands().is_empty(), "{:#?}", small.commands());
}

#[test]
fn dead_memory_below_is_not_cut_off() {
    // The first 8 GiB are nobody's: what is made smaller from its end would hold nothing else.
    let small = Small::new(16);
    small.memdev(0, 8, true);
    small.maps(0, 0, (BASE + 8 * GIB, 8 * GIB), None);
    small.hmem(16, Some("hmem"), Some((16 * GIB, None)));
    assert!(small.commands().is_empty(), "{:#?}", small.commands());
}

#[test]
fn a_reset_region_below_an_hmem_device_is_not_committed() {
    let small = Small::new(16);
    small.memdev(0, 16, true);
    small.maps(0, 0, (BASE, 8 * GIB), Some("region0"));
    small.region("region0", (BASE, 8 * GIB), false, &["decoder10.0"]);
    small.hmem(16, Some("hmem"), Some((16 * GIB, None)));
    let commands = small.commands();
    assert!(
        !commands.iter().any(|c| c.contains("commit")),
        "{commands:#?}"
    );
    assert!(
        !commands.iter().any(|c| c.contains("kmem")),
        "{commands:#?}"
    );
    assert!(small.remarks("region-disabled").contains("hmem.0"));
}

#[test]
fn a_set_that_lacks_a_member_is_not_used_before_that_is_known() {
    let small = Small::new(16);
    small.memdev(0, 8, true);
    small.memdev(1, 8, false);
    small.maps(0, 0, (BASE, 16 * GIB), Some("region0"));
    small.file(
        "sys/devices/platform/ACPI0017:00/root0/port1/endpoint10/decoder10.0/interleave_ways",
        "2\n",
    );
    small.region("region0", (BASE, 16 * GIB), false, &["decoder10.0", ""]);
    small.hmem(16, None, None);
    assert_eq!(small.commands(), ["cxl enable-memdev mem1"]);
    let remarks = small.remarks("no-driver");
    assert!(remarks.contains("region0 lacks a member"), "{remarks}");
    assert!(!remarks.contains("region_idle"), "{remarks}");
}

#[test]
fn a_region_that_lacks_half_of_its_set_is_given_to_no_driver() {
    let small = Small::new(16);
    small.memdev(0, 8, true);
    small.maps(0, 0, (BASE, 16 * GIB), Some("region0"));
    small.file(
        "sys/devices/platform/ACPI0017:00/root0/port1/endpoint10/decoder10.0/interleave_ways",
        "2\n",
    );
    small.region("region0", (BASE, 16 * GIB), false, &["decoder10.0", ""]);
    let map = small.map();
    for line in [
        "cxl enable-region region0",
        "echo region0 > /sys/bus/cxl/drivers/cxl_region/bind",
        "echo dax_region0 > /sys/bus/cxl/drivers_probe",
    ] {
        assert!(
            problem::refusal(&map, &[line.to_string()]).is_some(),
            "{line}"
        );
    }
}
