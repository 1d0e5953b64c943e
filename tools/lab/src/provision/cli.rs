// SPDX-License-Identifier: GPL-2.0

//! Subcommands that make one part of the lab, for people and for scripts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap::Subcommand;

use super::Ctx;
use super::Kernel;

/// The provisioning subcommands.
#[derive(Subcommand)]
pub enum Command {
    /// Check that this machine has what the lab needs; as root, install what is missing
    Deps,
    /// Build (once) a kernel and print its tree, which serves as KDIR
    Kernel(Choice),
    /// Build the modules and print the directory they are in
    Modules(Choice),
    /// Make (once) the guest's root file system and print the image
    Rootfs,
}

/// Which kernel.
#[derive(Args)]
pub struct Choice {
    /// A flavour of tests/flavors, or `debian` for Debian's own kernel
    #[arg(env = "FLAVOR", default_value = "base")]
    flavor: String,
    /// A kernel tree of your own, built with CONFIG_RUST, in place of a flavour
    #[arg(long, env = "KDIR", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    kdir: Option<String>,
}

impl Choice {
    fn kernel(&self, ctx: &Ctx) -> Result<Kernel> {
        match &self.kdir {
            Some(kdir) => super::kernel_from_kdir(ctx, &PathBuf::from(kdir)),
            None => super::kernel(ctx, &self.flavor),
        }
    }
}

impl Command {
    /// Runs one subcommand.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        match self {
            Self::Deps => println!("{}", super::toolchain::describe(ctx)?),
            Self::Kernel(choice) => println!("{}", choice.kernel(ctx)?.kdir.display()),
            Self::Modules(choice) => {
                let kernel = choice.kernel(ctx)?;
                println!("{}", super::modules(ctx, &kernel)?.display());
            }
            Self::Rootfs => println!("{}", super::rootfs(ctx)?.display()),
        }
        Ok(ExitCode::SUCCESS)
    }
}
