// SPDX-License-Identifier: GPL-2.0

//! Subcommands that make one part of the lab, for people and for scripts.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use super::Ctx;

/// The provisioning subcommands.
#[derive(Subcommand)]
pub enum Command {
    /// Build (once) the kernel of a flavour and print where it is
    Kernel {
        /// Name of a file in tests/flavors, without .config
        #[arg(default_value = "base")]
        flavor: String,
    },
    /// Make (once) the guest's root file system and print where it is
    Rootfs,
}

impl Command {
    /// Runs one subcommand.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        match self {
            Self::Kernel { flavor } => {
                let kernel = super::kernel(ctx, &flavor)?;
                println!("{}", kernel.kdir.display());
            }
            Self::Rootfs => println!("{}", super::rootfs(ctx)?.display()),
        }
        Ok(ExitCode::SUCCESS)
    }
}
