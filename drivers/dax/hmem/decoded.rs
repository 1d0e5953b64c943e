// SPDX-License-Identifier: GPL-2.0

//! What CXL has decoded since boot.
//!
//! HMEM serves a Soft Reserved byte in a CXL window because firmware has set up something that
//! decodes it, whether the kernel assembles a region of it or not. Once a region is torn down, or
//! its memory device removed, nothing decodes the bytes any more, and nothing on the machine tells
//! them from bytes that never had a region. So what a region decodes is remembered, and what is
//! remembered and not decoded now is not served. It is decoded by a committed region, or by a memory
//! device whose decoders firmware has committed and the kernel made no region of. Such a device goes
//! on decoding when its driver is unbound and shows nothing, so the device is remembered as well: it
//! decodes until it is removed, or shows that it does not. Of an interleave set all devices must.
//!
//! The knowledge must outlive the module, or unloading and loading it would serve such memory. It
//! is kept by the platform device itself, which is built into the kernel, see [`device_memo`].

use crate::{
    device_memo,
    ownership::{
        range::{
            for_each_gap,
            sort_disjoint, //
        },
        Range,
        Share, //
    }, //
};
use kernel::{
    device,
    prelude::*, //
};

/// The name of the list at the device, which changes with the format. Five numbers an entry: 0, or the
/// id of the memory device that decodes it without a region; first and last address, inclusive; how
/// many devices do so together, or 0; and 1 for persistent memory, else 0.
const MEMO: &CStr = c"dax-hmem,decoded-5";

/// What a memory device decodes without a region.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plugged {
    /// Which one it is, for as long as the machine is up. Not 0.
    pub(crate) device: u64,
    pub(crate) share: Share,
}

/// What has been decoded.
pub(crate) struct Decoded {
    /// Ascending and disjoint.
    ranges: KVec<Range>,
    /// The memory devices that decoded something without a region when this was last noted.
    plugged: KVec<Plugged>,
    /// Whether the device remembers it.
    kept: bool,
    /// Whether there is something new.
    changed: bool,
}

impl Decoded {
    /// What `device` remembers. A device that does not stay, as that of a test harness, remembers
    /// nothing (`kept`). Fails with `ENOMEM`.
    pub(crate) fn read(device: &device::Device, kept: bool) -> Result<Self> {
        let mut ranges = KVec::new();
        let mut plugged = KVec::new();

        if kept {
            for entry in device_memo::read(device, MEMO)?.chunks_exact(5) {
                if let [device, start, end, ways, persistent] = *entry {
                    let range = Range::new(start, end).ok_or(EINVAL)?;
                    match device {
                        0 => ranges.push(range, GFP_KERNEL)?,
                        _ => {
                            let share = Share {
                                range,
                                ways: u32::try_from(ways)?,
                                persistent: persistent != 0,
                            };
                            plugged.push(Plugged { device, share }, GFP_KERNEL)?;
                        }
                    }
                }
            }
        }
        Ok(Self {
            ranges,
            plugged,
            kept,
            changed: false,
        })
    }

    /// Adds what has been decoded, and what is. Fails with `ENOMEM`.
    pub(crate) fn note(&mut self, seen: &[Range], now: &[Range]) -> Result {
        let known = self.ranges.len();

        for range in [seen, now].into_iter().flatten() {
            let mut new = false;
            for_each_gap(range, self.ranges.get(..known).unwrap_or(&[]), |_| {
                new = true;
                Ok::<(), Error>(())
            })?;
            if new {
                self.ranges.push(*range, GFP_KERNEL)?;
            }
        }
        if self.ranges.len() > known {
            self.changed = true;
            let disjoint = sort_disjoint(&mut self.ranges).len();
            self.ranges.truncate(disjoint);
        }
        Ok(())
    }

    /// The memory devices that decoded something without a region when this was last noted.
    pub(crate) fn plugged(&self) -> &[Plugged] {
        &self.plugged
    }

    /// Notes which these are now, and what they decode. Fails with `ENOMEM`.
    pub(crate) fn note_plugged(&mut self, now: KVec<Plugged>) -> Result {
        let shares = || now.iter().map(|p| p.share);
        for share in shares().filter(|s| s.is_complete(shares())) {
            self.note(&[share.range], &[])?;
        }
        self.changed |= *now != *self.plugged;
        self.plugged = now;
        Ok(())
    }

    /// Has `device` remember it. Without memory it tries again the next time.
    pub(crate) fn keep(&mut self, device: &device::Device) {
        if !self.kept || !self.changed {
            return;
        }
        match self.write(device) {
            Ok(()) => self.changed = false,
            Err(e) => dev_warn!(
                device,
                "cannot remember what CXL regions decode: {:?}; do not unload the module \
                 before the next change of a region\n",
                e
            ),
        }
    }

    fn write(&self, device: &device::Device) -> Result {
        let mut list = KVec::new();

        for range in &self.ranges {
            list.extend_from_slice(&[0, range.start(), range.end(), 0, 0], GFP_KERNEL)?;
        }
        for Plugged { device, share } in &self.plugged {
            let (start, end) = (share.range.start(), share.range.end());
            let (ways, persistent) = (share.ways.into(), share.persistent.into());
            list.extend_from_slice(&[*device, start, end, ways, persistent], GFP_KERNEL)?;
        }
        device_memo::write(device, MEMO, &list)
    }

    /// Calls `f` for what has been decoded and is in none of `decoding`, which ascends and is
    /// disjoint, until it fails.
    pub(crate) fn for_each_undecoded(
        &self,
        decoding: &[Range],
        mut f: impl FnMut(Range) -> Result,
    ) -> Result {
        for range in &self.ranges {
            for_each_gap(range, decoding, &mut f)?;
        }
        Ok(())
    }
}
