// SPDX-License-Identifier: GPL-2.0

//! Makes up layouts and writes them as scenarios.

use std::fmt::Write;

use fastrand::Rng;

use super::oracle;
use super::oracle::Span;
use crate::scenario::MIB;

/// The unit of CXL decoders.
const CXL_UNIT: u64 = 256 * MIB;
/// How many layouts one guest gets at the most.
const LAYOUTS: usize = 6;
/// How large a window is.
const WINDOW: u64 = 2048 * MIB;
/// How much the kernel's command line holds, in ranges.
const RANGES: usize = 24;
/// The page size.
const PAGE: u64 = 4096;

/// One window with its regions, and the ranges that start in it.
struct Layout {
    /// Regions, by offset from the start of the window.
    regions: Vec<Span>,
    /// Ranges, by offset from the start of the window; the last may reach into the next window.
    ranges: Vec<Span>,
}

/// The layouts of one guest, whose windows lie side by side.
pub struct Guest(Vec<Layout>);

impl Guest {
    /// Makes up to `most` layouts.
    pub fn random(random: &mut Rng, most: usize) -> Self {
        let mut layouts = Vec::new();
        let mut ranges = 0;
        // Where the last range of the window before ended, from the start of this window.
        let mut taken = 0;
        while layouts.len() < LAYOUTS.min(most) && ranges < RANGES {
            let last = layouts.len() + 1 == LAYOUTS.min(most);
            let layout = Layout::random(random, taken, last, RANGES - ranges);
            ranges += layout.ranges.len();
            taken = layout
                .ranges
                .last()
                .map_or(0, |range| range.end.saturating_sub(WINDOW));
            layouts.push(layout);
        }
        // The room for ranges is used up before the window that the last one reaches into.
        if let Some(range) = layouts
            .last_mut()
            .and_then(|layout| layout.ranges.last_mut())
        {
            range.end = range.end.min(WINDOW);
        }
        Self(layouts)
    }

    /// How many layouts it has.
    pub fn layouts(&self) -> usize {
        self.0.len()
    }

    /// The scenario file.
    pub fn scenario(&self) -> String {
        let mut text = String::from(
            "# SPDX-License-Identifier: GPL-2.0\n\
             description = \"Random layouts\"\n\n[machine]\nram = \"1536M\"\n",
        );
        let mut expect = String::new();
        let mut regions = Vec::new();
        for (window, layout) in self.0.iter().enumerate() {
            let base = window as u64 * WINDOW;
            regions.extend(layout.regions.iter().map(|region| region.moved(base)));
        }
        let windows: Vec<Span> = (0..self.0.len() as u64)
            .map(|window| Span::new(window * WINDOW, WINDOW))
            .collect();
        let ranges: Vec<Span> = self
            .0
            .iter()
            .zip(&windows)
            .flat_map(|(layout, window)| {
                layout.ranges.iter().map(|range| range.moved(window.start))
            })
            .collect();
        let outcomes = oracle::judge(&windows, &regions, &ranges);

        // Writing to a string does not fail.
        let mut names = 0;
        for window in 0..self.0.len() {
            let _ = write!(text, "\n[[bridge]]\nname = \"hb{window}\"\n");
        }
        for (window, layout) in self.0.iter().enumerate() {
            for region in &layout.regions {
                let _ = write!(
                    text,
                    "\n[[device]]\nname = \"mem{names}\"\nserial = {:#x}\non = \"hb{window}\"\n\
                     size = \"{}M\"\n",
                    0x1000 + names,
                    region.size() / MIB,
                );
                names += 1;
            }
        }
        for window in 0..self.0.len() {
            let _ = write!(
                text,
                "\n[[window]]\nsize = \"{}M\"\ntargets = [\"hb{window}\"]\n",
                WINDOW / MIB
            );
        }
        names = 0;
        for (window, layout) in self.0.iter().enumerate() {
            for region in &layout.regions {
                let _ = write!(
                    text,
                    "\n[[region]]\nat = \"window{window}+{}M\"\nsize = \"{}M\"\n\
                     devices = [\"mem{names}\"]\n",
                    region.start / MIB,
                    region.size() / MIB,
                );
                names += 1;
            }
        }
        let all = ranges.iter().zip(&outcomes).enumerate();
        for (number, (range, outcome)) in all {
            let window = range.start / WINDOW;
            let _ = write!(
                text,
                "\n[[soft_reserved]]\nname = \"r{number}\"\nbase = \"window{window}+{:#x}\"\n\
                 size = \"{:#x}\"\nunbacked = true\n",
                range.start % WINDOW,
                range.size(),
            );
            expect.push_str(&outcome.expectation(number, range));
        }
        text + &expect
    }
}

impl Layout {
    /// Makes up one. Nothing may start below `taken`, and nothing may reach beyond the window if
    /// it is the `last` one.
    fn random(random: &mut Rng, taken: u64, last: bool, room: usize) -> Self {
        let mut regions = Vec::new();
        let mut at = 0;
        for _ in 0..random.usize(0..=2) {
            let size = CXL_UNIT * random.u64(1..=2);
            let start = at + CXL_UNIT * random.u64(0..=2);
            if start + size > WINDOW {
                break;
            }
            regions.push(Span::new(start, size));
            at = start + size;
        }

        let mut ranges = Vec::new();
        let mut at = taken;
        for _ in 0..random.usize(1..=4.min(room)) {
            // Ranges that touch are one range to the kernel, so some space stays between them.
            let gap = if at == 0 { 0 } else { 16 * PAGE };
            let Some(range) = random_range(random, at + gap, &regions, last) else {
                break;
            };
            at = range.end;
            ranges.push(range);
            if at >= WINDOW {
                break;
            }
        }
        Self { regions, ranges }
    }
}

/// A range at `from` or above, whose ends lie at the edges of regions more often than elsewhere.
fn random_range(random: &mut Rng, from: u64, regions: &[Span], last: bool) -> Option<Span> {
    let limit = if last { WINDOW } else { WINDOW + 512 * MIB };
    let mut points: Vec<u64> = regions
        .iter()
        .flat_map(|region| [region.start, region.end])
        .chain([0, WINDOW])
        .collect();
    for _ in 0..4 {
        let coarse = [CXL_UNIT, 128 * MIB, 2 * MIB, MIB, PAGE];
        let unit = coarse[random.usize(0..coarse.len())];
        points.push(random.u64(0..limit / unit) * unit);
    }
    let starts: Vec<u64> = points
        .iter()
        .copied()
        .filter(|&start| start >= from && start < WINDOW)
        .collect();
    let start = *random.choice(&starts)?;
    let ends: Vec<u64> = points
        .iter()
        .copied()
        .filter(|&end| end > start && end <= limit && end - start <= 1024 * MIB)
        .collect();
    let end = *random.choice(&ends)?;
    Some(Span { start, end })
}
