// SPDX-License-Identifier: GPL-2.0

//! What guests are made of, apart from their scenario.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;

use super::daxown::daxown;
use crate::machine;
use crate::provision;
use crate::provision::Ctx;
use crate::provision::Kernel;
use crate::scenario::Drivers;

/// What the guests of one kernel share.
#[derive(Clone, Debug)]
pub struct Assets {
    pub kernel: Kernel,
    pub qemu: PathBuf,
    pub rootfs: PathBuf,
    pub accel: &'static str,
    /// Our tool for people, to be tried in each guest.
    pub daxown: PathBuf,
    /// Our modules, if they are to decide.
    pub updates: Option<PathBuf>,
}

impl Assets {
    /// Makes or finds everything, from the flavour or from the caller's own kernel.
    pub fn new(ctx: &Ctx, flavor: &str, kdir: Option<&Path>, drivers: Drivers) -> Result<Self> {
        let kernel = match kdir {
            Some(kdir) => provision::kernel_from_kdir(ctx, kdir)?,
            None => provision::kernel(ctx, flavor)?,
        };
        let updates = match drivers {
            Drivers::Rust => Some(provision::modules(ctx, &kernel)?),
            Drivers::C | Drivers::None => None,
        };
        let qemu = provision::qemu(ctx)?;
        let accel = machine::accelerator(&ctx.cache, &qemu, &kernel.image)?;
        Ok(Self {
            kernel,
            rootfs: provision::rootfs(ctx)?,
            daxown: daxown(ctx)?,
            qemu,
            accel,
            updates,
        })
    }
}
