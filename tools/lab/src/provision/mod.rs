// SPDX-License-Identifier: GPL-2.0

//! Makes what a guest needs: host packages, kernel, modules, root file system, QEMU.
//!
//! Everything is kept in the user's cache under keys made from its inputs, so that a second
//! call does nothing. Each function may be called in any order and by several processes.

use std::path::Path;
use std::path::PathBuf;

use anyhow::Result;

pub mod cli;
mod ctx;

pub use ctx::Ctx;

/// A built CONFIG_RUST kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Build tree, usable as `make KDIR=`.
    pub kdir: PathBuf,
    /// bzImage.
    pub image: PathBuf,
    /// `uname -r` of the kernel.
    pub release: String,
    /// Directory that holds `lib/modules/<release>` with the C modules.
    pub modroot: PathBuf,
}

/// The lab's own kernel of a flavour (`tests/flavors/<flavor>.config`), built when needed.
pub fn kernel(ctx: &Ctx, flavor: &str) -> Result<Kernel> {
    let _ = ctx;
    anyhow::bail!("kernel flavour {flavor}: not available yet")
}

/// The caller's own kernel build tree.
pub fn kernel_from_kdir(ctx: &Ctx, kdir: &Path) -> Result<Kernel> {
    let _ = ctx;
    anyhow::bail!("{}: not available yet", kdir.display())
}

/// Builds the Rust modules against `kernel`; the directory returned holds the `.ko` files.
pub fn modules(ctx: &Ctx, kernel: &Kernel) -> Result<PathBuf> {
    let _ = ctx;
    anyhow::bail!("modules for {}: not available yet", kernel.release)
}

/// The guest's root file system image (read-only, Debian trixie).
pub fn rootfs(_ctx: &Ctx) -> Result<PathBuf> {
    anyhow::bail!("root file system: not available yet")
}

/// A QEMU that is new enough.
pub fn qemu(_ctx: &Ctx) -> Result<PathBuf> {
    anyhow::bail!("qemu: not available yet")
}
