// SPDX-License-Identifier: GPL-2.0

//! What a kernel has to have before a command works: releases, modules, and what a window takes.

mod small;

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

#[test]
fn a_driver_on_the_bus_is_there_whatever_the_lists_say() {
    let small = free();
    small.file(MODULES, "kernel/drivers/dax/hmem/dax_hmem.ko:\n");
    assert!(small.map().is_without_dax_cxl());
    small.file("sys/bus/cxl/drivers/cxl_dax_region/uevent", "");
    assert!(!small.map().is_without_dax_cxl());
    assert!(small.map().module("dax_cxl").unwrap().is_active());
}
