// SPDX-License-Identifier: GPL-2.0

//! The invariants of the ownership logic, over random layouts and over every small one.
//!
//! A layout is a Soft Reserved range, the CXL regions of the machine, the cuts that windows and
//! regions make, and what is System RAM already. Whatever it is: each byte of the range has
//! exactly one fate, and what HMEM serves can be reserved by kmem.

use ownership::{
    decide, for_each_piece, pieces::edges, range::sort_disjoint, Coverage, Extent, Extents, Fate,
    Mode, Obstacle, Piece, Range, Reason, Taken, World,
};
use proptest::prelude::*;
use std::convert::Infallible;

const ALIGN: u64 = 4;

fn pieces(range: &Range, obstacles: &[Obstacle], cuts: &[u64], align: u64) -> Vec<Piece> {
    let mut found = Vec::new();
    let Ok(()) = for_each_piece(range, obstacles, cuts, align, |piece| {
        found.push(piece);
        Ok::<(), Infallible>(())
    });
    found
}

/// Checks what must hold of the pieces of any layout.
fn check_pieces(range: &Range, obstacles: &[Obstacle], edges: &[Range], cuts: &[u64], align: u64) {
    let found = pieces(range, obstacles, cuts, align);
    let context = || format!("{range:x?} {obstacles:x?} {cuts:x?} -> {found:x?}");

    // No byte is lost and none has two owners.
    assert_eq!(
        found.first().map(|p| p.range.start()),
        Some(range.start()),
        "{}",
        context()
    );
    assert_eq!(
        found.last().map(|p| p.range.end()),
        Some(range.end()),
        "{}",
        context()
    );
    for pair in found.windows(2) {
        assert_eq!(
            pair[0].range.end() + 1,
            pair[1].range.start(),
            "{}",
            context()
        );
    }
    for piece in &found {
        let taken = obstacles.iter().any(|o| o.range.intersects(&piece.range));
        match piece.fate {
            Fate::Serve => {
                assert!(!taken, "{}", context());
                assert_eq!(piece.range.start() % align, 0, "{}", context());
                assert_eq!(piece.range.end() % align, align - 1, "{}", context());
                // It lies inside or outside of every resource, never across an edge.
                for edge in edges {
                    assert!(
                        edge.contains(&piece.range) || !edge.intersects(&piece.range),
                        "{edge:x?} {}",
                        context()
                    );
                }
            }
            Fate::Taken(_) => assert!(taken, "{}", context()),
            Fate::UnalignedHead | Fate::UnalignedTail => {
                assert!(!taken, "{}", context());
                assert!(
                    piece.range.end() - piece.range.start() < align - 1,
                    "{}",
                    context()
                );
            }
            Fate::TooSmall => {
                assert!(!taken, "{}", context());
                assert_eq!(piece.range.align_inward(align).inner, None, "{}", context());
            }
        }
    }
}

/// What the driver does with the edges of resources.
fn cuts_of(resources: &[Range]) -> Vec<u64> {
    let mut cuts: Vec<u64> = resources.iter().flat_map(edges).collect();
    cuts.sort_unstable();
    cuts
}

/// Checks what must hold of the decision about a range.
fn check_decision(range: &Range, regions: Extents<'_>, in_window: bool) {
    let covered = |at| regions.iter().any(|e| e.range.contains_address(at));
    let world = |settled| World {
        in_window,
        regions,
        taken: &[],
        settled,
    };
    let early = decide(range, &world(false));
    let late = decide(range, &world(true));

    // Settled means decided, and a "yes" is the same early and late.
    assert_ne!(late.mode, Mode::Defer);
    assert_eq!(early.mode == Mode::Drop, late.mode == Mode::Drop);
    if early.mode != Mode::Defer {
        assert_eq!(early, late);
    }
    // Without a window there is nothing to wait for.
    assert_eq!(early.reason == Reason::OutsideWindows, !in_window);

    // CXL owns exactly what it covers whole. The edges of the regions are where it can differ.
    let mut probes = vec![range.start(), range.end()];
    for e in regions.iter() {
        probes.extend([e.range.start(), e.range.end()]);
        probes.extend(e.range.start().checked_sub(1));
        probes.extend(e.range.end().checked_add(1));
    }
    probes.retain(|&at| range.contains_address(at));
    let all = probes.iter().all(|&at| covered(at));
    let some = probes.iter().any(|&at| covered(at));
    match regions.cover(range) {
        Coverage::Full { .. } => assert!(all),
        Coverage::Part { .. } => assert!(some && !all),
        Coverage::None => assert!(!some),
    }
    assert_eq!(late.mode == Mode::Drop, in_window && all);
}

/// Every layout of one range, two regions and one stretch of System RAM among 8 units of memory.
#[test]
fn every_small_layout() {
    const UNITS: u64 = 8;
    let all: Vec<Range> = (0..UNITS)
        .flat_map(|a| (a..UNITS).filter_map(move |b| Range::new(a, b)))
        .collect();
    let mut layouts = 0u64;

    for range in &all {
        for a in &all {
            for b in &all {
                let mut extents = [
                    Extent {
                        range: *a,
                        region: 0,
                    },
                    Extent {
                        range: *b,
                        region: 1,
                    },
                ];
                let regions = Extents::new(&mut extents);
                check_decision(range, regions, true);
                check_decision(range, regions, false);

                let kept: Vec<Range> = regions.iter().map(|e| e.range).collect();
                let cuts = cuts_of(&kept);
                check_pieces(range, &[], &kept, &cuts, 2);
                for ram in &all {
                    let ram = [Obstacle {
                        range: *ram,
                        taken: Taken::SystemRam,
                    }];
                    check_pieces(range, &ram, &kept, &cuts, 2);
                    layouts += 1;
                }
            }
        }
    }
    assert_eq!(layouts, 36 * 36 * 36 * 36);
}

/// Ranges near each other, so that they touch and overlap often; some at the very top.
fn near() -> impl Strategy<Value = Range> {
    let small = (0u64..200, 0u64..60);
    let top = (0u64..60, 0u64..60);
    prop_oneof![
        4 => small.prop_map(|(at, more)| Range::new(at, at + more).expect("ordered")),
        1 => top.prop_map(|(below, more)| {
            let end = u64::MAX - below.saturating_sub(more);
            Range::new(u64::MAX - below, end).expect("ordered")
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn any_layout(
        range in near(),
        regions in prop::collection::vec(near(), 0..6),
        windows in prop::collection::vec(near(), 0..3),
        ram in prop::collection::vec(near(), 0..4),
        split in any::<bool>(),
    ) {
        let mut extents: Vec<Extent> = regions
            .iter()
            .zip(0..)
            .map(|(&range, region)| Extent { range, region })
            .collect();
        let committed = Extents::new(&mut extents);
        check_decision(&range, committed, true);

        let mut obstacles: Vec<Obstacle> = ram
            .iter()
            .map(|&range| Obstacle { range, taken: Taken::SystemRam })
            .collect();
        if split {
            obstacles.extend(committed.iter().map(|e| Obstacle {
                range: e.range,
                taken: Taken::Region(e.region),
            }));
        }
        let obstacles = sort_disjoint(&mut obstacles);
        let mut resources = regions.clone();
        resources.extend(windows);
        check_pieces(&range, obstacles, &resources, &cuts_of(&resources), ALIGN);
    }

    /// Several ranges, one decision each: no byte has two owners, and none that CXL or HMEM owns
    /// is lost to the other.
    #[test]
    fn no_byte_has_two_owners(
        ranges in prop::collection::vec(near(), 1..6),
        regions in prop::collection::vec(near(), 0..4),
    ) {
        let mut records: Vec<Extent> = ranges
            .iter()
            .map(|&range| Extent { range, region: 0 })
            .collect();
        let records = sort_disjoint(&mut records).to_vec();
        let mut extents: Vec<Extent> = regions
            .iter()
            .zip(0..)
            .map(|(&range, region)| Extent { range, region })
            .collect();
        let committed = Extents::new(&mut extents);
        let kept: Vec<Range> = committed.iter().map(|e| e.range).collect();
        let modes: Vec<Mode> = records
            .iter()
            .map(|r| decide(&r.range, &World {
                in_window: true,
                regions: committed,
                taken: &[],
                settled: true,
            }).mode)
            .collect();

        // As the driver does: first what CXL needs, then what HMEM takes.
        let mut held: Vec<Obstacle> = Vec::new();
        for (record, _) in records.iter().zip(&modes).filter(|(_, &m)| m == Mode::Drop) {
            held.extend(committed.intersecting(&record.range).iter().map(|e| Obstacle {
                range: e.range,
                taken: Taken::Region(e.region),
            }));
        }
        let held = sort_disjoint(&mut held);
        let mut served: Vec<Range> = Vec::new();
        for (record, _) in records.iter().zip(&modes).filter(|(_, &m)| m == Mode::Register) {
            let found = pieces(&record.range, held, &cuts_of(&kept), ALIGN);
            served.extend(found.iter().filter(|p| p.fate == Fate::Serve).map(|p| p.range));
        }

        for (i, a) in served.iter().enumerate() {
            for b in &served[i + 1..] {
                prop_assert!(!a.intersects(b));
            }
        }
        // dax_cxl gets the regions of which HMEM has taken nothing, each of them whole.
        let cxl: Vec<Range> = kept
            .iter()
            .copied()
            .filter(|region| !served.iter().any(|s| s.intersects(region)))
            .collect();
        for (record, mode) in records.iter().zip(&modes) {
            if *mode == Mode::Drop {
                for region in committed.intersecting(&record.range) {
                    prop_assert!(cxl.contains(&region.range));
                }
                continue;
            }
            for piece in pieces(&record.range, held, &cuts_of(&kept), ALIGN) {
                if let Fate::Taken(Taken::Region(_)) = piece.fate {
                    prop_assert!(cxl.iter().any(|r| r.contains(&piece.range)));
                }
            }
        }
    }
}
