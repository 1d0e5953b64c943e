// SPDX-License-Identifier: GPL-2.0

//! Who owns each piece of a Soft Reserved range.
//!
//! The ledger says it where there is one. Else it is concluded: a dax device shows its parent, an
//! hmem device its dax region, a committed region its bounds. Every byte gets exactly one owner,
//! `Unknown` included: the range is cut at every edge known, and each part takes the strongest claim.

mod claim;
mod foreign;
mod place;
mod reason;
mod unclaimed;

use serde::Serialize;

use crate::log::Event;
use crate::map::Map;
use crate::range::Range;

use claim::Claim;
pub(crate) use place::place_hmem;
pub use reason::{Evidence, Reason, ReasonCode};
pub(crate) use unclaimed::{last_word, reserve_failed};

/// Who owns a piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Owner {
    /// A CXL region.
    Cxl {
        /// Such as `region0`.
        region: String,
    },
    /// An hmem device.
    Hmem {
        /// Such as `hmem.0`.
        device: String,
    },
    /// The kernel took it as plain System RAM at boot.
    SystemRam,
    /// Another driver, such as an accelerator's.
    Driver {
        /// Its device or resource, such as `0000:e1:00.0`.
        name: String,
    },
    /// No driver has it.
    Nobody,
    /// Cannot be known from what could be read.
    Unknown,
}

/// In what state a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// All of it is online System RAM.
    Online,
    /// A part of it is online.
    Partial,
    /// It is System RAM, all of it offline.
    Offline,
    /// It is served as a `/dev/daxN.M` file.
    DaxFile,
    /// It has an owner, but nothing uses it.
    Idle,
    /// The decision waits for CXL.
    Deferred,
    /// Its owner let it go; free for CXL.
    Free,
    /// A driver tried to serve it and failed.
    Failed,
    /// Nobody tried.
    Unowned,
    /// Online, and its driver could not take it away.
    Stuck,
    /// Another driver has it.
    Foreign,
    /// Cannot be known from what could be read.
    Unknown,
}

/// A part of a Soft Reserved range with one owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// Its addresses.
    pub range: Range,
    /// Its owner.
    pub owner: Owner,
    /// The dax device on it, or the hmem device that failed to make one.
    pub device: Option<String>,
    /// Why it is so.
    pub reason: Reason,
    /// State.
    pub state: State,
    /// Target node.
    pub node: Option<u32>,
    /// Bytes that are online System RAM; `None` if unknown.
    pub online_bytes: Option<u64>,
    /// Bytes in memory blocks that are offline; `None` if unknown.
    pub offline_bytes: Option<u64>,
    /// Bytes served as a `/dev/daxN.M` file.
    pub file_bytes: u64,
    /// Bytes online or served as a file that are not to be relied on: see [`Map::unsound`].
    pub unsound_bytes: u64,
}

impl Piece {
    /// Bytes that can be used now, as System RAM, as a file or by another driver; `None` if unknown.
    pub fn usable_bytes(&self) -> Option<u64> {
        self.known_bytes().filter(|&used| {
            // Whoever has it may use the rest. What the log says is lost is lost whoever has it.
            let is_told = self.reason.evidence == Evidence::Log;
            self.owner != Owner::Unknown || is_told || used >= self.range.len()
        })
    }

    /// Bytes that can be used now for sure; `None` if nothing is known of it.
    pub fn known_bytes(&self) -> Option<u64> {
        if matches!(self.owner, Owner::Driver { .. }) {
            return Some(self.range.len().saturating_sub(self.unsound_bytes));
        }
        let used = self.online_bytes?.saturating_add(self.file_bytes);
        Some(used.saturating_sub(self.unsound_bytes))
    }
}

/// Cuts `range` into pieces with one owner each.
pub(crate) fn pieces(map: &Map, range: Range) -> Vec<Piece> {
    let claims = claim::claims(map, &range);
    let mut edges: Vec<Range> = claims.iter().map(|c| c.range).collect();
    edges.extend(unclaimed::told(map));
    let mut parts: Vec<(Range, Option<&Claim>, Option<String>)> = Vec::new();
    for part in range.split_at(&edges) {
        let claim = claims.iter().find(|c| c.range.contains(&part));
        let told = unclaimed::last_word(map, &part).filter(|_| claim.is_none());
        match parts.last_mut() {
            Some((last, other, words))
                if same(*other, claim) && *words == told && last.touches(&part) =>
            {
                last.end = part.end
            }
            _ => parts.push((part, claim, told)),
        }
    }
    parts
        .into_iter()
        .map(|(part, claim, _)| piece(map, &range, part, claim))
        .collect()
}

/// A part of a committed region that lies in no Soft Reserved range, seen as a piece.
pub(crate) fn piece_of_region(map: &Map, region: &crate::cxl::Region, part: Range) -> Piece {
    if let Some(name) = map.accelerator_of(region) {
        return piece(
            map,
            &part,
            part,
            Some(&claim::of_accelerator(region, part, name)),
        );
    }
    let claims = claim::claims(map, &part);
    let owner = Owner::Cxl {
        region: region.name.clone(),
    };
    let own = claims
        .into_iter()
        .find(|c| c.owner == owner)
        .unwrap_or_else(|| claim::of_region(map, region, part));
    piece(map, &part, part, Some(&own))
}

fn same(a: Option<&Claim>, b: Option<&Claim>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b,
        (None, None) => true,
        _ => false,
    }
}

/// The piece `range` of a Soft Reserved range, `whole`.
fn piece(map: &Map, whole: &Range, range: Range, claim: Option<&Claim>) -> Piece {
    let unclaimed;
    let claim = match claim {
        Some(claim) => claim,
        None => {
            unclaimed = unclaimed::unclaimed(map, whole, range);
            &unclaimed
        }
    };
    let mut piece = Piece {
        range,
        owner: claim.owner.clone(),
        device: claim.device.clone(),
        reason: claim.reason.clone(),
        state: State::Unknown,
        node: claim.node.or_else(|| node_of(map, &range)),
        online_bytes: map.online_bytes(range),
        offline_bytes: map.offline_bytes(range),
        file_bytes: map.file_bytes(&range),
        unsound_bytes: map.unsound_bytes(&range),
    };
    piece.state = claim.state.unwrap_or_else(|| state(&piece));
    // Without devices, memory that is no System RAM may be served as a file, or be lost.
    let told = || unclaimed::reserve_failed(map, &range).is_some();
    if !map.in_source.sysfs && piece.online_bytes == Some(0) && !told() {
        piece.online_bytes = None;
    }
    piece
}

fn state(piece: &Piece) -> State {
    let (online, offline) = (piece.online_bytes, piece.offline_bytes.unwrap_or(0));
    match (online, &piece.owner) {
        (_, Owner::Unknown) => State::Unknown,
        (_, Owner::Driver { .. }) => State::Foreign,
        (Some(n), _) if n >= piece.range.len() => State::Online,
        (Some(n), _) if n > 0 => State::Partial,
        _ if offline > 0 => State::Offline,
        _ if piece.file_bytes > 0 => State::DaxFile,
        (_, Owner::Nobody) => State::Unowned,
        (None, _) => State::Unknown,
        _ => State::Idle,
    }
}

/// The node of the memory blocks there, else what SRAT says, or cxl_acpi of the window.
fn node_of(map: &Map, range: &Range) -> Option<u32> {
    let block = map.memory.blocks.iter().find(|b| b.range.overlaps(range));
    let srat = || {
        map.log.iter().find_map(|m| match &m.event {
            Event::NodeRange { node, range: r } if r.overlaps(range) => Some(*node),
            _ => None,
        })
    };
    let window = || {
        map.log.iter().find_map(|m| match &m.event {
            Event::WindowNode { node, range: r } if r.has(range.start) => Some(*node),
            _ => None,
        })
    };
    block.and_then(|b| b.node).or_else(srat).or_else(window)
}
