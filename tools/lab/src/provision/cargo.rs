// SPDX-License-Identifier: GPL-2.0

//! Where cargo compiles the host side: in the cache, so that each new checkout compiles the libraries no
//! more.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::cmd;
use super::lock::write_atomic;
use super::Ctx;

/// What the workspace is made of; cargo names what it compiles after them.
const PACKAGES: [&str; 5] = ["lab", "daxmap", "daxown", "model", "ownership"];

/// The target directory for a profile. Whoever compiles with it holds a lock.
///
/// What another checkout made of the workspace itself goes: cargo names it alike, and would look at the
/// files of that checkout to tell whether it is up to date.
pub fn cargo_target(ctx: &Ctx, profile: &str) -> Result<PathBuf> {
    let target = ctx.cache.join("cargo");
    let owner = target.join(format!("checkout-{profile}"));
    let own = ctx.repo.to_string_lossy();
    if fs::read_to_string(&owner).is_ok_and(|text| text == own) {
        return Ok(target);
    }
    if target.is_dir() {
        let mut clean = Command::new("cargo");
        clean
            .args(["clean", "--locked", "--profile", profile])
            .args(PACKAGES.iter().flat_map(|package| ["--package", package]))
            .arg("--manifest-path")
            .arg(ctx.repo.join("tools/Cargo.toml"))
            .arg("--target-dir")
            .arg(&target);
        cmd::output(ctx, &mut clean)?;
    }
    fs::create_dir_all(&target)?;
    write_atomic(&owner, &own)?;
    Ok(target)
}
