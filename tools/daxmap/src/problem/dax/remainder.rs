// SPDX-License-Identifier: GPL-2.0

//! A device with a driver of which a part is not in use.

use super::{about, lines};
use crate::dax::DaxDevice;
use crate::map::Map;
use crate::own::Piece;
use crate::problem::{listed, Kind, Problem, Severity};
use crate::range::{subtract, Range};
use crate::size::human;
use crate::size::Total as _;

/// What of a range lies outside of whole memory blocks, and at which edge.
fn cut_off(range: &Range, block: u64) -> Vec<(Range, Option<&'static str>)> {
    let Some(inside) = range.aligned_inside(block) else {
        return vec![(*range, None)];
    };
    let edge = |r: &Range| match r.start < inside.start {
        true => Some("start"),
        false => Some("end"),
    };
    let parts = range.minus(&inside).into_iter();
    parts.map(|r| (r, edge(&r))).collect()
}

/// A device with a driver of which a part is not in use: cut to whole memory blocks.
pub(super) fn remainder(map: &Map, piece: &Piece, dax: &DaxDevice, lost: u64) -> Problem {
    let name = dax.name.as_str();
    let block = map.memory.block_size.unwrap_or(128 << 20);
    let cut: Vec<(Range, Option<&str>)> = dax
        .ranges
        .iter()
        .flat_map(|r| cut_off(r, block))
        .filter_map(|(r, edge)| Some((r.overlap(&piece.range)?, edge)))
        .collect();
    let cost = cut.iter().map(|(r, _)| r.len()).total();
    let said = lines(map, |e| about(e, name));
    if lost <= cost {
        let parts: Vec<String> = cut
            .iter()
            .map(|(r, edge)| match edge {
                Some(edge) => format!("{} at the {edge} of {name} ({r})", human(r.len())),
                None => format!("{} of {name} in no whole block ({r})", human(r.len())),
            })
            .collect();
        return Problem::new(Kind::Trimmed, Severity::Warning, name)
            .because(format!(
                "kmem works in whole memory blocks of {}; that costs {}",
                human(block),
                listed(&parts)
            ))
            .seen(said)
            .fix([format!(
                "# nothing to run: only what firmware aligns to {} is used whole as System RAM",
                human(block)
            )]);
    }
    // No driver cuts a device itself: memory beside it has another cause.
    let outside = !subtract(piece.range, &dax.ranges).is_empty();
    let what = match outside {
        true => format!("{name} has not all of the memory there"),
        false => format!(
            "{name} is bound to {}, but not all of it is in memory blocks",
            dax.driver.as_deref().unwrap_or("a driver")
        ),
    };
    Problem::new(Kind::Unexplained, Severity::Loss, name)
        .because(format!("{what}; nothing that could be read says why"))
        .seen(said)
        .fix([format!("# look: daxctl list --devices {name}")])
}
