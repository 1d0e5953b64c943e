// SPDX-License-Identifier: GPL-2.0

//! What the kernel, `cxl` and `daxctl` do with one command; an error where they would fail.

use daxmap::Range;

use super::{second, Dax, Machine, Region, Use, CAPACITY, UNIT};

type Done = Result<(), String>;

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
                dax.used = Use::File;
                Ok(())
            }
            ["cxl", "create-region", ..] => self.create_region(&words[2..]),
            ["cxl", "enable-region", name] => {
                let i = self.region_index(name)?;
                self.enable(i)
            }
            ["cxl", "enable-memdev", ref names @ ..] => {
                for m in &mut self.mems {
                    let name = format!("mem{}", m.id);
                    m.bound |= names.contains(&name.as_str());
                }
                Ok(())
            }
            ["modprobe", "kmem" | "dax_cxl"] => Ok(()),
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
                if !self.has_state {
                    return Err("no such attribute".into());
                }
                let dax = self.dax_mut(name)?;
                dax.used = match value {
                    "unplugged" => Use::None,
                    _ => Use::Online,
                };
                Ok(())
            }
            ["sys", "bus", "dax", "drivers", "kmem", "bind"] => self.bind_kmem(value),
            ["sys", "bus", "platform", "devices", hmem, "dax_region", "create"] => {
                let id = hmem.trim_start_matches("hmem.").parse().map_err(|_| "id")?;
                self.new_dax(id);
                Ok(())
            }
            ["sys", "bus", "platform", "drivers", "hmem", verb] => self.hmem_driver(value, verb),
            ["sys", "bus", "cxl", "drivers_probe"] => {
                let i = self.region_index(value.trim_start_matches("dax_"))?;
                self.serve(i)
            }
            ["sys", "bus", "cxl", "devices", name, "commit"] if value == "1" => {
                let i = self.region_index(name)?;
                if self.regions[i].mems.len() < self.regions[i].ways {
                    return Err("ENXIO: a member is missing".into());
                }
                self.regions[i].committed = true;
                Ok(())
            }
            _ => Err(format!("unknown file: {path}")),
        }
    }

    fn dax_mut(&mut self, name: &str) -> Result<&mut Dax, String> {
        let found = self.dax.iter_mut().find(|d| d.name == name);
        found.ok_or_else(|| format!("no {name}"))
    }

    fn region_index(&self, name: &str) -> Result<usize, String> {
        let i = name
            .strip_prefix("region")
            .and_then(|n| n.parse::<usize>().ok());
        i.filter(|&i| i < self.regions.len())
            .ok_or_else(|| format!("no {name}"))
    }

    fn blocks(&mut self, name: &str, from: Use, to: Use) -> Done {
        let dax = self.dax_mut(name)?;
        if !dax.kmem || dax.used != from && dax.used != to {
            return Err(format!("{name} has no memory blocks"));
        }
        dax.used = to;
        Ok(())
    }

    fn new_dax(&mut self, id: usize) -> String {
        let name = (0..).map(|n| format!("dax{id}.{n}"));
        let mut free = name.filter(|n| !self.dax.iter().any(|d| d.name == *n));
        let name = free.next().unwrap();
        let has_node = self.hmems.iter().any(|h| h.id == id && h.has_node);
        self.dax.push(Dax {
            name: name.clone(),
            hmem: Some(id),
            region: None,
            range: None,
            used: Use::None,
            kmem: false,
            has_node,
        });
        name
    }

    /// The first free room of the device's dax region.
    fn resize(&mut self, name: &str, size: u64) -> Done {
        let dax = self.dax_mut(name)?.clone();
        if dax.kmem || dax.used != Use::None {
            return Err("busy".into());
        }
        let hmem = self.hmems.iter().find(|h| Some(h.id) == dax.hmem);
        let whole = hmem.ok_or("no dax region")?.range;
        let others = self
            .dax
            .iter()
            .filter(|d| d.hmem == dax.hmem && d.name != name);
        let taken: Vec<Range> = others.filter_map(|d| d.range).collect();
        let room = daxmap::range::subtract(whole, &taken);
        let fit = room.iter().find(|r| r.len() >= size).ok_or("no space")?;
        let range = Range::with_size(fit.start, size).ok_or("size")?;
        self.dax_mut(name)?.range = Some(range);
        Ok(())
    }

    /// kmem reserves the range in the resource tree, where nothing may cross an edge.
    fn bind_kmem(&mut self, name: &str) -> Done {
        let dax = self.dax_mut(name)?.clone();
        let range = dax.range.ok_or("size 0")?;
        if dax.kmem || dax.used != Use::None || !dax.has_node {
            return Err(format!("{name}: refused"));
        }
        let edges = self
            .windows
            .iter()
            .copied()
            .chain(self.regions.iter().map(|r| r.range));
        for edge in edges {
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

    fn hmem_driver(&mut self, name: &str, verb: &str) -> Done {
        let id: usize = name.trim_start_matches("hmem.").parse().map_err(|_| "id")?;
        let hmem = self
            .hmems
            .iter_mut()
            .find(|h| h.id == id)
            .ok_or("no device")?;
        match (verb, hmem.bound) {
            ("unbind", true) => {
                hmem.bound = false;
                // Memory in use stays, and nobody has it any more.
                let mut own = self.dax.iter().filter(|d| d.hmem == Some(id));
                if own.any(|d| d.used == Use::Online) {
                    return Err("stuck online until reboot".into());
                }
                self.dax.retain(|d| d.hmem != Some(id));
                Ok(())
            }
            ("bind", false) => {
                hmem.bound = true;
                let range = hmem.range;
                let name = self.new_dax(id);
                self.dax_mut(&name)?.range = Some(range);
                self.bind_kmem(&name)
            }
            _ => Err("no such device, or busy".into()),
        }
    }

    fn serve(&mut self, i: usize) -> Done {
        let region = self.regions[i].clone();
        let held = self
            .hmems
            .iter()
            .any(|h| h.bound && h.range.overlaps(&region.range));
        if !self.has_dax_cxl || !region.committed || region.accelerator || held {
            return Err("the probe failed".into());
        }
        self.regions[i].served = true;
        self.dax.push(Dax {
            name: format!("dax{}.0", 10 + i),
            hmem: None,
            region: Some(i),
            range: Some(region.range),
            used: Use::Online,
            kmem: true,
            has_node: true,
        });
        Ok(())
    }

    fn enable(&mut self, i: usize) -> Done {
        if !self.regions[i].committed {
            return Err("ENXIO".into());
        }
        self.regions[i].bound = true;
        match self.has_dax_cxl {
            true => self.serve(i),
            false => Ok(()),
        }
    }

    fn create_device(&mut self, id: &str) -> Done {
        let id: usize = id.parse().map_err(|_| "id")?;
        let hmem = self
            .hmems
            .iter()
            .find(|h| h.id == id && h.bound)
            .ok_or("no region")?;
        let own = self.dax.iter().filter(|d| d.hmem == Some(id));
        let taken: Vec<Range> = own.filter_map(|d| d.range).collect();
        let room = daxmap::range::subtract(hmem.range, &taken);
        let room = *room.first().ok_or("no space")?;
        let name = self.new_dax(id);
        let dax = self.dax_mut(&name)?;
        (dax.range, dax.used) = (Some(room), Use::File);
        Ok(())
    }

    fn create_region(&mut self, words: &[&str]) -> Done {
        let after = |flag: &str| {
            let at = words.iter().position(|w| *w == flag)?;
            words.get(at + 1).copied()
        };
        let number = |text: &str, prefix: &str| text.strip_prefix(prefix)?.parse::<usize>().ok();
        let window = after("-d")
            .and_then(|d| number(d, "decoder0."))
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
            let own = self.regions.iter().filter(|r| r.mems.contains(&id));
            own.map(Region::each).sum()
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
        let regions = self.regions.iter().filter(|r| r.window == window);
        let mut taken: Vec<Range> = regions.map(|r| r.range).collect();
        taken.extend(self.dax.iter().filter_map(|d| d.range));
        taken.extend(&self.ram);
        let room = daxmap::range::subtract(self.windows[window], &taken);
        let fit = room.iter().find(|r| r.len() >= size).ok_or("-34")?;
        let range = Range::with_size(fit.start, size).ok_or("size")?;
        self.region(window, range, true, true);
        Ok(())
    }
}
