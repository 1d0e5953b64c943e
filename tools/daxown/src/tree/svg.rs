// SPDX-License-Identifier: GPL-2.0

//! The map as a picture for a report: one lane each for windows, Soft Reserved pieces, regions, dax
//! devices and online memory, over one address axis.
//!
//! Address spaces are mostly empty, and sizes differ by orders of magnitude: the axis is cut at every
//! edge, and each stretch is as wide as the logarithm of its size; stretches where nothing lies are
//! narrow and hatched. Sizes are written out, so nobody has to measure.

mod parts;

use daxmap::{Map, Owner, Range};
use svg::node::element::{Group, Rectangle, Text, Title};
use svg::Document;

use super::nodes::{Kind, Node};
use crate::show::{self, human, Look};
use parts::{definitions, gaps, heading, legend, ruler};

const LEFT: f64 = 128.0;
/// Room for the last address of the ruler, which is written at a slant.
const RIGHT: f64 = 84.0;
const TOP: f64 = 72.0;
const LANE: f64 = 46.0;
const GAP: f64 = 12.0;
/// Narrowest stretch in which a label of a size can be read.
const STRETCH: f64 = 96.0;
const EMPTY: f64 = 28.0;

/// A stretch of the axis between two edges.
struct Stretch {
    range: Range,
    x: f64,
    width: f64,
    empty: bool,
}

pub fn draw(map: &Map, nodes: &[Node]) -> String {
    let mut flat: Vec<&Node> = Vec::new();
    flatten(nodes, &mut flat);
    flat.retain(|n| n.kind != Kind::Ram);
    let axis = axis(&flat);
    let end = axis.last().map_or(LEFT + 600.0, |s| s.x + s.width);
    let width = (end + RIGHT).max(760.0);
    let mut lanes = vec![
        (Kind::Window, "CXL windows"),
        (Kind::Reserved, "Soft Reserved"),
        (Kind::Region, "CXL regions"),
        (Kind::Dax, "DAX devices"),
    ];
    if flat.iter().any(|n| n.kind == Kind::Other) {
        lanes.push((Kind::Other, "Others"));
    }
    let mut picture = Group::new();
    let mut y = TOP;
    for (kind, label) in lanes {
        picture = picture.add(lane_label(label, y));
        for node in flat.iter().filter(|n| n.kind == kind) {
            picture = picture.add(block(node, &axis, y));
        }
        y += LANE + GAP;
    }
    picture = picture.add(lane_label("Memory in use", y));
    for range in used(map) {
        picture = picture.add(used_block(&range, &axis, y));
    }
    y += LANE / 2.0 + GAP;
    let height = y + 118.0;
    Document::new()
        .set(
            "viewBox",
            (0, 0, width.round() as i64, height.round() as i64),
        )
        .set("width", width.round())
        .set("height", height.round())
        .set("font-family", "DejaVu Sans, Helvetica, Arial, sans-serif")
        .add(definitions())
        .add(
            Rectangle::new()
                .set("width", "100%")
                .set("height", "100%")
                .set("fill", "#ffffff"),
        )
        .add(heading(map))
        .add(gaps(&axis, TOP, y))
        .add(ruler(&axis, TOP, y))
        .add(picture)
        .add(legend(height - 20.0))
        .to_string()
        + "\n"
}

fn flatten<'a>(nodes: &'a [Node], out: &mut Vec<&'a Node>) {
    for node in nodes {
        out.push(node);
        flatten(&node.children, out);
    }
}

fn axis(nodes: &[&Node]) -> Vec<Stretch> {
    let ranges: Vec<Range> = nodes.iter().map(|n| n.range).collect();
    let inner: Vec<Range> = nodes
        .iter()
        .filter(|n| n.kind != Kind::Window)
        .map(|n| n.range)
        .collect();
    let all = ranges
        .iter()
        .map(|r| r.start)
        .min()
        .zip(ranges.iter().map(|r| r.end).max());
    let Some(all) = all.and_then(|(start, end)| Range::new(start, end)) else {
        return Vec::new();
    };
    let mut x = LEFT;
    all.split_at(&ranges)
        .into_iter()
        .map(|range| {
            let empty = !ranges.iter().any(|r| r.overlaps(&range));
            let occupied = inner.iter().any(|r| r.overlaps(&range));
            let width = match (empty, occupied) {
                (true, _) => EMPTY,
                (_, false) => STRETCH * 0.8,
                _ => STRETCH + 14.0 * ((range.len() >> 20).max(1) as f64).log2(),
            };
            let stretch = Stretch {
                range,
                x,
                width,
                empty,
            };
            x += width;
            stretch
        })
        .collect()
}

/// Where a range begins and how wide it is; the axis is cut at all edges, so both are exact.
fn place(range: &Range, axis: &[Stretch]) -> Option<(f64, f64)> {
    let inside = axis.iter().filter(|s| s.range.overlaps(range));
    let (mut start, mut end) = (f64::MAX, f64::MIN);
    for s in inside {
        // Memory in use may begin within a stretch.
        let len = s.range.len() as f64;
        let part = s.range.overlap(range)?;
        let from = s.x + s.width * ((part.start - s.range.start) as f64 / len);
        start = start.min(from);
        end = end.max(from + s.width * (part.len() as f64 / len));
    }
    (start < end).then_some((start, end - start))
}

fn color(node: &Node) -> (&'static str, &'static str) {
    match (node.kind, &node.owner) {
        (Kind::Window, _) => ("#ede7f6", "#7e57c2"),
        (Kind::Region, _) => match node.state.as_deref() {
            Some("committed") => ("#bbdefb", "#1976d2"),
            _ => ("#eceff1", "#78909c"),
        },
        (Kind::Dax, _) => ("#e0f7fa", "#00838f"),
        (_, Some(Owner::Cxl { .. })) => ("#90caf9", "#1565c0"),
        (_, Some(Owner::Hmem { .. })) => ("#a5d6a7", "#2e7d32"),
        (_, Some(Owner::SystemRam)) => ("#dcedc8", "#689f38"),
        (_, Some(Owner::Nobody)) => ("#ffcdd2", "#c62828"),
        _ => ("#fff3cd", "#b28704"),
    }
}

fn block(node: &Node, axis: &[Stretch], y: f64) -> Group {
    let Some((x, width)) = place(&node.range, axis) else {
        return Group::new();
    };
    let (fill, stroke) = color(node);
    let rectangle = |fill: &str| {
        Rectangle::new()
            .set("x", x + 1.0)
            .set("y", y)
            .set("width", (width - 2.0).max(1.0))
            .set("height", LANE)
            .set("rx", 4)
            .set("fill", fill)
            .set("stroke", stroke)
    };
    let mut group = Group::new()
        .add(Title::new(format!(
            "{} {} {}",
            node.name, node.range, node.detail
        )))
        .add(rectangle(fill));
    let lost = node.usable.is_some_and(|u| u < node.range.len());
    if node.kind == Kind::Reserved && lost {
        group = group.add(rectangle("url(#lost)"));
    }
    let first = match &node.owner {
        Some(owner) => show::owner(owner),
        None => node.name.clone(),
    };
    let second = match (&node.state, node.usable) {
        (Some(state), Some(usable)) if usable < node.range.len() => {
            let look = Look {
                color: false,
                width: None,
                bytes: false,
            };
            let text = show::part_of(usable, node.range.len(), &look);
            let offline = if state == "offline" { " (offline)" } else { "" };
            format!("{text} usable{offline}")
        }
        (Some(state), _) => format!("{}, {state}", human(node.range.len())),
        (None, _) if node.kind == Kind::Dax => node
            .detail
            .split(',')
            .next()
            .unwrap_or_default()
            .to_string(),
        _ => human(node.range.len()),
    };
    let middle = x + width / 2.0;
    group
        .add(label(&first, (middle, y + 19.0), 13, width, fill))
        .add(label(&second, (middle, y + 36.0), 11, width, fill))
}

/// Text that is cut to what fits; the full text is in the tooltip.
fn label(text: &str, (x, y): (f64, f64), size: u32, width: f64, halo: &str) -> Text {
    let bold = size > 12;
    let per_char = f64::from(size) * if bold { 0.66 } else { 0.58 };
    let room = ((width - 6.0) / per_char).max(0.0) as usize;
    let text = match text.chars().count() > room {
        true if room < 3 => String::new(),
        true => text.chars().take(room - 1).chain(['…']).collect(),
        false => text.to_string(),
    };
    Text::new(text)
        .set("x", x)
        .set("y", y)
        .set("font-size", size)
        .set("font-weight", if bold { "bold" } else { "normal" })
        .set("text-anchor", "middle")
        .set("fill", "#263238")
        // A halo, so that it can be read on hatching.
        .set("stroke", halo)
        .set("stroke-width", 3)
        .set("stroke-linejoin", "round")
        .set("paint-order", "stroke")
}

fn lane_label(text: &str, y: f64) -> Text {
    Text::new(text)
        .set("x", 12)
        .set("y", y + LANE / 2.0 + 4.0)
        .set("font-size", 12)
        .set("fill", "#455a64")
}

/// Online memory in windows and Soft Reserved ranges, and what is served as a file.
fn used(map: &Map) -> Vec<Range> {
    let mut of_interest: Vec<Range> = map.reserved.iter().map(|r| r.range).collect();
    of_interest.extend(map.regions.iter().filter_map(|r| r.range));
    let of_interest = daxmap::range::merge(of_interest);
    let online = map
        .memory
        .blocks
        .iter()
        .filter(|b| b.is_online())
        .map(|b| b.range);
    let files = map
        .dax
        .iter()
        .filter(|d| d.driver.as_deref() == Some("device_dax"))
        .flat_map(|d| d.ranges.iter().copied());
    let parts = online
        .chain(files)
        .flat_map(|r| of_interest.iter().filter_map(move |i| i.overlap(&r)))
        .filter(|r| map.online_bytes(*r).is_none_or(|b| b > 0) || map.memory.blocks.is_empty())
        .collect();
    daxmap::range::merge(parts)
}

fn used_block(range: &Range, axis: &[Stretch], y: f64) -> Group {
    let Some((x, width)) = place(range, axis) else {
        return Group::new();
    };
    Group::new()
        .add(Title::new(format!("in use {range}")))
        .add(
            Rectangle::new()
                .set("x", x + 1.0)
                .set("y", y + LANE / 2.0 - 12.0)
                .set("width", (width - 2.0).max(1.0))
                .set("height", 22)
                .set("rx", 3)
                .set("fill", "#43a047"),
        )
        .add(
            label(
                &human(range.len()),
                (x + width / 2.0, y + LANE / 2.0 + 3.5),
                11,
                width,
                "none",
            )
            .set("fill", "#ffffff"),
        )
}
