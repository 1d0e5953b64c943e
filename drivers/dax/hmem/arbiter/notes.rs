// SPDX-License-Identifier: GPL-2.0

//! What the notifier of the CXL bus leaves for the next decision.

use super::Arbiter;
use crate::{
    cxl,
    decoded::{
        Decoded,
        Plugged, //
    },
    ownership::{
        Extent,
        Range,
        Share, //
    }, //
};
use core::ptr;
use kernel::{
    device,
    prelude::*,
    sync::aref::ARef, //
};

/// What the notifier has seen since the last decision.
#[derive(Default)]
pub(crate) struct Notes {
    /// Regions that have lost their driver.
    pub(crate) gone: KVec<Extent>,
    /// What regions have begun to decode, or have decoded until now.
    pub(crate) decoded: KVec<Range>,
    /// What memory devices decode without a region, with the device whose removal ends it.
    pub(crate) plugged: KVec<(ARef<device::Device>, Share)>,
    /// What they have decoded so and show now that they do not, until a decision has let go of it.
    pub(crate) ended: KVec<Range>,
    /// Counts PCI devices that were removed.
    pub(crate) unplugged: usize,
}

impl Arbiter {
    /// Looks up the devices that decoded something without a region when the last binding ended. What
    /// one of them did that has gone since is decoded no more, also where it was one of several and the
    /// others were missing.
    pub(super) fn recall_plugged(&self) -> Result {
        let mut ranges = self.ranges.lock();
        let mut gone = KVec::new();

        for known in ranges.decoded.plugged() {
            match cxl::find_device(known.device) {
                Some(device) => {
                    let mut notes = self.notes.lock();
                    notes.plugged.push((device, known.share), GFP_KERNEL)?;
                }
                None => gone.push(known.share.range, GFP_KERNEL)?,
            }
        }
        ranges.decoded.note(&gone, &[])
    }

    /// Has `decoded` remember the devices that decode something without a region. Fails with `ENOMEM`.
    pub(super) fn remember_plugged(&self, decoded: &mut Decoded) -> Result {
        let mut plugged = KVec::new();

        for (device, share) in &self.notes.lock().plugged {
            let share = *share;
            match cxl::device_id(device) {
                // It is just being removed.
                0 => decoded.note(&[share.range], &[])?,
                device => plugged.push(Plugged { device, share }, GFP_KERNEL)?,
            }
        }
        decoded.note_plugged(plugged)
    }

    /// Remembers a region that has lost its driver for the next decision.
    pub(crate) fn note_gone(&self, region: &Extent) {
        if self.notes.lock().gone.push(*region, GFP_KERNEL).is_err() {
            dev_warn!(
                self.device,
                "{}: no memory to follow region{}; unbind and rebind {} to retry\n",
                region.range,
                region.region,
                self.device.name()
            );
        }
    }

    /// Remembers what a memory device decodes without a region.
    pub(crate) fn note_plugged(&self, device: &device::Device, share: &Share) {
        let mut notes = self.notes.lock();
        let is_known =
            |(d, s): &(ARef<device::Device>, Share)| ptr::eq(&raw const **d, device) && s == share;
        if notes.plugged.iter().any(is_known) {
            return;
        }
        if notes
            .plugged
            .push((device.into(), *share), GFP_KERNEL)
            .is_err()
        {
            dev_warn!(
                self.device,
                "{}: no memory to remember that a memory device decodes it\n",
                share.range
            );
        }
    }

    /// Remembers what a region decodes or has decoded, with which it ends: what memory devices decode
    /// without one is not there any more.
    pub(crate) fn note_region(&self, range: &Range) {
        self.note_decoded(range);
        self.notes
            .lock()
            .plugged
            .retain(|(_, share)| !share.range.intersects(range));
    }

    /// Remembers what is or has been decoded.
    pub(crate) fn note_decoded(&self, range: &Range) {
        if self.notes.lock().decoded.push(*range, GFP_KERNEL).is_err() {
            dev_warn!(
                self.device,
                "{}: no memory to remember its CXL region\n",
                range
            );
        }
    }
}
