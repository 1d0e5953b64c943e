// SPDX-License-Identifier: GPL-2.0

//! Memory that may be another's, that nothing answers for while programs have it, or that is told twice.

mod small;

use daxmap::problem::{is_policy, Kind, Severity};
use small::{Small, BASE, GIB};

const WINDOW: &str = "platform/ACPI0017:00/root0/decoder0.0";

fn for_accelerators() -> Small {
    let small = Small::new(8);
    small.values(
        WINDOW,
        &[("cap_type2", "1".into()), ("cap_type3", "0".into())],
    );
    small.hmem(8, Some("hmem"), Some((8 * GIB, Some("kmem"))));
    let end = BASE + 8 * GIB - 1;
    small.iomem(&[
        (0, BASE, BASE + 64 * GIB - 1, "CXL Window 0"),
        (1, BASE, end, "dax0.0"),
        (2, BASE, end, "System RAM (kmem)"),
    ]);
    small
}

#[test]
fn a_window_for_accelerators_is_told() {
    let small = for_accelerators();
    let problems = small.problems();
    let found = problems.iter().find(|p| p.kind == Kind::Foreign).unwrap();
    assert_eq!((found.severity, found.bytes), (Severity::Note, 0));
    assert!(found.cause.contains("CXL type 2"), "{}", found.cause);
    assert!(found.remedy[0].contains("exclude=0x2080000000-0x227fffffff"));
    // One that takes memory expanders as well says nothing.
    small.values(WINDOW, &[("cap_type3", "1".into())]);
    assert!(small.problems().iter().all(|p| p.kind != Kind::Foreign));
}

/// Firmware declares 9 GiB, of which the one device maps 8, and a program has all of it.
#[test]
fn a_file_that_nothing_is_behind_is_to_be_closed() {
    for (driver, users) in [
        ("device_dax", "end the programs that have /dev/dax0.0 open"),
        ("fsdev_dax", "unmount what is on /dev/dax0.0"),
    ] {
        let small = Small::new(9);
        small.memdev(0, 8, true);
        small.maps(0, 0, (BASE, 8 * GIB), None);
        small.hmem(9, Some("hmem"), Some((9 * GIB, Some(driver))));
        let remarks = small.remarks("undecoded");
        assert!(remarks.contains(users), "{remarks}");
        assert!(
            remarks.contains(&format!("drivers/{driver}/unbind")),
            "{remarks}"
        );
        for problem in small.problems().iter().filter(|p| p.kind == Kind::DaxFile) {
            let text = problem.remedy.join("\n");
            let is_whole = text.is_empty() || text.starts_with("# nothing to run");
            assert!(is_whole, "{text}");
        }
    }
}

#[test]
fn a_region_disabled_by_hand_is_told_once() {
    let small = Small::new(8);
    small.memdev(0, 8, true);
    small.maps(0, 0, (BASE, 8 * GIB), Some("region0"));
    small.region("region0", (BASE, 8 * GIB), false, &["decoder10.0"]);
    small.values(&format!("{WINDOW}/region0"), &[("commit", "1".into())]);
    let problems = small.problems();
    let about: Vec<Kind> = problems
        .iter()
        .filter(|p| p.subject == "region0")
        .map(|p| p.kind)
        .collect();
    assert_eq!(about, [Kind::RegionIdle], "{problems:#?}");
    assert_eq!(small.commands(), ["cxl enable-region region0"]);
}

#[test]
fn what_the_policy_keeps_offline_is_meant_so() {
    let small = for_accelerators();
    let memory = "sys/devices/system/memory";
    for n in BASE / (128 << 20)..(BASE + 8 * GIB) / (128 << 20) {
        small.file(&format!("{memory}/memory{n}/state"), "offline\n");
    }
    let offline = |small: &Small| {
        let problems = small.problems();
        let found = problems.iter().find(|p| p.kind == Kind::Offline);
        is_policy(&small.map(), found.unwrap())
    };
    assert!(!offline(&small));
    small.file(&format!("{memory}/auto_online_blocks"), "offline\n");
    assert!(offline(&small));
}
