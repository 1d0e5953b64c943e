// SPDX-License-Identifier: GPL-2.0

//! The daxown that goes into guests: built here, run there.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::provision;
use crate::provision::Ctx;
use crate::provision::Step;

/// The program; cargo makes it anew when its source has changed.
pub fn daxown(ctx: &Ctx) -> Result<PathBuf> {
    let target = ctx.repo.join("tools/target");
    let step = Step::new(
        ctx,
        "build daxown",
        "daxown",
        "correct what the compiler complains about in tools/daxown or tools/daxmap",
    );
    let mut command = Command::new("cargo");
    command
        .args(["build", "--release", "--locked", "--package", "daxown"])
        .arg("--manifest-path")
        .arg(ctx.repo.join("tools/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target);
    provision::run_cmd(ctx, &step, &mut command)?;
    Ok(target.join("release/daxown"))
}
