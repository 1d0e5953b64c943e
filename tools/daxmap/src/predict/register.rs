// SPDX-License-Identifier: GPL-2.0

//! What the Rust dax_hmem makes devices of: the parts of all ranges, joined where two would lose what
//! the seam between them cuts off, and aligned (`drivers/dax/hmem/soft_reserved/register.rs`). Parting,
//! joining and aligning are the driver's own (`drivers/dax/ownership/pieces.rs`).

use std::convert::Infallible;

use ownership::pieces::{edges, is_joined};
use ownership::{for_each_aligned, for_each_part, Fate, Obstacle};

use super::rust::{daxmap_range, pure};
use super::{Layout, Why, Word};
use crate::range::Range;

/// `dax::ALIGN` of the driver: a huge page.
const ALIGN: u64 = 2 << 20;

/// A range that HMEM owns.
pub(super) struct Own {
    pub(super) range: ownership::Range,
    /// What of it is not HMEM's, ascending and disjoint.
    pub(super) obstacles: Vec<Obstacle>,
}

/// The memory of each device, and what nobody serves.
pub(super) fn register(layout: &Layout, own: &[Own]) -> (Vec<Range>, Vec<(Range, Why)>) {
    let (mut parts, mut cuts): (Vec<ownership::Range>, Vec<u64>) = (Vec::new(), Vec::new());
    for own in own {
        let own_cuts = cuts_in(layout, &own.range);
        let Ok(()) = for_each_part::<Infallible>(&own.range, &own.obstacles, &own_cuts, |part| {
            parts.extend((part.fate == Fate::Serve).then_some(part.range));
            Ok(())
        });
        cuts.extend(own_cuts);
    }
    cuts.sort_unstable();
    // What an administrator divides need not be whole memory blocks.
    let block = match layout.is_idle {
        true => ALIGN,
        false => layout.block_size,
    };
    let joins = |below: &ownership::Range, above: &ownership::Range| {
        layout.is_one_node(below.start(), above.start()) && is_joined(below, above, &cuts, block)
    };

    let (mut served, mut lost) = (Vec::new(), Vec::new());
    for run in parts.chunk_by(joins) {
        let ends = run.first().zip(run.last());
        let Some(whole) = ends.and_then(|(a, b)| ownership::Range::new(a.start(), b.end())) else {
            continue;
        };
        let Ok(()) = for_each_aligned::<Infallible>(&whole, ALIGN, |piece| {
            if piece.fate == Fate::Serve {
                served.push(daxmap_range(&piece.range));
            }
            // Each range tells of its own bytes.
            let own = run.iter().filter_map(|r| r.intersection(&piece.range));
            let why = unserved(piece.fate);
            lost.extend(own.filter_map(|r| Some((daxmap_range(&r), why.clone()?))));
            Ok(())
        });
    }
    (served, lost)
}

/// The addresses in `range` that no device may cross.
fn cuts_in(layout: &Layout, range: &ownership::Range) -> Vec<u64> {
    let is_obstacle = |r: &Range| layout.obstacles.contains(r);
    let resources = layout.resources.iter().map(|(_, r)| r);
    let mut cuts: Vec<u64> = resources
        .filter(|r| !is_obstacle(r))
        .filter_map(pure)
        .flat_map(|r| edges(&r))
        .filter(|&cut| range.contains_address(cut))
        .collect();
    cuts.extend(layout.node_changes(&daxmap_range(range)));
    cuts.sort_unstable();
    cuts
}

fn unserved(fate: Fate) -> Option<Why> {
    let cut = |code: Word, side: &str| {
        let text = format!("cut off: the range does not {side} at a 2 MiB boundary");
        Some(Why::known(code, text))
    };
    match fate {
        Fate::UnalignedHead => cut(Word::UnalignedStart, "start"),
        Fate::UnalignedTail => cut(Word::UnalignedEnd, "end"),
        Fate::TooSmall => Some(Why::known(
            Word::TooSmall,
            "no part of it is aligned to 2 MiB",
        )),
        Fate::Serve | Fate::Taken(_) => None,
    }
}
