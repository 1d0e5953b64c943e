// SPDX-License-Identifier: GPL-2.0

//! `lab check-packages`: the Debian packages built, installed, upgraded, broken and removed.

use std::path::Path;
use std::process::Command;
use std::process::ExitCode;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use clap::Args;

use crate::provision;
use crate::provision::Ctx;

/// The versions that are built: one, and one to upgrade to.
const VERSIONS: [&str; 2] = ["0.1", "0.2"];

/// Arguments of `lab check-packages`.
#[derive(Args)]
pub struct CheckPackages {
    /// Keep the modules that DKMS installed here, for a guest: `make run MODULES=<directory>`
    #[arg(long, env = "INSTALLED")]
    installed: Option<String>,
}

impl CheckPackages {
    /// Builds both versions and runs the tests.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let root = provision::debian_root(ctx)?;
        let temp = provision::temp_dir(ctx)?;
        let built = VERSIONS.map(|version| temp.path().join(version));
        for (version, dist) in VERSIONS.iter().zip(&built) {
            make_deb(ctx, version, dist)?;
        }
        let mut command = Command::new(ctx.repo.join("tests/packages/run"));
        command.arg(root).args(&built);
        if let Some(installed) = &self.installed {
            command.env("INSTALLED", installed);
        }
        let status = command
            .status()
            .context("cannot start tests/packages/run")?;
        Ok(match status.success() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

fn make_deb(ctx: &Ctx, version: &str, dist: &Path) -> Result<()> {
    let mut command = Command::new(ctx.repo.join("tools/make-deb"));
    command.env("VERSION", version).env("DIST", dist);
    if !command
        .status()
        .context("cannot start tools/make-deb")?
        .success()
    {
        bail!("the packages of version {version} could not be built");
    }
    Ok(())
}
