// SPDX-License-Identifier: GPL-2.0

//! Range arithmetic: zero length, touching, overlapping, nested, and ends at `u64::MAX`.

use ownership::{range::sort_disjoint, Extent, Range};
use proptest::prelude::*;

fn range(start: u64, end: u64) -> Range {
    Range::new(start, end).expect("start <= end")
}

#[test]
fn zero_length_and_reversed_are_no_ranges() {
    assert_eq!(Range::from_start_size(0, 0), None);
    assert_eq!(Range::from_start_size(u64::MAX, 0), None);
    assert_eq!(Range::new(1, 0), None);
}

#[test]
fn sizes_at_the_top() {
    assert_eq!(
        Range::from_start_size(u64::MAX, 1),
        Range::new(u64::MAX, u64::MAX)
    );
    assert_eq!(Range::from_start_size(u64::MAX, 2), None);
    assert_eq!(Range::from_start_size(1, u64::MAX), Range::new(1, u64::MAX));
    let all = range(0, u64::MAX);
    assert_eq!(all.size(), None);
    assert_eq!(all.kib(), 1 << 54);
    assert_eq!(range(1, u64::MAX).size(), Some(u64::MAX));
}

#[test]
fn touching_overlapping_nested() {
    let a = range(0x1000, 0x1fff);
    assert!(!a.intersects(&range(0x2000, 0x2fff)));
    assert_eq!(a.intersection(&range(0x2000, 0x2fff)), None);
    assert_eq!(
        a.intersection(&range(0x1fff, 0x2fff)),
        Range::new(0x1fff, 0x1fff)
    );
    assert!(a.contains(&range(0x1800, 0x18ff)));
    assert!(!range(0x1800, 0x18ff).contains(&a));
    assert!(a.contains(&a));
}

#[test]
fn align_inward_at_both_ends_of_the_address_space() {
    let mib2 = 2 << 20;
    let low = range(0, mib2 - 1).align_inward(mib2);
    assert_eq!(low.inner, Range::new(0, mib2 - 1));
    assert_eq!((low.head, low.tail), (None, None));

    let high = range(u64::MAX - mib2, u64::MAX).align_inward(mib2);
    assert_eq!(high.inner, Range::new(u64::MAX - mib2 + 1, u64::MAX));
    assert_eq!(high.head, Range::new(u64::MAX - mib2, u64::MAX - mib2));

    let nothing = range(u64::MAX - 1, u64::MAX).align_inward(mib2);
    assert_eq!(nothing.inner, None);
    assert_eq!(
        range(0, u64::MAX).align_inward(mib2).inner,
        Range::new(0, u64::MAX)
    );
}

#[test]
fn alignments_that_are_none_leave_nothing() {
    for align in [0, 3, 6, u64::MAX] {
        let trim = range(0, 0xffff).align_inward(align);
        assert_eq!(trim.inner, None, "{align}");
        assert_eq!(trim.head, Some(range(0, 0xffff)));
    }
}

/// Any range, with both ends of the address space and small ones well represented.
fn any_range() -> impl Strategy<Value = Range> {
    let address = prop_oneof![
        any::<u64>(),
        0u64..64,
        (u64::MAX - 64)..=u64::MAX,
        (0u64..64).prop_map(|n| n << 21),
    ];
    (address.clone(), address).prop_map(|(a, b)| range(a.min(b), a.max(b)))
}

proptest! {
    #[test]
    fn below_and_above_part_a_range(r in any_range(), at in any::<u64>()) {
        let (below, above) = (r.below(at), r.above(at));
        let covered = |x: Option<Range>| x.map_or(0u128, |x| u128::from(x.end() - x.start()) + 1);
        let all = u128::from(r.end() - r.start()) + 1;
        let this = u128::from(r.contains_address(at));
        prop_assert_eq!(covered(below) + this + covered(above), all);
        prop_assert!(below.is_none_or(|b| b.end() < at && r.contains(&b)));
        prop_assert!(above.is_none_or(|a| a.start() > at && r.contains(&a)));
    }

    #[test]
    fn align_inward_keeps_every_byte(r in any_range(), shift in 0u32..40) {
        let align = 1u64 << shift;
        let trim = r.align_inward(align);
        let parts: Vec<_> = [trim.head, trim.inner, trim.tail].into_iter().flatten().collect();
        prop_assert_eq!(parts.first().map(Range::start), Some(r.start()));
        prop_assert_eq!(parts.last().map(Range::end), Some(r.end()));
        for pair in parts.windows(2) {
            prop_assert_eq!(pair[0].end() + 1, pair[1].start());
        }
        if let Some(inner) = trim.inner {
            prop_assert_eq!(inner.start() % align, 0);
            prop_assert_eq!(inner.end() % align, align - 1);
            // Nothing that could be served is trimmed.
            prop_assert!(trim.head.is_none_or(|h| h.end() - h.start() < align - 1));
            prop_assert!(trim.tail.is_none_or(|t| t.end() - t.start() < align - 1));
        }
    }

    #[test]
    fn sort_disjoint_keeps_the_union(ranges in prop::collection::vec(any_range(), 0..12)) {
        let mut extents: Vec<_> = ranges
            .iter()
            .zip(0..)
            .map(|(&range, region)| Extent { range, region })
            .collect();
        let kept = sort_disjoint(&mut extents).to_vec();

        for pair in kept.windows(2) {
            prop_assert!(pair[0].range.end() < pair[1].range.start());
        }
        let inside = |at| kept.iter().any(|e| e.range.contains_address(at));
        for r in &ranges {
            for at in [r.start(), r.end(), r.start() + (r.end() - r.start()) / 2] {
                prop_assert!(inside(at));
            }
            for at in [r.start().checked_sub(1), r.end().checked_add(1)].into_iter().flatten() {
                prop_assert_eq!(inside(at), ranges.iter().any(|r| r.contains_address(at)));
            }
        }
    }
}
