// SPDX-License-Identifier: GPL-2.0

//! Makes up layouts.

use fastrand::Rng;

use super::oracle::Span;
use super::oracle::Surroundings;
use crate::scenario::MIB;

/// The unit of CXL decoders.
pub const CXL_UNIT: u64 = 256 * MIB;
/// How many layouts one guest gets at the most.
const LAYOUTS: usize = 6;
/// How large a window is.
pub const WINDOW: u64 = 2048 * MIB;
/// How much the kernel's command line holds, in ranges.
const RANGES: usize = 24;
/// How many seams the test module makes.
const SEAMS: usize = 16;
/// The page size.
const PAGE: u64 = 4096;

/// A CXL memory device below the bridge of a window.
pub struct Device {
    pub bridge: usize,
    pub size: u64,
}

/// A region, with its devices in interleave order.
pub struct Region {
    pub span: Span,
    pub devices: Vec<usize>,
}

/// The layouts of one guest, whose windows lie side by side. Addresses count from the first.
pub struct Guest {
    /// The bridge of each window.
    pub windows: Vec<usize>,
    pub devices: Vec<Device>,
    pub regions: Vec<Region>,
    /// In order. Those that touch are one to the kernel until the test module splits them.
    pub ranges: Vec<Span>,
    /// What somebody else has.
    pub foreign: Option<Span>,
    /// The region that goes before the decision is made again.
    pub destroyed: Option<usize>,
}

impl Guest {
    /// Makes up to `most` layouts.
    pub fn random(random: &mut Rng, most: usize) -> Self {
        let mut guest = Self {
            windows: Vec::new(),
            devices: Vec::new(),
            regions: Vec::new(),
            ranges: Vec::new(),
            foreign: None,
            destroyed: None,
        };
        while guest.windows.len() < LAYOUTS.min(most) && guest.ranges.len() < RANGES {
            let last = guest.windows.len() + 1 == LAYOUTS.min(most);
            guest.add_window(random);
            guest.add_regions(random);
            guest.add_ranges(random, last);
        }
        // The room for ranges is used up before the window that the last one reaches into.
        let end = guest.windows.len() as u64 * WINDOW;
        if let Some(range) = guest.ranges.last_mut() {
            range.end = range.end.min(end);
        }
        guest.foreign = random.bool().then(|| guest.stranger(random)).flatten();
        guest.destroyed = random.bool().then(|| guest.victim(random)).flatten();
        guest
    }

    /// Where windows lie, and everything else when the first decision is made.
    pub fn surroundings(&self) -> Surroundings {
        let windows = 0..self.windows.len() as u64;
        Surroundings {
            windows: windows
                .map(|window| Span::new(window * WINDOW, WINDOW))
                .collect(),
            regions: self.regions.iter().map(|region| region.span).collect(),
            undecoded: Vec::new(),
            foreign: self.foreign.into_iter().collect(),
        }
    }

    /// The same when the decision is made again.
    pub fn surroundings_later(&self) -> Surroundings {
        let mut later = self.surroundings();
        if let Some(destroyed) = self.destroyed {
            later.undecoded.push(later.regions.remove(destroyed));
        }
        later
    }

    /// The ranges that firmware's memory map has, each with those that it is split into.
    pub fn groups(&self) -> Vec<(Span, Vec<usize>)> {
        let mut groups: Vec<(Span, Vec<usize>)> = Vec::new();
        for (index, range) in self.ranges.iter().enumerate() {
            match groups.last_mut() {
                Some((whole, ranges)) if whole.end == range.start => {
                    whole.end = range.end;
                    ranges.push(index);
                }
                _ => groups.push((*range, vec![index])),
            }
        }
        groups
    }

    /// Where two ranges touch.
    pub fn seams(&self) -> Vec<u64> {
        let pairs = self.ranges.windows(2);
        pairs
            .filter(|pair| pair[0].end == pair[1].start)
            .map(|pair| pair[1].start)
            .collect()
    }

    /// A window has a bridge of its own, or, one of four, that of the window before.
    fn add_window(&mut self, random: &mut Rng) {
        let next = self.windows.last().map_or(0, |last| last + 1);
        let before = self.windows.last().copied();
        let shares = |bridge: &usize| {
            let windows = self.windows.iter().filter(|other| *other == bridge);
            windows.count() == 1
        };
        let shared = before.filter(|bridge| random.u8(..4) == 0 && shares(bridge));
        self.windows.push(shared.unwrap_or(next));
    }

    /// Regions of one or two devices, which may be those of the window before.
    fn add_regions(&mut self, random: &mut Rng) {
        let window = self.windows.len() - 1;
        let base = window as u64 * WINDOW;
        // A device that decodes for a region of the window before can do so for one here.
        let mut known: Vec<usize> = (0..self.devices.len())
            .filter(|&device| self.devices[device].bridge == self.windows[window])
            .collect();
        let mut at = 0;
        for _ in 0..random.usize(0..=2) {
            let size = CXL_UNIT * random.u64(1..=2);
            let start = at + CXL_UNIT * random.u64(0..=2);
            if start + size > WINDOW {
                break;
            }
            let ways = if size > CXL_UNIT && random.u8(..3) == 0 {
                2
            } else {
                1
            };
            let devices = (0..ways)
                .map(|_| {
                    let share = size / ways;
                    if !known.is_empty() && random.bool() {
                        let device = known.swap_remove(random.usize(0..known.len()));
                        self.devices[device].size += share;
                        return device;
                    }
                    self.devices.push(Device {
                        bridge: self.windows[window],
                        size: share,
                    });
                    self.devices.len() - 1
                })
                .collect();
            self.regions.push(Region {
                span: Span::new(base + start, size),
                devices,
            });
            at = start + size;
        }
    }

    /// Ranges, the last of which may reach into the next window unless this is the `last` one. One
    /// of three begins where the one before ends.
    fn add_ranges(&mut self, random: &mut Rng, last: bool) {
        let window = self.windows.len() - 1;
        let base = window as u64 * WINDOW;
        let edges: Vec<u64> = self
            .regions
            .iter()
            .filter(|region| region.span.start >= base)
            .flat_map(|region| [region.span.start - base, region.span.end - base])
            .chain([0, WINDOW])
            .collect();
        let room = RANGES - self.ranges.len();
        for _ in 0..random.usize(1..=4.min(room)) {
            let from = self
                .ranges
                .last()
                .map_or(0, |range| range.end.saturating_sub(base));
            let adjacent = from > 0 && random.u8(..3) == 0 && self.seams().len() < SEAMS;
            // Ranges that touch are one to the kernel, so that others keep some space.
            let gap = if from == 0 { 0 } else { 16 * PAGE };
            let start = if adjacent { Some(from) } else { None };
            let Some(range) = random_range(random, start, from + gap, &edges, last) else {
                break;
            };
            self.ranges.push(range.moved(base));
            if range.end >= WINDOW {
                break;
            }
        }
    }

    /// Some pages of a range that no region has, for somebody else.
    fn stranger(&self, random: &mut Rng) -> Option<Span> {
        (0..8).find_map(|_| {
            let range = random.choice(&self.ranges)?;
            let size = PAGE << random.u32(0..12);
            if range.size() <= size {
                return None;
            }
            let pages = (range.size() - size) / PAGE;
            let span = Span::new(range.start + random.u64(0..=pages) * PAGE, size);
            let in_region = self.regions.iter().any(|region| region.span.meets(&span));
            let crosses = span.start / WINDOW != (span.end - 1) / WINDOW;
            (!in_region && !crosses).then_some(span)
        })
    }

    /// A region that can go: decoders are reset in the reverse order of their addresses.
    fn victim(&self, random: &mut Rng) -> Option<usize> {
        let bridge = |region: &Region| self.windows[(region.span.start / WINDOW) as usize];
        let last = |&index: &usize| {
            let mut above = self.regions[index + 1..].iter();
            above.all(|other| bridge(other) != bridge(&self.regions[index]))
        };
        let victims: Vec<usize> = (0..self.regions.len()).filter(last).collect();
        random.choice(&victims).copied()
    }
}

/// A range at `from` or above, or at `start`, whose ends lie at `edges` more often than elsewhere.
fn random_range(
    random: &mut Rng,
    start: Option<u64>,
    from: u64,
    edges: &[u64],
    last: bool,
) -> Option<Span> {
    let limit = if last { WINDOW } else { WINDOW + 512 * MIB };
    let mut points = edges.to_vec();
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
    let start = start.or_else(|| random.choice(&starts).copied())?;
    let ends: Vec<u64> = points
        .iter()
        .copied()
        .filter(|&end| end > start && end <= limit && end - start <= 1024 * MIB)
        .collect();
    let end = *random.choice(&ends)?;
    Some(Span { start, end })
}
