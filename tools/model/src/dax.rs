// SPDX-License-Identifier: GPL-2.0

//! The DAX core and dax_cxl: dax regions, of which none overlaps another, and who probes when.
//!
//! Facts: `alloc_dax_region()` in `drivers/dax/bus.c`; `driver_attach()`, `driver_detach()` in
//! `drivers/base/dd.c`; the module `drivers/dax/cxl/cxl.rs`.

use crate::{
    code::Mutant,
    protocol::Protocol,
    state::{Cxl, CxlWork, Dax, Hmem, State},
    step::Step,
    units::Units,
    universe::{Grain, Trouble, Universe},
};

impl State {
    /// What dax regions of HMEM cover.
    pub fn hmem_claims(&self) -> Units {
        self.devices()
            .filter(|d| d.hold.claims())
            .map(|d| d.units)
            .collect()
    }

    /// What dax regions of CXL cover.
    pub fn cxl_claims(&self, universe: &Universe) -> Units {
        universe
            .region_numbers()
            .filter(|&r| matches!(self.regions[r].dax, Dax::Claimed | Dax::Bound))
            .map(|r| universe.regions[r])
            .collect()
    }

    /// dax_cxl's driver is asked for each region that is `wanted` and has none.
    pub(crate) fn probe_regions(&mut self, wanted: impl Fn(usize) -> bool) {
        if self.cxl_driver() {
            for (r, region) in self.regions.iter_mut().enumerate() {
                if region.dax == Dax::Idle && wanted(r) {
                    region.dax = Dax::Queued;
                    region.lost = false;
                }
            }
        }
    }
}

impl Protocol {
    /// Whether `alloc_dax_region()` gives `units` to whoever asks.
    pub(crate) fn dax_region_is_free(&self, state: &State, units: Units) -> bool {
        let taken = state.hmem_claims().and(state.cxl_claims(&self.universe));
        !taken.meets(units) || self.code.is(Mutant::NoExclusion)
    }

    /// What dax_cxl does by itself.
    pub(crate) fn cxl_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let probing = state.regions.iter().any(|r| r.dax.is_probing());
        match state.cxl.work {
            CxlWork::Flushing(0) => steps.push(Step::CxlFlushReturns),
            CxlWork::Flushed => steps.push(Step::CxlRegisters),
            // Unregistering waits for asynchronous probes.
            CxlWork::Done(_) if state.cxl.unloading && !probing => {
                steps.push(Step::CxlUnregisters);
            }
            _ => {}
        }
        for r in self.universe.region_numbers() {
            match state.regions[r].dax {
                Dax::Queued => steps.push(Step::CxlClaims(r as u8)),
                Dax::Claimed => steps.push(Step::CxlBinds(r as u8)),
                _ => {}
            }
        }
    }

    /// Loading dax_cxl queues its work, which flushes the decisions.
    pub(crate) fn load_cxl(&self, state: &mut State) {
        state.ghost.before = None;
        state.note_flush();
        let wait = if self.code.is(Mutant::CxlDoesNotFlush) {
            0
        } else {
            state.queue.len()
        };
        state.cxl.work = CxlWork::Flushing(wait);
    }

    /// The driver is registered, and asked for every region that is there.
    pub(crate) fn cxl_registers(&self, state: &mut State, works: bool) {
        state.cxl.work = CxlWork::Done(works);
        state.ghost.promised = false;
        state.probe_regions(|_| true);
    }

    /// The driver is unregistered, and unbound from every region.
    pub(crate) fn cxl_unregisters(&self, state: &mut State) {
        if state.cxl.work == CxlWork::Done(false) {
            state.ghost.wrong_unregister |= self.code.is(Mutant::UnregistersUnregistered);
        }
        for region in &mut state.regions {
            if region.dax == Dax::Bound {
                region.dax = Dax::Idle;
            }
            region.lost = false;
        }
        state.cxl = Cxl::default();
    }

    /// dax_cxl's probe of region `r` claims the dax region, or loses.
    pub(crate) fn cxl_claims_region(&self, state: &mut State, r: usize) {
        let won = self.dax_region_is_free(state, self.universe.regions[r]);
        let region = &mut state.regions[r];
        region.dax = match (won, self.universe.grain) {
            (false, _) => Dax::Idle,
            (true, Grain::Fine) => Dax::Claimed,
            (true, Grain::Coarse) => Dax::Bound,
        };
        region.lost = !won;
    }

    /// What the administrator may do to dax_cxl.
    pub(crate) fn cxl_choices(&self, state: &State, steps: &mut Vec<Step>) {
        if state.cxl.work == CxlWork::None && state.hmem == Hmem::Loaded {
            steps.push(Step::LoadCxl);
        }
        if state.cxl.work != CxlWork::None
            && !state.cxl.unloading
            && self.may(state, Trouble::UnloadCxl)
        {
            steps.push(Step::UnloadCxl);
        }
        if state.cxl.work == CxlWork::Flushed && self.may(state, Trouble::RegisterFails) {
            steps.push(Step::CxlRegisterFails);
        }
    }
}

impl Dax {
    /// A probe is scheduled or runs.
    pub fn is_probing(self) -> bool {
        matches!(self, Self::Queued | Self::Claimed)
    }
}
