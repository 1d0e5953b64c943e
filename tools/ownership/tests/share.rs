// SPDX-License-Identifier: GPL-2.0

//! What an interleave set without a region decodes.

use ownership::{Range, Share};

fn share(start: u64, end: u64, ways: u32) -> Share {
    let range = Range::new(start, end).unwrap();
    Share {
        range,
        ways,
        persistent: false,
    }
}

#[test]
fn a_set_decodes_with_all_of_its_devices() {
    let set = share(0x1000, 0x1fff, 2);
    let other = share(0x1000, 0x1fff, 4);
    let alone = share(0x3000, u64::MAX, 1);

    assert!(set.is_complete([set, alone, set].into_iter()));
    assert!(!set.is_complete([set, alone].into_iter()));
    // Its decoders do not agree on how many they are.
    assert!(!set.is_complete([set, other].into_iter()));
    assert!(alone.is_complete([set, alone].into_iter()));
}
