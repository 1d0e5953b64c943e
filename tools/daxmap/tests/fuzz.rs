// SPDX-License-Identifier: GPL-2.0

//! Captured trees, broken at random: reading them never panics, and what it gives stays consistent.

mod harm;

use daxmap::{problem, Map, Tree};
use std::collections::BTreeMap;

use harm::{apply, cases, fixtures, harm, load, save, unpack};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// What holds for every map, however broken its tree.
fn check(map: &Map) {
    let mut before: Option<u64> = None;
    for reserved in &map.reserved {
        assert!(
            before.is_none_or(|b| b < reserved.range.start),
            "ranges overlap"
        );
        before = Some(reserved.range.end);
        let mut next = Some(reserved.range.start);
        for piece in &reserved.pieces {
            assert_eq!(
                Some(piece.range.start),
                next,
                "pieces leave a hole or overlap"
            );
            next = piece.range.end.checked_add(1);
            let len = piece.range.len();
            assert!(piece.online_bytes.is_none_or(|b| b <= len));
            assert!(piece.offline_bytes.is_none_or(|b| b <= len));
        }
        assert_eq!(
            next,
            reserved.range.end.checked_add(1),
            "pieces end elsewhere"
        );
    }
    for p in problem::find(map) {
        assert!(!p.cause.is_empty(), "{:?}", p.kind);
        assert!(p.range.is_none_or(|r| p.bytes <= r.len()), "{p:?}");
    }
    serde_json::to_string(map).unwrap();
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn broken_trees_are_read(fixture in any::<Index>(), harms in proptest::collection::vec(harm(), 1..12)) {
        let mut files = load(fixture.get(&fixtures()));
        for harm in &harms {
            apply(&mut files, harm);
        }
        let out = tempfile::NamedTempFile::new().unwrap();
        save(&files, &out);
        // A tree without proc/ and sys/ is refused, which is an answer too.
        if let Ok(tree) = Tree::open(out.path()) {
            check(&Map::read(&tree));
        }
    }

    #[test]
    fn broken_directories_are_read(fixture in any::<Index>(), harms in proptest::collection::vec(harm(), 1..12)) {
        let mut files = load(fixture.get(&fixtures()));
        for harm in &harms {
            apply(&mut files, harm);
        }
        let dir = tempfile::tempdir().unwrap();
        unpack(&files, dir.path());
        if let Ok(tree) = Tree::open(dir.path()) {
            check(&Map::read(&tree));
        }
    }

    #[test]
    fn broken_archives_are_read_or_refused(fixture in any::<Index>(), at in any::<Index>(), byte in any::<u8>(), cut in any::<Index>()) {
        let mut data = std::fs::read(fixture.get(&fixtures())).unwrap();
        let at = at.index(data.len());
        data[at] = byte;
        data.truncate(cut.index(data.len()) + 1);
        let out = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(out.path(), data).unwrap();
        if let Ok(tree) = Tree::open(out.path()) {
            check(&Map::read(&tree));
        }
    }
}

/// A fuzzer that breaks nothing finds nothing: every way to break a tree does change one.
#[test]
fn each_kind_of_harm_is_done() {
    let whole: Vec<_> = fixtures().iter().take(4).map(load).collect();
    let mut runner = TestRunner::deterministic();
    let mut done: BTreeMap<String, u32> = BTreeMap::new();
    for round in 0..2000 {
        let harm = harm().new_tree(&mut runner).unwrap().current();
        let name = format!("{harm:?}");
        let kind = name.split('(').next().unwrap_or_default().to_string();
        let before = &whole[round % whole.len()];
        let mut files = before.clone();
        apply(&mut files, &harm);
        *done.entry(kind).or_default() += u32::from(files != *before);
    }
    assert_eq!(done.len(), 11, "{done:?}");
    for (kind, times) in &done {
        assert!(
            *times >= 10,
            "{kind} changed a tree {times} times only: {done:?}"
        );
    }
}

/// Each byte that is not usable is in exactly one problem. Persistent memory is not to be used so.
#[test]
fn every_lost_byte_is_explained_once() {
    for path in fixtures() {
        let map = Map::read(&Tree::open(&path).unwrap());
        check(&map);
        let pieces = map.reserved.iter().flat_map(|r| &r.pieces);
        let in_reserved: u64 = pieces
            .map(|p| p.range.len() - p.usable_bytes().unwrap_or(p.range.len()))
            .sum();
        let reserved: Vec<_> = map.reserved.iter().map(|r| r.range).collect();
        let in_regions: u64 = map
            .regions
            .iter()
            .filter(|r| r.is_committed() && r.mode.as_deref() != Some("pmem"))
            .filter_map(|r| r.range)
            .flat_map(|r| daxmap::range::subtract(r, &reserved))
            .map(|r| r.len() - map.online_bytes(r).unwrap_or(r.len()) + map.unsound_bytes(&r))
            .sum();
        let explained: u64 = problem::find(&map).iter().map(|p| p.bytes).sum();
        assert_eq!(explained, in_reserved + in_regions, "{}", path.display());
    }
}
