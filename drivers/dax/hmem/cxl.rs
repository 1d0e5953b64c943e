// SPDX-License-Identifier: GPL-2.0

//! What dax_hmem knows of CXL: finding the regions. `follower.rs` follows them; `no_cxl.rs` stands in the
//! place of both where the kernel has no dax_cxl.

use crate::{
    arbiter::Notes,
    cxl_bus::{
        for_each,
        is_committed,
        is_decoding,
        reprobe,
        Kind,
        Memory,
        RegionKey, //
    },
    cxl_decoder::{
        for_each_decoder,
        Decoder, //
    },
    iomem_tree::{
        self,
        Name, //
    },
    ownership::{
        range::{
            sort,
            sort_disjoint, //
        },
        Extent,
        Obstacle,
        Range,
        Share,
        Taken, //
    },
    probing,
    regions::Regions, //
};
use core::ptr;
use kernel::{
    device,
    prelude::*,
    sync::{
        aref::ARef,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

pub(crate) use crate::{
    cxl_bus::for_each_dax_region,
    device_id::{
        device_id,
        find_device, //
    },
    follower::Follower, //
};

/// Has the drivers loaded that publish CXL windows and regions.
pub(crate) fn request_drivers() {
    probing::request_driver(probing::Bus::Platform, c"cxl_acpi");
    probing::request_driver(probing::Bus::Pci, c"cxl_pci");
}

/// Waits for what the CXL bus has put off. Returns whether that may have led to probes.
pub(crate) fn flush() -> bool {
    crate::cxl_flush::flush();
    true
}

/// Whether CXL serves a byte of `range` at this moment.
pub(crate) fn serves(range: &Range) -> bool {
    let mut serves = false;
    let walked = for_each(|seen| {
        serves |=
            seen.kind == Kind::Dax && seen.bound && seen.range.is_some_and(|r| r.intersects(range));
        Ok(())
    });
    walked.is_ok() && serves
}

/// The device whose memory committed decoders map to `range`.
pub(crate) fn device_behind(range: &Range) -> Option<Name> {
    let mut found = None;
    let walked = for_each_decoder(|decoder| {
        if let (Some(behind), Some(decoded)) = (decoder.behind, decoder.share) {
            if decoded.range.intersects(range) {
                found = Some(Name::new(behind.device.name().to_bytes()));
            }
        }
        Ok(())
    });
    walked.ok().and(found)
}

/// A region as the bus shows it.
struct Found {
    key: RegionKey,
    extent: Extent,
    memory: Memory,
    /// Whether it had been committed, and not been reset, when it was found.
    decodes: bool,
    /// Whether it was committed after that.
    committed: bool,
    bound: bool,
    /// Whether its dax or nvdimm side is bound, if it has one.
    side: Option<bool>,
}

/// How often the bus is looked at while a port is busy, and how long to wait for it each time: a second in
/// all, for which unbinding waits, and nobody who holds a lock of CXL does.
const MOST_LOOKS: u32 = 50;
const LOOK_AGAIN_MS: i64 = 20;

impl Regions {
    /// Looks at the bus. What decodes without a region is noted in `notes`. What is `settled` is decided
    /// for good, so a port that is busy is waited for. Fails with `ENOMEM`.
    pub(crate) fn collect(notes: &Mutex<Notes>, settled: bool) -> Result<Self> {
        let mut looks = 1;
        loop {
            let unplugged = notes.lock().unplugged;
            let (mut this, decoders) = Self::look()?;
            if this.unsure && settled && looks < MOST_LOOKS {
                looks += 1;
                fsleep(Delta::from_millis(LOOK_AGAIN_MS));
                continue;
            }
            let mut notes = notes.lock();
            // What was seen of a device that has been removed since must not be noted.
            if notes.unplugged == unplugged {
                this.add_plugged(&mut notes, &decoders)?;
                return Ok(this);
            }
        }
    }

    /// Looks at the bus: the regions, and the decoders of memory devices.
    fn look() -> Result<(Self, KVec<Decoder>)> {
        let mut this = Self::none()?;
        let mut found: KVec<Found> = KVec::new();
        let mut decoders = KVec::new();
        let mut named = KVec::new();

        for entry in this.tree.iter() {
            if let iomem_tree::Kind::Region(region) = entry.kind {
                named.push((region, entry.range), GFP_KERNEL)?;
            }
        }
        sort(&mut named, |&(region, _)| region);

        for_each(|seen| {
            match (seen.kind, seen.range) {
                (
                    Kind::Region {
                        key,
                        memory,
                        decodes,
                    },
                    Some(range),
                ) => found.push(
                    Found {
                        key,
                        extent: Extent {
                            range: named
                                .binary_search_by_key(&seen.region, |&(region, _)| region)
                                .ok()
                                .and_then(|at| named.get(at))
                                .map_or(range, |&(_, range)| range),
                            region: seen.region,
                        },
                        memory,
                        decodes,
                        committed: false,
                        bound: seen.bound && !seen.unbinding,
                        side: None,
                    },
                    GFP_KERNEL,
                )?,
                (Kind::Dax | Kind::Pmem, _) => {
                    // Most come right after their region.
                    let mut latest = found.iter_mut().rev();
                    if let Some(region) = latest.find(|f| f.extent.region == seen.region) {
                        region.side = Some(seen.bound);
                    }
                }
                _ => {}
            }
            Ok(())
        })?;
        // A side stands for a region that is committed. Of others the bus is asked, which waits for
        // one that is being reset; so the decoders are looked at after that.
        for region in &mut found {
            region.committed = region.side.is_some() || is_committed(&region.extent.range);
        }
        for_each_decoder(|decoder| Ok(decoders.push(decoder, GFP_KERNEL)?))?;
        // A region that goes loses its driver first; its decoders are reset last, and nobody is told.
        // It was committed when it was found, and is not any more, or is off the bus. One that has come
        // since it was looked for is on the bus, and tells when it is bound or goes.
        let is_going = |region| match found.iter().find(|f| f.key == region) {
            Some(found) => found.decodes && !found.committed,
            None => is_decoding(region).is_none(),
        };
        for decoder in &mut decoders {
            if decoder.region.is_some_and(is_going) {
                if let Some(share) = decoder.share.take() {
                    this.resetting.push(share.range, GFP_KERNEL)?;
                }
            }
        }
        for region in &found {
            if region.committed {
                this.add(region, &decoders)?;
                continue;
            }
            // It waits for a memory device, or was refused: what it is to map has contents.
            let Extent {
                range,
                region: number,
            } = region.extent;
            let taken = match region.memory {
                Memory::Volatile => continue,
                Memory::Persistent => Taken::Persistent(Some(number)),
                Memory::Foreign => Taken::Foreign(number),
            };
            this.waiting.push(Obstacle { range, taken }, GFP_KERNEL)?;
        }
        // Whether it is persistent is not known then.
        let is_unsure = |d: &Decoder| d.behind.is_none() && d.region.is_none() && d.share.is_some();
        this.unsure |= decoders.iter().any(is_unsure);
        let disjoint = sort_disjoint(&mut this.committed).len();
        this.committed.truncate(disjoint);
        this.held.reserve(disjoint, GFP_KERNEL)?;
        Ok((this, decoders))
    }

    /// Adds a committed region.
    fn add(&mut self, found: &Found, decoders: &[Decoder]) -> Result {
        let extent = found.extent;
        // A memory device that serves no purpose of its own driver's.
        let is_plain = |decoder: &Decoder| {
            let behind = decoder.behind.as_ref();
            decoder.region == Some(found.key) && behind.is_some_and(|b| !b.attached)
        };

        self.decoding.push(extent.range, GFP_KERNEL)?;
        let held = match (found.memory, found.side) {
            (Memory::Volatile, Some(bound)) => bound || !found.bound,
            (Memory::Persistent, _) => true,
            // Disabled: it is CXL's as long as it decodes.
            (Memory::Volatile, None) if !found.bound => {
                self.disabled.push(extent.region, GFP_KERNEL)?;
                true
            }
            // cxl_core leaves alone what was System RAM in part when it found the region.
            (Memory::Volatile, None) if decoders.iter().any(is_plain) => return Ok(()),
            // Its driver keeps it for another purpose, unless it cannot be known whose the decoders are.
            (Memory::Volatile, None) | (Memory::Foreign, _) => {
                let mut own = decoders.iter().filter(|d| d.region == Some(found.key));
                self.unsure |= found.memory == Memory::Volatile && own.any(|d| d.behind.is_none());
                let (range, taken) = (extent.range, Taken::Foreign(extent.region));
                return Ok(self.foreign.push(Obstacle { range, taken }, GFP_KERNEL)?);
            }
        };
        self.committed.push(extent, GFP_KERNEL)?;
        if held {
            self.held.push(extent, GFP_KERNEL)?;
        }
        Ok(())
    }

    /// Adds what memory devices decode without a committed region, and notes it.
    fn add_plugged(&mut self, notes: &mut Notes, decoders: &[Decoder]) -> Result {
        let is_same = |a: &device::Device, b: &device::Device| ptr::eq(a, b);
        let shown = || {
            decoders
                .iter()
                .filter_map(|d| Some((d.behind.as_ref()?, d)))
        };
        let mut plugged: KVec<(ARef<device::Device>, Share)> = KVec::new();
        let mut ended = KVec::new();

        for (behind, decoder) in shown() {
            if let Some(share) = decoder.share.filter(|s| !self.decodes(&s.range)) {
                plugged.push((behind.device.clone(), share), GFP_KERNEL)?;
            }
        }
        for (device, share) in &notes.plugged {
            let is_known = plugged
                .iter()
                .any(|(d, s)| is_same(d, device) && s == share);
            if is_known || self.decodes(&share.range) {
                continue;
            }
            // A device whose driver is unbound shows nothing and decodes all the same. So does a decoder
            // whose region was deleted without having been committed: it keeps no addresses, and is not
            // reset. Nor is it known whose a decoder is while its port is busy.
            let is_shown = shown().any(|(behind, _)| is_same(&behind.device, device));
            let is_unsure = decoders.iter().any(|d| match &d.behind {
                Some(behind) => d.committed && d.share.is_none() && is_same(&behind.device, device),
                None => d
                    .share
                    .is_some_and(|s| (s.range, s.ways) == (share.range, share.ways)),
            });
            if (!is_shown || is_unsure) && device_id(device) != 0 {
                plugged.push((device.clone(), *share), GFP_KERNEL)?;
            } else {
                ended.push(share.range, GFP_KERNEL)?;
            }
        }
        notes.ended.extend_from_slice(&ended, GFP_KERNEL)?;
        notes.plugged = plugged;
        self.add_decoding(notes)
    }

    /// Whether a committed region decodes a byte of `range`.
    fn decodes(&self, range: &Range) -> bool {
        self.decoding.iter().any(|r| r.intersects(range))
    }

    /// Has dax_cxl try again to take the regions that are left to it and that it does not serve:
    /// those that lost to an HMEM that has let go since. With `all` these are all committed ones,
    /// else those that [`Regions::hold`] has named.
    pub(crate) fn reprobe(&self, all: bool) {
        reprobe(|seen| all || self.held.iter().any(|e| e.region == seen.region));
    }
}
