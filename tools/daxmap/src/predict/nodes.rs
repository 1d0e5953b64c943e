// SPDX-License-Identifier: GPL-2.0

//! Which NUMA node memory belongs to, address by address, as far as firmware tells
//! (`phys_to_target_node()`, `memory_add_physaddr_to_nid()` and what `drivers/dax/hmem/node.rs` makes
//! of both).

use crate::log::Event;
use crate::map::Map;
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
    /// Where dax devices and memory blocks showed a node.
    seen: Vec<(Range, u32)>,
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
        let mut seen = Vec::new();
        for dax in &map.dax {
            let ranges = dax.ranges.iter();
            seen.extend(ranges.filter_map(|r| Some((*r, dax.target_node?))));
        }
        let pieces = map.reserved.iter().flat_map(|r| &r.pieces);
        seen.extend(pieces.filter_map(|p| Some((p.range, p.node?))));
        Nodes { srat, seen }
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
            Node::Known(node) => Some(node),
            Node::Window(place) => {
                seen(&|r| r.has(address)).or(seen(&|r| windows[place].contains(r)))
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
            seen: Vec::new(),
        }
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
