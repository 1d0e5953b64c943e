// SPDX-License-Identifier: GPL-2.0

//! What must become of each page of a layout, told without the code of the modules.
//!
//! The rules are those of the specification, asked page by page: who has it, and can it be used.

use std::fmt::Write;

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

    fn has(&self, address: u64) -> bool {
        self.start <= address && address < self.end
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
enum Owner {
    Cxl,
    Hmem,
    Nobody,
}

/// What must become of one range.
pub struct Outcome {
    /// In order, without holes.
    pieces: Vec<(Span, Owner)>,
    /// Bytes that must be online.
    online: u64,
}

/// Tells what must become of each range.
pub fn judge(windows: &[Span], regions: &[Span], ranges: &[Span]) -> Vec<Outcome> {
    let region_at = |address| regions.iter().position(|region| region.has(address));
    let contained: Vec<bool> = ranges
        .iter()
        .map(|range| pages(range).all(|page| region_at(page).is_some()))
        .collect();
    // A region that serves a contained range is CXL's, whole; the others may lose to HMEM.
    let cxls: Vec<bool> = regions
        .iter()
        .map(|region| {
            ranges
                .iter()
                .zip(&contained)
                .any(|(range, &contained)| contained && meet(range, region))
        })
        .collect();

    ranges
        .iter()
        .map(|range| {
            let mut outcome = Outcome {
                pieces: Vec::new(),
                online: 0,
            };
            for part in parts(range, windows, regions) {
                let kept = region_at(part.start).is_some_and(|region| cxls[region]);
                outcome.add(part, kept);
            }
            outcome
        })
        .collect()
}

fn meet(a: &Span, b: &Span) -> bool {
    a.start < b.end && b.start < a.end
}

fn pages(range: &Span) -> impl Iterator<Item = u64> {
    (range.start..range.end).step_by(PAGE as usize)
}

/// Cuts a range wherever a page differs from the one before in the windows or regions it is in.
fn parts(range: &Span, windows: &[Span], regions: &[Span]) -> Vec<Span> {
    let place = |address| {
        (
            windows.iter().position(|window| window.has(address)),
            regions.iter().position(|region| region.has(address)),
        )
    };
    let mut parts = Vec::new();
    let mut start = range.start;
    for page in pages(range).skip(1) {
        if place(page) != place(page - PAGE) {
            parts.push(Span { start, end: page });
            start = page;
        }
    }
    parts.push(Span {
        start,
        end: range.end,
    });
    parts
}

impl Outcome {
    /// Adds a part that CXL keeps, or that HMEM serves as far as it is aligned.
    fn add(&mut self, part: Span, kept: bool) {
        if kept {
            self.pieces.push((part, Owner::Cxl));
            // Regions are whole memory blocks.
            self.online += part.size();
            return;
        }
        let served = part.inside(ALIGN);
        if served.size() == 0 {
            self.pieces.push((part, Owner::Nobody));
            return;
        }
        let around = [
            (part.start, served.start, Owner::Nobody),
            (served.start, served.end, Owner::Hmem),
            (served.end, part.end, Owner::Nobody),
        ];
        for (start, end, owner) in around {
            if start < end {
                self.pieces.push((Span { start, end }, owner));
            }
        }
        self.online += served.inside(BLOCK).size();
    }

    /// The `[expect]` of range `number` of a scenario.
    pub fn expectation(&self, number: usize, range: &Span) -> String {
        let unowned: u64 = self
            .pieces
            .iter()
            .filter(|(_, owner)| *owner == Owner::Nobody)
            .map(|(piece, _)| piece.size())
            .sum();
        let mut text = format!("\n[expect.range.r{number}]\nunowned = \"{unowned:#x}\"\n");
        // A CXL range of odd size is online whole, which cannot be told in MiB.
        if self.online % MIB == 0 {
            let _ = writeln!(text, "online = {}", self.online / MIB);
        }
        text.push_str("pieces = [\n");
        for (piece, owner) in &self.pieces {
            let owner = match owner {
                Owner::Cxl => "cxl",
                Owner::Hmem => "hmem",
                Owner::Nobody => "nobody",
            };
            let _ = writeln!(
                text,
                "  {{ at = \"{:#x}\", size = \"{:#x}\", owner = \"{owner}\" }},",
                piece.start - range.start,
                piece.size(),
            );
        }
        text + "]\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const G: u64 = 1024 * MIB;

    fn outcome(regions: &[Span], range: Span) -> Outcome {
        let mut all = judge(&[Span::new(0, 2 * G)], regions, &[range]);
        all.remove(0)
    }

    #[test]
    fn two_regions_contain_a_range_together() {
        let regions = [Span::new(0, G / 2), Span::new(G / 2, G / 2)];
        let found = outcome(&regions, Span::new(0, G));
        assert!(found.pieces.iter().all(|(_, owner)| *owner == Owner::Cxl));
        assert_eq!(found.online, G);
    }

    #[test]
    fn a_smaller_region_loses_to_pieces() {
        let found = outcome(&[Span::new(0, G / 2)], Span::new(0, G));
        assert_eq!(found.pieces.len(), 2);
        assert!(found.pieces.iter().all(|(_, owner)| *owner == Owner::Hmem));
        assert_eq!(found.online, G);
    }

    #[test]
    fn unaligned_ends_are_nobodys() {
        let found = outcome(&[], Span::new(MIB, 513 * MIB));
        assert_eq!(found.pieces[0], (Span::new(MIB, MIB), Owner::Nobody));
        assert_eq!(found.pieces.len(), 2);
    }

    #[test]
    fn a_region_that_another_range_needs_stays_whole() {
        let regions = [Span::new(0, G)];
        let ranges = [Span::new(0, G / 2), Span::new(3 * G / 4, G / 2)];
        let found = judge(&[Span::new(0, 2 * G)], &regions, &ranges);
        assert_eq!(found[0].pieces, [(ranges[0], Owner::Cxl)]);
        assert_eq!(
            found[1].pieces[0],
            (Span::new(3 * G / 4, G / 4), Owner::Cxl)
        );
        assert_eq!(found[1].pieces[1], (Span::new(G, G / 4), Owner::Hmem));
    }
}
