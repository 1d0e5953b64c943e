// SPDX-License-Identifier: GPL-2.0

//! Memory whose devices are there and map nothing: what tells that, and what does not.

mod small;

use daxmap::problem::{Kind, Problem, Severity};
use small::{range, Small, BASE, GIB};

const WINDOW: &str = "platform/ACPI0017:00/root0/decoder0.0";
const BRIDGE: &str = "platform/ACPI0017:00/root0/port1/decoder1.0";
const ENDPOINT: &str = "platform/ACPI0017:00/root0/port1/endpoint10/decoder10.0";

/// HMEM serves 8 GiB in front of a device of 8 GiB that maps nothing.
fn served() -> Small {
    let small = Small::new(8);
    small.hmem(8, Some("hmem"), Some((8 * GIB, Some("kmem"))));
    let end = BASE + 8 * GIB - 1;
    small.iomem(&[
        (0, BASE, BASE + 64 * GIB - 1, "CXL Window 0"),
        (1, BASE, end, "dax0.0"),
        (2, BASE, end, "System RAM (kmem)"),
    ]);
    small.memdev(0, 8, true);
    blocks(&small, "online");
    small
}

fn blocks(small: &Small, state: &str) {
    for block in (BASE >> 27)..((BASE + 8 * GIB) >> 27) {
        let path = format!("sys/devices/system/memory/memory{block}/state");
        small.file(&path, &format!("{state}\n"));
    }
}

/// As the kernel leaves the decoders of a region that was destroyed.
fn torn_down(small: &Small) {
    small.bridge(0, Some((BASE, 8 * GIB)), None);
    small.values(ENDPOINT, &[("mode", "ram".into())]);
}

/// As in a virtual machine: declared by hand, in a window that takes accelerators too.
fn by_hand(small: &Small) {
    std::fs::remove_dir_all(small.path().join("sys/firmware")).unwrap();
    small.file("proc/cmdline", &format!("memmap=8G%{BASE:#x}+0xefffffff\n"));
    small.values(WINDOW, &[("cap_type2", "1".into())]);
}

fn loss(small: &Small) -> Option<Problem> {
    let mut found = small.problems().into_iter();
    found.next().filter(|p| p.severity == Severity::Loss)
}

fn is_loss(small: &Small) -> bool {
    loss(small).is_some_and(|p| (p.kind, p.bytes) == (Kind::Undecoded, 8 * GIB))
}

#[test]
fn a_region_that_is_gone_leaves_memory_without_decoder() {
    let small = served();
    torn_down(&small);
    by_hand(&small);
    assert!(is_loss(&small), "{:#?}", small.problems());
    let problem = loss(&small).unwrap();
    assert!(problem.cause.contains("decoder1.0"), "{}", problem.cause);
    let commands = small.commands();
    assert_eq!(commands[0], "daxctl offline-memory dax0.0");
    assert!(!commands
        .iter()
        .any(|c| c.contains("online-memory dax0.0") && !c.contains("offline")));
    let usable: u64 = small.map().reserved[0]
        .pieces
        .iter()
        .filter_map(|p| p.usable_bytes())
        .sum();
    assert_eq!(usable, 0);
}

#[test]
fn once_offline_it_is_not_to_be_put_into_use_again() {
    let small = served();
    torn_down(&small);
    by_hand(&small);
    blocks(&small, "offline");
    assert_eq!(loss(&small), None);
    assert!(!small.commands().iter().any(|c| c.contains("dax0.0")));
    let offline = small.remarks("offline");
    assert!(offline.contains("nothing decodes"), "{offline}");
}

#[test]
fn what_does_not_tell_that_a_region_was_there() {
    type Change = fn(&Small);
    let changes: [(&str, Change); 5] = [
        ("the bridge's decoder is unused", |s| {
            s.bridge(0, None, None)
        }),
        ("no decoder below had capacity", |s| {
            s.values(ENDPOINT, &[("mode", "none".into())])
        }),
        ("it is locked, and decodes still", |s| {
            s.values(BRIDGE, &[("locked", "1".into())])
        }),
        ("a device shows no decoder", |s| s.memdev(1, 8, false)),
        ("it is mapped anew", |s| {
            s.maps(0, 0, (BASE, 8 * GIB), None);
        }),
    ];
    let blank = served();
    by_hand(&blank);
    assert!(!is_loss(&blank), "{:#?}", blank.problems());
    for (what, change) in changes {
        let small = served();
        torn_down(&small);
        by_hand(&small);
        change(&small);
        assert!(!is_loss(&small), "{what}: {:#?}", small.problems());
    }
}

#[test]
fn the_ledger_knows_regions_that_are_gone() {
    let small = served();
    by_hand(&small);
    let end = BASE + 8 * GIB - 1;
    small.file(
        "sys/kernel/debug/dax_hmem/ledger",
        &format!(
            "# dax_hmem ledger 1\nrange={BASE:#x}-{end:#x} state=hmem reason=no-region dev=hmem.0 errno=0\n\
             region=region7 range={BASE:#x}-{end:#x} driver=dax_cxl outcome=lost lost_to=hmem.0 errno=-12\n"
        ),
    );
    assert!(is_loss(&small), "{:#?}", small.problems());
    assert!(loss(&small).unwrap().cause.contains("region7"));
    // A locked decoder goes on, though the kernel knows its addresses no more.
    small.values(ENDPOINT, &[("locked", "1".into())]);
    assert!(!is_loss(&small), "{:#?}", small.problems());
}

/// A device that had a region maps by decoders alone, though none of them is committed now.
#[test]
fn a_device_that_had_a_region_maps_nothing_else() {
    let small = served();
    assert!(!is_loss(&small), "{:#?}", small.problems());
    small.values(ENDPOINT, &[("mode", "ram".into())]);
    assert!(!is_loss(&small), "{:#?}", small.problems());
    // Elsewhere in the window.
    small.bridge(0, Some((BASE + 32 * GIB, 8 * GIB)), None);
    assert!(is_loss(&small), "{:#?}", small.problems());
    let cause = loss(&small).unwrap().cause;
    assert!(cause.contains("since the region is gone"), "{cause}");
}

/// Declared, and not used since its region is gone: one can be made of it, for nothing else is there.
#[test]
fn what_nobody_maps_or_uses_can_become_a_region() {
    let small = Small::new(8);
    small.memdev(0, 8, true);
    torn_down(&small);
    let commands = small.commands();
    assert!(
        commands.iter().any(|c| c.starts_with("cxl create-region")),
        "{commands:#?}"
    );
}

/// HMEM's device is served as a file.
fn as_file(small: &Small) {
    let dax = "platform/hmem_platform.0/hmem.0/dax0.0";
    let driver = small.path().join(format!("sys/devices/{dax}/driver"));
    std::fs::remove_file(&driver).unwrap();
    std::os::unix::fs::symlink("/sys/bus/dax/drivers/device_dax", driver).unwrap();
}

/// Memory that kmem could not take away is System RAM still, and its device may be a file since.
#[test]
fn a_byte_is_counted_once() {
    let small = served();
    as_file(&small);
    let end = BASE + 8 * GIB - 1;
    small.file(
        "dev/kmsg",
        &format!("[  100.0] kmem dax0.0: mapping0: {BASE:#x}-{end:#x} stuck online until reboot\n"),
    );
    let problem = loss(&small).unwrap();
    assert_eq!((problem.kind, problem.bytes), (Kind::Stuck, 8 * GIB));
    let found = small.problems();
    assert!(!found.iter().any(|p| p.kind == Kind::DaxFile), "{found:#?}");
    let map = small.map();
    let whole = range(BASE, 8 * GIB);
    assert_eq!(map.used_bytes(&whole), 8 * GIB);
    assert_eq!(map.unsound_bytes(&whole), 8 * GIB);
}

#[test]
fn a_dead_file_is_to_be_used_no_more() {
    let small = served();
    torn_down(&small);
    by_hand(&small);
    as_file(&small);
    let end = BASE + 8 * GIB - 1;
    small.iomem(&[
        (0, BASE, BASE + 64 * GIB - 1, "CXL Window 0"),
        (1, BASE, end, "dax0.0"),
    ]);
    let problem = loss(&small).unwrap();
    assert_eq!(problem.kind, Kind::Undecoded);
    let ends = |l: &String| l.contains("end the programs");
    assert!(problem.remedy.iter().any(ends), "{problem:#?}");
    let file = small.remarks("dax-file");
    assert!(!file.contains("system-ram"), "{file}");
}

/// A device of 8 GiB is all in a region, and HMEM serves 8 GiB more.
fn beside_region() -> Small {
    let small = served();
    small.bridge(0, Some((BASE + 8 * GIB, 8 * GIB)), Some("region0"));
    small.maps(0, 0, (BASE + 8 * GIB, 8 * GIB), Some("region0"));
    small.region("region0", (BASE + 8 * GIB, 8 * GIB), true, &["decoder10.0"]);
    small
}

#[test]
fn what_a_region_has_of_a_device_is_nowhere_else() {
    let small = beside_region();
    assert!(is_loss(&small), "{:#?}", small.problems());
    // Where its decoder maps cannot be read, but the region says it.
    let small = beside_region();
    std::fs::remove_file(small.path().join(format!("sys/devices/{ENDPOINT}/start"))).unwrap();
    assert!(is_loss(&small), "{:#?}", small.problems());
    // How large it is does not matter then.
    let ram = "sys/devices/pci0000:0c/0000:0c:00.0/0000:00:00.0/mem0/ram";
    let small = beside_region();
    std::fs::remove_dir_all(small.path().join(ram)).unwrap();
    assert!(is_loss(&small), "{:#?}", small.problems());
}

#[test]
fn a_device_that_does_not_tell_its_size_is_told_of() {
    let small = served();
    assert_eq!(
        small.problems().first().map(|p| p.severity),
        Some(Severity::Note)
    );
    std::fs::remove_dir_all(
        small
            .path()
            .join("sys/devices/pci0000:0c/0000:0c:00.0/0000:00:00.0/mem0/ram"),
    )
    .unwrap();
    let found = small.problems();
    let told = found.iter().find(|p| p.kind == Kind::Unreadable);
    let told = told.unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(
        (told.severity, told.subject.as_str()),
        (Severity::Warning, "mem0")
    );
    assert!(told.cause.contains("capacity of mem0"), "{}", told.cause);
}
