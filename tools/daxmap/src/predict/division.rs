// SPDX-License-Identifier: GPL-2.0

//! Where one Soft Reserved entry ends and the next begins.
//!
//! The kernel joins neighbours of most types in its map, and Soft Reserved ones not
//! (`arch/x86/kernel/e820.c`): they may be of different nodes. It lists each entry of its map for dax_hmem by itself. What tells
//! the entries is asked in order of trust, byte by byte: what a better source tells of a range, no other
//! adds to.

use crate::log;
use crate::map::Map;
use crate::modules::Drivers;
use crate::range::{merge, Range};
use crate::tree::Tree;
use crate::{firmware, scan::Scan};

/// The entries within `reserved`, which is merged.
pub(super) fn divided(tree: &Tree, map: &Map, reserved: &[Range]) -> Vec<Range> {
    let scan = Scan::new(tree);
    // With the Rust drivers devices and resources show where the drivers cut, not firmware.
    let shows_entries = map.drivers != Drivers::Rust;
    let lines = map.iomem.iter().filter(|r| r.name == "Soft Reserved");
    let lines = lines.filter(|_| shows_entries).map(|r| r.range);
    let hmem = map.hmem.iter().filter(|_| shows_entries);
    let sources: [Vec<Range>; 5] = [
        log::soft_reserved_entries(&map.log),
        firmware::memmap_entries(&scan),
        firmware::command_line_entries(&map.host.command_line),
        lines.collect(),
        hmem.filter_map(|h| h.range).collect(),
    ];
    reserved
        .iter()
        .flat_map(|range| range.split_at(&edges(range, &sources)))
        .collect()
}

/// The entries of the best sources that divide a range.
fn edges(range: &Range, sources: &[Vec<Range>]) -> Vec<Range> {
    let mut known: Vec<Range> = Vec::new();
    let mut out = Vec::new();
    for source in sources {
        let here = source.iter().filter(|r| r.overlaps(range));
        let fresh: Vec<Range> = here
            .filter(|r| !known.iter().any(|k| k.overlaps(r)))
            .copied()
            .collect();
        known.extend(&fresh);
        known = merge(known);
        out.extend(fresh);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn r(start: u64, end: u64) -> Range {
        Range::new(start, end).unwrap()
    }

    #[test]
    fn a_better_source_is_not_divided_by_another() {
        let sources = [vec![r(0, 9)], vec![r(0, 4), r(5, 9), r(10, 14), r(15, 19)]];
        let whole = r(0, 19);
        let parts = whole.split_at(&edges(&whole, &sources));
        assert_eq!(parts, [r(0, 9), r(10, 14), r(15, 19)]);
    }

    #[test]
    fn without_evidence_a_range_is_one() {
        assert_eq!(r(0, 9).split_at(&edges(&r(0, 9), &[])), [r(0, 9)]);
    }
}
