// SPDX-License-Identifier: GPL-2.0

//! What `daxown wait --for` and `--node` wait for.

use daxmap::size::Total as _;
use std::fmt;
use std::str::FromStr;

use daxmap::range::merge;
use daxmap::{Map, Owner, Range};
use schemars::JsonSchema;
use serde::Serialize;

use crate::subject::Subject;

/// States that something can be waited to reach.
const STATES: [(&str, Goal); 8] = [
    ("online", Goal::Online),
    ("usable", Goal::Usable),
    ("there", Goal::There),
    ("gone", Goal::Gone),
    ("committed", Goal::Committed),
    ("cxl", Goal::Cxl),
    ("hmem", Goal::Hmem),
    ("nobody", Goal::Nobody),
];

/// A state to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// Some of it is online System RAM, and none of it is in an offline block.
    Online,
    /// Each byte is online or served as a file, and can be relied on.
    Usable,
    There,
    Gone,
    /// Of a region: its decoders are committed.
    Committed,
    /// Whose each byte is.
    Cxl,
    Hmem,
    Nobody,
}

/// Something in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `NAME=STATE`.
    Of(String, Word),
    /// Memory of a node is online.
    Node(u32),
}

/// Something that was waited for.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConditionDoc {
    /// `region0=online`.
    pub condition: String,
    /// Whether it is so.
    pub holds: bool,
    /// Bytes of it that are in use and not to be relied on: nothing answers for them, or they are another
    /// driver's.
    pub unsound: u64,
}

/// A goal as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(Goal);

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Condition, String> {
        let (name, state) = text.split_once('=').unwrap_or((text, "online"));
        if name.trim().is_empty() {
            return Err("write NAME=STATE, such as region0=online".into());
        }
        let goal = STATES.iter().find(|(word, _)| *word == state);
        let Some((_, goal)) = goal else {
            let words: Vec<&str> = STATES.iter().map(|(word, _)| *word).collect();
            return Err(format!(
                "there is no state {state:?}; there are {}",
                words.join(", ")
            ));
        };
        Ok(Condition::Of(name.to_string(), Word(*goal)))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Of(name, Word(goal)) => {
                let word = STATES
                    .iter()
                    .find(|(_, g)| g == goal)
                    .map_or("", |(w, _)| w);
                write!(f, "{name}={word}")
            }
            Condition::Node(node) => write!(f, "node {node} has online memory"),
        }
    }
}

impl Condition {
    /// Whether it is so.
    pub fn holds(&self, map: &Map) -> bool {
        let (name, goal) = match self {
            Condition::Of(name, Word(goal)) => (name, *goal),
            Condition::Node(node) => {
                let mut blocks = map.memory.blocks.iter();
                return blocks.any(|b| b.node == Some(*node) && b.is_online());
            }
        };
        let Ok(subject) = Subject::find(map, name) else {
            return goal == Goal::Gone;
        };
        let each = |is: &dyn Fn(&Range) -> bool| {
            !subject.ranges.is_empty() && subject.ranges.iter().all(is)
        };
        match goal {
            Goal::There => true,
            Goal::Gone => false,
            Goal::Committed => map.region(name).is_some_and(|r| r.is_committed()),
            Goal::Online => each(&|r| is_online(map, r)),
            Goal::Usable => {
                each(&|r| map.used_bytes(r).saturating_sub(map.unsound_bytes(r)) == r.len())
            }
            Goal::Cxl => each(&|r| is_owned(map, r, |o| matches!(o, Owner::Cxl { .. }))),
            Goal::Hmem => each(&|r| is_owned(map, r, |o| matches!(o, Owner::Hmem { .. }))),
            Goal::Nobody => each(&|r| is_owned(map, r, |o| *o == Owner::Nobody)),
        }
    }
}

impl Condition {
    /// Bytes of what was named that are in use and not to be relied on.
    pub fn unsound_bytes(&self, map: &Map) -> u64 {
        let ranges = match self {
            Condition::Of(name, _) => Subject::find(map, name).map_or(Vec::new(), |s| s.ranges),
            Condition::Node(node) => {
                let blocks = map.memory.blocks.iter();
                let here = blocks.filter(|b| b.node == Some(*node) && b.is_online());
                merge(here.map(|b| b.range).collect())
            }
        };
        let bytes = ranges.iter().map(|r| map.unsound_bytes(r));
        bytes.total()
    }
}

fn is_online(map: &Map, range: &Range) -> bool {
    map.online_bytes(*range).is_some_and(|b| b > 0) && map.offline_bytes(*range) == Some(0)
}

/// Whether every Soft Reserved piece there has such an owner; a region outside of them is CXL's.
fn is_owned(map: &Map, range: &Range, is: impl Fn(&Owner) -> bool) -> bool {
    let mut owners: Vec<Owner> = map
        .reserved
        .iter()
        .flat_map(|r| &r.pieces)
        .filter(|p| p.range.overlaps(range))
        .map(|p| p.owner.clone())
        .collect();
    if owners.is_empty() {
        let here = map.committed_in(range);
        owners.extend(here.filter(|r| r.dax_driver.is_some()).map(|r| Owner::Cxl {
            region: r.name.clone(),
        }));
    }
    !owners.is_empty() && owners.iter().all(is)
}
