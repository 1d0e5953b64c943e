// SPDX-License-Identifier: GPL-2.0

//! What stands in the place of `report/` where it is left out (`CONFIG_DAX_HMEM_REPORT=n`): nobody
//! is told anything, and the same memory is served.

use crate::{
    arbiter::Arbiter,
    event::Event,
    hmem_device::Memory,
    ownership::Range, //
};
use kernel::{
    device,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};

/// Knows the device, and tells nothing.
pub(crate) struct Report {
    device: ARef<device::Device>,
}

impl Report {
    /// An empty one.
    pub(crate) fn new(device: ARef<device::Device>) -> impl PinInit<Self> {
        Self { device }
    }

    /// Begins one look at all ranges.
    pub(crate) fn begin(&self) -> Teller<'_> {
        Teller {
            device: &self.device,
        }
    }

    /// Tells nothing.
    pub(crate) fn stuck(&self, _ram: &Range) {}
}

/// One look at all ranges.
pub(crate) struct Teller<'a> {
    device: &'a device::Device,
}

impl<'a> Teller<'a> {
    /// The device whose ranges these are.
    pub(crate) fn device(&self) -> &'a device::Device {
        self.device
    }

    /// There is no ledger.
    pub(crate) fn open(&mut self, _at: usize, _memory: Memory) {}

    /// Tells nothing.
    pub(crate) fn tell(&mut self, _at: usize, _event: Event) {}

    /// There is no ledger.
    pub(crate) fn covered(&mut self, _at: usize, _cover: impl Fn(&Range) -> Option<c_int>) {}

    /// There is no ledger.
    pub(crate) fn decoding(&mut self, _at: usize, _decoding: &[Range]) {}

    /// Tells nothing.
    pub(crate) fn serves(&mut self, _range: &Range, _id: c_int, _bound: bool) {}

    /// Tells nothing.
    pub(crate) fn goes(&self, _range: &Range, _id: c_int, _region: Option<c_int>) {}

    /// Tells nothing.
    pub(crate) fn released(&mut self, _hole: &Range, _region: c_int) {}

    /// Tells nothing.
    pub(crate) fn trimmed(&self, _piece: &Range, _part: &Range) {}

    /// Ends it.
    pub(crate) fn end(self) {}

    /// Tells nothing.
    pub(crate) fn online_already(&self, _ram: &Range) {}
}

/// There is no file.
pub(crate) struct LedgerFile;

impl LedgerFile {
    /// Makes none.
    pub(crate) fn open(_device: &device::Device, _arbiter: &Arc<Arbiter>) -> Result<Self> {
        Ok(Self)
    }
}
