// SPDX-License-Identifier: GPL-2.0

//! What is concluded from small trees made by hand: places, owners, ledgers, modules, odd ends.

mod made;

use std::fs;

use daxmap::problem::{self, Kind};
use daxmap::{Map, Owner, State, Tree};

use made::{hmem, Machine};

#[test]
fn failed_hmem_devices_are_placed_in_order_of_address() {
    let machine =
        Machine::new("memmap=513M%0x500000000+0xefffffff memmap=1M%0x400000000+0xefffffff\n");
    machine.device("platform", &hmem(7), None);
    machine.device("platform", &hmem(3), None);
    let map = machine.map();
    let devices: Vec<_> = map
        .reserved
        .iter()
        .map(|r| r.pieces[0].device.clone())
        .collect();
    assert_eq!(devices, [Some("hmem.3".into()), Some("hmem.7".into())]);
    assert!(map.hmem.iter().all(|h| h.range_derived));
}

#[test]
fn hmem_devices_without_addresses_fill_a_range_by_size() {
    let machine = Machine::new("memmap=1G%0x400000000+0xefffffff\n");
    for n in [0, 1] {
        machine.device("platform", &hmem(n), Some("hmem"));
        machine.file(
            &format!("sys/devices/{}/dax_region/size", hmem(n)),
            "536870912\n",
        );
    }
    let map = machine.map();
    let owners: Vec<_> = map.reserved[0]
        .pieces
        .iter()
        .map(|p| (p.range.start, p.owner.clone()))
        .collect();
    let owner = |n: u32| Owner::Hmem {
        device: format!("hmem.{n}"),
    };
    assert_eq!(owners, [(0x400000000, owner(0)), (0x420000000, owner(1))]);
}

#[test]
fn a_dax_device_that_may_not_be_seen_makes_owners_unknown() {
    let machine = Machine::new("memmap=1G%0x400000000+0xefffffff\n");
    machine.device("dax", "x/pfn/dax5.0", Some("kmem"));
    machine.file("sys/devices/x/pfn/dax5.0/size", "4096\n");
    assert_eq!(machine.map().reserved[0].pieces[0].owner, Owner::Unknown);
}

#[test]
fn a_range_may_end_at_the_top() {
    let machine = Machine::new("memmap=4K%0xfffffffffffff000+0xefffffff\n");
    machine.file(
        "sys/kernel/debug/dax_hmem/ledger",
        "range=0xfffffffffffff000-0xffffffffffffffff node=-1 state=failed reason=too-small errno=22\n",
    );
    let map = machine.map();
    assert_eq!(map.reserved.len(), 1);
    assert_eq!(map.reserved[0].range.end, u64::MAX);
    assert_eq!(map.reserved[0].pieces[0].state, State::Failed);
    assert_eq!(problem::find(&map)[0].kind, Kind::Misaligned);
}

#[test]
fn a_piece_of_the_ledger_beats_the_record_of_the_whole() {
    let machine = Machine::new("memmap=1G%0x400000000+0xefffffff\n");
    machine.file(
        "sys/kernel/debug/dax_hmem/ledger",
        "range=0x400000000-0x43fffffff node=1 state=failed reason=incomplete errno=12\n\
         range=0x400000000-0x41fffffff node=1 state=hmem reason=no-region dev=hmem.0 errno=0\n\
         range=0x400000000-0x41fffffff state=failed reason=conflict region=region0 lost_to=hmem.0 errno=12\n",
    );
    let map = machine.map();
    let pieces = &map.reserved[0].pieces;
    assert_eq!(pieces.len(), 2);
    assert_eq!(
        pieces[0].owner,
        Owner::Hmem {
            device: "hmem.0".into()
        }
    );
    assert_eq!(
        (pieces[1].owner.clone(), pieces[1].state),
        (Owner::Nobody, State::Failed)
    );
    assert_eq!(pieces[0].node, Some(1));
}

#[test]
fn a_ledger_that_others_overtook_gives_way() {
    let machine = Machine::new("memmap=512M%0x400000000+0xefffffff\n");
    machine.file(
        "sys/kernel/debug/dax_hmem/ledger",
        "range=0x400000000-0x41fffffff node=1 state=hmem reason=no-region dev=hmem.1 errno=0\n",
    );
    machine.device("platform", &hmem(1), None);
    let owner = |map: &Map| map.reserved[0].pieces[0].owner.clone();
    assert_eq!(owner(&machine.map()), Owner::Nobody);
    let region = "platform/ACPI0017:00/root0/decoder0.0/region0";
    machine.device("cxl", region, Some("cxl_region"));
    for (name, value) in [
        ("resource", "0x400000000"),
        ("size", "0x20000000"),
        ("commit", "1"),
    ] {
        machine.file(&format!("sys/devices/{region}/{name}"), value);
    }
    machine.device(
        "cxl",
        &format!("{region}/dax_region0"),
        Some("cxl_dax_region"),
    );
    let cxl = Owner::Cxl {
        region: "region0".into(),
    };
    assert_eq!(owner(&machine.map()), cxl);
}

#[test]
fn the_ledger_says_what_is_undecided() {
    for (word, state, kind) in [
        ("deferred", State::Deferred, Kind::Deferred),
        ("free", State::Free, Kind::Free),
    ] {
        let machine = Machine::new("memmap=1G%0x400000000+0xefffffff\n");
        let record =
            format!("range=0x400000000-0x43fffffff node=1 state={word} reason=x errno=0\n");
        machine.file("sys/kernel/debug/dax_hmem/ledger", &record);
        let map = machine.map();
        assert_eq!(map.reserved[0].pieces[0].state, state);
        let problems = problem::find(&map);
        assert!(
            problems
                .iter()
                .any(|p| p.kind == kind && p.bytes == 1 << 30),
            "{problems:?}"
        );
    }
}

#[test]
fn the_kernel_s_word_on_settling_counts() {
    let machine = Machine::new("memmap=1G%0x400000000+0xefffffff\n");
    assert_eq!(machine.map().settled(), None);
    let attribute = "sys/devices/platform/hmem_platform.0/ownership";
    machine.file(attribute, "pending\n");
    assert_eq!(machine.map().settled(), Some(false));
    machine.file(attribute, "settled\n");
    assert_eq!(machine.map().settled(), Some(true));
}

#[test]
fn an_old_module_from_the_initramfs_is_noticed() {
    let machine = Machine::new("");
    let old = |map: &Map| problem::find(map).iter().any(|p| p.kind == Kind::OldModule);
    machine.file("lib/modules/7.3.4/modules.dep", "updates/dax_hmem.ko:\n");
    assert!(old(&machine.map()));
    machine.file("sys/module/dax_hmem/taint", "OE\n");
    assert!(!old(&machine.map()));
}

#[test]
fn a_build_that_dkms_could_not_do_is_told_with_its_reason() {
    let machine = Machine::new("");
    let log = "var/lib/dkms/dax-hmem-rust/0.1/build/make.log";
    let text = "DKMS (dkms-3.2.2) make.log for dax-hmem-rust/0.1 for kernel 7.3.4 (x86_64)\n\
                rust-headers: the source of the kernel 7.3.4 is not installed.\n    \
                apt install linux-source-7.3\n";
    machine.file(log, text);
    machine.file("lib/modules/7.3.4/modules.dep", "kernel/dax_hmem.ko:\n");
    let found = || problem::find(&machine.map());
    let problems = found();
    let told = problems.iter().find(|p| p.kind == Kind::NotBuilt).unwrap();
    assert!(told.cause.contains("is not installed"), "{}", told.cause);
    assert_eq!(told.remedy[0], "apt install linux-source-7.3");
    assert!(told.remedy[1].starts_with("dkms install"));
    // It has been built since.
    machine.file(
        "lib/modules/7.3.4/modules.dep",
        "updates/dkms/dax_hmem.ko.xz:\n",
    );
    assert!(found().iter().all(|p| p.kind != Kind::NotBuilt));
    // The log is about another kernel.
    machine.file("lib/modules/7.3.4/modules.dep", "kernel/dax_hmem.ko:\n");
    machine.file(log, &text.replace("7.3.4 (", "7.3.5 ("));
    assert!(found().iter().all(|p| p.kind != Kind::NotBuilt));
}

#[test]
fn an_almost_empty_tree_is_read() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("proc")).unwrap();
    let map = Map::read(&Tree::open(dir.path()).unwrap());
    assert!(map.reserved.is_empty());
    assert_eq!(map.settled(), Some(true));
    fs::write(dir.path().join("proc/cmdline"), "memmap=1G%4G+0xefffffff").unwrap();
    let map = Map::read(&Tree::open(dir.path()).unwrap());
    assert_eq!(map.reserved[0].pieces[0].owner, Owner::Unknown);
    assert_eq!(map.reserved[0].pieces[0].online_bytes, None);
}
