// SPDX-License-Identifier: GPL-2.0

//! What CXL regions have decoded since boot.
//!
//! HMEM serves a Soft Reserved byte in a CXL window because firmware has set up something that
//! decodes it, whether the kernel assembles a region of it or not. Once a region is torn down, or
//! its memory device removed, nothing decodes the bytes any more, and nothing on the machine tells
//! them from bytes that never had a region. So what a region decodes is remembered, and what is
//! remembered and not decoded by a committed region now is not served.
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
        Range, //
    }, //
};
use kernel::{
    device,
    prelude::*, //
};

/// The name of the list at the device: first and last address, inclusive, of each range.
const MEMO: &CStr = c"dax-hmem,decoded";

/// What regions have decoded.
pub(crate) struct Decoded {
    /// Ascending and disjoint.
    ranges: KVec<Range>,
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

        if kept {
            for pair in device_memo::read(device, MEMO)?.chunks_exact(2) {
                if let [start, end] = *pair {
                    ranges.push(Range::new(start, end).ok_or(EINVAL)?, GFP_KERNEL)?;
                }
            }
        }
        Ok(Self {
            ranges,
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

    /// Has `device` remember it. Without memory it tries again the next time.
    pub(crate) fn keep(&mut self, device: &device::Device) {
        if !self.kept || !self.changed {
            return;
        }
        match self.write(device) {
            Ok(()) => self.changed = false,
            Err(e) => dev_warn!(
                device,
                "no memory to remember what CXL regions decode: {:?}; do not unload the module \
                 before the next change of a region\n",
                e
            ),
        }
    }

    fn write(&self, device: &device::Device) -> Result {
        let mut list = KVec::with_capacity(self.ranges.len().saturating_mul(2), GFP_KERNEL)?;

        for range in &self.ranges {
            list.push(range.start(), GFP_KERNEL)?;
            list.push(range.end(), GFP_KERNEL)?;
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
