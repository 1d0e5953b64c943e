// SPDX-License-Identifier: GPL-2.0

//! What must come out in the guest: the forecast of its own layout, range by range.

use crate::predict::{Decider, Forecast, Holder, Layout, Part, RegionAt};
use crate::range::Range;
use crate::size::Total as _;

use super::guest::{Guest, Marked};

/// Any place for the first window: what counts are the distances.
const BASE: u64 = 0x1_0000_0000 * 16;

/// A part of a range with one owner.
pub(super) struct Piece {
    /// From the start of the range.
    pub(super) at: u64,
    pub(super) size: u64,
    /// A word of the scenario's.
    pub(super) owner: &'static str,
}

/// What must become of a range.
pub(super) struct Outcome {
    pub(super) pieces: Vec<Piece>,
    /// Bytes.
    pub(super) online: u64,
}

impl Outcome {
    /// Bytes without an owner.
    pub(super) fn unowned(&self) -> u64 {
        let nobody = self.pieces.iter().filter(|p| p.owner == "nobody");
        nobody.map(|p| p.size).total()
    }
}

/// For each range of the guest.
pub(super) fn outcomes(guest: &Guest, decider: Decider) -> Vec<Outcome> {
    let forecast = Forecast::of(&layout(guest), decider);
    let ranges = guest.ranges.iter();
    ranges
        .map(|r| outcome(guest, &forecast, address(r)))
        .collect()
}

fn address(range: &Marked) -> Range {
    let base = if range.is_outside { 0 } else { BASE };
    Range {
        start: base + range.start,
        end: base + range.start + range.size.saturating_sub(1),
    }
}

/// The guest as its drivers will find it.
fn layout(guest: &Guest) -> Layout {
    let at = |start: u64, size: u64| Range::with_size(BASE + start, size);
    let windows = guest.windows.iter();
    let regions = guest.regions.iter().zip(0..);
    Layout::made(
        guest.ranges.iter().map(address).collect(),
        windows.filter_map(|w| at(w.start, w.size)).collect(),
        regions
            .filter_map(|(r, number)| {
                Some(RegionAt {
                    name: format!("region{number}"),
                    number,
                    range: at(r.start, r.size)?,
                    is_committed: true,
                    is_pmem: r.is_pmem,
                    has_dax_region: !r.is_pmem,
                    is_foreign: false,
                })
            })
            .collect(),
        guest.layout.policy,
        guest.layout.is_idle,
    )
}

fn outcome(guest: &Guest, forecast: &Forecast, range: Range) -> Outcome {
    let mut out = Outcome {
        pieces: Vec::new(),
        online: 0,
    };
    for part in &forecast.parts {
        let Some(here) = part.range.overlap(&range) else {
            continue;
        };
        // A part of the forecast may go on in the next range, where both touch.
        if here == part.range {
            out.online += part.ram_bytes;
        } else if part.ram_bytes > 0 {
            out.online += part.ram_bytes.min(here.len());
        }
        let (at, owner) = (here.start - range.start, owner(part));
        match out.pieces.last_mut() {
            Some(last) if last.owner == owner => last.size += here.len(),
            _ => out.pieces.push(Piece {
                at,
                size: here.len(),
                owner,
            }),
        }
    }
    if guest.is_offline {
        out.online = 0;
    }
    out
}

/// The lab calls owner who has a device there; persistent memory has none and is CXL's all the same.
fn owner(part: &Part) -> &'static str {
    let without_device = part
        .hindrance
        .as_ref()
        .is_some_and(|w| ["region-idle", "kept-by-region", "without-dax-cxl"].contains(&w.code));
    match part.holder {
        Holder::Cxl(_) if without_device => "nobody",
        Holder::Cxl(_) => "cxl",
        Holder::Hmem => "hmem",
        Holder::SystemRam | Holder::Driver(_) | Holder::Nobody => "nobody",
    }
}
