// SPDX-License-Identifier: GPL-2.0

//! Which memory a command puts into use, after the commands before it.

use crate::dax::{DaxDevice, Parent};
use crate::map::Map;
use crate::own::Owner;
use crate::range::{subtract, Range};
use crate::size::Total as _;

/// What the drivers align a device's size to, where it does not say.
const ALIGN: u64 = 2 << 20;

/// A dax device as the commands so far have made it.
struct Device {
    name: String,
    parent: Parent,
    ranges: Vec<Range>,
    align: u64,
    bound: bool,
}

/// Memory that a command puts into use by one device.
pub(super) struct Part {
    pub(super) range: Range,
    /// Its device; `None` for one that is made of free room.
    pub(super) device: Option<String>,
    pub(super) align: u64,
    /// Whether it can be made smaller before.
    pub(super) can_shrink: bool,
}

pub(super) struct Uses<'a> {
    map: &'a Map,
    devices: Vec<Device>,
    /// Regions that were committed before: something answers for them then.
    committed: Vec<String>,
    /// What the advice is about: devices whose addresses do not show lie there.
    about: Option<Range>,
}

impl<'a> Uses<'a> {
    pub(super) fn new(map: &'a Map, about: Option<Range>) -> Uses<'a> {
        let device = |d: &DaxDevice| Device {
            name: d.name.clone(),
            parent: d.parent.clone(),
            ranges: d.ranges.clone(),
            align: d.align.filter(|&a| a > 0).unwrap_or(ALIGN),
            bound: d.driver.is_some(),
        };
        Uses {
            map,
            devices: map.dax.iter().map(device).collect(),
            committed: Vec::new(),
            about,
        }
    }

    /// The memory that a command puts into use.
    pub(super) fn by(&self, command: &str) -> Vec<Range> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let whole = match words[..] {
            ["modprobe", "dax_hmem"] => self.unowned(),
            ["reboot"] => self.at_boot(),
            ["cxl", "enable-region", region] => self.region(region),
            ["echo", region, ">", path] if path.ends_with("/drivers/cxl_region/bind") => {
                self.region(region)
            }
            ["echo", dax_region, ">", path] if path.ends_with("/cxl/drivers_probe") => {
                self.region(dax_region.trim_start_matches("dax_"))
            }
            ["echo", device, ">", path]
                if path.contains("/drivers/hmem") && path.ends_with("/bind") =>
            {
                match device.starts_with("hmem_platform") {
                    true => self.unowned(),
                    false => self.hmem(device),
                }
            }
            _ => Vec::new(),
        };
        let parts = self.devices_by(command).into_iter().map(|p| p.range);
        whole.into_iter().chain(parts).collect()
    }

    /// The same for dax devices, each with what it is.
    pub(super) fn devices_by(&self, command: &str) -> Vec<Part> {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[..] {
            ["modprobe", "kmem"] => {
                let waits = |d: &&Device| !d.bound && !matches!(d.parent, Parent::Other(_));
                let names = self.devices.iter().filter(waits);
                names.flat_map(|d| self.parts(&d.name)).collect()
            }
            ["daxctl", "create-device", "-r", id, ref rest @ ..] => self.room_of(id, rest),
            ["daxctl", "online-memory" | "reconfigure-device", .., name] => self.parts(name),
            ["echo", word, ">", path] => {
                let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
                match path[..] {
                    ["sys", "bus", "dax", "devices", name, "state"]
                        if word.starts_with("online") =>
                    {
                        self.parts(name)
                    }
                    ["sys", "bus", "dax", "drivers", _, "bind" | "new_id"] => self.parts(word),
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    /// Follows what a command does to the size of devices, and to regions.
    pub(super) fn run(&mut self, command: &str) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let ["echo", word, ">", path] = words[..] else {
            return;
        };
        let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match path[..] {
            ["sys", "bus", "dax", "devices", name, "size"] => {
                if let Ok(size) = word.parse::<u64>() {
                    self.resize(name, size);
                }
            }
            ["sys", "bus", "cxl", "devices", region, "commit"] if word == "1" => {
                self.committed.push(region.to_string());
            }
            ["sys", "bus", "platform", "devices", hmem, "dax_region", "create"] => {
                let parent = Parent::Hmem(hmem.to_string());
                let of = |d: &&Device| d.parent == parent;
                let Some(base) = self
                    .devices
                    .iter()
                    .find(of)
                    .and_then(|d| d.name.split('.').next())
                else {
                    return;
                };
                let mut names = (0u64..).map(|i| format!("{base}.{i}"));
                let name = names.find(|n| !self.devices.iter().any(|d| d.name == *n));
                self.devices.extend(name.map(|name| Device {
                    name,
                    parent,
                    ranges: Vec::new(),
                    align: ALIGN,
                    bound: false,
                }));
            }
            _ => {}
        }
    }

    /// A device takes the lowest free room of its dax region, and shrinks from its end.
    fn resize(&mut self, name: &str, size: u64) {
        let Some(at) = self.devices.iter().position(|d| d.name == name) else {
            return;
        };
        let mut ranges = self.devices[at].ranges.clone();
        let len = |ranges: &[Range]| ranges.iter().map(|r| r.len()).total();
        if size > len(&ranges) {
            let mut wanted = size - len(&ranges);
            for room in self.room(&self.devices[at].parent) {
                let take = wanted.min(room.len());
                ranges.extend(Range::with_size(room.start, take).filter(|_| take > 0));
                wanted -= take;
            }
        }
        let mut left = size;
        ranges.retain_mut(|r| {
            let keep = left.min(r.len());
            left -= keep;
            match Range::with_size(r.start, keep) {
                Some(kept) if keep > 0 => {
                    *r = kept;
                    true
                }
                _ => false,
            }
        });
        self.devices[at].ranges = ranges;
    }

    /// What no device has of a dax region, from below.
    fn room(&self, parent: &Parent) -> Vec<Range> {
        let own = self.devices.iter().filter(|d| d.parent == *parent);
        let taken: Vec<Range> = own.flat_map(|d| d.ranges.iter().copied()).collect();
        let whole = match parent {
            Parent::Hmem(name) => self.hmem(name),
            Parent::Region(name) => {
                let region = self.map.region(name);
                region.and_then(|r| r.range).into_iter().collect()
            }
            Parent::Other(_) => Vec::new(),
        };
        let mut out: Vec<Range> = whole
            .into_iter()
            .flat_map(|r| subtract(r, &taken))
            .collect();
        out.sort_unstable();
        out
    }

    fn parts(&self, name: &str) -> Vec<Part> {
        let Some(device) = self.devices.iter().find(|d| d.name == name) else {
            return Vec::new();
        };
        let size = self.map.dax.iter().find(|d| d.name == name);
        let is_hidden = device.ranges.is_empty() && size.is_none_or(|d| d.size != Some(0));
        let unknown = self.about.filter(|_| is_hidden);
        let can_shrink =
            !device.bound && device.ranges.len() == 1 && !matches!(device.parent, Parent::Other(_));
        let ranges = device.ranges.iter().copied().chain(unknown);
        ranges
            .map(|range| Part {
                range,
                device: Some(device.name.clone()),
                align: device.align,
                can_shrink,
            })
            .collect()
    }

    /// What `daxctl create-device` takes: all free room of the dax region of this number.
    fn room_of(&self, id: &str, rest: &[&str]) -> Vec<Part> {
        let number = id.parse::<u64>().ok();
        let hmem = self
            .map
            .hmem
            .iter()
            .find(|h| h.region_id == number || h.id.to_string() == id);
        let region = self.map.region(&format!("region{id}"));
        let mut room = match (hmem, region) {
            (Some(h), _) => self.room(&Parent::Hmem(h.name.clone())),
            (None, Some(r)) => self.room(&Parent::Region(r.name.clone())),
            (None, None) => Vec::new(),
        };
        let mut size = match rest {
            ["-s", size] => size.parse().unwrap_or(u64::MAX),
            _ => u64::MAX,
        };
        let can_shrink = room.len() == 1;
        room.retain_mut(|r| {
            let take = size.min(r.len());
            size -= take;
            match Range::with_size(r.start, take) {
                Some(taken) if take > 0 => {
                    *r = taken;
                    true
                }
                _ => false,
            }
        });
        room.into_iter()
            .map(|range| Part {
                range,
                device: None,
                align: ALIGN,
                can_shrink,
            })
            .collect()
    }

    /// What dax_cxl makes a dax device of.
    fn region(&self, name: &str) -> Vec<Range> {
        let is_committed = self.committed.iter().any(|c| c == name);
        let region = self.map.region(name);
        let region = region.filter(|r| !r.is_persistent() && !is_committed);
        region.and_then(|r| r.range).into_iter().collect()
    }

    /// The addresses of an hmem device, which may be those of its place only.
    fn hmem(&self, name: &str) -> Vec<Range> {
        let device = self.map.hmem.iter().find(|h| h.name == *name);
        if let Some(range) = device.and_then(|h| h.range) {
            return vec![range];
        }
        let mut records = self.map.ledger.iter().flat_map(|l| &l.records);
        let record = records.find(|r| r.dev.as_deref() == Some(name));
        if let Some(record) = record {
            return vec![record.range];
        }
        let pieces = self.map.reserved.iter().flat_map(|r| &r.pieces);
        let own: Vec<Range> = pieces
            .filter(|p| {
                let owns = matches!(&p.owner, Owner::Hmem { device } if device == name);
                owns || p.device.as_deref() == Some(name)
            })
            .map(|p| p.range)
            .collect();
        match own.is_empty() {
            true => self.about.into_iter().collect(),
            false => own,
        }
    }

    /// What dax_hmem takes when it decides: what nobody has.
    fn unowned(&self) -> Vec<Range> {
        let pieces = self.map.reserved.iter().flat_map(|r| &r.pieces);
        let free = pieces.filter(|p| matches!(p.owner, Owner::Nobody | Owner::Unknown));
        free.map(|p| p.range).collect()
    }

    /// What the drivers take at boot: what the advice is about, what nobody has now, and, where windows mean
    /// nothing to dax_hmem, what another driver has.
    fn at_boot(&self) -> Vec<Range> {
        let mut out = self.around();
        out.extend(self.unowned());
        if self.map.is_without_dax_cxl() {
            let pieces = self.map.reserved.iter().flat_map(|r| &r.pieces);
            let others = pieces.filter(|p| matches!(p.owner, Owner::Driver { .. }));
            out.extend(others.map(|p| p.range));
        }
        out
    }

    /// The declared ranges that the advice is about, which HMEM takes whole at boot.
    fn around(&self) -> Vec<Range> {
        let Some(about) = self.about else {
            return Vec::new();
        };
        let here = self
            .map
            .reserved
            .iter()
            .filter(|r| r.range.overlaps(&about));
        here.map(|r| r.range).collect()
    }
}
