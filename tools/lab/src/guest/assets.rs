// SPDX-License-Identifier: GPL-2.0

//! What guests are made of, apart from their scenario.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;

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
            daxown: provision::daxown(ctx)?,
            qemu,
            accel,
            updates,
        })
    }

    /// The kernel that acts as firmware: this one, or `base` if it cannot make regions or takes its time.
    pub fn firmware_kernel(&self, ctx: &Ctx) -> Result<Kernel> {
        match self.has("CONFIG_CXL_REGION=y") && !self.has_checkers() {
            true => Ok(self.kernel.clone()),
            false => provision::kernel(ctx, "base"),
        }
    }

    /// The processor that QEMU is to emulate.
    pub fn cpu(&self) -> &'static str {
        // Five-level tables make KASAN report a wild access in early boot under TCG. In a virtual
        // machine regions commit with an option for tests only, which distributions do not set.
        if self.has("CONFIG_CXL_REGION_INVALIDATION_TEST=y") {
            "max,la57=off"
        } else {
            "max,la57=off,hypervisor=off"
        }
    }

    /// True if there is a dax_cxl for this kernel.
    pub fn has_dax_cxl(&self) -> bool {
        self.has("CONFIG_DEV_DAX_CXL=m")
    }

    /// Timer interrupts a second of the kernel.
    pub fn config_hz(&self) -> u64 {
        let config = self.config();
        let hz = config
            .lines()
            .find_map(|line| line.strip_prefix("CONFIG_HZ="));
        hz.and_then(|hz| hz.parse().ok())
            .filter(|&hz| hz > 0)
            .unwrap_or(1000)
    }

    /// True if the kernel has checkers that make it several times slower.
    pub fn has_checkers(&self) -> bool {
        self.has("CONFIG_KASAN=y") || self.has("CONFIG_PROVE_LOCKING=y")
    }

    /// The first of these lines that the kernel's configuration has not.
    pub fn lacks<'a>(&self, needs: &'a [String]) -> Option<&'a str> {
        let config = self.config();
        let has = |need: &str| config.lines().any(|line| line == need);
        needs.iter().map(String::as_str).find(|need| !has(need))
    }

    /// What the kernel is, for people.
    pub fn describe(&self) -> String {
        let release = &self.kernel.release;
        match self.kernel.initramfs {
            Some(_) => format!("{release}, Debian's own, as its packages have it"),
            None => release.clone(),
        }
    }

    /// True if this is a line of the kernel's configuration.
    fn has(&self, option: &str) -> bool {
        self.config().lines().any(|line| line == option)
    }

    /// The kernel's configuration, empty if it cannot be read.
    fn config(&self) -> String {
        fs::read_to_string(self.kernel.kdir.join(".config")).unwrap_or_default()
    }
}
