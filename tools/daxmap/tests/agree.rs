// SPDX-License-Identifier: GPL-2.0

//! Where the ledger speaks, what would be concluded without it agrees.

mod harm;

use daxmap::ledger::LEDGER_PATH;
use daxmap::{Map, Owner, Range, Tree};

/// What the ledger alone knows: a range that waits, or that nobody could serve, or who let it go, does
/// not show in devices; and a region that was there when HMEM decided may be gone.
fn is_told_only(owner: &Owner) -> bool {
    matches!(owner, Owner::Nobody | Owner::SystemRam)
}

fn owner_at(map: &Map, address: u64) -> Option<Owner> {
    let mut pieces = map.reserved.iter().flat_map(|r| &r.pieces);
    pieces
        .find(|p| p.range.has(address))
        .map(|p| p.owner.clone())
}

fn edges(map: &Map) -> Vec<Range> {
    let pieces = map.reserved.iter().flat_map(|r| &r.pieces);
    pieces.map(|p| p.range).collect()
}

#[test]
fn what_is_concluded_is_what_the_ledger_says() {
    let mut compared = 0;
    let mut differing = Vec::new();
    for path in harm::fixtures() {
        let mut files = harm::load(&path);
        if !files.contains_key(LEDGER_PATH) {
            continue;
        }
        let told = Map::read(&Tree::open(&path).unwrap());
        files.remove(LEDGER_PATH);
        let file = tempfile::NamedTempFile::new().unwrap();
        harm::save(&files, &file);
        let concluded = Map::read(&Tree::open(file.path()).unwrap());
        for range in edges(&told) {
            let Some(owner) = owner_at(&told, range.start).filter(|o| !is_told_only(o)) else {
                continue;
            };
            let other = owner_at(&concluded, range.start);
            compared += 1;
            if other.as_ref() != Some(&owner) {
                differing.push(format!(
                    "{range} of {}: {owner:?}, {other:?}",
                    path.display()
                ));
            }
        }
        let usable = |map: &Map| -> u64 {
            let pieces = map.reserved.iter().flat_map(|r| &r.pieces);
            pieces.filter_map(|p| p.usable_bytes()).sum()
        };
        if usable(&told) != usable(&concluded) {
            differing.push(format!("usable of {}", path.display()));
        }
    }
    assert!(differing.is_empty(), "{differing:#?}");
    assert!(compared > 50, "{compared}");
}
