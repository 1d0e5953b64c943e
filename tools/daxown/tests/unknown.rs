// SPDX-License-Identifier: GPL-2.0

//! What is not known is said to be so by every verb, and what is known is not called unknown.

mod common;

use common::{daxown, fixture, given, words};

fn said(machine: &str, verb: &[&str]) -> String {
    words(&daxown(&fixture(&format!("machines/{machine}")), verb).stdout)
}

#[test]
fn a_memory_map_that_is_lost() {
    let lies = "the Soft Reserved memory of this machine lies cannot be read";
    for verb in [&["tree"][..], &["predict"], &["list"], &["doctor"]] {
        let text = said("log-wrapped-false-ok", verb);
        assert!(!text.to_lowercase().contains("no soft reserved"), "{text}");
        assert!(verb == ["doctor"] || text.contains(lies), "{text}");
    }
    let platform = said("log-wrapped-false-ok", &["doctor", "--platform"]);
    assert!(platform.contains("unknown firmware"), "{platform}");
    assert!(platform.contains("unknown alignment"), "{platform}");
}

#[test]
fn a_memory_map_without_such_memory() {
    for verb in [&["tree"][..], &["predict"], &["doctor"]] {
        let text = said("genoa-reset-no-sr", verb).to_lowercase();
        assert!(text.contains("no soft reserved memory"), "{text}");
        assert!(!text.contains("cannot be read"), "{text}");
    }
}

#[test]
fn without_cxl_no_driver_of_it_is_wanted() {
    for machine in ["famfs-offline-by-choice", "fsdev", "no-cxl-machine"] {
        let text = said(machine, &["doctor", "--platform"]);
        assert!(!text.contains("modprobe dax_cxl"), "{text}");
    }
}

#[test]
fn a_memory_device_in_no_region_has_a_story() {
    let text = said("stock-hand-unbound", &["explain", "mem0"]);
    for word in [
        "64 GiB of volatile capacity",
        "it is bound to cxl_mem",
        "NOTE mem0 [unmapped]",
    ] {
        assert!(text.contains(word), "{text}");
    }
    assert!(!text.contains("resource tree"), "{text}");
    let list = said("stock-hand-unbound", &["list", "mem0"]);
    assert!(list.contains("mem0 0000:39:00.0"), "{list}");
}

/// A list of `cxl list` without the members of its regions.
const LIST: &str = r#"[
 {"memdevs":[
  {"memdev":"mem0","ram_size":17179869184,"serial":4097,"host":"0000:11:00.0"},
  {"memdev":"mem1","ram_size":17179869184,"serial":4098,"host":"0000:21:00.0","state":"disabled"}]},
 {"regions":[{"region":"region0","resource":19629342720,"size":17179869184,"type":"ram",
  "interleave_ways":1,"decode_state":"commit"}]}
]"#;

#[test]
fn a_list_without_members() {
    let doctor = words(&given(LIST, &["doctor"]).stdout);
    assert!(
        doctor.contains("mem1 at 0000:21:00.0) has no driver"),
        "{doctor}"
    );
    for wrong in ["is in no region", "enable-memdev"] {
        assert!(!doctor.contains(wrong), "{doctor}");
    }
    let devices = given(LIST, &["list", "-k", "device"]).stdout;
    assert!(!devices.contains("0 B"), "{devices}");
    let tree = given(LIST, &["tree"]).stdout;
    assert!(
        words(&tree).contains("Whether there is Soft Reserved memory is not in what was given."),
        "{tree}"
    );
}

/// What devices without driver would bring is not called nothing.
#[test]
fn devices_without_driver_may_bring_regions() {
    let text = said("genoa-reset-no-sr", &["predict"]);
    assert!(
        text.contains("mem0 and mem1 are without driver: regions"),
        "{text}"
    );
    let text = said("no-cxl-machine", &["predict"]);
    assert!(!text.contains("without driver"), "{text}");
}

#[test]
fn routed_addresses_are_not_called_unrouted() {
    let story = said("member-refused", &["explain", "region0"]);
    assert!(!story.contains("nothing routes"), "{story}");
}
