// SPDX-License-Identifier: GPL-2.0

//! Causes that were told wrong: room of a region, addresses that cannot be read, what is long gone.

mod small;

use small::{Small, BASE, GIB};

const WHOLE: (u64, u64) = (BASE, 16 * GIB);

/// A region of 16 GiB that dax_cxl has, with one device of so many bytes.
fn divided(mode: &str, size: u64, driver: Option<&str>) -> Small {
    let small = Small::new(16);
    small.memdev(0, 16, true);
    small.maps(0, 0, WHOLE, Some("region0"));
    let region = small.region("region0", WHOLE, true, &["decoder10.0"]);
    small.values(&region, &[("mode", mode.into())]);
    let dax_region = format!("{region}/dax_region0");
    small.device("cxl", &dax_region, Some("cxl_dax_region"));
    let dax = format!("{dax_region}/dax0.0");
    small.device("dax", &dax, driver);
    small.values(
        &dax,
        &[
            ("size", size.to_string()),
            ("target_node", "1".into()),
            ("align", "2097152".into()),
        ],
    );
    let end = BASE + 16 * GIB - 1;
    let window = (0, BASE, BASE + 64 * GIB - 1, "CXL Window 0");
    if size == 0 {
        small.iomem(&[window, (1, BASE, end, "region0")]);
        return small;
    }
    let last = BASE + size - 1;
    small.iomem(&[
        window,
        (1, BASE, end, "region0"),
        (2, BASE, last, "dax0.0"),
        (3, BASE, last, "System RAM (kmem)"),
    ]);
    small
}

#[test]
fn room_of_a_region_is_not_cut_off() {
    let small = divided("ram", 4 * GIB, Some("kmem"));
    assert_eq!(small.commands(), ["daxctl create-device -r 0"]);
    let found = small.problems();
    let room = found
        .iter()
        .find(|p| p.kind.word() == "unallocated")
        .unwrap();
    assert_eq!(room.bytes, 12 * GIB, "{found:#?}");
    assert!(found.iter().all(|p| p.kind.word() != "trimmed"));
}

#[test]
fn a_region_without_size_is_not_dax_hmems() {
    let small = divided("ram", 0, None);
    let found = small.problems();
    assert!(
        found.iter().all(|p| !p.cause.contains("dax_hmem")),
        "{found:#?}"
    );
    assert!(small.commands().contains(&format!(
        "echo {} > /sys/bus/dax/devices/dax0.0/size",
        16 * GIB
    )));
}

#[test]
fn dynamic_capacity_is_not_made_by_hand() {
    for (size, driver) in [(4 * GIB, Some("kmem")), (0, None)] {
        let small = divided("dynamic_ram_a", size, driver);
        assert!(small.commands().is_empty(), "{:#?}", small.commands());
    }
}

#[test]
fn addresses_that_cannot_be_read_are_not_said_to_hold_nothing() {
    let small = Small::new(16);
    small.memdev(0, 16, true);
    small.maps(0, 0, WHOLE, None);
    small.hmem(16, Some("hmem"), Some((16 * GIB, None)));
    let dax = "sys/devices/platform/hmem_platform.0/hmem.0/dax0.0";
    std::fs::remove_dir_all(small.path().join(dax).join("mapping0")).unwrap();
    let found = small.problems();
    assert!(
        found.iter().all(|p| p.kind.word() != "trimmed"),
        "{found:#?}"
    );
    assert!(small.remarks("no-driver").contains("as root"));
}

#[test]
fn what_is_gone_does_not_hold_memory() {
    let small = Small::new(16);
    small.memdev(0, 16, true);
    small.maps(0, 0, WHOLE, None);
    small.hmem(16, Some("hmem"), Some((16 * GIB, None)));
    let end = BASE + 16 * GIB - 1;
    small.file(
        "dev/kmsg",
        &format!(
            "3,1,11000000,-;kmem dax0.0: mapping0: {BASE:#x}-{end:#x} could not reserve region\n"
        ),
    );
    let bind = ["echo dax0.0 > /sys/bus/dax/drivers/kmem/bind"];
    assert_eq!(small.commands(), bind);
    small.iomem(&[(0, BASE, end, "acpi_foo")]);
    assert!(small.commands().is_empty(), "{:#?}", small.problems());
}

#[test]
fn a_device_that_was_detached_is_not_gone() {
    let small = Small::new(0);
    small.memdev(0, 16, true);
    small.region("region0", WHOLE, false, &[""]);
    let found = small.problems();
    let lacks = found.iter().find(|p| p.subject == "region0").unwrap();
    assert!(lacks.cause.contains("mem0 is there"), "{}", lacks.cause);
    assert!(lacks.remedy.iter().any(|l| l.contains("delete_region")));
}
