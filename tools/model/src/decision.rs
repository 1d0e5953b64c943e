// SPDX-License-Identifier: GPL-2.0

//! What a decision does: `Host::decide()` and `Record::decide()` of the module.
//!
//! What it reads and writes under the lock of the records, and nobody else looks at, is not a step
//! of its own.

use crate::{
    code::Mutant,
    host::{Departing, Host, Owner, Stage},
    protocol::Protocol,
    queue::{At, Run, Seen, Who},
    state::{Dax, Life, State},
    units::Units,
    universe::REGIONS,
};
use ownership::{
    decide, range::sort_disjoint, Extent, Extents, Mode, Obstacle, Policy, Range, Taken, World,
};

impl Protocol {
    /// It looks at one region on the bus.
    pub(crate) fn decision_looks(&self, state: &mut State) {
        let Some(At::Look(r)) = state.queue.run.map(|run| run.at) else {
            return;
        };
        let seen = self.look_at(state, r.into());
        let region = state.regions[usize::from(r)];
        // Decoders that are about to be reset show what they decode.
        let decoded = (region.has_decoded() || region.committed) && !region.bare;
        if decoded {
            self.note_history(state, r.into());
        }
        let history = state.history;
        let Some(run) = &mut state.queue.run else {
            return;
        };
        if decoded {
            run.known = run
                .known
                .and(self.universe.regions[usize::from(r)].within(history));
        }
        run.seen[usize::from(r)] = seen;
        let next = usize::from(r) + 1;
        if next < REGIONS && !self.universe.regions[next].is_empty() {
            run.at = At::Look(r + 1);
            return;
        }
        if self.note_bare(state) {
            if let Some(run) = &mut state.queue.run {
                run.at = At::Look(0);
                run.seen = Default::default();
            }
            return;
        }
        let Some(run) = &mut state.queue.run else {
            return;
        };
        run.at = At::Lock;
        let who = run.who;
        if !self.records_are_locked(state, who) {
            self.decision_locks(state);
        }
    }

    /// What the bus says of region `r`.
    fn look_at(&self, state: &State, r: usize) -> Seen {
        let region = state.regions[r];
        if region.bare {
            return Seen {
                committed: self.decodes_bare(state, r),
                ..Seen::default()
            };
        }
        let foreign = self.universe.foreign[r] && !self.code.is(Mutant::TakesForeign);
        // One that is being unbound counts as disabled already.
        let goes = region.life >= Life::Waits && !self.code.is(Mutant::TrustsBound);
        let bound = region.life.is_bound() && !goes;
        let disabled = !bound && !self.code.is(Mutant::ServesDisabled);
        let decoders = region.committed && self.code.is(Mutant::TrustsDecoders);
        Seen {
            stands: region.life != Life::Absent || region.committed,
            committed: region.counts() || decoders,
            // Bound without a dax device, it has System RAM in it, which is nobody's to serve.
            covers: region.counts()
                && !self.universe.foreign[r]
                && (region.dax != Dax::Absent || !bound),
            foreign: region.counts() && foreign,
            held: region.dax == Dax::Bound || disabled,
        }
    }

    /// There is no memory to look at the regions.
    pub(crate) fn look_fails(&self, state: &mut State) {
        let Some(run) = state.queue.run else { return };
        if let Some(host) = state.host_mut(run.who) {
            for (departing, _) in
                (host.departing.iter_mut().zip(run.gone)).filter(|(_, gone)| *gone)
            {
                *departing = match *departing {
                    Departing::Followed => Departing::Gone,
                    Departing::No => Departing::Back,
                    other => other,
                };
            }
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
        self.work_ends(state);
    }

    /// It has the lock of the records, and goes through them.
    pub(crate) fn decision_locks(&self, state: &mut State) {
        if let Some(mut run) = state.queue.run {
            run.at = At::Follow(0);
            self.hold(state, &mut run);
            state.queue.run = Some(run);
            self.note_stuck(state, &run);
        }
        self.advance(state);
    }

    /// Leaves to CXL every region that it needs for a range: `Regions::hold()`.
    fn hold(&self, state: &State, run: &mut Run) {
        if self.code.is(Mutant::TakesSharedRegion) {
            return;
        }
        for i in self.universe.range_numbers() {
            let units = self.universe.ranges[i];
            let record = state.host(run.who).and_then(|h| h.records[i]);
            let open = record
                .is_some_and(|r| r.in_window && !matches!(r.owner, Owner::Hmem | Owner::Failed));
            if open && self.mode(state, run, i, true) == Some(Mode::Drop) {
                for r in self.universe.region_numbers() {
                    run.seen[r].held |= self.universe.regions[r].meets(units);
                }
            }
        }
    }

    /// Notes what is online and is not decoded, or will be no more once a disabled region is reset.
    fn note_stuck(&self, state: &mut State, run: &Run) {
        let mut decoded = Units::NONE;
        for r in self.universe.region_numbers() {
            let region = state.regions[r];
            if run.seen[r].committed && (region.bare || region.life != Life::Absent) {
                decoded = decoded.and(self.universe.regions[r]);
            }
        }
        let mut stuck = run.known.without(decoded).within(state.online);
        if self.code.is(Mutant::StuckForgotten) && run.gone == [false; REGIONS] {
            stuck = Units::NONE;
        }
        if let Some(host) = state.host_mut(run.who) {
            host.stuck = if self.code.is(Mutant::StuckForgotten) {
                host.stuck.and(stuck)
            } else {
                stuck
            };
        }
    }

    /// Goes on until something is to be done that others can notice.
    pub(crate) fn advance(&self, state: &mut State) {
        while let Some(run) = state.queue.run {
            if run.job.is_some() {
                return;
            }
            let (At::Follow(i) | At::Decide(i)) = run.at else {
                return;
            };
            let record = state
                .host(run.who)
                .filter(|h| h.stage != Stage::Listening)
                .and_then(|h| h.records.get(usize::from(i)).copied().flatten());
            let next = match (run.at, record) {
                (At::Follow(_), None) => At::Decide(0),
                (_, None) => return self.all_decided(state),
                (At::Follow(_), Some(record)) => {
                    if record.served[0].is_some() || run.gone != [false; REGIONS] {
                        return;
                    }
                    At::Follow(i + 1)
                }
                (_, Some(_)) => {
                    self.decide_record(state, run, i);
                    At::Decide(i + 1)
                }
            };
            if let Some(run) = &mut state.queue.run {
                run.at = next;
            }
        }
    }

    /// Evaluates a range, by the source of the modules, applies the verdict, and registers.
    fn decide_record(&self, state: &mut State, run: Run, i: u8) {
        let once = self.code.is(Mutant::RestOnlyOnce);
        let early_no = self.code.is(Mutant::EarlyNo);
        let window = state.window;
        let taking = self.taking(state, &run);
        let mode = self.mode(state, &run, i.into(), run.settled || early_no);

        let Some(record) = state
            .host_mut(run.who)
            .and_then(|h| h.records[usize::from(i)].as_mut())
        else {
            return;
        };
        if record.owner == Owner::Hmem && once && !run.released {
            return;
        }
        if record.owner == Owner::Hmem {
            // What could not be served before may be now: its region has gone, or has lost.
            let job = self.pieces(window, i, record, &run.seen, &taking);
            if let Some(run) = &mut state.queue.run {
                run.job = job;
            }
            return;
        }
        if !matches!(record.owner, Owner::Deferred | Owner::Cxl(false)) {
            return;
        }
        match mode {
            None => {}
            Some(Mode::Defer) => {
                record.owner = Owner::Deferred;
                if let Some(run) = &mut state.queue.run {
                    run.waiting = true;
                }
            }
            Some(Mode::Drop) => {
                let news = record.owner == Owner::Deferred;
                record.owner = Owner::Cxl(run.settled);
                if let Some(run) = &mut state.queue.run {
                    run.offers |= news;
                }
            }
            Some(Mode::Leave) => record.owner = Owner::Nobody,
            Some(Mode::Register) => {
                record.owner = Owner::Hmem;
                let job = self.pieces(window, i, record, &run.seen, &taking);
                if let Some(run) = &mut state.queue.run {
                    run.offers |= self.universe.policy == Policy::Split;
                    run.job = job;
                }
            }
        }
    }

    /// What becomes of range `i`, by the source of the modules.
    fn mode(&self, state: &State, run: &Run, i: usize, settled: bool) -> Option<Mode> {
        let record = state.host(run.who).and_then(|h| h.records[i])?;
        let regions: Vec<Extent> = (self.universe.region_numbers())
            .filter(|&r| run.seen[r].covers)
            .filter_map(|r| self.extent(r))
            .collect();
        let world = World {
            in_window: record.in_window,
            regions: Extents::from_disjoint(&regions).unwrap_or(Extents::NONE),
            taken: &self.taking(state, run),
            settled,
        };
        Some(decide(&self.universe.ranges[i].range()?, &world).mode)
    }

    /// What neither HMEM nor CXL may have: `Taking` of the module.
    fn taking(&self, state: &State, run: &Run) -> Vec<Obstacle> {
        let mut taking = Vec::new();
        for r in self
            .universe
            .region_numbers()
            .filter(|&r| run.seen[r].foreign)
        {
            taking.extend(self.extent(r).map(|extent| Obstacle {
                range: extent.range,
                taken: Taken::Foreign(extent.region),
            }));
        }
        let undecoded = self.undecoded(run);
        for (units, taken) in [
            (undecoded.within(state.online), Taken::Stuck),
            (undecoded.without(state.online), Taken::Undecoded),
        ] {
            taking.extend(units.runs().map(|range| Obstacle { range, taken }));
        }
        sort_disjoint(&mut taking).to_vec()
    }

    /// What has been decoded and is not any more.
    fn undecoded(&self, run: &Run) -> Units {
        if self.code.is(Mutant::ServesUndecoded) {
            return Units::NONE;
        }
        let decoded: Units = (self.universe.region_numbers())
            .filter(|&r| run.seen[r].committed)
            .map(|r| self.universe.regions[r])
            .collect();
        run.known.without(decoded)
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
        state.note_followed();
        if let Some(host) = state.host_mut(run.who) {
            for departing in &mut host.departing {
                if *departing == Departing::Followed {
                    *departing = Departing::No;
                }
            }
        }
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
        self.work_ends(state);
    }

    /// Whether the binder holds the lock of the records.
    pub(crate) fn records_are_locked(&self, state: &State, who: Who) -> bool {
        state
            .host(who)
            .is_some_and(|host: &Host| matches!(host.stage, Stage::Starting(..)))
    }
}
