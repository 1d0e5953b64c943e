// SPDX-License-Identifier: GPL-2.0

//! The judge against made-up states of a guest.

use std::path::Path;

use super::differences::differences;
use super::ownership::name;
use super::Ownership;
use crate::guest::Capture;
use crate::guest::Results;
use crate::machine::Layout;
use crate::scenario::Drivers;
use crate::scenario::Scenario;

/// HMEM serves the first half, kmem has three of its four blocks online; nobody has the rest.
const IOMEM: &str = "\
110000000-20fffffff : CXL Window 0
  110000000-12fffffff : dax2.0
    110000000-12fffffff : System RAM (kmem)
";
const STATE: &str = "\
dax dax2.0 path=/sys/devices/platform/hmem_platform.0/hmem.2/dax2.0 driver=kmem target_node=1
mapping dax2.0 start=0x110000000 end=0x12fffffff
region region0 start=0x110000000 size=0x20000000 commit=1 driver=cxl_region dax_driver=
platform hmem.2 driver=hmem
memory block_size=0x8000000
block memory34 index=0x00000022 state=online
block memory35 index=0x00000023 state=online
block memory36 index=0x00000024 state=online
block memory37 index=0x00000025 state=offline
module dax state=Live
";

const SCENARIO: &str = r#"description = "x"
[[window]]
[[soft_reserved]]
name = "sr"
base = "window0+0"
size = "1G"
[expect]
dax = [{ path = "platform/hmem_platform.0/hmem.*/dax*.0", at = "window0+0", size = "512M", driver = "kmem", target_node = 1 }]
log = ["owner HMEM"]
no_log = ["conflict"]
[expect.range.sr]
owner = "hmem"
online = 384
unowned = "512M"
pieces = [{ at = 0, size = "512M", owner = "hmem", online = 384 }, { at = "512M", size = "512M", owner = "nobody" }]
"#;

fn layout() -> Layout {
    Layout {
        windows: vec![(0x1_1000_0000, 4 << 30)],
    }
}

fn scenario(text: &str) -> Scenario {
    Scenario::parse(Path::new("t.toml"), text).expect("valid")
}

fn faults(text: &str, state: &str, dmesg: &str) -> Vec<String> {
    let scenario = scenario(text);
    let capture = Capture::parse(state, IOMEM).expect("capture");
    let mut results = Results {
        dmesg: dmesg.to_owned(),
        ..Results::default()
    };
    results.captures.insert("end".to_owned(), capture);
    let expect = scenario.expect(Drivers::Rust).expect("expect");
    differences(&scenario, &layout(), expect, &results)
}

const DMESG: &str = "[    1.0] hmem_platform: owner HMEM: because\n";

#[test]
fn ownership_is_read_from_devices() {
    let capture = Capture::parse(STATE, IOMEM).expect("capture");
    let ownership = Ownership::of(&scenario(SCENARIO), &layout(), &capture);
    let range = ownership.range("sr").expect("sr");
    let parts: Vec<_> = range
        .parts
        .iter()
        .map(|part| (part.start, part.end, name(part.owner), part.online >> 20))
        .collect();
    assert_eq!(
        parts,
        [
            (0x1_1000_0000, 0x1_2fff_ffff, "hmem", 384),
            (0x1_3000_0000, 0x1_4fff_ffff, "nobody", 0),
        ]
    );
    assert_eq!(range.parts[0].device, "hmem.2/dax2.0");
    assert_eq!(range.reason, "region0 covers only a part");
}

#[test]
fn the_modules_own_reason_counts() {
    let capture = Capture::parse(STATE, IOMEM).expect("capture");
    let mut ownership = Ownership::of(&scenario(SCENARIO), &layout(), &capture);
    ownership.take_reasons(
        "[    1.0] hmem_platform hmem_platform.0: [mem 0x110000000-0x14fffffff]: owner HMEM: first\n\
         [    2.0] hmem_platform hmem_platform.0: [mem 0x110000000-0x14fffffff]: owner HMEM: last: why\n\
         [    3.0] hmem_platform hmem_platform.0: [mem 0x110000000-0x11fffffff]: owner HMEM: other\n",
    );
    assert_eq!(ownership.ranges[0].reason, "last: why");
}

#[test]
fn as_expected() {
    assert_eq!(faults(SCENARIO, STATE, DMESG), Vec::<String>::new());
}

#[test]
fn each_difference_is_told() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "owner = \"hmem\"\nonline",
            "owner = \"cxl\"\nonline",
            "the owner is hmem, not cxl",
        ),
        (
            "online = 384\nunowned",
            "online = 512\nunowned",
            "online is 384 MiB, not 512 MiB",
        ),
        (
            "unowned = \"512M\"",
            "unowned = \"0\"",
            "without an owner is 524288 KiB, not 0 KiB",
        ),
        (
            "owner = \"hmem\", online = 384",
            "owner = \"cxl\"",
            "owner at +0x0 is hmem, not cxl",
        ),
        (
            "owner = \"hmem\", online = 384",
            "owner = \"hmem\", online = 1",
            "online at +0x0 is 384 MiB",
        ),
        (
            "at = \"window0+0\", size",
            "at = \"window0+1M\", size",
            "there is no DAX device",
        ),
        (
            "driver = \"kmem\"",
            "driver = \"device_dax\"",
            "there is no DAX device",
        ),
        (
            "target_node = 1",
            "target_node = 2",
            "there is no DAX device",
        ),
        (
            "dax = [{ path = \"platform",
            "dax = []\n#",
            "unexpected DAX device dax2.0",
        ),
        (
            "\"owner HMEM\"",
            "\"owner CXL\"",
            "no line like `owner CXL`",
        ),
        ("\"conflict\"", "\"because\"", "must not have"),
    ];
    for (from, to, reason) in cases {
        assert!(SCENARIO.contains(from), "{from}");
        let found = faults(&SCENARIO.replacen(from, to, 1), STATE, DMESG);
        assert!(
            found.iter().any(|fault| fault.contains(reason)),
            "{to}: {found:?}"
        );
    }
}

#[test]
fn a_state_that_is_no_state_is_an_error() {
    assert!(Capture::parse("nonsense\n", IOMEM).is_err());
    assert!(Capture::parse("mapping dax0.0 start= end=\n", IOMEM).is_err());
    assert!(Capture::parse("", "not iomem\n").is_err());
}
