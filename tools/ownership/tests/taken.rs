// SPDX-License-Identifier: GPL-2.0

//! What neither HMEM nor CXL may have comes off a range before the decision about the rest, and
//! what lies side by side is joined where two devices would lose the seam.

use ownership::pieces::is_joined;
use ownership::range::{for_each_gap, sort_disjoint};
use ownership::{
    decide, for_each_piece, Extent, Extents, Fate, Mode, Obstacle, Range, Reason, Taken, World,
};
use proptest::prelude::*;
use std::convert::Infallible;

fn range(start: u64, end: u64) -> Range {
    Range::new(start, end).unwrap()
}

fn obstacle(start: u64, end: u64, taken: Taken) -> Obstacle {
    Obstacle {
        range: range(start, end),
        taken,
    }
}

fn gaps(range: &Range, records: &[Range]) -> Vec<Range> {
    let mut found = Vec::new();
    let Ok(()) = for_each_gap(range, records, |gap| {
        found.push(gap);
        Ok::<(), Infallible>(())
    });
    found
}

fn mode(taken: &[Obstacle], regions: &mut [Extent], settled: bool) -> (Mode, Reason) {
    let verdict = decide(
        &range(0, 99),
        &World {
            in_window: true,
            regions: Extents::new(regions),
            taken,
            settled,
        },
    );
    (verdict.mode, verdict.reason)
}

fn region(start: u64, end: u64, region: i32) -> Extent {
    Extent {
        range: range(start, end),
        region,
    }
}

#[test]
fn nobody_gets_a_range_that_nothing_decodes() {
    let gone = [obstacle(0, 99, Taken::Undecoded)];
    let left = Reason::NothingLeft {
        taken: Taken::Undecoded,
    };
    assert_eq!(mode(&gone, &mut [], true), (Mode::Leave, left));
    // CXL may still come back.
    assert_eq!(mode(&gone, &mut [], false).0, Mode::Defer);
}

#[test]
fn what_is_beside_it_is_hmems() {
    let gone = [obstacle(0, 49, Taken::Undecoded)];
    assert_eq!(
        mode(&gone, &mut [], true),
        (Mode::Register, Reason::NoRegion)
    );
}

#[test]
fn a_region_that_covers_the_rest_makes_it_cxls() {
    let foreign = [obstacle(40, 59, Taken::Foreign(7))];
    let mut both = [region(0, 39, 0), region(60, 99, 1)];
    let covered = Reason::Covered {
        region: 0,
        others: true,
    };
    assert_eq!(mode(&foreign, &mut both, false), (Mode::Drop, covered));
    let mut below = [region(0, 39, 0)];
    assert_eq!(
        mode(&foreign, &mut below, true),
        (Mode::Register, Reason::PartlyCovered { region: 0 })
    );
}

#[test]
fn outside_of_windows_what_is_taken_counts_too() {
    let all = [obstacle(0, 99, Taken::Excluded)];
    for settled in [false, true] {
        let verdict = decide(
            &range(0, 99),
            &World {
                in_window: false,
                regions: Extents::NONE,
                taken: &all,
                settled,
            },
        );
        assert_eq!(verdict.mode, Mode::Leave);
    }
}

#[test]
fn a_seam_inside_a_block_is_joined() {
    let (below, above) = (range(0, 99), range(100, 199));
    assert!(is_joined(&below, &above, &[], 64));
    // Two devices lose nothing there.
    assert!(!is_joined(&below, &above, &[], 50));
    // kmem could not reserve across it.
    assert!(!is_joined(&below, &above, &[100], 64));
    assert!(!is_joined(&below, &range(101, 199), &[], 64));
    let top = range(u64::MAX - 9, u64::MAX);
    assert!(!is_joined(&top, &below, &[], 64));
}

proptest! {
    #[test]
    fn gaps_and_records_are_the_range(
        (start, len) in (0u64..40, 1u64..40),
        records in prop::collection::vec((0u64..60, 1u64..20), 0..5),
    ) {
        let whole = range(start, start + len - 1);
        let mut records: Vec<Range> = records.iter().map(|&(s, l)| range(s, s + l - 1)).collect();
        let records = sort_disjoint(&mut records).to_vec();
        let found = gaps(&whole, &records);
        for at in 0..120 {
            let recorded = records.iter().any(|r| r.contains_address(at));
            let in_gap = found.iter().filter(|g| g.contains_address(at)).count();
            prop_assert_eq!(in_gap, usize::from(whole.contains_address(at) && !recorded));
        }
    }

    /// Whatever is taken, no byte of it is served, and the verdict is about the rest.
    #[test]
    fn nothing_that_is_taken_is_served(
        taken in prop::collection::vec((0u64..110, 1u64..40, 0usize..4), 0..4),
        regions in prop::collection::vec((0u64..110, 1u64..60), 0..3),
        settled: bool,
    ) {
        let kinds = [Taken::Undecoded, Taken::Stuck, Taken::Excluded, Taken::Foreign(9)];
        let mut taken: Vec<Obstacle> = taken
            .iter()
            .map(|&(s, l, k)| obstacle(s, s + l - 1, kinds[k]))
            .collect();
        let taken = sort_disjoint(&mut taken).to_vec();
        let mut extents: Vec<Extent> = regions
            .iter()
            .zip(0..)
            .map(|(&(s, l), n)| region(s, s + l - 1, n))
            .collect();
        let (mode, _) = mode(&taken, &mut extents, settled);
        let regions = Extents::new(&mut extents);
        let free = |at: &u64| !taken.iter().any(|o| o.range.contains_address(*at));
        let covered = |at: u64| regions.iter().any(|e| e.range.contains_address(at));
        let all_taken = !(0..100).any(|at| free(&at));
        let all_covered = (0..100).filter(free).all(covered);

        prop_assert_eq!(mode == Mode::Drop, all_covered && !all_taken);
        prop_assert_eq!(mode == Mode::Leave, all_taken && settled);
        let Ok(()) = for_each_piece(&range(0, 99), &taken, &[], 1, |piece| {
            let served = piece.fate == Fate::Serve;
            let bytes = piece.range.start()..=piece.range.end();
            assert!(bytes.into_iter().all(|at| free(&at) == served));
            Ok::<(), Infallible>(())
        });
    }
}
