// SPDX-License-Identifier: GPL-2.0

//! What a kernel has to have before a command works: releases, modules, and what a window takes.

mod small;

use daxmap::problem::Kind;
use small::{Small, BASE, GIB};

const MODULES: &str = "lib/modules/7.3.4/modules.dep";

/// A device with free capacity, and nothing declared.
fn free() -> Small {
    let small = Small::new(0);
    small.memdev(0, 8, true);
    small.maps(0, 0, (BASE, 4 * GIB), Some("region0"));
    small.region("region0", (BASE, 4 * GIB), true, &["decoder10.0"]);
    small
}

fn cause(small: &Small, kind: Kind) -> String {
    let problems = small.problems();
    let found = problems.iter().find(|p| p.kind == kind);
    let found = found.unwrap_or_else(|| panic!("no {kind:?}: {problems:#?}"));
    found.cause.clone()
}

fn creates(small: &Small) -> bool {
    let commands = small.commands();
    commands.iter().any(|c| c.starts_with("cxl create-region"))
}

#[test]
fn regions_of_volatile_memory_came_with_6_3() {
    let small = free();
    assert!(creates(&small));
    small.file("proc/sys/kernel/osrelease", "6.1.0\n");
    assert!(!creates(&small));
    assert!(cause(&small, Kind::Unmapped).contains("6.3 is the first that does"));
    // Who keeps an old release may have brought them to it.
    let window = "platform/ACPI0017:00/root0/decoder0.0";
    small.values(window, &[("create_ram_region", "region1".into())]);
    assert!(creates(&small));
}

#[test]
fn an_old_driver_leaves_nothing_to_cxl() {
    let left = |release: &str| {
        let small = Small::new(8);
        small.memdev(0, 8, false);
        small.file("proc/sys/kernel/osrelease", release);
        small
    };
    assert!(cause(&left("6.8.0\n"), Kind::LeftToCxl).contains("at each boot"));
    let old = left("6.1.0\n");
    assert!(cause(&old, Kind::Unexplained).contains("before 6.3"));
    let said =
        "hmem_platform hmem_platform.0: deferring range to CXL: [mem 0x2080000000-0x227fffffff]";
    old.file("dev/kmsg", &format!("6,1,5000000,-;{said}\n"));
    assert!(cause(&old, Kind::LeftToCxl).contains("at each boot"));
}

#[test]
fn a_module_that_is_not_there_is_not_loaded() {
    let small = Small::new(0);
    small.memdev(0, 8, false);
    let has = |names: &[&str]| {
        let lines = names.iter().map(|n| format!("kernel/drivers/{n}.ko:\n"));
        small.file(MODULES, &lines.collect::<String>());
    };
    has(&["cxl_port", "cxl_mem"]);
    assert_eq!(small.commands(), ["modprobe cxl_port"]);
    has(&["dax_hmem"]);
    let why = cause(&small, Kind::MemdevUnbound);
    assert!(why.contains("this kernel has no cxl_port"), "{why}");
    assert!(small.commands().is_empty(), "{:?}", small.commands());
}

#[test]
fn a_driver_on_the_bus_is_there_whatever_the_lists_say() {
    let small = free();
    small.file(MODULES, "kernel/drivers/dax/hmem/dax_hmem.ko:\n");
    assert!(small.map().is_without_dax_cxl());
    small.file("sys/bus/cxl/drivers/cxl_dax_region/uevent", "");
    assert!(!small.map().is_without_dax_cxl());
    assert!(small.map().module("dax_cxl").unwrap().is_active());
}

#[test]
fn a_window_takes_what_it_says_or_has() {
    let unsaid = |small: &Small| {
        let path = small.path().join("sys/devices/platform/ACPI0017:00/root0");
        std::fs::remove_file(path.join("decoder0.0/cap_ram")).unwrap();
    };
    let small = free();
    unsaid(&small);
    assert!(creates(&small), "its region is of such memory");
    let small = Small::new(0);
    small.memdev(0, 8, true);
    unsaid(&small);
    assert!(!creates(&small));
    let why = cause(&small, Kind::Unmapped);
    assert!(why.contains("takes such memory cannot be read"), "{why}");
}
