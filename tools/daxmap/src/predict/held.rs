// SPDX-License-Identifier: GPL-2.0

//! What the drivers must not have: other drivers' memory, persistent memory, and what nothing is behind.

use ownership::Why as Word;

use super::known;
use crate::cxl::EndpointDecoder;
use crate::decode::Why as Gone;
use crate::map::Map;
use crate::own::{Owner, ReasonCode};
use crate::range::Range;

/// What no device is behind at the next boot either.
pub(super) fn dead(map: &Map) -> Vec<Range> {
    let lasting = map.dead.iter().filter(|d| match &d.why {
        Gone::Reset { region } => !map
            .region(region)
            .is_some_and(|r| known::comes_back(map, r)),
        // Firmware sets them up anew.
        Gone::Wiped { .. } => false,
        _ => true,
    });
    lasting.map(|d| d.range).collect()
}

/// What other drivers have now, as the ledger, or what the region is, tells.
pub(super) fn foreign(map: &Map) -> Vec<(Range, String)> {
    let pieces = map.reserved.iter().flat_map(|r| &r.pieces);
    let of_piece = pieces.filter_map(|p| match &p.owner {
        Owner::Driver { name } => Some((p.range, name.clone())),
        _ => None,
    });
    of_piece.chain(map.of_accelerators()).collect()
}

/// What holds contents that nobody may overwrite, though no region of it is committed.
pub(super) fn persistent(map: &Map) -> Vec<(Range, Option<i32>)> {
    let number = |name: &str| name.strip_prefix("region")?.parse().ok();
    let is_committed = |r: &&Range| map.committed_in(r).next().is_some();
    let is_persistent = |e: &&EndpointDecoder| e.mode.as_deref() == Some("pmem");
    let decoders = map.endpoints.iter().filter(is_persistent);
    let decoders = decoders.filter(|e| map.is_committed(e));
    let decoded = decoders.filter_map(|e| Some((e.range?, e.region.as_deref().and_then(number))));
    // The driver of its device may be away.
    let pieces = map.reserved.iter().flat_map(|r| &r.pieces);
    let told = pieces.filter(|p| p.reason.code == ReasonCode::Known(Word::Persistent));
    let all = decoded.chain(told.map(|p| (p.range, None)));
    all.filter(|(range, _)| !is_committed(&range)).collect()
}
