// SPDX-License-Identifier: GPL-2.0

//! What the kernel and `cxl` do with regions and memory devices.

use daxmap::Range;

use super::run::Done;
use super::{region_name, second, Dax, Machine, Region, Use, CAPACITY, FIRST_REGION, UNIT};

impl Machine {
    pub fn region_index(&self, name: &str) -> Result<usize, String> {
        let (i, _) = self
            .live()
            .find(|(i, _)| region_name(*i) == name)
            .ok_or_else(|| format!("no {name}"))?;
        Ok(i)
    }

    pub fn serve(&mut self, i: usize) -> Done {
        let region = self.regions[i].clone();
        let held = self
            .hmems
            .iter()
            .any(|h| h.bound && h.range.overlaps(&region.range));
        let can = region.committed && region.bound && !region.served && !region.accelerator;
        let is_whole = region.mems.len() == region.ways;
        if !self.dax_cxl_runs() || !self.shows_devices() || !can || !is_whole || held {
            return Err("the probe failed".into());
        }
        self.regions[i].served = true;
        let is_kmem = self.is_loaded("kmem");
        self.dax.push(Dax {
            name: format!("dax{}.0", FIRST_REGION + i),
            hmem: None,
            region: Some(i),
            range: Some(region.range),
            used: if is_kmem { Use::Online } else { Use::None },
            kmem: is_kmem,
            has_node: true,
            by_name: false,
        });
        Ok(())
    }

    /// Binds its driver; whether dax_cxl then gets its dax region is another matter.
    pub fn enable(&mut self, i: usize) -> Done {
        if !self.regions[i].committed {
            return Err("ENXIO".into());
        }
        self.regions[i].bound = true;
        let _ = self.serve(i);
        Ok(())
    }

    pub fn region_driver(&mut self, name: &str, verb: &str) -> Done {
        let i = self.region_index(name)?;
        match (verb, self.regions[i].bound) {
            ("bind", false) => self.enable(i),
            ("unbind", true) => {
                let mut own = self.dax.iter().filter(|d| d.region == Some(i));
                if own.any(|d| d.used == Use::Online) {
                    return Err("stuck online until reboot".into());
                }
                self.dax.retain(|d| d.region != Some(i));
                (self.regions[i].served, self.regions[i].bound) = (false, false);
                Ok(())
            }
            _ => Err("no such device, or busy".into()),
        }
    }

    pub fn commit(&mut self, name: &str) -> Done {
        let i = self.region_index(name)?;
        if self.regions[i].mems.len() < self.regions[i].ways {
            return Err("ENXIO: a member is missing".into());
        }
        self.regions[i].committed = true;
        Ok(())
    }

    pub fn delete_region(&mut self, name: &str) -> Done {
        let i = self.region_index(name)?;
        if self.regions[i].committed {
            return Err("busy".into());
        }
        self.regions[i].gone = true;
        Ok(())
    }

    pub fn enable_memdevs(&mut self, names: &[&str]) -> Done {
        // The tool loads what their driver needs, and not what makes the root of all ports.
        if !self.shows_windows() {
            return Err("ENXIO: no CXL root".into());
        }
        for m in &mut self.mems {
            let name = format!("mem{}", m.id);
            m.bound |= names.contains(&name.as_str());
        }
        Ok(())
    }

    pub fn create_region(&mut self, words: &[&str]) -> Done {
        let after = |flag: &str| {
            let at = words.iter().position(|w| *w == flag)?;
            words.get(at + 1).copied()
        };
        let number = |text: &str, prefix: &str| text.strip_prefix(prefix)?.parse::<usize>().ok();
        let window = after("-d")
            .and_then(|d| number(d, "decoder0."))
            .filter(|w| !self.plain[*w] && self.shows_devices())
            .ok_or("no decoder")?;
        let ways: usize = after("-w").and_then(|w| w.parse().ok()).ok_or("no ways")?;
        let names = &words[words.len().saturating_sub(ways)..];
        let mems: Vec<usize> = names.iter().filter_map(|m| number(m, "mem")).collect();
        // A member behind each bridge, in their order.
        let bridges = match self.two[window] {
            true => vec![window, second(window)],
            false => vec![window],
        };
        let is_bound = |id: &usize| self.mems.iter().any(|m| m.id == *id && m.bound);
        if mems != bridges || !mems.iter().all(is_bound) || self.type2[window] {
            return Err("the window does not reach the devices".into());
        }
        let used = |id: usize| -> u64 {
            let own = self.live().filter(|(_, r)| r.mems.contains(&id));
            own.map(|(_, r)| Region::each(r)).sum()
        };
        let free = mems.iter().map(|&id| CAPACITY - used(id)).min().unwrap();
        let each = match after("-s") {
            Some(size) => size.parse::<u64>().map_err(|e| e.to_string())? / ways as u64,
            // Without a size the tool takes all of the devices.
            None => CAPACITY,
        };
        let size = each * ways as u64;
        if each > free || each % UNIT != 0 || each == 0 {
            return Err("no capacity".into());
        }
        let regions = self.live().filter(|(_, r)| r.window == window);
        let mut taken: Vec<Range> = regions.map(|(_, r)| r.range).collect();
        taken.extend(self.dax.iter().filter_map(|d| d.range));
        taken.extend(&self.ram);
        let room = daxmap::range::subtract(self.windows[window], &taken);
        let fit = room.iter().find(|r| r.len() >= size).ok_or("-34")?;
        let range = Range::with_size(fit.start, size).ok_or("size")?;
        self.region(window, range, true, false);
        let i = self.regions.len() - 1;
        // One that nobody serves is no gain, and no error of the tool.
        let _ = self.serve(i);
        Ok(())
    }
}
