// SPDX-License-Identifier: GPL-2.0

//! What is behind memory, and whose it is: machines that seem to have lost it, and machines that have and seem well.

mod common;

use common::judged::{self, Judged};

/// It seems lost, and is not.
const SOUND: &[Judged] = &[
    // The decoders of AMD's Zen 5 have addresses of the devices' own, and these reach into a window by chance.
    (
        "zen5-normalized",
        "doctor",
        0,
        &["OK: all of 256 GiB usable", "addresses of the devices' own"],
        &["LOSS", "offline-memory", "reach beyond"],
    ),
    (
        "zen5-normalized",
        "list --kind device",
        0,
        &["up to 128 GiB"],
        &["94.75 GiB"],
    ),
    (
        "zen5-normalized",
        "predict",
        0,
        &["256 of 256 GiB in use"],
        &["161.25"],
    ),
    // DRAM that caches CXL memory lies in front of it, and no decoder maps that.
    (
        "elc-old-kernel",
        "doctor",
        1,
        &["extended linear cache", "cannot be known"],
        &["LOSS", "offline-memory"],
    ),
    (
        "elc-mismatch",
        "doctor",
        1,
        &["!= CXL size", "cannot be known"],
        &["LOSS", "offline-memory"],
    ),
    // Expanders with back-invalidation are in windows for "type 2" as well.
    (
        "hdm-db-type3",
        "doctor",
        0,
        &["OK: all of 64 GiB usable"],
        &["LOSS", "accelerator"],
    ),
    (
        "hdm-db-type3",
        "predict",
        0,
        &["64 of 64 GiB in use"],
        &["a reboot alone gives"],
    ),
    (
        "type2-no-driver",
        "doctor",
        0,
        &["NOTE hmem.0", "if it is the memory of an accelerator"],
        &["LOSS", "offline-memory"],
    ),
    // Nothing resets a locked decoder.
    (
        "locked-commit0",
        "doctor",
        0,
        &["decoders are locked", "OK: all of 128 GiB usable"],
        &["LOSS", "were reset", "offline-memory"],
    ),
    // Before its media is ready a device says that it has no capacity.
    (
        "media-not-ready",
        "doctor",
        1,
        &["the capacity of mem0 behind it cannot be read"],
        &["LOSS", "since the region is gone", "offline-memory"],
    ),
];

/// It seems well, and is not.
const UNSOUND: &[Judged] = &[
    (
        "sbr-reset",
        "doctor",
        1,
        &["[undecoded]", "wiped the decoders of mem0", "SBR happened"],
        &["OK:"],
    ),
    ("sbr-reset", "timeline", 0, &["SBR happened"], &[]),
    (
        "type2-driver-hmem",
        "doctor",
        2,
        &["LOSS dax0.0", "[foreign]", "memory of 0000:e1:00.0"],
        &["OK:"],
    ),
    (
        "type2-driver-hmem",
        "predict",
        0,
        &["8 GiB that another driver has"],
        &["a reboot alone gives"],
    ),
    (
        "c-pmem-overwritten-noregion",
        "doctor",
        2,
        &[
            "LOSS dax0.0",
            "[foreign]",
            "persistent memory of mem0",
            "overwritten",
        ],
        &["OK:"],
    ),
    (
        "c-pmem-overwritten-noregion",
        "predict",
        0,
        &["overwrite what is kept there"],
        &["stay with the kernel's own", "a reboot alone gives"],
    ),
];

#[test]
fn what_seems_lost_and_is_not() {
    judged::check(SOUND);
}

#[test]
fn what_seems_well_and_is_not() {
    judged::check(UNSOUND);
}

/// A bus reset that wiped decoders is told of a log alone.
#[test]
fn a_wiped_decoder_in_a_log() {
    let log = "[  812.000001] cxl_pci 0000:3b:00.0: SBR happened without memory regions removal.\n";
    let run = common::given(log, &["doctor"]);
    let text = common::words(&run.stdout);
    assert!(text.contains("[undecoded]"), "{text}");
    assert!(text.contains("wiped decoders of 0000:3b:00.0"), "{text}");
}
