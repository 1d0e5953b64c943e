// SPDX-License-Identifier: GPL-2.0

//! Makes what a guest needs: host packages, kernel, modules, root file system, QEMU.
//!
//! Everything is kept in the user's cache under keys made from its inputs, so that a second
//! call does nothing. Each function may be called in any order and by several processes.

use std::path::PathBuf;

mod apt;
mod buildroot;
mod cargo;
pub mod cli;
pub mod cmd;
mod config;
mod ctx;
mod cxl_test;
mod daxown;
mod debian;
mod debian_root;
mod host;
mod initramfs;
mod kdir;
mod kernel;
mod key;
mod lock;
mod modules;
mod prepared;
mod progress;
mod promtool;
mod prune;
mod rootfs;
mod source;
mod sources;
mod stock;
mod toolchain;
mod version;

pub use cargo::cargo_target;
pub use cmd::capture;
pub use cmd::run_cmd;
pub use cmd::Step;
pub use config::Config;
pub use ctx::Ctx;
pub use cxl_test::cxl_test;
pub use cxl_test::CxlTest;
pub use daxown::daxown;
pub use debian_root::debian_root;
pub use host::ensure;
pub use host::qemu;
pub use host::temp_dir;
pub use kdir::kernel_from_kdir;
pub use kernel::kernel;
pub use kernel::nothing_is_built;
pub use lock::Lock;
pub use modules::copy_sources;
pub use modules::make_command;
pub use modules::modules;
pub use modules::modules_for_cxl_test;
pub use modules::modules_without_report;
pub use modules::toolchain_args;
pub use prepared::prepared;
pub use prepared::Wanted;
pub use promtool::promtool;
pub use rootfs::rootfs;
pub use source::kernel_source;
pub use stock::is_there as debian_is_there;
pub use stock::series as debian_series;
pub use stock::DEBIAN;
pub use stock::DEBIAN_OLDER;

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
    /// Variables for `make` of modules against it.
    pub make_args: Vec<String>,
    /// What has the drivers of the guest's root, if the image has not.
    pub initramfs: Option<PathBuf>,
    /// The root in which modules for it are built, if that is not this machine's.
    pub root: Option<PathBuf>,
}
