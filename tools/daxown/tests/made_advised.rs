// SPDX-License-Identifier: GPL-2.0

//! Memory that nobody can have, what is counted, and advice that would not help or could not be taken back.

mod common;

use common::judged::{self, Judged};

const TOLD: &[Judged] = &[
    // HMEM serves only what is declared.
    (
        "window-no-list",
        "doctor",
        1,
        &[
            "WARNING mem0",
            "the memory map does not declare it",
            "nobody has it",
        ],
        &["OK:"],
    ),
    (
        "window-no-list",
        "explain 0x1080000000",
        0,
        &["decoder3.0 is committed and maps 0x1080000000-0x207fffffff"],
        &[],
    ),
    (
        "kexec-reserved",
        "doctor",
        1,
        &["as plain Reserved, not as Soft Reserved"],
        &["OK:"],
    ),
    // Of dynamic capacity only what was added is there.
    (
        "dcd-sparse",
        "doctor",
        0,
        &["has added 4 GiB of it so far", "all of 68 GiB usable"],
        &["all of 128 GiB"],
    ),
];

const ADVISED: &[Judged] = &[
    (
        "tiny-sr",
        "doctor",
        1,
        &["holds no part aligned to 2 MiB"],
        &["the Rust dax_hmem serves", "is used whole"],
    ),
    // Without the kernel's list of ranges there is nothing to decide about, and kmem is the kernel's own.
    (
        "no-dax-hmem",
        "predict",
        0,
        &["CONFIG_DEV_DAX_HMEM", "nothing to gain"],
        &["install the Rust drivers"],
    ),
    (
        "add-failed",
        "predict",
        0,
        &["as at this boot: kmem did not take dax0.0: memory add failed"],
        &["install the Rust drivers"],
    ),
    (
        "add-failed",
        "doctor",
        2,
        &[
            "beyond the addresses that the kernel can map",
            "Hotplugged memory exceeds",
        ],
        &["dax0.0: error -22"],
    ),
    // A region in a window that firmware fixed is locked.
    (
        "locked-window",
        "doctor",
        0,
        &["CXL Window 0 is fixed by firmware"],
        &["cxl create-region"],
    ),
    // A probe that failed will fail again, and its line says more than "cannot be known".
    (
        "endpoint-failed",
        "doctor",
        2,
        &[
            "[memdev-unbound]",
            "the probe of endpoint2, the port of mem0, failed",
        ],
        &[],
    ),
    (
        "region-probe-failed",
        "doctor",
        2,
        &[
            "cxl_region region0: probe with driver cxl_region failed",
            "nothing to run before the cause is gone",
        ],
        &["do cxl enable-region"],
    ),
    (
        "rcd-61-topology",
        "doctor",
        1,
        &["its probe failed", "CXL port topology not found"],
        &["why cannot be known", "enable-memdev"],
    ),
    (
        "media-not-ready",
        "doctor",
        1,
        &["its probe failed", "Media not active"],
        &["0 B of", "enable-memdev"],
    ),
    // What may fail comes before the memory is out.
    (
        "no-modlists",
        "doctor",
        0,
        &["modprobe dax_cxl && daxctl offline-memory dax0.0 &&"],
        &["unbind && modprobe"],
    ),
    // A region that covers all that is declared has its memory at the next boot: no policy does more.
    (
        "region-larger-than-sr",
        "doctor",
        2,
        &["LOSS region0", "daxctl offline-memory dax0.0"],
        &["policy=split"],
    ),
    (
        "no-cxl-region",
        "doctor",
        0,
        &["CONFIG_CXL_REGION is off"],
        &["why cannot be known"],
    ),
    (
        "no-dax-hmem",
        "doctor",
        2,
        &["6.3 is the first that does"],
        &["why cannot be known"],
    ),
];

#[test]
fn what_is_there_and_who_can_have_it() {
    judged::check(TOLD);
}

#[test]
fn what_is_advised() {
    judged::check(ADVISED);
}
