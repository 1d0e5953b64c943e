// SPDX-License-Identifier: GPL-2.0

//! Following the regions and memory devices on the CXL bus for an arbiter: what the notifier tells.

use crate::{
    arbiter::Arbiter,
    cxl_bus::{
        for_each,
        Kind, //
    },
    cxl_watch::{
        Events,
        Watch, //
    },
    iomem_tree::Tree,
    ownership::{
        Extent,
        Range,
        Share, //
    },
    unbinding::Unbinding, //
};
use core::ptr;
use kernel::{
    device,
    prelude::*,
    sync::Arc, //
};

/// Follows the regions for an arbiter, until it is dropped.
pub(crate) struct Follower {
    _watch: Watch<Arbiter>,
}

impl Follower {
    /// Starts to follow them, and remembers what they decode now: one of them may be gone when the
    /// first decision looks. Fails with `ENOMEM`.
    pub(crate) fn new(arbiter: &Arc<Arbiter>) -> Result<Self> {
        let this = Self {
            _watch: Watch::new(arbiter)?,
        };
        let tree = Tree::new()?;
        for_each(|seen| {
            if let (Kind::Region { decodes, .. }, Some(range)) = (seen.kind, seen.range) {
                // What is bound was committed until a moment ago.
                if decodes || seen.bound {
                    arbiter.note_decoded(&tree.region(seen.region).unwrap_or(range));
                }
            }
            Ok(())
        })?;
        Ok(this)
    }
}

impl Events for Arbiter {
    fn decodes(this: &Arc<Self>, range: &Range) {
        this.note_region(range);
        this.shared.devices.cancel_going(range);
    }

    fn changed(this: &Arc<Self>) {
        Self::changed(this);
    }

    fn plugged(this: &Arc<Self>, device: &device::Device, share: &Share) {
        this.note_plugged(device, share);
    }

    fn going(this: &Arc<Self>, range: &Range) {
        // Seen for the first time if it came and went between two looks.
        this.note_decoded(range);
        if this.shared.devices.begin_going(*range).is_err() {
            dev_warn!(
                this.device,
                "{}: no memory to guard what CXL stops decoding\n",
                range
            );
        }
        Unbinding::run_and_wait(this, *range);
    }

    fn gone(this: &Arc<Self>, region: c_int, range: &Range) {
        this.shared.devices.note_gone(range);
        match region {
            0.. => this.note_region(range),
            _ => this.note_decoded(range),
        }
        this.note_gone(&Extent {
            range: *range,
            region,
        });
        Self::changed(this);
    }

    fn unplugged(this: &Arc<Self>, device: &device::Device) {
        {
            let mut notes = this.notes.lock();
            notes.unplugged = notes.unplugged.wrapping_add(1);
        }
        // It ends what the device decoded without a region. A region of it is torn down first.
        while let Some(range) = {
            let mut notes = this.notes.lock();
            let at = notes
                .plugged
                .iter()
                .position(|p| ptr::eq(&raw const *p.0, device));
            at.and_then(|at| notes.plugged.remove(at).ok())
                .map(|(_, share)| share.range)
        } {
            <Self as Events>::going(this, &range);
            <Self as Events>::gone(this, -1, &range);
        }
    }
}
