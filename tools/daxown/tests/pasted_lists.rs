// SPDX-License-Identifier: GPL-2.0

//! Lists that say less than a machine: sizes without addresses, and blocks that are only counted.

mod common;

use common::{given, words};

const BLOCKS: &str = r#"# daxctl list
[
  {
    "chardev":"dax0.0",
    "size":68719476736,
    "target_node":1,
    "align":2097152,
    "mode":"system-ram",
    "online_memblocks":504,
    "total_memblocks":512
  }
]
"#;

const IOMEM: &str = "\
2080000000-407fffffff : Soft Reserved
  2080000000-407fffffff : dax0.0
";

#[test]
fn dax_devices_of_a_list() {
    let quoted: String = BLOCKS.lines().map(|l| format!("Bob> {l}\n")).collect();
    for text in [
        BLOCKS,
        &quoted,
        &BLOCKS.replace('"', "&quot;"),
        &BLOCKS.replace("  }\n]", ""),
    ] {
        let list = words(&given(text, &["list"]).stdout);
        assert!(list.contains("dax0.0 - 64 GiB unknown dax0.0 1"), "{list}");
        assert!(!list.contains("0x"), "{list}");
    }
    let doctor = given(BLOCKS, &["doctor"]);
    let said = words(&doctor.stdout);
    for word in [
        "WARNING dax0.0 [offline]",
        "8 of 512 memory blocks are not online (1 GiB)",
        "where dax0.0 lies is not in what was given",
    ] {
        assert!(said.contains(word), "{said}");
    }
    assert!(!said.contains("daxctl online-memory"), "{said}");
    assert!(!said.contains("no Soft Reserved memory"), "{said}");
    assert_eq!(doctor.status, 1);
    let all = BLOCKS.replace(":504", ":512");
    assert!(!given(&all, &["doctor"]).stdout.contains("[offline]"));
    assert!(given(&all, &["list"]).stdout.contains("online"));
    // With its dax region, whose path is written as JSON may.
    let region = r#"[{"path":"\/platform\/hmem.0","id":0,"size":8589934592,"devices":[
        {"chardev":"dax0.0","size":8589934592,"target_node":1,"align":2097152,"mode":"devdax"}]}]"#;
    let list = words(&given(region, &["list"]).stdout);
    assert!(
        list.contains("dax0.0 - 8 GiB HMEM hmem.0 dax0.0 1 0 B 0 B dax-file devdax"),
        "{list}"
    );
    // Sizes are no addresses, also where a range is of that size.
    let log = "[    0.0] BIOS-e820: [mem 0x2080000000-0x227fffffff] soft reserved\n";
    let list = given(format!("{region}\n{log}"), &["list"]).stdout;
    let row = list
        .lines()
        .find(|l| l.starts_with("Soft Reserved"))
        .unwrap();
    assert!(!row.contains("hmem.0") && row.contains("unknown"), "{list}");
    // Where its addresses are known, it is told there.
    let list = given(format!("{region}\n{IOMEM}"), &["list"]).stdout;
    assert!(!list.lines().any(|l| l.starts_with("dax0.0")), "{list}");
}
