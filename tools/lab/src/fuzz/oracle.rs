// SPDX-License-Identifier: GPL-2.0

//! What must become of each page of a layout, told without the code of the modules.
//!
//! The rules are those of `Documentation/requirements.md`, asked page by page: who has it, does anything decode
//! it, and can it be used.

use super::expectation::Outcome;
use crate::scenario::MIB;

const PAGE: u64 = 4096;
/// What a dax region is a multiple of.
const ALIGN: u64 = 2 * MIB;
/// What memory hotplug works in, on a guest of this size.
const BLOCK: u64 = 128 * MIB;

/// Addresses from `start` up to `end`, exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
}

impl Span {
    pub fn new(start: u64, size: u64) -> Self {
        Self {
            start,
            end: start + size,
        }
    }

    pub fn size(&self) -> u64 {
        self.end - self.start
    }

    pub fn moved(&self, by: u64) -> Self {
        Self {
            start: self.start + by,
            end: self.end + by,
        }
    }

    pub fn has(&self, address: u64) -> bool {
        self.start <= address && address < self.end
    }

    pub fn meets(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// What both have; empty if they do not meet.
    pub fn common(&self, other: &Self) -> Self {
        let start = self.start.max(other.start);
        Self {
            start,
            end: self.end.min(other.end).max(start),
        }
    }

    /// The largest span inside whose ends are multiples of `unit`; empty if there is none.
    fn inside(&self, unit: u64) -> Self {
        let start = self.start.div_ceil(unit) * unit;
        let end = self.end / unit * unit;
        Self {
            start,
            end: end.max(start),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Cxl,
    Hmem,
    Nobody,
}

/// What the ranges lie in when a decision is made.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    pub windows: Vec<Span>,
    /// Committed ones.
    pub regions: Vec<Span>,
    /// What was decoded by a region that is gone.
    pub undecoded: Vec<Span>,
    /// What somebody else has.
    pub foreign: Vec<Span>,
}

/// Where a page is. Pages of one device are in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    window: Option<usize>,
    region: Option<usize>,
    undecoded: bool,
    foreign: bool,
}

/// Pages side by side in one place, of one range.
struct Part {
    range: usize,
    span: Span,
    place: Place,
    owner: Owner,
}

impl Surroundings {
    fn place(&self, address: u64) -> Place {
        let among = |spans: &[Span]| spans.iter().position(|span| span.has(address));
        Place {
            window: among(&self.windows),
            region: among(&self.regions),
            undecoded: among(&self.undecoded).is_some(),
            foreign: among(&self.foreign).is_some(),
        }
    }

    /// Tells what must become of each range; they are in order of their addresses.
    pub fn judge(&self, ranges: &[Span]) -> Outcome {
        let cut: Vec<Vec<(Span, Place)>> = ranges.iter().map(|range| self.parts(range)).collect();
        let contained: Vec<bool> = cut.iter().map(|parts| contained(parts)).collect();
        // A region that serves a contained range is CXL's, whole; the others may lose to HMEM.
        let kept: Vec<bool> = self
            .regions
            .iter()
            .map(|region| {
                let mut all = ranges.iter().zip(&contained);
                all.any(|(range, &contained)| contained && range.meets(region))
            })
            .collect();
        let owner = |place: &Place| match place.region {
            Some(region) if kept[region] => Owner::Cxl,
            None if place.undecoded => Owner::Nobody,
            _ if place.foreign => Owner::Nobody,
            _ => Owner::Hmem,
        };
        let mut parts = Vec::new();
        for (range, cut) in cut.into_iter().enumerate() {
            parts.extend(cut.into_iter().map(|(span, place)| Part {
                range,
                span,
                place,
                owner: owner(&place),
            }));
        }
        let devices = devices(&parts);
        let mut outcome = Outcome::new(ranges);
        for part in &parts {
            match part.owner {
                // Regions are whole memory blocks.
                Owner::Cxl => outcome.add(part.range, part.span, Owner::Cxl, part.span),
                Owner::Nobody => outcome.add(part.range, part.span, Owner::Nobody, NOTHING),
                Owner::Hmem => serve(part, &devices, &mut outcome),
            }
        }
        for (region, span) in self.regions.iter().enumerate() {
            if kept[region] || !ranges.iter().any(|range| range.meets(span)) {
                outcome.device(Owner::Cxl, *span);
            } else if !devices.iter().any(|device| device.meets(span)) {
                // Nobody needs it, and HMEM has nothing of it either: dax_cxl may have been quicker.
                outcome.unsure = true;
            }
        }
        for device in devices {
            outcome.device(Owner::Hmem, device);
        }
        outcome
    }

    /// Cuts a range wherever a page is in another place than the one before.
    fn parts(&self, range: &Span) -> Vec<(Span, Place)> {
        let mut parts: Vec<(Span, Place)> = Vec::new();
        for page in (range.start..range.end).step_by(PAGE as usize) {
            let place = self.place(page);
            match parts.last_mut() {
                Some((span, before)) if *before == place => span.end = page + PAGE,
                _ => parts.push((Span::new(page, PAGE), place)),
            }
        }
        if let Some((span, _)) = parts.last_mut() {
            span.end = range.end;
        }
        parts
    }
}

/// Whether committed regions have all of a range that can be decoded, and that is something.
fn contained(parts: &[(Span, Place)]) -> bool {
    let mut decoded = parts
        .iter()
        .filter(|(_, place)| !place.undecoded || place.region.is_some())
        .peekable();
    decoded.peek().is_some() && decoded.all(|(_, place)| place.region.is_some())
}

const NOTHING: Span = Span { start: 0, end: 0 };

/// What HMEM makes devices of. Parts that meet at a seam of two ranges are one device, unless a
/// memory block ends there.
fn devices(parts: &[Part]) -> Vec<Span> {
    let mut devices: Vec<(Span, Place)> = Vec::new();
    for part in parts.iter().filter(|part| part.owner == Owner::Hmem) {
        match devices.last_mut() {
            Some((span, place))
                if span.end == part.span.start && span.end % BLOCK != 0 && *place == part.place =>
            {
                span.end = part.span.end;
            }
            _ => devices.push((part.span, part.place)),
        }
    }
    devices
        .into_iter()
        .map(|(span, _)| span.inside(ALIGN))
        .filter(|span| span.size() > 0)
        .collect()
}

/// Adds what HMEM can serve of a part, as far as it is aligned.
fn serve(part: &Part, devices: &[Span], outcome: &mut Outcome) {
    let device = devices.iter().find(|device| device.meets(&part.span));
    let Some(device) = device else {
        outcome.add(part.range, part.span, Owner::Nobody, NOTHING);
        return;
    };
    let served = device.common(&part.span);
    for (start, end, owner) in [
        (part.span.start, served.start, Owner::Nobody),
        (served.start, served.end, Owner::Hmem),
        (served.end, part.span.end, Owner::Nobody),
    ] {
        if start < end {
            let online = match owner {
                Owner::Hmem => device.inside(BLOCK).common(&served),
                _ => NOTHING,
            };
            outcome.add(part.range, Span { start, end }, owner, online);
        }
    }
}

#[cfg(test)]
#[path = "oracle_test.rs"]
mod tests;
