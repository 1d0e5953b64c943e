// SPDX-License-Identifier: GPL-2.0

//! What must hold.
//!
//! All are stated of single states. What must come about in the end is stated of quiet ones, in
//! which nothing happens any more unless somebody outside of the kernel acts; that the kernel
//! always gets there is what [`crate::ends`] checks.

use crate::{
    ghost::Owners,
    host::{Hold, Host, Owner, Settling, Stage},
    protocol::Protocol,
    queue::At,
    state::{CxlWork, Dax, Hmem, Life, State},
    units::Units,
};
use ownership::Policy;
use stateright::Property;

/// The names, for tests to refer to.
pub mod names {
    pub const ONE_OWNER: &str = "no byte has two owners";
    pub const NONE_LOST: &str = "no usable byte is ownerless once all is settled and loaded";
    /// A head start is excused: where a region goes away before probing has settled, dax_cxl keeps
    /// what it has bound, or binds while the range is undecided, on the strength of an early "yes",
    /// and where HMEM would have won after waiting. Memory in use is not taken from its owner.
    pub const CXL_WINS: &str = "CXL wins exactly where coverage is complete";
    pub const NO_WAITS: &str = "a no waits for probing";
    pub const FLUSHED: &str = "flush returned means settled";
    pub const NO_WORK: &str = "no work runs after unload";
    pub const REBIND: &str = "rebind is idempotent";
    pub const UNREGISTER: &str = "only a registered driver is unregistered";
    pub const NOT_STUCK: &str = "nobody waits for ever";
    pub const FREE: &str = "what a region took along stays free";
    pub const FIRST: &str = "HMEM goes before its region";
    pub const NEWS: &str = "ownership is announced as settled only when it is";
    pub const NO_WARNING: &str = "the driver core does not warn";
}

type Condition = fn(&Protocol, &State) -> bool;

/// What must hold, by name.
const INVARIANTS: [(&str, Condition); 13] = [
    (names::ONE_OWNER, one_owner),
    (names::NONE_LOST, none_lost),
    (names::CXL_WINS, cxl_wins),
    (names::NO_WAITS, no_waits),
    (names::FLUSHED, flushed),
    (names::NO_WORK, no_work),
    (names::REBIND, rebind),
    (names::UNREGISTER, |_, s| !s.ghost.wrong_unregister),
    (names::NOT_STUCK, |_, s| !s.quiet || s.slow || at_rest(s)),
    (names::FREE, stays_free),
    (names::NEWS, announced),
    (names::FIRST, |_, s| !s.ghost.kept),
    (names::NO_WARNING, |_, s| !s.ghost.warned),
];

/// All properties.
pub fn all() -> Vec<Property<Protocol>> {
    INVARIANTS
        .into_iter()
        .map(|(name, condition)| Property::always(name, condition))
        .collect()
}

fn one_owner(p: &Protocol, s: &State) -> bool {
    let Owners { hmem, cxl } = s.owners(&p.universe);
    let mut seen = Units::NONE;
    let twice = s.devices().filter(|d| d.hold != Hold::Idle).any(|d| {
        let twice = seen.meets(d.units);
        seen = seen.and(d.units);
        twice
    });
    !hmem.meets(cxl) && !twice
}

/// The binding, once all is settled, loaded and done.
pub(crate) fn settled(s: &State) -> Option<&Host> {
    let done = s.quiet && !s.slow && s.all_loaded() && s.is_judged();
    s.current.as_ref().filter(|_| done)
}

fn none_lost(p: &Protocol, s: &State) -> bool {
    if settled(s).is_none() {
        return true;
    }
    let Owners { hmem, cxl } = s.owners(&p.universe);
    let lost = (p.universe.reserved())
        .without(hmem)
        .without(cxl)
        .without(s.ghost.forgone)
        .without(s.ghost.starved);
    lost.is_empty()
}

fn cxl_wins(p: &Protocol, s: &State) -> bool {
    let Some(host) = settled(s).filter(|_| !s.ghost.stale && s.ghost.starved.is_empty()) else {
        return true;
    };
    let Owners { hmem, cxl } = s.owners(&p.universe);
    let regions: Units = p
        .universe
        .region_numbers()
        .filter(|&r| s.regions[r].dax != Dax::Absent)
        .map(|r| p.universe.regions[r])
        .collect();
    let head_start = !host.first || s.ghost.swapped && !p.code.strict;

    p.universe.range_numbers().all(|i| {
        let range = p.universe.ranges[i];
        let in_window = host.records[i].is_some_and(|r| r.in_window);
        if in_window && regions.contains(range) {
            return !hmem.meets(range);
        }
        let mut due = range;
        if p.universe.policy == Policy::Split {
            due = due.without(regions);
        }
        if head_start {
            due = due.without(cxl);
        }
        // A region that has to serve another range cannot lose here.
        let others = p.universe.range_numbers().filter(|&o| o != i);
        for other in others.map(|o| p.universe.ranges[o]) {
            let shared = |r: &usize| p.universe.regions[*r].meets(other);
            if regions.contains(other) {
                let shared = p.universe.region_numbers().filter(shared);
                due = due.without(shared.map(|r| p.universe.regions[r]).collect());
            }
        }
        hmem.contains(due)
    })
}

fn no_waits(_: &Protocol, s: &State) -> bool {
    s.current.as_ref().is_none_or(|host| {
        host.settled
            || !host
                .records
                .iter()
                .flatten()
                .any(|r| r.in_window && r.owner == Owner::Hmem)
    })
}

fn flushed(_: &Protocol, s: &State) -> bool {
    let broken = s.cxl.work == CxlWork::Flushed
        && s.ghost.promised
        && s.current.as_ref().is_some_and(|host| {
            let records = host.records.iter().flatten();
            host.stage != Stage::Bound || records.into_iter().any(|r| r.owner == Owner::Deferred)
        });
    !broken
}

fn no_work(_: &Protocol, s: &State) -> bool {
    let work = !s.queue.is_empty()
        || [&s.current, &s.old]
            .into_iter()
            .flatten()
            .any(|h| h.settling != Settling::Idle);
    s.hmem != Hmem::Gone || !work
}

fn rebind(p: &Protocol, s: &State) -> bool {
    match (settled(s), s.ghost.before) {
        (Some(_), Some(before)) => before == s.owners(&p.universe),
        _ => true,
    }
}

/// Whether every actor is where it can stay.
fn at_rest(s: &State) -> bool {
    let bound = s.current.as_ref().is_none_or(|h| h.stage == Stage::Bound);
    let regions = s.regions.iter();
    s.queue.is_empty()
        && s.old.is_none()
        && bound
        && matches!(s.hmem, Hmem::Gone | Hmem::Loaded)
        && matches!(s.cxl.work, CxlWork::None | CxlWork::Done(_))
        && !s.cxl.unloading
        && regions
            .into_iter()
            .all(|r| matches!(r.life, Life::Absent | Life::Up) && !r.dax.is_probing())
}

fn announced(_: &Protocol, s: &State) -> bool {
    let deciding = s.queue.run.is_some_and(|run| run.at != At::Asleep);
    let early = s.current.as_ref().is_some_and(|host| {
        let mut records = host.records.iter().flatten();
        !host.undecided && records.any(|r| r.owner == Owner::Deferred)
    });
    !early || deciding
}

fn stays_free(_: &Protocol, s: &State) -> bool {
    settled(s).is_none() || !(s.ghost.reserved.without(s.ghost.starved)).meets(s.hmem_claims())
}
