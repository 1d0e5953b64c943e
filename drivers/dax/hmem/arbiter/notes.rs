// SPDX-License-Identifier: GPL-2.0

//! What the notifier of the CXL bus leaves for the next decision.

use super::Arbiter;
use crate::ownership::{
    Extent,
    Range, //
};
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
    pub(crate) plugged: KVec<(ARef<device::Device>, Range)>,
}

impl Arbiter {
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

    /// Remembers what a region decodes or has decoded.
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
