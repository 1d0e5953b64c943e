// SPDX-License-Identifier: GPL-2.0

//! Regions that are no more, and whose addresses nothing maps since.
//!
//! The kernel does not log that it resets the decoders of a region. But the decoders of host bridges and
//! switches keep the addresses that they had last, in no region, and one of a memory device keeps its
//! mode, without capacity; so does the ledger of the Rust drivers know the regions that dax_cxl probed.
//! A decoder that firmware committed, and whose region was never assembled, looks otherwise: that of the
//! memory device is committed too.

use super::{Dead, Told, Why};
use crate::cxl::{EndpointDecoder, PortDecoder};
use crate::map::Map;
use crate::range::Range;

/// The addresses of such regions; a part of them may be mapped anew.
pub(super) fn find(map: &Map) -> Vec<Dead> {
    let mut out: Vec<Dead> = Vec::new();
    for port in &map.ports {
        if let Some(range) = stale(map, port) {
            add(map, &mut out, range, Told::Decoder(port.name.clone()));
        }
    }
    for outcome in map.ledger.iter().flat_map(|l| &l.outcomes) {
        let is_there = |r: Range| map.regions.iter().any(|x| x.range == Some(r));
        if let Some(range) = outcome.range.filter(|r| !is_there(*r)) {
            add(map, &mut out, range, Told::Ledger(outcome.region.clone()));
        }
    }
    out
}

/// The addresses that a port's decoder has from a region that is gone.
pub(super) fn stale(map: &Map, port: &PortDecoder) -> Option<Range> {
    let range = port.range?;
    if port.region.is_some() || port.locked {
        return None;
    }
    let below = map.endpoints.iter();
    let mut below = below.filter(|e| e.ports.contains(&port.port));
    let is_here = |e: &EndpointDecoder| e.range.is_some_and(|r| r.overlaps(&range));
    (!below.clone().any(is_here) && below.any(was_used)).then_some(range)
}

/// Whether a decoder had capacity once, which was taken from it.
fn was_used(decoder: &EndpointDecoder) -> bool {
    let has_mode = decoder.mode.as_deref().is_some_and(|m| m != "none");
    decoder.is_free() && has_mode
}

/// Whether a decoder was in a region that is gone: a port above it tells as well.
pub(super) fn was_in_region(map: &Map, decoder: &EndpointDecoder) -> bool {
    let mut above = map.ports.iter().filter(|p| decoder.ports.contains(&p.port));
    was_used(decoder) && above.any(|p| stale(map, p).is_some())
}

/// Adds a range, if every device that could map it shows its decoders, and none of them does. The kernel
/// resets no locked decoder, but forgets its addresses.
fn add(map: &Map, out: &mut Vec<Dead>, range: Range, told_by: Told) {
    let mut windows = map.windows.iter();
    let here = |r: Option<Range>| r.is_some_and(|r| r.overlaps(&range));
    let Some(window) = windows.find(|w| here(w.range)) else {
        return;
    };
    let behind = || map.behind(window);
    let is_mapped = map.endpoints.iter().any(|e| here(e.range));
    let forgotten = |e: &EndpointDecoder| e.locked && e.range.is_none();
    let locked = |name: &str| {
        map.endpoints
            .iter()
            .any(|e| e.memdev == name && forgotten(e))
    };
    let is_hidden = !map.unknown_cards.is_empty()
        || behind().any(|m| !map.shows_decoders(m) || locked(&m.name));
    if is_mapped || is_hidden || behind().next().is_none() {
        return;
    }
    let why = Why::RegionGone {
        told_by,
        memdevs: behind().map(|m| m.name.clone()).collect(),
    };
    if !out.iter().any(|d| d.range == range) {
        out.push(Dead { range, why });
    }
}
