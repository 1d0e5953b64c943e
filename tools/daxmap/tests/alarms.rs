// SPDX-License-Identifier: GPL-2.0

//! Alarms that were false: healthy machines of which something looks odd.

mod small;

use daxmap::Owner;
use small::{Small, BASE, GIB};

/// 16 GiB online with HMEM, and nothing that decodes them to be seen.
fn served() -> Small {
    let small = Small::new(16);
    small.hmem(16, Some("hmem"), Some((16 * GIB, Some("kmem"))));
    let end = BASE + 16 * GIB - 1;
    small.iomem(&[
        (0, BASE, BASE + 64 * GIB - 1, "CXL Window 0"),
        (1, BASE, end, "Soft Reserved"),
        (2, BASE, end, "dax0.0"),
        (3, BASE, end, "System RAM (kmem)"),
    ]);
    small
}

fn kinds(small: &Small) -> Vec<String> {
    let found = small.problems().into_iter();
    found.map(|p| p.kind.word().to_string()).collect()
}

/// Host bridges of some platforms translate: a decoder then has addresses of its own, not the window's.
#[test]
fn a_decoder_at_addresses_of_its_own() {
    let small = served();
    small.memdev(0, 16, true);
    small.maps(0, 0, (0, 16 * GIB), None);
    assert!(small.map().dead.is_empty(), "{:?}", kinds(&small));
    // At addresses of the window it maps just those.
    let small = served();
    small.memdev(0, 16, true);
    small.maps(0, 0, (BASE + 32 * GIB, 16 * GIB), None);
    assert!(!small.map().dead.is_empty());
}

/// A card that was taken out somewhere else says nothing of this window.
#[test]
fn another_card_that_was_taken_out() {
    for (port, is_dead) in [("0000:80:01.1", false), ("0000:0c:00.0", true)] {
        let small = served();
        let window = "platform/ACPI0017:00/root0/decoder0.0";
        small.values(window, &[("cap_type2", "1".into())]);
        let line = format!("4,1,90000000,-;pcieport {port}: pciehp: Slot(7): Card not present\n");
        small.file("dev/kmsg", &line);
        assert_eq!(!small.map().dead.is_empty(), is_dead, "{port}");
    }
}

/// RAM since boot holds the kernel itself.
#[test]
fn the_kernel_s_own_memory_is_no_accelerator_s() {
    let small = Small::new(0);
    small.memdev(0, 16, true);
    let range = (BASE, 16 * GIB);
    small.maps(0, 0, range, Some("region0"));
    small.region("region0", range, true, &["decoder10.0"]);
    let end = BASE + 16 * GIB - 1;
    small.iomem(&[
        (0, BASE, BASE + 64 * GIB - 1, "CXL Window 0"),
        (1, BASE, end, "region0"),
        (2, BASE, end, "System RAM"),
        (3, BASE + GIB, BASE + 2 * GIB - 1, "Crash kernel"),
    ]);
    let map = small.map();
    assert_eq!(map.accelerator_of(&map.regions[0]), None);
    let is_driver = |o: &Owner| matches!(o, Owner::Driver { .. });
    let pieces = map.reserved.iter().flat_map(|r| &r.pieces);
    assert!(!pieces.map(|p| &p.owner).any(is_driver));
}
