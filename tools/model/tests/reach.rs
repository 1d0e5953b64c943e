// SPDX-License-Identifier: GPL-2.0

//! The universes contain what they are there for: a property that holds of nothing proves nothing.

use model::{
    code::Code,
    collect::collect,
    host::{Hold, Owner, Stage},
    protocol::Protocol,
    queue::{At, Who},
    state::{CxlWork, Dax, Known, State, Way},
    universe,
};

type Witness = fn(&Protocol, &State) -> bool;

const WITNESSES: [(&str, Witness); 19] = [
    ("CXL serves a range before probing has settled", |_, s| {
        s.slow && s.regions.iter().any(|r| r.dax == Dax::Bound) && owner(s, Owner::Cxl(false))
    }),
    (
        "HMEM serves a range that a region covers in part",
        |_, s| s.devices().any(|d| d.hold == Hold::Bound) && s.regions.iter().any(|r| r.lost),
    ),
    ("a region loses to HMEM", |_, s| {
        s.regions.iter().any(|r| r.lost)
    }),
    ("HMEM and CXL share a range", |p, s| {
        let owners = s.owners(&p.universe);
        let range = p.universe.ranges[0];
        range.meets(owners.hmem) && range.meets(owners.cxl)
    }),
    (
        "a range is undecided while dax_cxl is registered",
        |_, s| s.cxl_driver() && owner(s, Owner::Deferred),
    ),
    ("a region has taken memory of HMEM along", |_, s| {
        s.current
            .iter()
            .flat_map(|h| h.records.iter().flatten())
            .any(|r| !r.left.is_empty())
    }),
    ("dax_cxl waits for a decision that sleeps", |_, s| {
        s.cxl.work == CxlWork::Flushing(1) && s.queue.run.is_some_and(|r| r.at == At::Asleep)
    }),
    (
        "a binding waits for the closing of an earlier one",
        |_, s| {
            let waits = |stage| matches!(stage, Stage::Flushing(1..));
            s.current.as_ref().is_some_and(|h| waits(h.stage))
                && s.old.as_ref().is_some_and(|h| h.stage == Stage::Closing)
        },
    ),
    (
        "the decision of an earlier binding is queued beside a new binding",
        |_, s| s.current.is_some() && s.queue.is_pending(Who::Old),
    ),
    (
        "closing waits for the notifier of a region that goes",
        |_, s| s.queue.run.is_some_and(|run| run.at == At::Unlisten),
    ),
    (
        "a region waits for a device that is being probed",
        |_, s| {
            s.devices()
                .any(|d| d.hold.is_probing() && d.owed.contains(&true))
        },
    ),
    (
        "a region waits while a memory device is being probed",
        |_, s| s.newcomer && s.regions.iter().any(|r| r.life.waits()),
    ),
    (
        "memory in use is found again that nothing decodes",
        |_, s| {
            s.current
                .as_ref()
                .is_some_and(|h| !h.first && h.settled && !h.stuck.is_empty())
        },
    ),
    ("HMEM serves what another driver leaves", |_, s| {
        s.regions.iter().any(|r| r.known == Known::Followed)
            && s.devices().any(|d| d.hold == Hold::Bound)
    }),
    (
        "a decision serves a piece while a region is being unbound",
        |_, s| {
            s.queue.run.is_some_and(|r| r.job.is_some())
                && s.regions.iter().any(|r| r.life.is_going())
        },
    ),
    (
        "HMEM serves what a memory device without a driver decodes",
        |p, s| {
            (p.universe.region_numbers()).any(|r| {
                s.regions[r].hidden
                    && s.remembered[r]
                    && s.hmem_claims().meets(p.universe.regions[r])
            })
        },
    ),
    (
        "a region goes while kmem waits for the lock of memory hotplug",
        |_, s| {
            s.regions
                .iter()
                .any(|r| r.way == Way::Eject && !r.committed)
                && s.devices().any(|d| d.owed[0])
        },
    ),
    ("dax_cxl is loaded without a driver", |_, s| {
        s.cxl.work == CxlWork::Done(false)
    }),
    ("a range could not be decided", |_, s| {
        owner(s, Owner::Failed)
    }),
];

fn owner(s: &State, owner: Owner) -> bool {
    let hosts = s.current.iter();
    hosts
        .flat_map(|h| h.records.iter().flatten())
        .any(|r| r.owner == owner)
}

fn seen(protocol: &Protocol, state: &State) -> Option<u32> {
    let held = WITNESSES.iter().enumerate();
    Some(held.fold(0, |all, (i, (_, holds))| {
        all | u32::from(holds(protocol, state)) << i
    }))
}

#[test]
fn what_matters_is_reached() {
    let mut all = 0;
    for universe in [
        universe::PAIR,
        universe::PART_FINE,
        universe::LATE,
        universe::IN_USE,
        universe::HOT_ADD,
        universe::GUEST,
        universe::BARE,
        universe::EJECT,
    ] {
        let masks = collect(Protocol::new(universe, Code::default()), seen);
        all |= masks.into_iter().fold(0, |a, b| a | b);
    }
    let missing: Vec<_> = WITNESSES
        .iter()
        .enumerate()
        .filter(|(i, _)| all & (1 << i) == 0)
        .map(|(_, (name, _))| name)
        .collect();
    assert!(missing.is_empty(), "never reached: {missing:#?}");
}
