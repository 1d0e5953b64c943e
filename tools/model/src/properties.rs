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
    /// A byte is undone when committed decoders have decoded it, as dax_hmem could know, and none
    /// does any more.
    pub const DECODED: &str = "HMEM never serves what does not decode";
    pub const OTHERS: &str = "HMEM never takes what another driver holds";
    pub const NO_CIRCLE: &str = "nobody waits in a circle, or under a lock for a stranger";
    pub const STUCK: &str = "memory in use that nothing decodes is told of";
}

type Condition = fn(&Protocol, &State) -> bool;

/// What must hold, by name.
const INVARIANTS: [(&str, Condition); 16] = [
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
    (names::DECODED, |_, s| !s.serves_undone()),
    (names::OTHERS, |_, s| !s.ghost.robbed),
    (names::NO_CIRCLE, |_, s| !s.quiet || holds_no_lock(s)),
    (names::STUCK, stuck_is_told),
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
        .without(s.ghost.starved)
        .without(s.ghost.undone)
        .without(s.ghost.by_hand)
        .without(s.online)
        .without(not_served(p, s));
    lost.is_empty()
}

/// What is another driver's, or of a region that is disabled.
fn not_served(p: &Protocol, s: &State) -> Units {
    p.universe
        .region_numbers()
        .filter(|&r| p.universe.foreign[r] && s.regions[r].committed || s.regions[r].is_disabled())
        .map(|r| p.universe.regions[r])
        .collect()
}

fn cxl_wins(p: &Protocol, s: &State) -> bool {
    let Some(host) = settled(s).filter(|_| !s.ghost.stale && s.ghost.starved.is_empty()) else {
        return true;
    };
    let Owners { hmem, cxl } = s.owners(&p.universe);
    let regions: Units = p
        .universe
        .region_numbers()
        .filter(|&r| s.regions[r].dax != Dax::Absent || s.regions[r].is_disabled())
        .filter(|&r| !p.universe.foreign[r])
        .map(|r| p.universe.regions[r])
        .collect();
    // What dax_cxl held when this binding began, it keeps.
    let head_start = !host.first;
    // What is decided about: what is decoded and is no other driver's.
    let rest = |i: usize| {
        let foreign = (p.universe.region_numbers())
            .filter(|&r| p.universe.foreign[r] && s.regions[r].committed)
            .map(|r| p.universe.regions[r]);
        (p.universe.ranges[i])
            .without(foreign.collect())
            .without(s.ghost.undone)
    };

    p.universe.range_numbers().all(|i| {
        let range = rest(i);
        let in_window = host.records[i].is_some_and(|r| r.in_window);
        if in_window && regions.contains(range) {
            return !hmem.meets(range);
        }
        let mut due = (range.without(not_served(p, s))).without(s.ghost.by_hand);
        if p.universe.policy == Policy::Split {
            due = due.without(regions);
        }
        if head_start {
            due = due.without(cxl);
        }
        // A region that has to serve another range cannot lose here.
        for other in p.universe.range_numbers().filter(|&o| o != i).map(rest) {
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

/// Whether nobody holds a lock that another might want: no region is being probed or removed, no
/// device hmem.N is being probed, and no memory device.
fn holds_no_lock(s: &State) -> bool {
    let rest = |life| matches!(life, Life::Absent | Life::Up);
    s.regions.iter().all(|r| rest(r.life))
        && !s.newcomer
        && !s.devices().any(|d| d.hold.is_probing())
}

fn stuck_is_told(p: &Protocol, s: &State) -> bool {
    settled(s).is_none_or(|host| {
        let stuck = s.online.within(s.ghost.undone);
        host.stuck.contains(stuck.within(p.universe.reserved()))
    })
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
