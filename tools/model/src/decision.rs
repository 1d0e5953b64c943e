// SPDX-License-Identifier: GPL-2.0

//! What a decision does: `Host::decide()` and `Record::decide()` of the module.
//!
//! What it reads and writes under the lock of the records, and nobody else looks at, is not a step
//! of its own.

use crate::{
    code::Mutant,
    host::{Host, Owner, Stage},
    protocol::Protocol,
    queue::{At, Run, Seen, Who},
    state::{Dax, Life, State},
    universe::REGIONS,
};
use ownership::{decide, Coverage, Extent, Extents, Mode, Policy, Range, World};

impl Protocol {
    /// It looks at one region on the bus.
    pub(crate) fn decision_looks(&self, state: &mut State) {
        let regions = state.regions;
        let Some(run) = &mut state.queue.run else {
            return;
        };
        let At::Look(r) = run.at else { return };
        let region = regions[usize::from(r)];
        let bound = if self.code.is(Mutant::UntimelyLink) {
            region.life.is_bound()
        } else {
            matches!(region.life, Life::Linked | Life::Up)
        };
        run.seen[usize::from(r)] = Seen {
            stands: region.life != Life::Absent,
            bound,
            committed: region.dax != Dax::Absent,
            held: region.dax == Dax::Bound,
        };
        let next = usize::from(r) + 1;
        if next < REGIONS && !self.universe.regions[next].is_empty() {
            run.at = At::Look(r + 1);
            return;
        }
        run.at = At::Lock;
        let who = run.who;
        if !self.records_are_locked(state, who) {
            self.decision_locks(state);
        }
    }

    /// There is no memory to look at the regions.
    pub(crate) fn look_fails(&self, state: &mut State) {
        let Some(run) = state.queue.run else { return };
        if let Some(host) = state.host_mut(run.who) {
            host.gone = host.gone.and(run.gone);
        }
        if !run.settled {
            return self.go_to_sleep(state);
        }
        // Those that are undecided now fail, and what is to be followed is not.
        state.note_starved(self.universe.reserved());
        if let Some(host) = state.host_mut(run.who) {
            for record in host.records.iter_mut().flatten() {
                if matches!(record.owner, Owner::Deferred | Owner::Cxl(false)) {
                    record.owner = Owner::Failed;
                }
            }
            host.undecided = false;
        }
        self.decision_ends(state);
    }

    /// It has the lock of the records, and goes through them.
    pub(crate) fn decision_locks(&self, state: &mut State) {
        if let Some(mut run) = state.queue.run {
            run.at = At::Follow(0);
            self.hold(state, &mut run);
            state.queue.run = Some(run);
        }
        self.advance(state);
    }

    /// Leaves to CXL every region that it needs for a range: `Regions::hold()`.
    fn hold(&self, state: &State, run: &mut Run) {
        if self.code.is(Mutant::TakesSharedRegion) {
            return;
        }
        let committed = self.committed(run);
        let extents = Extents::from_disjoint(&committed).unwrap_or(Extents::NONE);
        for i in self.universe.range_numbers() {
            let units = self.universe.ranges[i];
            let record = state.host(run.who).and_then(|h| h.records[i]);
            let open = record
                .is_some_and(|r| r.in_window && matches!(r.owner, Owner::Deferred | Owner::Cxl(_)));
            let covered = (units.range())
                .is_some_and(|range| matches!(extents.cover(&range), Coverage::Full { .. }));
            if open && covered {
                for r in self.universe.region_numbers() {
                    run.seen[r].held |= self.universe.regions[r].meets(units);
                }
            }
        }
    }

    /// Goes on until something is to be done that others can notice.
    pub(crate) fn advance(&self, state: &mut State) {
        while let Some(run) = state.queue.run {
            if run.job.is_some() {
                return;
            }
            let (At::Follow(i) | At::Depend(i) | At::Decide(i)) = run.at else {
                return;
            };
            let record = state
                .host(run.who)
                .filter(|h| h.stage != Stage::Listening)
                .and_then(|h| h.records.get(usize::from(i)).copied().flatten());
            let Some(record) = record else {
                return self.all_decided(state);
            };
            let next = match run.at {
                At::Follow(_) if record.served[0].is_some() || !run.gone.is_empty() => return,
                At::Follow(_) => At::Decide(i),
                At::Depend(_) if self.has_new_region(&run, &record) => return,
                At::Depend(_) => At::Decide(i),
                _ => {
                    self.decide_record(state, run, i);
                    At::Follow(i + 1)
                }
            };
            if let Some(run) = &mut state.queue.run {
                run.at = next;
            }
        }
    }

    /// `Record::decide()`, by the source of the modules.
    fn decide_record(&self, state: &mut State, run: Run, i: u8) {
        let regions = self.committed(&run);
        let world_regions = Extents::from_disjoint(&regions).unwrap_or(Extents::NONE);
        let window = state.window;
        let early_no = self.code.is(Mutant::EarlyNo);
        let final_yes = self.code.is(Mutant::EarlyYesIsFinal);

        let Some(record) = state
            .host_mut(run.who)
            .and_then(|h| h.records[usize::from(i)].as_mut())
        else {
            return;
        };
        if matches!(record.owner, Owner::Hmem | Owner::Failed | Owner::Cxl(true)) {
            return;
        }
        let Some(range) = self.universe.ranges[usize::from(i)].range() else {
            return;
        };
        let world = World {
            in_window: record.in_window,
            regions: world_regions,
            taken: &[],
            settled: run.settled || early_no,
        };
        match decide(&range, &world).mode {
            Mode::Defer | Mode::Leave => {
                record.owner = Owner::Deferred;
                if let Some(run) = &mut state.queue.run {
                    run.waiting = true;
                }
            }
            Mode::Drop => {
                let news = record.owner == Owner::Deferred;
                record.owner = Owner::Cxl(run.settled || final_yes);
                if let Some(run) = &mut state.queue.run {
                    run.offers |= news;
                }
            }
            Mode::Register => {
                record.owner = Owner::Hmem;
                let job = self.pieces(window, i, record, &run.seen);
                if let Some(run) = &mut state.queue.run {
                    run.offers |= self.universe.policy == Policy::Split;
                    run.job = job;
                }
            }
        }
    }

    /// The committed regions that a decision saw.
    fn committed(&self, run: &Run) -> Vec<Extent> {
        self.universe
            .region_numbers()
            .filter(|&r| run.seen[r].committed)
            .filter_map(|r| self.extent(r))
            .collect()
    }

    fn extent(&self, r: usize) -> Option<Extent> {
        let range: Range = self.universe.regions[r].range()?;
        Some(Extent {
            range,
            region: r as i32,
        })
    }

    /// All records have been gone through.
    fn all_decided(&self, state: &mut State) {
        let Some(run) = state.queue.run else { return };
        if run.offers && !self.code.is(Mutant::LoserStaysIdle) {
            let split = self.universe.policy == Policy::Split;
            state.probe_regions(|r| run.seen[r].held || split);
        }
        if run.waiting {
            return self.go_to_sleep(state);
        }
        let hasty = self.code.is(Mutant::HastyNews);
        if let Some(host) = state.host_mut(run.who) {
            host.undecided &= host.stage == Stage::Listening && !hasty;
        }
        self.decision_ends(state);
    }

    /// Whether the binder holds the lock of the records.
    pub(crate) fn records_are_locked(&self, state: &State, who: Who) -> bool {
        state
            .host(who)
            .is_some_and(|host: &Host| matches!(host.stage, Stage::Starting(..)))
    }
}
