// SPDX-License-Identifier: GPL-2.0

//! What is said of a piece follows the ledger, and no further than it goes.

mod made;

use daxmap::problem::{self, Kind, Severity};
use daxmap::{Map, Owner, State};

use made::{hmem, Machine};

/// A machine of 1 GiB whose ledger has this line.
fn with(line: &str) -> Machine {
    let machine = Machine::new("memmap=1G%0x400000000+0xefffffff\n");
    let range = "range=0x400000000-0x43fffffff node=1";
    let text = format!("# dax_hmem ledger 1\n{range} {line}\n");
    machine.file("sys/kernel/debug/dax_hmem/ledger", &text);
    machine
}

fn told(map: &Map) -> (Owner, State, Option<u64>) {
    let piece = &map.reserved[0].pieces[0];
    (piece.owner.clone(), piece.state, piece.usable_bytes())
}

#[test]
fn a_word_that_is_not_known_is_named() {
    let machine = with("state=quarantined reason=poisoned dev=hmem.0 errno=0");
    machine.device("platform", &hmem(0), Some("hmem"));
    let map = machine.map();
    assert_eq!(told(&map), (Owner::Unknown, State::Unknown, None));
    let problems = problem::find(&map);
    let problem = problems
        .iter()
        .find(|p| p.kind == Kind::Unreadable)
        .unwrap();
    assert_eq!((problem.severity, problem.bytes), (Severity::Warning, 0));
    for word in ["\"quarantined\"", "poisoned"] {
        assert!(problem.cause.contains(word), "{}", problem.cause);
    }
    let remedy = problem.remedy.join("\n");
    assert!(!remedy.contains("root"), "{remedy}");
}

#[test]
fn who_else_has_it_is_the_holder() {
    let driver = |name: &str| Owner::Driver { name: name.into() };
    let all = Some(1 << 30);
    for (line, expected) in [
        (
            "reason=foreign-resource holder=0000:e1:00.0",
            (driver("0000:e1:00.0"), State::Foreign, all),
        ),
        (
            "reason=foreign-region region=region0 holder=0000:e1:00.0",
            (driver("0000:e1:00.0"), State::Foreign, all),
        ),
        (
            "reason=foreign-resource holder=Unusable_memory",
            (Owner::Nobody, State::Foreign, Some(0)),
        ),
        (
            "reason=foreign-resource",
            (Owner::Unknown, State::Unknown, None),
        ),
        (
            "reason=foreign-region region=region0",
            (
                Owner::Cxl {
                    region: "region0".into(),
                },
                State::Idle,
                Some(0),
            ),
        ),
    ] {
        let machine = with(&format!("state=foreign {line} errno=0"));
        let map = machine.map();
        assert_eq!(told(&map), expected, "{line}");
        // What nobody can use is told with its bytes, and who has it.
        let lost: u64 = problem::find(&map).iter().map(|p| p.bytes).sum();
        let expected = expected.2.map_or(0, |used| (1 << 30) - used);
        assert_eq!(lost, expected, "{line}");
    }
    let map = with("state=foreign reason=foreign-resource holder=Unusable_memory").map();
    let problems = problem::find(&map);
    let unserved = problems.iter().find(|p| p.kind == Kind::Unserved).unwrap();
    assert!(
        unserved.cause.contains("Unusable memory"),
        "{}",
        unserved.cause
    );
}

/// The Rust modules on a kernel without debugfs.
fn without_ledger(cmdline: &str) -> Machine {
    let machine = Machine::new(cmdline);
    let attribute = "sys/devices/platform/hmem_platform.0/ownership";
    machine.file(attribute, "settled\n");
    let window = "platform/ACPI0017:00/root0/decoder0.0";
    machine.device("cxl", window, None);
    for (name, value) in [("start", "0x400000000"), ("size", "0x100000000")] {
        machine.file(&format!("sys/devices/{window}/{name}"), value);
    }
    machine
}

#[test]
fn without_the_ledger_nothing_was_left_to_cxl() {
    // What the driver cuts off is told by where it lies.
    let machine = without_ledger("memmap=1025M%0x400000000+0xefffffff\n");
    machine.device("platform", &hmem(0), Some("hmem"));
    let dax = format!("{}/dax0.0", hmem(0));
    machine.device("dax", &dax, Some("device_dax"));
    machine.file(&format!("sys/devices/{dax}/size"), "1073741824\n");
    machine.file(&format!("sys/devices/{dax}/resource"), "0x400000000\n");
    machine.file("sys/bus/dax/x", "");
    let problems = problem::find(&machine.map());
    let cut = problems.iter().find(|p| p.bytes > 0).unwrap();
    assert_eq!(
        (cut.kind, cut.severity, cut.bytes),
        (Kind::Misaligned, Severity::Warning, 1 << 20)
    );
    // Of the rest nothing is known.
    let machine = without_ledger("memmap=1G%0x400000000+0xefffffff\n");
    let problems = problem::find(&machine.map());
    let lost = problems.iter().find(|p| p.bytes > 0).unwrap();
    assert_eq!((lost.kind, lost.bytes), (Kind::Unexplained, 1 << 30));
    assert!(lost.cause.contains("ledger"), "{}", lost.cause);
    assert!(lost.remedy.iter().all(|l| l.starts_with('#')), "{lost:?}");
    // Or it waits.
    machine.file(
        "sys/devices/platform/hmem_platform.0/ownership",
        "pending\n",
    );
    let problems = problem::find(&machine.map());
    assert!(
        problems.iter().any(|p| p.kind == Kind::Deferred),
        "{problems:?}"
    );
}

/// hmem.N with a dax device at these addresses.
fn with_dax(machine: &Machine, n: u32, range: (u64, u64), dax: &str) {
    let dir = machine.path().join("sys/devices").join(hmem(n));
    if !dir.exists() {
        machine.device("platform", &hmem(n), Some("hmem"));
    }
    let dax = format!("{}/{dax}", hmem(n));
    machine.device("dax", &dax, Some("device_dax"));
    machine.file(
        &format!("sys/devices/{dax}/size"),
        &format!("{}\n", range.1),
    );
    let resource = format!("{:#x}\n", range.0);
    machine.file(&format!("sys/devices/{dax}/resource"), &resource);
}

#[test]
fn without_the_ledger_alignment_explains_what_lies_at_an_end_only() {
    const MIB: u64 = 1 << 20;
    let base = 0x400000000;
    let lost = |machine: &Machine| {
        let problems = problem::find(&machine.map());
        problems.into_iter().find(|p| p.bytes > 0).unwrap()
    };
    // A hole of 1 MiB, of one dax region or between two.
    for (second, cause) in [(0, "dax0.0 has not all of the memory"), (1, "ledger")] {
        let machine = without_ledger("memmap=1G%0x400000000+0xefffffff\n");
        with_dax(&machine, 0, (base, 512 * MIB), "dax0.0");
        let behind = (base + 513 * MIB, 511 * MIB);
        with_dax(&machine, second, behind, &format!("dax{second}.1"));
        let hole = lost(&machine);
        assert_eq!((hole.kind, hole.bytes), (Kind::Unexplained, MIB));
        assert!(hole.cause.contains(cause), "{}", hole.cause);
        assert!(hole.cause.contains("says why"), "{}", hole.cause);
    }
    // A range that is as small as that.
    let small = lost(&without_ledger("memmap=1M%0x400000000+0xefffffff\n"));
    assert_eq!((small.kind, small.bytes), (Kind::Misaligned, MIB));
    assert!(small.cause.contains("no part of it"), "{}", small.cause);
}

/// What dax_hmem leaves to another driver is that driver's in a forecast too.
#[test]
fn what_another_driver_has_is_nobody_s_gain() {
    use daxmap::predict::{Decider, Forecast, Holder, Layout, Policy};
    let machine = with("state=foreign reason=foreign-resource holder=amdgpu errno=0");
    let map = machine.map();
    let layout = Layout::read(&daxmap::Tree::open(machine.path()).unwrap(), &map);
    for decider in [Decider::Rust(Policy::Whole), Decider::C] {
        let forecast = Forecast::of(&layout, decider);
        assert_eq!((forecast.ram_bytes(), forecast.bytes()), (0, 0));
        assert_eq!(forecast.foreign_bytes(), 1 << 30);
        let parts = &forecast.parts;
        assert!(parts.iter().all(|p| p.foreign.as_deref() == Some("amdgpu")));
        let is_left = parts[0].holder == Holder::Driver("amdgpu".into());
        assert!(is_left || parts[0].hindrance.is_some(), "{parts:?}");
    }
    let machine = with("state=foreign reason=foreign-region region=region0 errno=0");
    let window = "platform/ACPI0017:00/root0/decoder0.0";
    machine.device("cxl", window, None);
    let region = format!("{window}/region0");
    machine.device("cxl", &region, Some("cxl_region"));
    machine.device("cxl", &format!("{region}/dax_region0"), None);
    for (name, value) in [
        ("resource", "0x400000000"),
        ("size", "0x40000000"),
        ("commit", "1"),
        ("mode", "dynamic_ram_a"),
    ] {
        machine.file(&format!("sys/devices/{region}/{name}"), value);
    }
    for (name, value) in [("start", "0x400000000"), ("size", "0x100000000")] {
        machine.file(&format!("sys/devices/{window}/{name}"), value);
    }
    let map = machine.map();
    let layout = Layout::read(&daxmap::Tree::open(machine.path()).unwrap(), &map);
    let forecast = Forecast::of(&layout, Decider::Rust(Policy::Whole));
    assert_eq!(forecast.ram_bytes(), 0, "{forecast:?}");
}
