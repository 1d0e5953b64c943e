// SPDX-License-Identifier: GPL-2.0

//! Which NUMA node memory belongs to, address by address, as far as firmware tells
//! (`phys_to_target_node()`, `memory_add_physaddr_to_nid()` and what `drivers/dax/hmem/node.rs` makes
//! of both).

use crate::dax::{DaxDevice, Parent};
use crate::log::Event;
use crate::map::Map;
use crate::own::Evidence;
use crate::range::Range;

/// What stands for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// The node of this number.
    Known(u32),
    /// The node that the kernel makes for a window that SRAT does not know, by the window's place.
    Window(usize),
}

/// What firmware tells about nodes, and what was seen of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Nodes {
    /// The ranges of SRAT, ascending.
    pub(super) srat: Vec<(Range, u32)>,
    /// The node of each window, as cxl_acpi found it.
    windows: Vec<(Range, u32)>,
    /// Where dax devices and memory blocks showed a node.
    seen: Vec<(Range, u32)>,
}

/// What of memory has the node that it has where it starts: a device that reaches into another window has one
/// node for all of it, which says nothing of that window.
fn first_part(windows: &[Range], range: &Range) -> Range {
    let next = |start: u64| {
        let starts = windows.iter().map(|w| w.start).filter(|&s| s > start);
        starts.min().map_or(u64::MAX, |s| s - 1)
    };
    let end = match windows.iter().find(|w| w.has(range.start)) {
        Some(window) => window.end,
        None => next(range.start),
    };
    Range {
        start: range.start,
        end: range.end.min(end),
    }
}

/// Where a dax device shows the node of its dax region, which is that of the region's start.
fn of_device(map: &Map, windows: &[Range], dax: &DaxDevice) -> Vec<Range> {
    let whole = match &dax.parent {
        Parent::Hmem(name) => {
            let hmem = map.hmem.iter().find(|h| h.name == *name);
            hmem.and_then(|h| h.range)
        }
        Parent::Region(name) => map.region(name).and_then(|r| r.range),
        Parent::Other(_) => None,
    };
    let start = whole.or(dax.ranges.first().copied()).map(|r| r.start);
    let place = |address: u64| windows.iter().position(|w| w.has(address));
    let ranges = dax.ranges.iter();
    ranges
        .filter(|r| start.is_some_and(|s| place(s) == place(r.start)))
        .map(|r| first_part(windows, r))
        .collect()
}

impl Nodes {
    pub(super) fn read(map: &Map) -> Nodes {
        let mut srat: Vec<(Range, u32)> = map
            .log
            .iter()
            .filter_map(|m| match &m.event {
                Event::NodeRange { node, range } => Some((*range, *node)),
                _ => None,
            })
            .collect();
        srat.sort_unstable();
        srat.dedup();
        let told = map.log.iter().filter_map(|m| match &m.event {
            Event::WindowNode { node, range } => Some((*range, *node)),
            _ => None,
        });
        let told = told.collect();
        let windows: Vec<Range> = map.windows.iter().filter_map(|w| w.range).collect();
        let mut seen = Vec::new();
        for dax in &map.dax {
            let ranges = of_device(map, &windows, dax).into_iter();
            seen.extend(ranges.filter_map(|r| Some((r, dax.target_node?))));
        }
        for piece in map.reserved.iter().flat_map(|r| &r.pieces) {
            let mut ranges = map.dax.iter().flat_map(|d| &d.ranges);
            // The Rust dax_hmem makes no piece of two nodes; else a dax device shows no more than above.
            let range = match piece.reason.evidence {
                Evidence::Ledger => piece.range,
                _ if ranges.any(|r| r.overlaps(&piece.range)) => continue,
                _ => first_part(&windows, &piece.range),
            };
            seen.extend(piece.node.map(|node| (range, node)));
        }
        Nodes {
            srat,
            windows: told,
            seen,
        }
    }

    /// What firmware listed in SRAT.
    pub(super) fn srat(&self) -> &[(Range, u32)] {
        &self.srat
    }

    /// The node of the memory at an address. Where SRAT has a part of a window, the kernel stretches
    /// its entries over all of it; memory of no node goes to that of the lowest entry.
    pub(super) fn at(&self, windows: &[Range], address: u64) -> Node {
        if let Some((_, node)) = self.srat.iter().find(|(r, _)| r.has(address)) {
            return Node::Known(*node);
        }
        let Some(place) = windows.iter().position(|w| w.has(address)) else {
            return Node::Known(self.srat.first().map_or(0, |(_, node)| *node));
        };
        let inside = || {
            self.srat
                .iter()
                .filter(|(r, _)| r.overlaps(&windows[place]))
        };
        let below = inside().take_while(|(r, _)| r.start <= address).last();
        match below.or_else(|| inside().next()) {
            Some((_, node)) => Node::Known(*node),
            None => Node::Window(place),
        }
    }

    /// Its number, if it can be told.
    pub(super) fn number(&self, windows: &[Range], address: u64) -> Option<u32> {
        let seen = |within: &dyn Fn(&Range) -> bool| {
            let mut found = self.seen.iter().filter(|(r, _)| within(r));
            found.next().map(|(_, node)| *node)
        };
        match self.at(windows, address) {
            // Without SRAT in the log, what was seen is better than the lowest node.
            Node::Known(_) if self.srat.is_empty() => seen(&|r| r.has(address)),
            // Outside of what SRAT lists there may be a window that nothing shows, as without cxl_acpi.
            Node::Known(node) if !self.srat.iter().any(|(r, _)| r.has(address)) => {
                let in_window = windows.iter().any(|w| w.has(address));
                let shown = (!in_window).then(|| seen(&|r| r.has(address)));
                shown.flatten().or(Some(node))
            }
            Node::Known(node) => Some(node),
            Node::Window(place) => {
                let mut told = self.windows.iter();
                let told = told.find(|(r, _)| r.has(address)).map(|(_, node)| *node);
                told.or_else(|| seen(&|r| r.has(address)))
                    .or_else(|| seen(&|r| windows[place].contains(r)))
            }
        }
    }

    /// The addresses at which another node may begin, ascending.
    fn edges(&self, windows: &[Range]) -> Vec<u64> {
        let ranges = self.srat.iter().map(|(r, _)| r).chain(windows);
        let ends = ranges.flat_map(|r| [Some(r.start), r.end.checked_add(1)]);
        let mut edges: Vec<u64> = ends.flatten().collect();
        edges.sort_unstable();
        edges
    }

    /// The addresses in `range` at which another node begins. One that has less than a memory block
    /// there is overlooked: it could have no memory online.
    pub(super) fn changes(&self, windows: &[Range], range: &Range, block: u64) -> Vec<u64> {
        let at = |address| self.at(windows, address);
        let block = block.max(1);
        let edges = self.edges(windows);
        let mut out = Vec::new();
        let mut below = range.start;
        while below < range.end {
            // Up to the next edge all is as it is here.
            let Some(edge) = edges.iter().find(|&&e| e > below && e <= range.end) else {
                break;
            };
            below += (edge - below - 1) / block * block;
            let above = below.saturating_add(block).min(range.end);
            if at(above) == at(below) {
                below = above;
                continue;
            }
            // The lowest address that has another node than the one below it.
            let (mut low, mut high) = (below, above);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                match at(middle) == at(below) {
                    true => low = middle,
                    false => high = middle,
                }
            }
            out.push(high);
            below = high;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn range(start: u64, size: u64) -> Range {
        Range::with_size(start * MIB, size * MIB).unwrap()
    }

    fn nodes(srat: &[(u64, u64, u32)]) -> Nodes {
        Nodes {
            srat: srat
                .iter()
                .map(|(s, n, node)| (range(*s, *n), *node))
                .collect(),
            ..Nodes::default()
        }
    }

    #[test]
    fn a_device_shows_the_node_of_its_first_window_only() {
        let windows = [range(4096, 1024), range(5120, 1024)];
        let part = |start, size| first_part(&windows, &range(start, size));
        assert_eq!(part(4096, 2048), range(4096, 1024));
        assert_eq!(part(5376, 512), range(5376, 512));
        assert_eq!(part(3072, 2048), range(3072, 1024));
        assert_eq!(part(8192, 1024), range(8192, 1024));
        let nodes = Nodes {
            windows: vec![(windows[1], 7)],
            seen: vec![(windows[0], 3)],
            ..Nodes::default()
        };
        assert_eq!(nodes.number(&windows, 4200 * MIB), Some(3));
        assert_eq!(nodes.number(&windows, 5200 * MIB), Some(7));
        assert_eq!(nodes.number(&windows, 9000 * MIB), None);
    }

    #[test]
    fn srat_is_stretched_over_a_window_that_it_knows_a_part_of() {
        let windows = [range(4096, 1024), range(5120, 1024)];
        let nodes = nodes(&[(0, 1024, 3), (4352, 256, 1), (4864, 128, 2)]);
        for (address, node) in [
            (512, Node::Known(3)),
            (4096, Node::Known(1)),
            (4700, Node::Known(1)),
            (4864, Node::Known(2)),
            (5119, Node::Known(2)),
            (5120, Node::Window(1)),
            (9000, Node::Known(3)),
        ] {
            assert_eq!(nodes.at(&windows, address * MIB), node, "{address}");
        }
    }

    #[test]
    fn a_range_to_the_end_of_all_addresses_has_few_edges() {
        let whole = Range::new(4096 * MIB, u64::MAX).unwrap();
        let windows = [whole];
        let none = nodes(&[]);
        assert_eq!(none.changes(&windows, &whole, 128 * MIB), [] as [u64; 0]);
        let two = nodes(&[(4096, 1024, 1), (5120, 1024, 2)]);
        assert_eq!(two.changes(&windows, &whole, 128 * MIB), [5120 * MIB]);
    }

    #[test]
    fn a_node_with_less_than_a_block_is_overlooked() {
        let windows = [range(4096, 2048)];
        let seam = nodes(&[(4096, 1000, 1), (5096, 1048, 2)]);
        let whole = range(4096, 2048);
        assert_eq!(seam.changes(&windows, &whole, 128 * MIB), [5096 * MIB]);
        let sliver = nodes(&[(4096, 1000, 1), (5096, 2, 2), (5098, 1046, 1)]);
        assert_eq!(sliver.changes(&windows, &whole, 128 * MIB), [] as [u64; 0]);
    }
}
