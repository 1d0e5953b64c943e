// SPDX-License-Identifier: GPL-2.0

//! The verdict of `predict` is no other than that of its tables, and there is none where what was given does not
//! tell.

mod common;

use std::time::{Duration, Instant};

use common::{daxown, fixture, given, words};
use serde_json::Value;

/// The sums of both forecasts, and all that is advised.
fn verdict(machine: &str) -> (u64, u64, String) {
    let output = daxown(&fixture(&format!("machines/{machine}")), &["predict", "-J"]);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    let ram = |drivers: &str| {
        let mut forecasts = document["forecasts"].as_array().unwrap().iter();
        let found = forecasts.find(|f| f["drivers"] == drivers).unwrap();
        found["ram"].as_u64().unwrap()
    };
    let advice = document["advice"].as_array().unwrap().iter();
    let advice: Vec<&str> = advice.map(|a| a.as_str().unwrap()).collect();
    (ram("rust"), ram("c"), advice.join("; "))
}

/// What drivers of a release that was not measured did is in the table as well, and a file is not counted as
/// System RAM.
#[test]
fn the_verdict_is_that_of_the_tables() {
    for machine in [
        "famfs-offline-by-choice",
        "fsdev",
        "device-removed",
        "region-lost-no-dax-cxl",
    ] {
        let (rust, c, advice) = verdict(machine);
        assert!(rust > 0 && rust == c, "{machine}: {rust}, {c}");
        assert!(advice.contains("nothing to gain"), "{machine}: {advice}");
        assert!(!advice.contains("reboot alone"), "{machine}: {advice}");
    }
    let seen = daxown(
        &fixture("machines/device-removed"),
        &["predict", "--drivers", "c"],
    );
    let seen = words(&seen.stdout);
    assert!(seen.contains("at this boot it became System RAM"), "{seen}");
}

/// A region whose decoders were reset is committed again by firmware, which declares its memory.
#[test]
fn a_region_that_was_reset_is_there_at_the_next_boot() {
    let (rust, c, advice) = verdict("region-decommitted");
    assert_eq!((rust, c), (64 << 30, 64 << 30));
    assert!(
        advice.contains("a reboot alone gives 64 GiB more"),
        "{advice}"
    );
    let said = daxown(&fixture("machines/region-decommitted"), &["predict"]);
    let said = words(&said.stdout);
    assert!(said.contains("commits its decoders again"), "{said}");
}

#[test]
fn no_verdict_comes_of_what_was_not_given() {
    let log = "[    0.0] BIOS-e820: [mem 0x0000000490000000-0x00000004b3ffffff] soft reserved\n";
    let said = words(&given(log, &["predict"]).stdout);
    assert!(
        said.contains("not in what was given: CXL windows, CXL regions"),
        "{said}"
    );
    assert!(
        said.contains("512 of 576 MiB would be System RAM"),
        "{said}"
    );
    let window = "490000000-58fffffff : CXL Window 0\n";
    let reserved = format!("{window}  490000000-4cfffffff : Soft Reserved\n");
    let said = words(&given(&reserved, &["predict"]).stdout);
    assert!(said.contains("the decoders of memory devices"), "{said}");
    for text in [log, &reserved] {
        let said = words(&given(text, &["predict"]).stdout);
        assert!(said.contains("no verdict"), "{said}");
        assert!(
            !said.contains("to gain") && !said.contains("install"),
            "{said}"
        );
    }
    let region = format!(
        "{reserved}    490000000-4afffffff : region0\n      490000000-4afffffff : dax0.0\n        \
         490000000-4afffffff : System RAM (kmem)\n"
    );
    let said = given(&region, &["predict"]).stdout;
    assert_eq!(
        said,
        "Whether region0 is committed is not known: nothing can be predicted.\n"
    );
    let document = given(&region, &["predict", "-J"]).stdout;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["forecasts"], Value::Array(Vec::new()));
    // Neither windows nor regions: the resource tree would have them.
    let none = words(&given("490000000-4cfffffff : Soft Reserved\n", &["predict"]).stdout);
    assert!(none.contains("nothing to gain here"), "{none}");
}

#[test]
fn a_window_without_end_is_soon_predicted() {
    let start = Instant::now();
    let iomem =
        "490000000-ffffffffffffffff : CXL Window 0\n  490000000-ffffffffffffffff : Soft Reserved\n";
    let output = given(iomem, &["predict"]);
    assert_eq!(output.status, 0, "{}", output.stderr);
    assert!(start.elapsed() < Duration::from_secs(60));
}
