// SPDX-License-Identifier: GPL-2.0

//! What is remembered of the past so that the properties can be stated. No actor reads it.

use crate::{
    host::{Hold, Link, Owner, Stage},
    state::{Life, State},
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
    /// The driver core has printed a warning about a device link.
    pub warned: bool,
    /// A region went and left a device of HMEM bound that was to go first.
    pub kept: bool,
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
            swapped: self.regions.iter().any(|r| r.life >= Life::Unlinking),
            promised: self.ghost.promised,
            before: self.ghost.before,
            warned: self.ghost.warned,
            kept: self.ghost.kept,
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

    /// Region `r` begins to go.
    pub fn note_removal(&mut self, r: usize) {
        self.note_change();
        self.ghost.promised = false;
        self.ghost.swapped |= self.current.is_some() && !self.ghost.judged;
        let owed = self
            .devices()
            .filter(|d| d.hold == Hold::Bound && d.below[r]);
        self.regions[r].owed = owed.map(|d| d.units).collect();
    }

    /// Region `r` has lost its dax device.
    pub fn note_dax_gone(&mut self, r: usize, units: Units) {
        let owed = self.regions[r].owed;
        let kept = self.devices().any(|d| {
            d.hold.claims()
                && d.units.meets(units)
                && (d.links[r] != Link::None || owed.contains(d.units) && d.below[r])
        });
        self.ghost.kept |= kept;
    }

    /// Region `r` has gone.
    pub fn note_gone(&mut self, r: usize, universe: &Universe) {
        self.regions[r] = Default::default();
        let Some(host) = &self.current else { return };
        let decided =
            |i: usize| self.ghost.judged || host.records[i].is_some_and(|r| r.owner == Owner::Hmem);
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
            Stage::Stopping(_) | Stage::Parked => false,
            // The administrator who binds by hand while dax_cxl is being loaded gets what he asks
            // for; loading the modules in order must do.
            _ => h.first,
        });
        let going = self.regions.iter().any(|r| r.life >= Life::Unlinking);
        self.ghost.promised = queued && !going;
    }

    /// hmem_platform is about to be unbound.
    pub fn note_unbinding(&mut self, universe: &Universe) {
        self.ghost.promised = false;
        let plain = self.quiet
            && self.all_loaded()
            && self.is_judged()
            && !self.ghost.stale
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
