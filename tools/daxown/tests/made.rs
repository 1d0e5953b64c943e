// SPDX-License-Identifier: GPL-2.0

//! Machines that were made up to find what daxown says wrongly: what has to be said of each, and what must
//! not be.

mod common;

use common::judged::{self, Judged};

const JUDGED: &[Judged] = &[
    // Persistent memory that HMEM made System RAM is overwritten, whatever is usable now.
    (
        "pmem-under-hmem-online",
        "doctor",
        2,
        &[
            "LOSS dax0.0",
            "[foreign]",
            "persistent memory of region0",
            "daxctl offline-memory dax0.0",
        ],
        &["OK:"],
    ),
    (
        "pmem-under-hmem-online",
        "predict --drivers c",
        0,
        &[],
        &["stay with the kernel's own"],
    ),
    // The one member that is there has no region in sysfs as long as it waits; the other is blank.
    (
        "blank-member",
        "doctor",
        1,
        &["[region-incomplete]", "mem0 is there and maps nothing"],
        &["with its decoder committed"],
    ),
    // Volatile capacity below persistent capacity that is mapped cannot be put into a region any more.
    (
        "ram-left-beside-pmem",
        "doctor",
        0,
        &[
            "[unmapped]",
            "32 GiB of volatile capacity of mem0",
            "cannot be put into one",
        ],
        &["cxl create-region"],
    ),
    // A card that cxl_pci refused is there, and may decode.
    (
        "card-probe-failed",
        "doctor",
        1,
        &[
            "cxl_pci's probe of 0000:39:00.0 failed",
            "cannot be known",
            "all of 128 GiB usable",
        ],
        &["LOSS", "offline-memory"],
    ),
    (
        "card-probe-failed-pci",
        "doctor",
        1,
        &["cxl_pci's probe of 0000:39:00.0 failed"],
        &["OK:"],
    ),
    (
        "card-probe-failed",
        "doctor --platform",
        1,
        &["its probe of 0000:39:00.0 failed"],
        &["ready cxl_pci"],
    ),
    // Before 7.3 the kernel's own driver leaves what is in a window to CXL, at each boot.
    (
        "deferred-at-boot-68",
        "doctor",
        2,
        &[
            "[left-to-cxl]",
            "of this release does so at each boot",
            "the Rust dax_hmem serves",
        ],
        &["do reboot", "unbound or reloaded"],
    ),
    (
        "deferred-at-boot-68",
        "predict",
        0,
        &["64 GiB more than with the kernel's own"],
        &["a reboot alone gives"],
    ),
    (
        "sr-larger-than-window-614",
        "doctor",
        2,
        &["[left-to-cxl]"],
        &["[unexplained]"],
    ),
    // A block that holds pages with errors stays offline; one that just goes offline is somebody's wish.
    (
        "two-blocks-poisoned",
        "doctor",
        1,
        &[
            "pages with errors in memory1045: to be left so",
            "memory1049 (just going offline)",
        ],
        &["daxctl online-memory"],
    ),
    // Without a root no memory device gets its driver.
    (
        "no-root-memdev-unbound",
        "doctor",
        1,
        &[
            "cxl_acpi is not loaded (the command line blacklists it)",
            "modprobe cxl_acpi",
        ],
        &["enable-memdev"],
    ),
    (
        "cxl-acpi-probe-failed",
        "doctor",
        1,
        &["cxl_acpi's probe failed"],
        &["OK:"],
    ),
    (
        "cxl-acpi-probe-failed",
        "doctor --platform",
        1,
        &[
            "its probe of ACPI0017:00 failed",
            "the probe of cxl_acpi failed",
        ],
        &["ready cxl_acpi"],
    ),
    // The log says why a decoder is in no region.
    (
        "sr-hole-in-window-614",
        "doctor",
        2,
        &["the kernel refused to attach decoder4.0 to region1 (error -6)"],
        &["why cannot be known"],
    ),
    // A region that the kernel refused was not reset: firmware's decoders are as they were.
    (
        "interleave-refused-c",
        "doctor",
        0,
        &[
            "the kernel refused one of them",
            "OK: all of 512 MiB usable",
        ],
        &["LOSS", "nothing maps"],
    ),
    // What a device of dynamic capacity has not added is not lost.
    (
        "dcd-sparse",
        "doctor",
        0,
        &["dynamic capacity"],
        &["60 GiB not usable"],
    ),
    (
        "dcd-sparse",
        "predict",
        0,
        &[],
        &["a reboot alone gives", "careful"],
    ),
    // What failed at this boot is not foretold to work at the next.
    (
        "arm64-iomem-only",
        "predict",
        0,
        &["the kernel does not list it"],
        &["a reboot alone gives"],
    ),
    (
        "no-dax-cxl-module",
        "predict",
        0,
        &["this kernel has no dax_cxl"],
        &["outside every CXL window"],
    ),
    (
        "kmem-add-failed-partly",
        "predict --drivers c",
        0,
        &["as at this boot"],
        &["a reboot alone gives"],
    ),
];

#[test]
fn each_is_judged_rightly() {
    judged::check(JUDGED);
}
