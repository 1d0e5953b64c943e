// SPDX-License-Identifier: GPL-2.0

//! hmem devices that serve nothing: unbound, or their probe failed.

use ownership::Why;

use super::piece::ALIGN;
use super::{dax, piece, remedy, Kind, Problem, Severity};
use crate::log::Event;
use crate::map::Map;
use crate::own::{Evidence, Piece, ReasonCode};
use crate::range::Range;
use crate::size::human;

/// Whether its hmem device has no driver, and no ledger says why.
pub(super) fn is_unbound(piece: &Piece) -> bool {
    piece.reason.code == ReasonCode::Known(Why::NotBound)
        && piece.reason.evidence != Evidence::Ledger
}

/// An hmem device that somebody unbound, or that no driver was there for.
pub(super) fn unbound(map: &Map, piece: &Piece) -> Problem {
    let device = piece.device.clone().unwrap_or_else(|| "hmem".into());
    let mut hmem = map.hmem.iter().filter(|h| h.name == device);
    let whole = hmem.find_map(|h| h.range).unwrap_or(piece.range);
    let bind = match piece::is_taken(map, &whole) {
        true => format!("# nothing to run: {device} cannot be bound while another dax region has a part of {whole}"),
        false => remedy::bind_hmem(&device),
    };
    Problem::new(Kind::NoDriver, Severity::Loss, device.as_str())
        .because(format!(
            "{device} has no driver, and no failed probe is known: it was unbound by hand, or dax_hmem \
             came without it"
        ))
        .seen([format!("/sys/bus/platform/devices/{device}")])
        .fix([bind])
}

/// The stock driver gives every failed probe the error -12; the range tells the causes apart.
pub(super) fn failed(map: &Map, piece: &Piece) -> Problem {
    let device = piece.device.clone().unwrap_or_else(|| "hmem".into());
    let failed = dax::lines(
        map,
        |e| matches!(e, Event::ProbeFailed { device: d, .. } if *d == device),
    );
    let conflict = dax::lines(
        map,
        |e| matches!(e, Event::Conflict { device: d, .. } if *d == device),
    );
    let make = |kind| Problem::new(kind, Severity::Loss, device.clone());
    if !conflict.is_empty() {
        return make(Kind::Conflict)
            .because(format!(
                "{device} found the range taken by another dax region"
            ))
            .seen(conflict)
            .fix(["# look: daxctl list --regions --devices"]);
    }
    if piece.range.aligned_inside(ALIGN) != Some(piece.range) {
        let (head, tail) = remainders(&piece.range);
        let sides: Vec<String> = [(head, "start"), (tail, "end")]
            .into_iter()
            .filter(|(bytes, _)| *bytes > 0)
            .map(|(bytes, side)| format!("{} too many at its {side}", human(bytes)))
            .collect();
        // Of what holds no memory block nobody makes System RAM.
        let block = map.memory.block_size.unwrap_or(128 << 20);
        let severity = match piece.range.aligned_inside(block) {
            Some(_) => Severity::Loss,
            None => Severity::Warning,
        };
        // The Rust drivers serve what is aligned in it, and kmem whole blocks; of the rest neither makes anything.
        let aligned = piece.range.aligned_inside(ALIGN);
        let holds_block = |b: &u64| piece.range.aligned_inside(*b).is_some();
        let known_block = map.memory.block_size.filter(holds_block);
        return Problem::new(Kind::Misaligned, severity, device.clone())
            .because(format!(
                "the range is not aligned to 2 MiB ({}), and the driver of {device} refuses it whole",
                sides.join(", ")
            ))
            .seen(failed)
            .fix(remedy::declare_aligned(&piece.range, ALIGN))
            .fix(known_block.map(|b| {
                format!("# (kmem uses whole memory blocks of {}: what is aligned to them is used whole)", human(b))
            }))
            .fix(match aligned {
                Some(_) => remedy::use_rust_modules(),
                None => Vec::new(),
            });
    }
    make(Kind::HmemProbeFailed)
        .because(format!(
            "{}; the range is aligned, and nothing else is known to hold it: the kernel may have been \
             short of memory then",
            piece.reason.text
        ))
        .seen(failed)
        .fix([remedy::bind_hmem(&device)])
}

/// Bytes outside the aligned inside, at the start and at the end.
fn remainders(range: &Range) -> (u64, u64) {
    match range.aligned_inside(ALIGN) {
        Some(inside) => (inside.start - range.start, range.end - inside.end),
        None => (0, range.len()),
    }
}
