// SPDX-License-Identifier: GPL-2.0

//! What a machine is, as facts under keys that stay the same over boots.

use std::collections::BTreeMap;

use daxmap::cxl::{Memdev, Region, RegionState};
use daxmap::problem;
use daxmap::range::parse_number;
use daxmap::topology::Topology;
use daxmap::{Map, Owner, Piece, Range, Tree};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Change, Sort};
use crate::json;
use crate::show;

/// A fact's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// A size.
    Bytes(u64),
    /// Anything else.
    Text(String),
}

/// Facts by thing and attribute.
pub type Facts = BTreeMap<(Sort, String), BTreeMap<&'static str, Value>>;

/// One of the two machines.
pub struct Side {
    pub map: Map,
    topology: Topology,
}

impl Side {
    pub fn read(tree: &Tree) -> Side {
        let map = Map::read(tree);
        Side {
            topology: Topology::read(tree, &map),
            map,
        }
    }

    /// Whether this is a part of a machine only: it was pasted, or read by another user than root.
    pub fn is_part(&self) -> bool {
        !self.map.in_source.sysfs || self.map.gaps.iter().any(|g| g.needs_root)
    }

    /// Whether two sides hold the same parts of a machine.
    pub fn is_like(&self, other: &Side) -> bool {
        let closed = |side: &Side| {
            let gaps = side.map.gaps.iter().filter(|g| g.needs_root);
            gaps.map(|g| g.path.clone()).collect::<Vec<_>>()
        };
        self.map.in_source == other.map.in_source && closed(self) == closed(other)
    }

    /// Whether what a side has there is known, so that it can differ.
    pub fn holds(&self, change: &Change, value: Option<&Value>) -> bool {
        if !self.is_part() {
            return true;
        }
        let map = &self.map;
        let is_declared = change.what == Sort::Memory && change.attribute != "online";
        let is_whole = change.attribute == "there" || is_declared;
        let is_unknown = match value {
            None => !is_whole || !self.shows_all(change.what),
            Some(Value::Text(text)) => text == "unknown" || text.is_empty(),
            Some(Value::Bytes(_)) => false,
        };
        // A node is told by devices.
        let is_hidden = change.attribute == "node" && !map.in_source.sysfs;
        // What is wrong is concluded from all of it.
        !(is_unknown || is_hidden || change.what == Sort::Problem)
    }

    /// Whether a thing of this sort that a part of a machine does not show is not there. It may be an excerpt.
    fn shows_all(&self, sort: Sort) -> bool {
        let map = &self.map;
        match sort {
            Sort::Machine | Sort::Problem => false,
            Sort::Memory => map.has_memory_map,
            Sort::Window => map.windows.iter().any(|w| w.range.is_some()),
            Sort::Region => !map.regions.is_empty(),
            Sort::Device => !map.memdevs.is_empty(),
            Sort::Dax => map.dax.iter().any(|d| !d.ranges.is_empty()),
        }
    }

    /// Everything but the Soft Reserved memory, whose pieces the two sides cut differently. Of a part of a
    /// machine the members of regions may not be known; then these are told by their place.
    pub fn facts(&self, by_place: bool) -> Facts {
        let mut out = Facts::new();
        let map = &self.map;
        let machine = out.entry((Sort::Machine, "kernel".into())).or_default();
        text(machine, "release", map.release.clone());
        text(machine, "drivers", Some(json::drivers(map.drivers).into()));
        bytes(machine, "memory block", map.memory.block_size);
        text(machine, "new memory", map.memory.auto_online.clone());
        let nodes: Vec<String> = map.memory.nodes.iter().map(u32::to_string).collect();
        text(machine, "nodes", Some(nodes.join(" ")));
        for module in &map.modules {
            let facts = out
                .entry((Sort::Machine, format!("module {}", module.name)))
                .or_default();
            let presence = serde_json::to_value(module.presence).ok();
            let word = presence.and_then(|v| v.as_str().map(str::to_string));
            let tree = if module.out_of_tree {
                ", out of tree"
            } else {
                ""
            };
            text(facts, "presence", word.map(|w| w + tree));
        }
        for window in &map.windows {
            let Some(range) = window.range else { continue };
            let facts = out
                .entry((Sort::Window, format!("at {:#x}", range.start)))
                .or_default();
            bytes(facts, "size", Some(range.len()));
        }
        for region in &map.regions {
            self.region(region, by_place, &mut out);
        }
        for memdev in &map.memdevs {
            self.device(memdev, &mut out);
        }
        for dax in &map.dax {
            let Some(range) = dax.ranges.first() else {
                continue;
            };
            let facts = out
                .entry((Sort::Dax, format!("at {:#x}", range.start)))
                .or_default();
            bytes(facts, "size", dax.size);
            text(facts, "driver", dax.driver.clone());
            text(facts, "node", dax.target_node.map(|n| n.to_string()));
            text(facts, "state", dax.state.clone());
        }
        for p in problem::find(map) {
            let place = match p.range {
                Some(range) => range.to_string(),
                None => self.stable(&p.subject),
            };
            let facts = out
                .entry((Sort::Problem, format!("{} {place}", p.kind.word())))
                .or_default();
            bytes(facts, "bytes", Some(p.bytes));
            text(facts, "severity", Some(p.severity.word().into()));
        }
        out
    }

    fn region(&self, region: &Region, by_place: bool, out: &mut Facts) {
        let mode = region.mode.as_deref().unwrap_or("no mode");
        let serials = serials(region);
        let key = match (&serials, region.range) {
            (_, Some(range)) if by_place => format!("at {:#x}", range.start),
            (Some(serials), _) => format!("{mode}, serial {serials}"),
            (None, Some(range)) => format!("{mode}, at {:#x}", range.start),
            (None, None) => region.name.clone(),
        };
        let facts = out.entry((Sort::Region, key)).or_default();
        text(facts, "range", region.range.map(|r| r.to_string()));
        let state = match region.state {
            RegionState::Committed => "committed",
            RegionState::CommittedUnbound => "committed, unbound",
            RegionState::Disabled => "disabled",
            RegionState::Unknown => "unknown",
        };
        text(facts, "state", Some(state.into()));
        text(facts, "dax driver", region.dax_driver.clone());
        text(facts, "ways", region.ways.map(|w| w.to_string()));
        bytes(facts, "granularity", region.granularity);
        let missing = region
            .targets
            .iter()
            .filter(|t| t.decoder.is_none())
            .count();
        let members = !region.targets.is_empty() || self.map.in_source.sysfs;
        text(
            facts,
            "members missing",
            members.then(|| missing.to_string()),
        );
    }

    fn device(&self, memdev: &Memdev, out: &mut Facts) {
        let place = self.place(&memdev.name);
        let facts = out
            .entry((Sort::Device, self.stable(&memdev.name)))
            .or_default();
        text(facts, "pci", place);
        bytes(facts, "volatile", memdev.ram_bytes);
        bytes(facts, "persistent", memdev.pmem_bytes);
        bytes(facts, "mapped", memdev.mapped_bytes);
        text(facts, "node", memdev.node.map(|n| n.to_string()));
        text(
            facts,
            "driver",
            Some(if memdev.bound { "bound" } else { "none" }.into()),
        );
    }

    fn place(&self, memdev: &str) -> Option<String> {
        self.topology.seats.get(memdev)?.pci.clone()
    }

    /// A memory device by its serial number, if no other has it, else by its place; others as they are.
    fn stable(&self, name: &str) -> String {
        let Some(memdev) = self.map.memdevs.iter().find(|m| m.name == name) else {
            return name.to_string();
        };
        let same = |m: &&Memdev| m.serial == memdev.serial;
        let is_own = self.map.memdevs.iter().filter(same).count() == 1;
        let serial = memdev.serial.as_deref();
        let serial = serial.filter(|s| is_own && parse_number(s) != Some(0));
        match (serial, self.place(name)) {
            (Some(serial), _) => format!("serial {serial}"),
            (None, Some(place)) => format!("pci {place}"),
            (None, None) => name.to_string(),
        }
    }
}

/// The serial numbers of the members in order; `None` where one is missing or is none.
fn serials(region: &Region) -> Option<String> {
    let each = region.targets.iter().map(|t| t.serial.as_deref());
    let all: Option<Vec<&str>> = each
        .map(|s| s.filter(|s| parse_number(s) != Some(0)))
        .collect();
    all.filter(|s| !s.is_empty()).map(|s| s.join(" "))
}

fn text(facts: &mut BTreeMap<&'static str, Value>, name: &'static str, value: Option<String>) {
    facts.extend(value.map(|v| (name, Value::Text(v))));
}

fn bytes(facts: &mut BTreeMap<&'static str, Value>, name: &'static str, value: Option<u64>) {
    facts.extend(value.map(|v| (name, Value::Bytes(v))));
}

/// What differs of Soft Reserved memory: both sides are cut at the edges of either.
pub fn memory(a: &Map, b: &Map) -> Vec<Change> {
    let pieces =
        |map: &Map| -> Vec<Piece> { map.reserved.iter().flat_map(|r| r.pieces.clone()).collect() };
    let (one, other) = (pieces(a), pieces(b));
    let edges: Vec<Range> = one.iter().chain(&other).map(|p| p.range).collect();
    let mut cuts: Vec<Range> = daxmap::range::merge(edges.clone())
        .iter()
        .flat_map(|r| r.split_at(&edges))
        .collect();
    cuts.sort_unstable();
    // Neighbours that differ in the same way are one row.
    let mut rows: Vec<(Range, Sides)> = Vec::new();
    for range in cuts {
        let sides = (side(a, &one, range), side(b, &other, range));
        match rows.last_mut() {
            Some((last, known)) if *known == sides && last.touches(&range) => last.end = range.end,
            _ => rows.push((range, sides)),
        }
    }
    let mut out = Vec::new();
    for (range, (x, y)) in rows.into_iter().filter(|(_, (x, y))| x != y) {
        let mut push = |attribute: &str, a: Option<Value>, b: Option<Value>| {
            if a != b {
                out.push(Change {
                    what: Sort::Memory,
                    which: range.to_string(),
                    attribute: attribute.into(),
                    a,
                    b,
                });
            }
        };
        let word =
            |s: Option<&Slice>, f: fn(&Slice) -> &String| s.map(|s| Value::Text(f(s).clone()));
        push(
            "owner",
            word(x.as_ref(), |s| &s.owner),
            word(y.as_ref(), |s| &s.owner),
        );
        push(
            "state",
            word(x.as_ref(), |s| &s.state),
            word(y.as_ref(), |s| &s.state),
        );
        push(
            "node",
            word(x.as_ref(), |s| &s.node),
            word(y.as_ref(), |s| &s.node),
        );
        let online = |map: &Map, s: Option<&Slice>| {
            s.and_then(|_| map.online_bytes(range)).map(Value::Bytes)
        };
        push("online", online(a, x.as_ref()), online(b, y.as_ref()));
    }
    out
}

/// How many pieces of Soft Reserved memory both sides have something to say of.
pub fn common_memory(a: &Map, b: &Map) -> usize {
    let pieces = |map: &Map| -> Vec<Range> {
        let all = map.reserved.iter().flat_map(|r| &r.pieces);
        all.filter(|p| p.owner != Owner::Unknown || p.online_bytes.is_some())
            .map(|p| p.range)
            .collect()
    };
    let other = pieces(b);
    let is_common = |r: &&Range| other.iter().any(|o| o.overlaps(r));
    pieces(a).iter().filter(is_common).count()
}

type Sides = (Option<Slice>, Option<Slice>);

/// What a piece is, in words that stay the same over boots.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Slice {
    owner: String,
    state: String,
    node: String,
}

fn side(map: &Map, pieces: &[Piece], range: Range) -> Option<Slice> {
    let piece = pieces.iter().find(|p| p.range.contains(&range))?;
    let owner = match &piece.owner {
        Owner::Cxl { region } => match map.region(region).and_then(serials) {
            Some(serials) => format!("CXL, serial {serials}"),
            None => "CXL".into(),
        },
        Owner::Hmem { .. } => "HMEM".into(),
        other => show::owner(other),
    };
    Some(Slice {
        owner,
        state: show::state(piece.state).into(),
        node: piece.node.map_or("none".into(), |n| n.to_string()),
    })
}
