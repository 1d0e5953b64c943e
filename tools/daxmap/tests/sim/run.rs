// SPDX-License-Identifier: GPL-2.0

//! What the kernel, `cxl` and `daxctl` do with one command; an error where they would fail.

use daxmap::Range;

use super::{Dax, Machine, Use, FIRST_REGION};

pub type Done = Result<(), String>;

impl Machine {
    pub fn run(&mut self, command: &str) -> Done {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["echo", value, ">", path] => self.echo(value, path),
            ["daxctl", "online-memory", name] => self.blocks(name, Use::Offline, Use::Online),
            ["daxctl", "offline-memory", name] => self.blocks(name, Use::Online, Use::Offline),
            ["daxctl", "create-device", "-r", id] => self.create_device(id),
            ["daxctl", "reconfigure-device", "--mode=devdax", name] => {
                let dax = self.dax_mut(name)?;
                if dax.used == Use::Online {
                    return Err("its memory is online".into());
                }
                (dax.used, dax.kmem) = (Use::File, false);
                Ok(())
            }
            ["cxl", "create-region", ..] => self.create_region(&words[2..]),
            ["cxl", "enable-region", name] => {
                let i = self.region_index(name)?;
                self.enable(i)
            }
            ["cxl", "enable-memdev", ref names @ ..] => self.enable_memdevs(names),
            ["modprobe", "-a", ref modules @ ..] => modules.iter().try_for_each(|m| self.load(m)),
            ["modprobe", module] => self.load(module),
            ["daxown", "wait", ..] => {
                self.decide();
                Ok(())
            }
            ["lsinitramfs", ..] => Ok(()),
            ["update-initramfs", ..] => {
                self.stale_initramfs = false;
                Ok(())
            }
            // What is installed runs from the next boot on: the initramfs is made again with it.
            ["dkms", "install", ..] => {
                (self.not_built, self.installs_rust) = (false, true);
                Ok(())
            }
            ["reboot"] => {
                self.boot();
                Ok(())
            }
            _ => Err(format!("unknown command: {command}")),
        }
    }

    fn echo(&mut self, value: &str, path: &str) -> Done {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts[..] {
            ["sys", "bus", "dax", "devices", name, "size"] => {
                let size = value.parse::<u64>().map_err(|e| e.to_string())?;
                self.resize(name, size)
            }
            ["sys", "bus", "dax", "devices", name, "state"] => {
                if !self.has_state || !self.dax_mut(name)?.kmem {
                    return Err("no such attribute".into());
                }
                let dax = self.dax_mut(name)?;
                dax.used = match value {
                    "unplugged" => Use::None,
                    _ => Use::Online,
                };
                Ok(())
            }
            ["sys", "bus", "dax", "drivers", driver, verb] => self.dax_driver(value, driver, verb),
            ["sys", "bus", "platform", "devices", hmem, "dax_region", "create"] => {
                let id = hmem.trim_start_matches("hmem.").parse().map_err(|_| "id")?;
                self.new_dax(id);
                Ok(())
            }
            ["sys", "bus", "platform", "drivers", "hmem", verb] => self.hmem_driver(value, verb),
            ["sys", "bus", "platform", "drivers", "hmem_platform", "bind"] => {
                if !self.is_loaded("dax_hmem") || !self.platform_unbound {
                    return Err("no such device, or busy".into());
                }
                self.platform_unbound = false;
                self.decide();
                Ok(())
            }
            ["sys", "bus", "cxl", "drivers_probe"] => {
                let i = self.region_index(value.trim_start_matches("dax_"))?;
                match self.regions[i].served {
                    true => Ok(()),
                    false => self.serve(i),
                }
            }
            ["sys", "bus", "cxl", "drivers", "cxl_region", verb] => self.region_driver(value, verb),
            ["sys", "bus", "cxl", "devices", name, "commit"] if value == "1" => self.commit(name),
            ["sys", "bus", "cxl", "devices", _, "delete_region"] => self.delete_region(value),
            _ => Err(format!("unknown file: {path}")),
        }
    }

    pub fn dax_mut(&mut self, name: &str) -> Result<&mut Dax, String> {
        let found = self.dax.iter_mut().find(|d| d.name == name);
        found.ok_or_else(|| format!("no {name}"))
    }

    fn blocks(&mut self, name: &str, from: Use, to: Use) -> Done {
        let dax = self.dax_mut(name)?;
        if !dax.kmem || dax.used != from && dax.used != to {
            return Err(format!("{name} has no memory blocks"));
        }
        dax.used = to;
        Ok(())
    }

    fn name_for(&self, number: usize) -> String {
        let mut names = (0..).map(|n| format!("dax{number}.{n}"));
        let is_free = |n: &String| !self.dax.iter().any(|d| d.name == *n);
        names.find(is_free).unwrap()
    }

    pub fn new_dax(&mut self, id: usize) -> String {
        let name = self.name_for(id);
        let has_node = self.hmems.iter().any(|h| h.id == id && h.has_node);
        self.dax.push(Dax {
            name: name.clone(),
            hmem: Some(id),
            region: None,
            range: None,
            used: Use::None,
            kmem: false,
            has_node,
            by_name: false,
        });
        name
    }

    /// The addresses of a device's dax region.
    fn whole(&self, dax: &Dax) -> Option<Range> {
        let hmem = self
            .hmems
            .iter()
            .find(|h| Some(h.id) == dax.hmem && h.bound);
        let region = dax.region.map(|i| &self.regions[i]).filter(|r| r.served);
        hmem.map(|h| h.range).or(region.map(|r| r.range))
    }

    /// What no other device has of it.
    fn room(&self, dax: &Dax) -> Result<Vec<Range>, String> {
        let whole = self.whole(dax).ok_or("no dax region")?;
        let is_other =
            |d: &&Dax| (d.hmem, d.region) == (dax.hmem, dax.region) && d.name != dax.name;
        let taken: Vec<Range> = self
            .dax
            .iter()
            .filter(is_other)
            .filter_map(|d| d.range)
            .collect();
        Ok(daxmap::range::subtract(whole, &taken))
    }

    /// The first free room of the device's dax region.
    fn resize(&mut self, name: &str, size: u64) -> Done {
        let dax = self.dax_mut(name)?.clone();
        if dax.kmem || dax.used != Use::None {
            return Err("busy".into());
        }
        let room = self.room(&dax)?;
        let fit = room.iter().find(|r| r.len() >= size).ok_or("no space")?;
        let range = Range::with_size(fit.start, size).ok_or("size")?;
        self.dax_mut(name)?.range = Some(range);
        Ok(())
    }

    /// kmem reserves the range in the resource tree, where nothing may cross an edge.
    pub fn bind_kmem(&mut self, name: &str) -> Done {
        let dax = self.dax_mut(name)?.clone();
        let range = dax.range.ok_or("size 0")?;
        if !self.is_loaded("kmem") {
            return Err("no such driver".into());
        }
        if dax.kmem || dax.used != Use::None || !dax.has_node {
            return Err(format!("{name}: refused"));
        }
        let regions: Vec<Range> = self.live().map(|(_, r)| r.range).collect();
        let plain = self.windows.iter().zip(&self.plain);
        let windows = plain.filter(|(_, p)| !**p && self.shows_windows());
        for edge in windows.map(|(w, _)| *w).chain(regions) {
            if edge.overlaps(&range) && !edge.contains(&range) && !range.contains(&edge)
                || range.contains(&edge) && range != edge
            {
                return Err("could not reserve region".into());
            }
        }
        let dax = self.dax_mut(name)?;
        (dax.kmem, dax.used) = (true, Use::Online);
        Ok(())
    }

    fn dax_driver(&mut self, name: &str, driver: &str, verb: &str) -> Done {
        let dax = self.dax_mut(name)?.clone();
        match (driver, verb) {
            ("kmem", "bind") if dax.by_name => Err("no such device".into()),
            ("kmem", "bind" | "new_id") => self.bind_kmem(name),
            ("kmem", "unbind") if dax.kmem && dax.used != Use::Online => {
                let dax = self.dax_mut(name)?;
                (dax.kmem, dax.used) = (false, Use::None);
                Ok(())
            }
            ("device_dax", "new_id") if !dax.kmem && dax.range.is_some() => {
                self.dax_mut(name)?.used = Use::File;
                Ok(())
            }
            _ => Err(format!("{driver}/{verb}: no such device, or busy")),
        }
    }

    fn hmem_driver(&mut self, name: &str, verb: &str) -> Done {
        let id: usize = name.trim_start_matches("hmem.").parse().map_err(|_| "id")?;
        let hmem = self.hmems.iter().find(|h| h.id == id).ok_or("no device")?;
        match (verb, hmem.bound) {
            _ if !self.is_loaded("dax_hmem") => Err("no such driver".into()),
            ("unbind", true) => self.unbind_hmem(id),
            ("bind", false) => self.bind_hmem(id),
            _ => Err("no such device, or busy".into()),
        }
    }

    /// daxctl knows a dax region by its number, of an hmem device or of a region.
    fn create_device(&mut self, id: &str) -> Done {
        let id: usize = id.parse().map_err(|_| "id")?;
        let served = |i: &usize| self.regions.get(*i).is_some_and(|r| r.served);
        let region = id.checked_sub(FIRST_REGION).filter(served);
        let hmem = self.hmems.iter().find(|h| h.id == id && h.bound);
        let mut dax = Dax {
            name: self.name_for(id),
            hmem: hmem.map(|h| h.id),
            region: region.filter(|_| hmem.is_none()),
            range: None,
            used: Use::File,
            kmem: false,
            has_node: true,
            by_name: false,
        };
        let room = self.room(&dax)?;
        // A device without size is taken before another is made.
        let is_seed =
            |d: &&mut Dax| (d.hmem, d.region) == (dax.hmem, dax.region) && d.range.is_none();
        let range = Some(*room.first().ok_or("no space")?);
        match self.dax.iter_mut().find(is_seed) {
            Some(seed) => (seed.range, seed.used) = (range, Use::File),
            None => {
                dax.range = range;
                self.dax.push(dax);
            }
        }
        Ok(())
    }
}
