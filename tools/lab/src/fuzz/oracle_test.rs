// SPDX-License-Identifier: GPL-2.0

//! Layouts whose outcome is known.

use super::*;

const G: u64 = 1024 * MIB;

fn around(regions: &[Span]) -> Surroundings {
    Surroundings {
        windows: vec![Span::new(0, 2 * G)],
        regions: regions.to_vec(),
        ..Surroundings::default()
    }
}

/// Pieces and bytes online of the first range.
fn first(surroundings: &Surroundings, ranges: &[Span]) -> (Vec<(Span, Owner)>, u64) {
    let outcome = surroundings.judge(ranges);
    let first = &outcome.ranges()[0];
    (first.pieces.clone(), first.online)
}

#[test]
fn two_regions_contain_a_range_together() {
    let regions = [Span::new(0, G / 2), Span::new(G / 2, G / 2)];
    let (pieces, online) = first(&around(&regions), &[Span::new(0, G)]);
    assert!(pieces.iter().all(|(_, owner)| *owner == Owner::Cxl));
    assert_eq!(online, G);
}

#[test]
fn a_smaller_region_loses_to_pieces() {
    let (pieces, online) = first(&around(&[Span::new(0, G / 2)]), &[Span::new(0, G)]);
    assert_eq!(pieces.len(), 2);
    assert!(pieces.iter().all(|(_, owner)| *owner == Owner::Hmem));
    assert_eq!(online, G);
}

#[test]
fn unaligned_ends_are_nobodys() {
    let (pieces, _) = first(&around(&[]), &[Span::new(MIB, 513 * MIB)]);
    assert_eq!(pieces[0], (Span::new(MIB, MIB), Owner::Nobody));
    assert_eq!(pieces.len(), 2);
}

#[test]
fn a_region_that_another_range_needs_stays_whole() {
    let ranges = [Span::new(0, G / 2), Span::new(3 * G / 4, G / 2)];
    let outcome = around(&[Span::new(0, G)]).judge(&ranges);
    let found = outcome.ranges();
    assert_eq!(found[0].pieces, [(ranges[0], Owner::Cxl)]);
    let second = [
        (Span::new(3 * G / 4, G / 4), Owner::Cxl),
        (Span::new(G, G / 4), Owner::Hmem),
    ];
    assert_eq!(found[1].pieces, second);
}

#[test]
fn what_no_longer_decodes_is_nobodys_and_the_rest_is_served() {
    let mut surroundings = around(&[]);
    surroundings.undecoded = vec![Span::new(0, G / 2)];
    let (pieces, online) = first(&surroundings, &[Span::new(0, G)]);
    let wanted = [
        (Span::new(0, G / 2), Owner::Nobody),
        (Span::new(G / 2, G / 2), Owner::Hmem),
    ];
    assert_eq!(pieces, wanted);
    assert_eq!(online, G / 2);

    // A region that has all that is left keeps it, and one that came back has its own.
    surroundings.regions = vec![Span::new(G / 2, G / 2)];
    let (pieces, _) = first(&surroundings, &[Span::new(0, G)]);
    assert_eq!(pieces[1].1, Owner::Cxl);
    surroundings.regions.push(Span::new(0, G / 2));
    let (pieces, online) = first(&surroundings, &[Span::new(0, G)]);
    assert!(pieces.iter().all(|(_, owner)| *owner == Owner::Cxl));
    assert_eq!(online, G);
}

#[test]
fn nothing_is_lost_at_a_seam_inside_a_block() {
    let surroundings = around(&[]);
    let ranges = [Span::new(0, 513 * MIB), Span::new(513 * MIB, 511 * MIB)];
    let outcome = surroundings.judge(&ranges);
    assert_eq!(outcome.hmem(), [Span::new(0, G)]);
    let online: Vec<u64> = outcome.ranges().iter().map(|range| range.online).collect();
    assert_eq!(online, [513 * MIB, 511 * MIB]);

    let ranges = [Span::new(0, G / 2), Span::new(G / 2, G / 2)];
    assert_eq!(surroundings.judge(&ranges).hmem(), ranges);
}

#[test]
fn a_seam_where_a_window_ends_stays_one() {
    let mut surroundings = around(&[]);
    surroundings.windows = vec![Span::new(0, G), Span::new(G, G)];
    let ranges = [Span::new(MIB, G), Span::new(G + MIB, G - MIB)];
    let wanted = [Span::new(2 * MIB, G - 2 * MIB), Span::new(G, G)];
    assert_eq!(surroundings.judge(&ranges).hmem(), wanted);
}

#[test]
fn somebody_elses_memory_is_an_obstacle() {
    let mut surroundings = around(&[]);
    surroundings.foreign = vec![Span::new(G / 2, 4096)];
    let outcome = surroundings.judge(&[Span::new(0, G)]);
    let wanted = [
        Span::new(0, G / 2),
        Span::new(G / 2 + 2 * MIB, G / 2 - 2 * MIB),
    ];
    assert_eq!(outcome.hmem(), wanted);
    assert_eq!(outcome.ranges()[0].online, G - 128 * MIB);
}
