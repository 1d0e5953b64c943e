// SPDX-License-Identifier: GPL-2.0

//! What is so of a whole machine: modules that are not loaded, drivers that were unbound, and whose
//! modules run.

use super::{Free, Machine, Mem, Use};
use daxmap::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The Rust modules run.
    Rust,
    /// dax_hmem was not loaded yet.
    NoHmem,
    /// It was unloaded again; the log tells that it had decided.
    HmemGone,
    NoKmem,
    NoDaxCxl,
    /// CXL's windows are not known, so that HMEM took every range.
    NoCxlAcpi,
    /// The windows are known, and no device.
    NoCxlDevices,
    /// dax_hmem was unbound from hmem_platform.0.
    PlatformUnbound,
    /// The Rust dax_hmem waits for CXL with what nobody has.
    Pending,
    /// The Rust modules are installed, and the kernel's own run.
    OldModule,
    /// DKMS could not build the Rust modules.
    NotBuilt,
}

pub const SETUPS: [Setup; 11] = [
    Setup::Rust,
    Setup::NoHmem,
    Setup::HmemGone,
    Setup::NoKmem,
    Setup::NoDaxCxl,
    Setup::NoCxlAcpi,
    Setup::NoCxlDevices,
    Setup::PlatformUnbound,
    Setup::Pending,
    Setup::OldModule,
    Setup::NotBuilt,
];

impl Machine {
    /// The machine with all of these, as far as they go together.
    pub fn with(mut self, setups: &[Setup]) -> Machine {
        // Whose modules run decides what the others do.
        let is_first = |s: &&Setup| matches!(s, Setup::Rust | Setup::Pending);
        let later = setups.iter().filter(|s| !is_first(s));
        for setup in setups.iter().filter(is_first).chain(later) {
            let mut after = self.clone();
            after.set(*setup);
            // Of what CXL's drivers do not show, nobody can tell that nothing is behind it.
            let is_told = after.shows_devices() || after.in_use().1 == 0;
            if is_told {
                self = after;
            }
        }
        self
    }

    fn set(&mut self, setup: Setup) {
        match setup {
            Setup::Rust => (self.rust, self.installs_rust) = (true, true),
            Setup::NoHmem | Setup::HmemGone => {
                self.unload("dax_hmem");
                self.platform_unbound = false;
                self.decided = false;
                self.forget_hmem();
                if setup == Setup::HmemGone {
                    self.decided = true;
                    let said = |r: &Range| {
                        format!(
                            "hmem_platform hmem_platform.0: CXL did not claim resource, registering: \
                             [mem {:#x}-{:#x}]",
                            r.start, r.end
                        )
                    };
                    let said: Vec<String> = self.declared.iter().map(said).collect();
                    self.log.extend(said);
                }
            }
            Setup::NoKmem => {
                self.unload("kmem");
                for d in self.dax.iter_mut().filter(|d| d.kmem) {
                    (d.kmem, d.used) = (false, Use::None);
                }
            }
            Setup::NoDaxCxl if self.has_dax_cxl => {
                self.unload("dax_cxl");
                self.forget_regions();
            }
            Setup::NoDaxCxl => {}
            Setup::NoCxlAcpi => {
                self.unload("cxl_acpi");
                self.forget_regions();
                if self.is_loaded("dax_hmem") && !self.platform_unbound {
                    self.decided = false;
                    self.decide();
                }
            }
            Setup::NoCxlDevices => {
                for module in ["cxl_pci", "cxl_port", "cxl_mem"] {
                    self.unload(module);
                }
                self.forget_regions();
            }
            Setup::PlatformUnbound if !self.is_loaded("dax_hmem") => {}
            Setup::PlatformUnbound => {
                self.platform_unbound = true;
                self.decided = true;
                self.forget_hmem();
            }
            Setup::Pending => {
                (self.rust, self.installs_rust) = (true, true);
                self.show_hidden();
                let waits = self.declared.clone().into_iter();
                self.deferred = waits.filter(|r| !self.is_had(r)).collect();
            }
            Setup::OldModule if !self.rust => {
                (self.installs_rust, self.stale_initramfs) = (true, true);
            }
            Setup::NotBuilt if !self.installs_rust => self.not_built = true,
            Setup::OldModule | Setup::NotBuilt => {}
        }
    }

    fn unload(&mut self, module: &'static str) {
        if self.is_loaded(module) {
            self.unloaded.push(module);
        }
    }

    fn is_had(&self, range: &Range) -> bool {
        let regions = self.regions.iter().filter(|r| !r.gone);
        let mut hmems = self.hmems.iter().map(|h| h.range);
        hmems.any(|h| h.overlaps(range)) || regions.into_iter().any(|r| r.range.overlaps(range))
    }

    /// HMEM has nothing; regions that lost to it are served.
    fn forget_hmem(&mut self) {
        let hmems = std::mem::take(&mut self.hmems);
        self.dax.retain(|d| d.hmem.is_none());
        self.deferred.clear();
        self.log.clear();
        for i in 0..self.regions.len() {
            let range = self.regions[i].range;
            if hmems.iter().any(|h| h.range.overlaps(&range)) && self.shows_devices() {
                // A region that cannot be served stays idle.
                let _ = self.serve(i);
            }
        }
        self.show_hidden();
    }

    fn forget_regions(&mut self) {
        self.dax.retain(|d| d.region.is_none());
        for region in &mut self.regions {
            region.served = false;
        }
    }

    /// Firmware declares what it maps: a blank device behind declared memory maps it without a decoder
    /// that shows it, where nothing tells that its region was torn down.
    fn show_hidden(&mut self) {
        let torn = std::mem::take(&mut self.free);
        self.free = torn
            .into_iter()
            .filter(|f| f.hmem.is_some())
            .collect::<Vec<Free>>();
        let declared = self.declared.clone().into_iter();
        let nobodys: Vec<Range> = declared.filter(|r| !self.is_had(r)).collect();
        for range in nobodys {
            let window = self.windows.iter().position(|w| w.contains(&range));
            let has_room = |m: &Mem| {
                let mut regions = self.regions.iter().filter(|r| r.committed && !r.gone);
                m.hidden.is_none() && !regions.any(|r| r.mems.contains(&m.id))
            };
            let place = self
                .mems
                .iter()
                .position(|m| Some(m.window) == window && has_room(m));
            let mem = place.and_then(|i| self.mems.get_mut(i));
            if let Some(mem) = mem {
                mem.hidden = Some(range);
            }
        }
        // What nobody maps, firmware does not declare.
        let mapped = self.mapped();
        let is_mapped = |r: &Range| daxmap::range::covered_bytes(r, &mapped) == r.len();
        let had: Vec<bool> = self
            .declared
            .iter()
            .map(|r| self.is_had(r) || is_mapped(r))
            .collect();
        let mut had = had.into_iter();
        self.declared.retain(|_| had.next().unwrap_or(true));
    }
}
