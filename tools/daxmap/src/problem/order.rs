// SPDX-License-Identifier: GPL-2.0

//! The order of decoders: the kernel commits those of a host bridge, a switch or a device by their
//! numbers, and gives a new region the one behind the last that is committed.

use crate::cxl::port::number;
use crate::cxl::{EndpointDecoder, Memdev, Region};
use crate::map::Map;

/// A decoder among those of one port.
struct Place {
    number: u64,
    name: String,
    region: Option<String>,
    committed: bool,
    /// In no region, and without addresses.
    free: bool,
}

/// Of a device.
fn of_memdev(map: &Map, memdev: &str, gone: &[&Region]) -> Vec<Place> {
    let own = map.endpoints.iter().filter(|e| e.memdev == memdev);
    let place = |e: &EndpointDecoder| {
        let is_gone = is_in(gone, e.region.as_deref());
        Some(Place {
            number: number(&e.name)?,
            name: e.name.clone(),
            region: e.region.clone(),
            committed: map.is_committed(e) && !is_gone,
            free: e.is_free() || is_gone,
        })
    };
    sorted(own.filter_map(place).collect())
}

/// Of a host bridge or a switch.
fn of_port(map: &Map, port: &str, gone: &[&Region]) -> Vec<Place> {
    let own = map.ports.iter().filter(|d| d.port == port);
    sorted(
        own.filter_map(|d| {
            let is_gone = is_in(gone, d.region.as_deref());
            let region = d.region.as_ref().and_then(|name| map.region(name));
            let is_reset = region.is_some_and(Region::is_reset);
            let is_stale = map.is_stale(d);
            Some(Place {
                number: number(&d.name)?,
                name: d.name.clone(),
                region: d.region.clone(),
                committed: !(d.is_unused || is_reset || is_gone || is_stale),
                free: is_gone || is_stale || d.is_unused && d.region.is_none(),
            })
        })
        .collect(),
    )
}

fn is_in(regions: &[&Region], name: Option<&str>) -> bool {
    regions.iter().any(|r| Some(r.name.as_str()) == name)
}

fn sorted(mut places: Vec<Place>) -> Vec<Place> {
    places.sort_by_key(|p| p.number);
    places
}

/// The ports between the window and a device.
fn ports_above<'a>(map: &'a Map, memdev: &str) -> &'a [String] {
    let own = map.endpoints.iter().find(|e| e.memdev == memdev);
    own.map_or(&[], |e| &e.ports)
}

/// Whether a new region finds a decoder in a device, and in each port above it that shows its decoders,
/// once the regions `gone` are deleted.
pub(super) fn has_decoders(map: &Map, memdev: &Memdev, gone: &[&Region]) -> bool {
    let mut ports = ports_above(map, &memdev.name).iter();
    has_next(&of_memdev(map, &memdev.name, gone))
        && ports.all(|port| {
            let places = of_port(map, port, gone);
            places.is_empty() || has_next(&places)
        })
}

/// All below the first that is not committed are, none above it is, and it is free.
fn has_next(places: &[Place]) -> bool {
    let mut rest = places.iter().skip_while(|p| p.committed);
    rest.next().is_some_and(|p| p.free) && rest.all(|p| !p.committed)
}

/// What keeps the decoders of a region from being committed: one of a higher number that is committed,
/// or one of a lower number that is not.
pub(super) fn hinders(map: &Map, region: &Region) -> Option<String> {
    let members = region.targets.iter().filter_map(|t| t.memdev.as_deref());
    for memdev in members {
        let ports = ports_above(map, memdev).iter();
        let all = ports.map(|port| (port.as_str(), of_port(map, port, &[])));
        for (whose, places) in all.chain([(memdev, of_memdev(map, memdev, &[]))]) {
            let is_own = |p: &&Place| p.region.as_ref() == Some(&region.name);
            let Some(own) = places.iter().find(is_own) else {
                continue;
            };
            let above = places.iter().find(|p| p.number > own.number && p.committed);
            let below = places
                .iter()
                .find(|p| p.number < own.number && !p.committed);
            let (other, what) = match (above, below) {
                (Some(other), _) => (other, "is committed, and has to go first"),
                (None, Some(other)) => (other, "is not committed, and has to come first"),
                (None, None) => continue,
            };
            let of = match &other.region {
                Some(name) => format!(" of {name}"),
                None => String::new(),
            };
            return Some(format!(
                "the decoders of {whose} can be committed in the order of their numbers only: {}{of} {what}",
                other.name
            ));
        }
    }
    None
}
