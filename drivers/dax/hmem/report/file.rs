// SPDX-License-Identifier: GPL-2.0

//! The file in debugfs where the ledger is read.

use crate::{
    arbiter::Arbiter,
    debugfs_file::{
        Contents,
        File, //
    }, //
};
use kernel::{
    device,
    fmt,
    prelude::*,
    sync::Arc, //
};

/// The file, as long as it is there.
pub(crate) struct LedgerFile {
    _file: File<Arbiter>,
}

impl LedgerFile {
    /// Makes it. Fails as [`File::new`] does.
    pub(crate) fn open(device: &device::Device, arbiter: &Arc<Arbiter>) -> Result<Self> {
        Ok(Self {
            _file: File::new(device, c"dax_hmem", c"ledger", arbiter.clone())?,
        })
    }
}

impl Contents for Arbiter {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# dax_hmem ledger 1")?;
        self.report.note_bound(&self.shared.devices);
        self.report.write_ledger(f)
    }
}
