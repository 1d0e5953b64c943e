// SPDX-License-Identifier: GPL-2.0

//! What is remembered of the past so that the properties can be stated. No actor reads it.

use crate::{
    host::{Owner, Stage},
    state::{Known, Life, State, Way},
    units::Units,
    universe::Universe,
};

/// The memory of the properties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// A decision of the present binding has looked after probing had settled.
    pub judged: bool,
    /// Regions have come or gone since then, or were on their way when it looked.
    pub stale: bool,
    /// Memory whose region went when it was certain who owns it: it may be free for CXL until the
    /// next binding.
    pub forgone: Units,
    /// That of it whose owner was known when the region went: it has to be free.
    pub reserved: Units,
    /// Memory that was not served because something was not to be had.
    pub starved: Units,
    /// A region went during this binding before [`Ghost::judged`].
    pub swapped: bool,
    /// When dax_cxl began to flush, the decision was queued, and no region has gone since.
    pub promised: bool,
    /// Who owned what before the last unbinding, as long as nothing else happens.
    pub before: Option<Owners>,
    /// What was unbound by hand, one device at a time.
    pub by_hand: Units,
    /// What was decoded, as dax_hmem could know, and is not any more.
    pub undone: Units,
    /// What was on its way to be reset before anybody listened.
    pub unheard: Units,
    /// A region went and left a device of HMEM bound that was to go first.
    pub kept: bool,
    /// HMEM took what it could know to be another driver's.
    pub robbed: bool,
    /// A driver was unregistered that was not registered.
    pub wrong_unregister: bool,
}

/// Who owns which memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owners {
    /// HMEM.
    pub hmem: Units,
    /// CXL.
    pub cxl: Units,
}

impl State {
    /// Who owns which memory at this moment.
    pub fn owners(&self, universe: &Universe) -> Owners {
        Owners {
            hmem: self.hmem_claims(),
            cxl: self.cxl_claims(universe),
        }
    }

    /// A new binding forgets what was about the one before.
    pub fn note_binding(&mut self) {
        self.ghost = Ghost {
            swapped: self.regions.iter().any(|r| r.life.is_going()),
            promised: self.ghost.promised,
            before: self.ghost.before,
            undone: self.ghost.undone,
            unheard: self.ghost.unheard,
            kept: self.ghost.kept,
            robbed: self.ghost.robbed,
            wrong_unregister: self.ghost.wrong_unregister,
            ..Ghost::default()
        };
    }

    /// A decision looks at the regions after probing has settled.
    pub fn note_judgement(&mut self) {
        if !self.ghost.judged {
            self.ghost.judged = true;
            self.ghost.stale |= self
                .regions
                .iter()
                .any(|r| !matches!(r.life, Life::Absent | Life::Up));
        }
    }

    /// Something changes that ownership depends on.
    pub fn note_change(&mut self) {
        self.ghost.stale |= self.current.is_some() && self.ghost.judged;
        self.ghost.before = None;
    }

    /// A region begins to go.
    pub fn note_removal(&mut self) {
        self.note_change();
        self.ghost.promised = false;
        self.ghost.swapped |= self.current.is_some() && !self.ghost.judged;
    }

    /// Region `r` begins to go while nobody listens, and its decoders will be reset. That is excused
    /// if HMEM has no device there yet.
    pub fn note_unheard(&mut self, r: usize, units: Units) {
        let listens_late = !self.devices().any(|d| d.units.meets(units));
        if listens_late && self.regions[r].way != Way::Disable {
            self.ghost.unheard = self.ghost.unheard.and(units);
        }
    }

    /// The region of `units` is committed.
    pub fn note_committed(&mut self, units: Units) {
        self.ghost.undone = self.ghost.undone.without(units);
        self.ghost.unheard = self.ghost.unheard.without(units);
    }

    /// The region of `units` has lost its dax device, and stops to decode now or soon.
    pub fn note_dax_gone(&mut self, units: Units) {
        let claims = self.hmem_claims().without(self.ghost.unheard);
        self.ghost.kept |= claims.meets(units);
    }

    /// Whether HMEM serves what is not decoded. What nobody could hear of in time is excused as long
    /// as the kernel is at work on it, or has no memory for that.
    pub fn serves_undone(&self) -> bool {
        let undone = if self.quiet && self.ghost.starved.is_empty() {
            self.ghost.undone
        } else {
            self.ghost.undone.without(self.ghost.unheard)
        };
        undone.meets(self.hmem_claims())
    }

    /// A decision begins, and can see what other drivers have.
    pub fn note_begun(&mut self, universe: &Universe) {
        for r in universe.region_numbers() {
            let region = &mut self.regions[r];
            if universe.foreign[r] && region.counts() {
                region.known = region.known.max(Known::Begun);
            }
        }
    }

    /// A decision ends.
    pub fn note_followed(&mut self) {
        for region in &mut self.regions {
            if region.known == Known::Begun {
                region.known = Known::Followed;
            }
        }
    }

    /// A device over `units` was unbound by hand. Until a decision has followed that, it may be bound
    /// again whatever has come since.
    pub fn note_by_hand(&mut self, units: Units, universe: &Universe) {
        self.ghost.by_hand = self.ghost.by_hand.and(units);
        self.ghost.before = None;
        for r in universe.region_numbers() {
            if universe.regions[r].meets(units) {
                self.regions[r].known = Known::No;
            }
        }
    }

    /// A probe of a device over `units` is let begin. `enough` is what dax_hmem has to know of a
    /// region of another driver for that to be wrong.
    pub fn note_probe(&mut self, units: Units, enough: Known, universe: &Universe) {
        self.ghost.robbed |= (universe.region_numbers()).any(|r| {
            let region = self.regions[r];
            region.committed && region.known >= enough && universe.regions[r].meets(units)
        });
    }

    /// Region `r` has gone.
    pub fn note_gone(&mut self, r: usize, universe: &Universe) {
        let Some(host) = &self.current else { return };
        let served = |i: usize| {
            host.records[i].is_some_and(|r| matches!(r.owner, Owner::Hmem | Owner::Nobody))
        };
        let decided = |i: usize| self.ghost.judged || served(i);
        let certain = |i: usize| decided(i) || host.records[i].is_some_and(|r| !r.in_window);
        let of = |is: &dyn Fn(usize) -> bool| -> Units {
            let ranges = universe.range_numbers().filter(|&i| is(i));
            let units: Units = ranges.map(|i| universe.ranges[i]).collect();
            universe.regions[r].within(units)
        };
        let (forgone, reserved) = (of(&certain), of(&decided));
        self.ghost.forgone = self.ghost.forgone.and(forgone);
        self.ghost.reserved = self.ghost.reserved.and(reserved);
    }

    /// Something was not to be had, and `units` may suffer.
    pub fn note_starved(&mut self, units: Units) {
        self.ghost.starved = self.ghost.starved.and(units);
        self.ghost.before = None;
    }

    /// dax_cxl begins to flush.
    pub fn note_flush(&mut self) {
        let queued = self.current.as_ref().is_some_and(|h| match h.stage {
            Stage::Bound => true,
            Stage::Closing | Stage::Closed | Stage::Parked => false,
            // The administrator who binds by hand while dax_cxl is being loaded gets what he asks
            // for; loading the modules in order must do.
            _ => h.first,
        });
        let going = self.regions.iter().any(|r| r.life.is_going());
        self.ghost.promised = queued && !going;
    }

    /// hmem_platform is about to be unbound.
    pub fn note_unbinding(&mut self, universe: &Universe) {
        self.ghost.promised = false;
        let plain = self.quiet
            && self.all_loaded()
            && self.is_judged()
            && !self.ghost.stale
            && self.ghost.by_hand.is_empty()
            && self.ghost.starved.is_empty();
        self.ghost.before = plain.then(|| self.owners(universe));
    }

    /// Whether the present binding has decided with probing settled, or has nothing to decide.
    pub fn is_judged(&self) -> bool {
        self.current.as_ref().is_some_and(|host| {
            host.stage == Stage::Bound
                && (self.ghost.judged || host.records.iter().flatten().all(|r| !r.in_window))
        })
    }
}
