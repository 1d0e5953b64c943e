// SPDX-License-Identifier: GPL-2.0

//! What the drivers do when a module comes, when dax_hmem decides, and at a boot.

use super::{Dax, Free, Hmem, Machine, Use};
use daxmap::range::subtract;
use daxmap::Range;

type Done = Result<(), String>;

impl Machine {
    pub fn load(&mut self, module: &str) -> Done {
        if module == "dax_cxl" && !self.has_dax_cxl {
            return Err("no such module".into());
        }
        let is_new = !self.is_loaded(module);
        self.unloaded.retain(|m| *m != module);
        match module {
            _ if !is_new => {}
            "kmem" => self.offer_all_to_kmem(),
            "dax_hmem" => {
                self.rust = self.installs_rust;
                self.platform_unbound = false;
                self.decide();
            }
            _ => {
                if self.shows_devices() {
                    self.mems.iter_mut().for_each(|m| m.bound = true);
                    self.offer_all_to_dax_cxl();
                }
            }
        }
        Ok(())
    }

    /// A driver that comes is offered every device that fits, those that were unbound by hand as well.
    fn offer_all_to_kmem(&mut self) {
        let waits = |d: &&Dax| !d.by_name && !d.kmem && d.used == Use::None;
        let names: Vec<String> = self
            .dax
            .iter()
            .filter(waits)
            .map(|d| d.name.clone())
            .collect();
        for name in names {
            self.offer_to_kmem(&name);
        }
    }

    /// Says in the log why kmem did not take it.
    fn offer_to_kmem(&mut self, name: &str) {
        let range = self
            .dax
            .iter()
            .find(|d| d.name == *name)
            .and_then(|d| d.range);
        let done = self.bind_kmem(name);
        if let (Err(why), Some(range)) = (done, range) {
            if why.starts_with("could not") {
                self.log
                    .push(format!("kmem {name}: mapping0: {range} {why}"));
            }
        }
    }

    fn offer_all_to_dax_cxl(&mut self) {
        for i in 0..self.regions.len() {
            // The ones that cannot be served stay as they are.
            if !self.regions[i].gone && self.regions[i].bound && !self.regions[i].served {
                let _ = self.serve(i);
            }
        }
    }

    /// dax_hmem decides about what nobody has.
    pub fn decide(&mut self) {
        let is_first = !std::mem::replace(&mut self.decided, true);
        self.deferred.clear();
        for range in self.declared.clone() {
            match self.rust {
                true => self.decide_rust(range),
                false => self.decide_stock(range, is_first),
            }
        }
    }

    /// Regions that dax_cxl would serve.
    fn committed(&self) -> Vec<Range> {
        let regions = self.live().filter(|(_, r)| r.committed && r.bound);
        regions.map(|(_, r)| r.range).collect()
    }

    /// The kernel's own: all or nothing, and nothing in windows once it had decided in this boot.
    fn decide_stock(&mut self, range: Range, is_first: bool) {
        if self.hmems.iter().any(|h| h.range.overlaps(&range)) {
            return;
        }
        let in_window = self.window_of(&range).is_some();
        let covered = self.committed().iter().any(|r| r.contains(&range));
        if in_window && (!is_first || covered && self.has_dax_cxl) {
            return;
        }
        self.register(range);
    }

    /// The Rust one: what regions cover whole is CXL's, the rest is cut at their edges.
    fn decide_rust(&mut self, range: Range) {
        let regions = self.committed();
        let covered = regions.iter().any(|r| r.contains(&range));
        if covered && self.has_dax_cxl {
            return;
        }
        let mut had: Vec<Range> = self.hmems.iter().map(|h| h.range).collect();
        had.extend(self.dax.iter().filter_map(|d| d.range));
        had.extend(self.free.iter().map(|f| f.range));
        let accelerators = self.live().filter(|(_, r)| r.accelerator);
        had.extend(accelerators.map(|(_, r)| r.range));
        let mut edges: Vec<Range> = self.live().map(|(_, r)| r.range).collect();
        edges.extend(&self.windows);
        for piece in range.split_at(&edges) {
            for free in subtract(piece, &had) {
                self.register(free);
            }
        }
    }

    /// Makes an hmem device and its dax device, and offers that to kmem.
    fn register(&mut self, range: Range) {
        let window = self.windows.iter().position(|w| w.overlaps(&range));
        let others = window.into_iter().chain(30..);
        let mut free = others
            .into_iter()
            .filter(|id| !self.hmems.iter().any(|h| h.id == *id));
        let id = free.next().unwrap();
        self.hmems.push(Hmem {
            id,
            range,
            bound: false,
            has_node: true,
        });
        // A conflict is in the log, and ends it.
        let _ = self.bind_hmem(id);
    }

    /// The hmem driver takes its device: a dax region, a dax device, and kmem.
    pub fn bind_hmem(&mut self, id: usize) -> Done {
        let at = self
            .hmems
            .iter()
            .position(|h| h.id == id)
            .ok_or("no device")?;
        let range = self.hmems[at].range;
        let mut taken = self.dax.iter().filter_map(|d| d.range);
        if taken.any(|r| r.overlaps(&range)) {
            self.log.push(format!(
                "hmem hmem.{id}: dax_region resource conflict for [mem {:#x}-{:#x}]",
                range.start, range.end
            ));
            self.log.push(format!(
                "hmem hmem.{id}: probe with driver hmem failed with error -12"
            ));
            return Err("the probe failed".into());
        }
        self.hmems[at].bound = true;
        self.free.retain(|f| f.hmem != Some(id));
        let name = self.new_dax(id);
        self.dax_mut(&name)?.range = Some(range);
        self.offer_to_kmem(&name);
        Ok(())
    }

    pub fn unbind_hmem(&mut self, id: usize) -> Done {
        let own = self.dax.iter().filter(|d| d.hmem == Some(id));
        if own.into_iter().any(|d| d.used == Use::Online) {
            return Err("stuck online until reboot".into());
        }
        let mut hmems = self.hmems.iter_mut();
        let hmem = hmems.find(|h| h.id == id).ok_or("no device")?;
        hmem.bound = false;
        let range = hmem.range;
        self.dax.retain(|d| d.hmem != Some(id));
        self.free.push(Free {
            range,
            reason: "unbound",
            hmem: Some(id),
        });
        Ok(())
    }

    /// All that is loaded by itself is, firmware declares what it maps, and dax_hmem decides.
    pub fn boot(&mut self) {
        self.unloaded.clear();
        self.log.clear();
        self.free.clear();
        self.hmems.clear();
        self.dax.clear();
        self.rust = self.installs_rust && !self.stale_initramfs;
        (self.platform_unbound, self.decided) = (false, false);
        for region in &mut self.regions {
            region.served = false;
            region.bound = region.committed;
            region.gone |= !region.committed;
        }
        for mem in &mut self.mems {
            mem.bound = true;
        }
        self.firmware();
        self.decide();
        self.offer_all_to_dax_cxl();
    }

    /// Firmware maps what it declares, as far as devices have room, and declares no more than that.
    fn firmware(&mut self) {
        let regions: Vec<Range> = self.live().map(|(_, r)| r.range).collect();
        for range in self.declared.clone() {
            for part in subtract(range, &[self.mapped(), regions.clone()].concat()) {
                let window = self.windows.iter().position(|w| w.contains(&part));
                // A device maps by its decoders alone, or without one that shows.
                let used: Vec<usize> = self.live().flat_map(|(_, r)| r.mems.clone()).collect();
                let is_blank = |m: &&mut super::Mem| m.hidden.is_none() && !used.contains(&m.id);
                let mut blank = self.mems.iter_mut().filter(is_blank);
                if let Some(mem) = blank.find(|m| Some(m.window) == window) {
                    mem.hidden = Some(part);
                }
            }
        }
        let behind = [self.mapped(), regions].concat();
        let declared = self.declared.clone().into_iter();
        let parts = declared.flat_map(|d| behind.iter().filter_map(move |b| b.overlap(&d)));
        self.declared = daxmap::range::merge(parts.collect());
    }
}
