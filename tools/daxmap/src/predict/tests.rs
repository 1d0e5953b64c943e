// SPDX-License-Identifier: GPL-2.0

//! Ranges that touch each other, and nodes that change within one.

use super::*;

const MIB: u64 = 1 << 20;
/// Where the only window begins.
const BASE: u64 = 4096;

fn range(start: u64, size: u64) -> Range {
    Range::with_size((BASE + start) * MIB, size * MIB).unwrap()
}

/// Ranges side by side, each listed on its own, and nodes by address.
fn layout(sizes: &[u64], srat: &[(u64, u64, u32)]) -> Layout {
    let whole = range(0, sizes.iter().sum());
    let mut layout = Layout::made(
        vec![whole],
        vec![range(0, 4096)],
        Vec::new(),
        Policy::Whole,
        false,
    );
    layout.nodes.srat = srat
        .iter()
        .map(|(s, n, node)| (range(*s, *n), *node))
        .collect();
    layout.listed.clear();
    let mut start = 0;
    for size in sizes {
        let range = range(start, *size);
        layout.listed.push(Listed {
            range,
            node: layout.node_at(range.start),
        });
        start += size;
    }
    layout
}

fn rust(layout: &Layout) -> Vec<(Range, Option<u32>, u64)> {
    let forecast = Forecast::of(layout, Decider::Rust(Policy::Whole));
    let parts = forecast.parts.iter();
    parts
        .map(|p| (p.range, p.node, p.ram_bytes / MIB))
        .collect()
}

#[test]
fn neighbours_share_a_device_where_two_would_lose_the_seam() {
    for seam in [514, 513] {
        let layout = layout(&[seam, 1024 - seam], &[]);
        let online: u64 = rust(&layout).iter().map(|p| p.2).sum();
        assert_eq!(online, 1024, "{seam}");
        let c = Forecast::of(&layout, Decider::C);
        // Each is served by itself, and the block with the seam is lost.
        assert_eq!(c.ram_bytes() / MIB, if seam == 514 { 896 } else { 0 });
    }
}

#[test]
fn neighbours_of_two_nodes_share_nothing() {
    let layout = layout(&[514, 510], &[(0, 514, 1), (514, 3582, 2)]);
    let parts = rust(&layout);
    assert_eq!(parts.iter().map(|p| p.2).sum::<u64>(), 896, "{parts:?}");
    assert_eq!(parts.first().unwrap().1, Some(1));
    assert_eq!(parts.last().unwrap().1, Some(2));
}

#[test]
fn a_range_is_cut_where_its_node_changes() {
    let layout = layout(&[1024], &[(0, 512, 1), (512, 3584, 2)]);
    let half = |start, node| (range(start, 512), Some(node), 512);
    assert_eq!(rust(&layout), [half(0, 1), half(512, 2)]);
    // The kernel's own driver gives all of it to the node of its start.
    let c = Forecast::of(&layout, Decider::C);
    assert_eq!((c.parts.len(), c.parts[0].node), (1, Some(1)));
}
