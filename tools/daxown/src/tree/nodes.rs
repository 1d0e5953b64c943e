// SPDX-License-Identifier: GPL-2.0

//! The address map as nested nodes: windows, Soft Reserved pieces, regions, dax devices.
//!
//! A node lies in another if its addresses do and its kind ranks below: a dax device that crosses a
//! region's edge stands beside the region, not above it.

use daxmap::cxl::{Region, RegionState};
use daxmap::dax::Parent;
use daxmap::iomem::{is_kmem, is_system_ram, Resource};
use daxmap::{Map, Owner, Piece, Range};

use crate::show;

/// What a node is, the outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Window,
    Reserved,
    Region,
    Dax,
    /// Whatever else stands in the resource tree.
    Other,
    Ram,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Ram => "ram",
            Kind::Window => "window",
            Kind::Reserved => "reserved",
            Kind::Region => "region",
            Kind::Dax => "dax",
            Kind::Other => "other",
        }
    }
}

/// A part of the map.
#[derive(Clone, Debug)]
pub struct Node {
    pub kind: Kind,
    pub name: String,
    pub range: Range,
    /// Who has it, for Soft Reserved pieces.
    pub owner: Option<Owner>,
    /// Its state in a word, where it has one.
    pub state: Option<String>,
    pub detail: String,
    /// Bytes that can be used now; `None` if unknown or not of interest.
    pub usable: Option<u64>,
    /// The region a dax device was made from.
    pub region: Option<String>,
    pub children: Vec<Node>,
}

impl Node {
    /// A region holds its own dax devices only: one of HMEM at its addresses is not in it.
    fn may_hold(&self, inner: &Node) -> bool {
        let ranks = match self.kind {
            // It may be around anything, and within anything.
            Kind::Other => inner.kind != Kind::Window,
            kind => kind < inner.kind,
        };
        let is_free = matches!(inner.kind, Kind::Other | Kind::Ram);
        let owns = self.kind != Kind::Region || is_free;
        ranks
            && self.range.contains(&inner.range)
            && (owns || inner.region.as_ref() == Some(&self.name))
    }
}

pub fn build(map: &Map) -> Vec<Node> {
    let mut flat: Vec<Node> = Vec::new();
    flat.extend(windows(map));
    for piece in map.reserved.iter().flat_map(|r| &r.pieces) {
        flat.push(reserved(piece));
    }
    flat.extend(map.regions.iter().filter_map(|r| region(map, r)));
    flat.extend(dax(map));
    flat.extend(others(map));
    flat.extend(system_ram(map));
    // Outer before inner: by start, then the longer, then the kind that ranks above.
    flat.sort_by_key(|n| (n.range.start, std::cmp::Reverse(n.range.end), n.kind));
    let mut roots = Vec::new();
    for node in flat {
        insert(&mut roots, node);
    }
    roots
}

fn insert(nodes: &mut Vec<Node>, node: Node) {
    let parent = nodes.iter_mut().rev().find(|n| n.may_hold(&node));
    match parent {
        Some(parent) => insert(&mut parent.children, node),
        None => nodes.push(node),
    }
}

fn node(kind: Kind, name: &str, range: Range, detail: String) -> Node {
    Node {
        kind,
        name: name.to_string(),
        range,
        owner: None,
        state: None,
        detail,
        usable: None,
        region: None,
        children: Vec::new(),
    }
}

fn windows(map: &Map) -> impl Iterator<Item = Node> + '_ {
    map.windows.iter().filter_map(|w| {
        let name = w.name.as_deref().unwrap_or("CXL Window");
        Some(node(Kind::Window, name, w.range?, w.decoder.clone()))
    })
}

fn reserved(piece: &Piece) -> Node {
    Node {
        owner: Some(piece.owner.clone()),
        state: Some(show::state(piece.state).into()),
        usable: piece.usable_bytes(),
        ..node(
            Kind::Reserved,
            "Soft Reserved",
            piece.range,
            piece.reason.text.clone(),
        )
    }
}

fn region(map: &Map, region: &Region) -> Option<Node> {
    let mut words: Vec<String> = region.mode.iter().cloned().collect();
    words.extend(region.ways.filter(|&w| w > 1).map(|w| format!("{w}-way")));
    words.extend(Some(show::members(region)).filter(|m| !m.is_empty()));
    let piece = map.region_piece(region);
    let state = match region.state {
        RegionState::Disabled => "disabled".into(),
        RegionState::CommittedUnbound => "unbound".into(),
        RegionState::Unknown => "unknown".into(),
        RegionState::Committed => match map.holder_of(region) {
            Some(holder) => {
                words.push(format!("lost to {}", show::owner(&holder)));
                "lost".into()
            }
            None => "committed".into(),
        },
    };
    // Inside a Soft Reserved range that range's line shows the use.
    let inside = map
        .reserved
        .iter()
        .any(|r| region.range.is_some_and(|x| r.range.overlaps(&x)));
    Some(Node {
        state: Some(state),
        usable: piece
            // Of persistent memory nobody makes System RAM.
            .filter(|_| !inside && region.is_committed() && region.mode.as_deref() != Some("pmem"))
            .and_then(|p| p.usable_bytes()),
        ..node(Kind::Region, &region.name, region.range?, words.join(", "))
    })
}

fn dax(map: &Map) -> impl Iterator<Item = Node> + '_ {
    map.dax.iter().flat_map(|d| {
        d.ranges.iter().map(|&range| {
            let detail = match d.driver.as_deref() {
                Some("kmem") => match d.target_node {
                    Some(n) => format!("kmem, System RAM of node {n}"),
                    None => "kmem, System RAM".into(),
                },
                Some(driver) if d.is_file() => format!("{driver}, /dev/{}", d.name),
                Some(other) => other.to_string(),
                None => "no driver".into(),
            };
            let region = match &d.parent {
                Parent::Region(name) => Some(name.clone()),
                _ => None,
            };
            Node {
                region,
                ..node(Kind::Dax, &d.name, range, detail)
            }
        })
    })
}

/// What a line of the resource tree is within.
#[derive(Clone, Copy)]
enum Within {
    Nothing,
    /// The kernel's image and what it keeps for a crash lie in its memory.
    Ram,
    /// A line that is shown, by its place.
    Other(usize),
}

/// Whatever else has addresses of a window, such as a PCI bridge: what lies inside of it is counted.
fn others(map: &Map) -> Vec<Node> {
    let windows: Vec<Range> = map.windows.iter().filter_map(|w| w.range).collect();
    let mut out: Vec<(Node, u32)> = Vec::new();
    let mut around: Vec<(usize, Within)> = Vec::new();
    for r in &map.iomem {
        around.retain(|(depth, _)| *depth < r.depth);
        let outer = around.last().map_or(Within::Nothing, |(_, w)| *w);
        let is_in = |w: &Range| w.overlaps(&r.range) && !r.range.contains(w);
        let within = match outer {
            Within::Ram => Within::Ram,
            _ if is_system_ram(&r.name) => Within::Ram,
            _ if is_known(map, r) => outer,
            Within::Other(at) => {
                out[at].1 += 1;
                outer
            }
            Within::Nothing if windows.iter().any(is_in) => {
                out.push((node(Kind::Other, &r.name, r.range, String::new()), 0));
                Within::Other(out.len() - 1)
            }
            Within::Nothing => outer,
        };
        around.push((r.depth, within));
    }
    let named = out.into_iter().map(|(node, inside)| Node {
        detail: match inside {
            0 => String::new(),
            n => format!("{n} more inside"),
        },
        ..node
    });
    named.collect()
}

/// Whether a line of the resource tree is shown as something that is known.
fn is_known(map: &Map, r: &Resource) -> bool {
    let window = || map.windows.iter().any(|w| w.range == Some(r.range));
    is_system_ram(&r.name)
        || r.name == "Soft Reserved"
        || r.name.starts_with("CXL Window") && window()
        || map.region(&r.name).is_some()
        || map.dax.iter().any(|d| d.name == r.name)
        || map.hmem.iter().any(|h| h.name == r.name)
}

/// The machine's other memory, for orientation: neighbours as one.
fn system_ram(map: &Map) -> Vec<Node> {
    let mut out: Vec<Node> = Vec::new();
    // What kmem made is shown by its dax device, unless it has none.
    let mut ram: Vec<&Resource> = map
        .iomem
        .iter()
        .filter(|r| is_system_ram(&r.name))
        .collect();
    ram.retain(|r| {
        let of_dax = map
            .dax
            .iter()
            .any(|d| d.ranges.iter().any(|x| x.overlaps(&r.range)));
        !is_kmem(&r.name) || !of_dax
    });
    for r in ram {
        match out.last_mut() {
            // The holes of the first MiB and the like are of no interest here.
            Some(last)
                if last.name == r.name
                    && r.range.start.saturating_sub(last.range.end) <= 1 << 20 =>
            {
                last.range.end = r.range.end;
            }
            _ => out.push(node(Kind::Ram, &r.name, r.range, String::new())),
        }
    }
    out
}
