// SPDX-License-Identifier: GPL-2.0

//! Where devices are placed that show no address, and from what.

mod made;

use daxmap::dax::Parent;
use daxmap::problem::{self, Kind};

use made::{hmem, Machine};

/// Two ranges, and one hmem device that failed.
fn with_log(log: &str) -> Machine {
    let machine =
        Machine::new("memmap=1G%0x400000000+0xefffffff memmap=1G%0x800000000+0xefffffff\n");
    machine.device("platform", &hmem(1), None);
    machine.file("dev/kmsg", log);
    machine
}

#[test]
fn a_failed_device_is_not_given_what_was_left_to_cxl() {
    let said = "hmem_platform hmem_platform.0: deferring range to CXL: [mem 0x400000000-0x43fffffff flags 0x80000200]\n";
    let map = with_log(said).map();
    assert_eq!(map.hmem[0].range, Some(map.reserved[1].range));
}

#[test]
fn a_failed_device_that_fits_twice_is_nowhere() {
    let map = with_log("").map();
    assert_eq!(map.hmem[0].range, None);
    for reserved in &map.reserved {
        let reason = &reserved.pieces[0].reason.text;
        assert!(reason.contains("hmem.1"), "{reason}");
    }
}

#[test]
fn regions_of_persistent_memory_are_not_cxl_s() {
    let machine = Machine::new("");
    machine.device(
        "dax",
        "platform/e820_pmem/ndbus0/region0/dax0.0/dax0.0",
        Some("kmem"),
    );
    let map = machine.map();
    assert!(
        matches!(map.dax[0].parent, Parent::Other(_)),
        "{:?}",
        map.dax
    );
}

/// The log tells of a driver that found its memory taken.
#[test]
fn who_asked_for_what_hmem_has() {
    let machine = Machine::new("memmap=1G%0x400000000+0xefffffff\n");
    machine.device("platform", &hmem(0), Some("hmem"));
    let size = format!("sys/devices/{}/dax_region/size", hmem(0));
    machine.file(&size, "1073741824\n");
    let told = |range: &str| {
        let line = format!(
            "[    9.0] sfc 0000:e1:00.0: can't request region for resource [mem {range}]\n"
        );
        machine.file("dev/kmsg", &line);
        let problems = problem::find(&machine.map());
        problems.into_iter().find(|p| p.kind == Kind::Foreign)
    };
    let problem = told("0x400000000-0x43fffffff").unwrap();
    assert_eq!(
        (problem.subject.as_str(), problem.bytes),
        ("0000:e1:00.0", 0)
    );
    assert!(problem.cause.contains("hmem.0 has it"), "{}", problem.cause);
    assert!(problem.remedy.iter().all(|l| l.starts_with('#')));
    assert_eq!(told("0xfe000000-0xfe0fffff"), None);
}
