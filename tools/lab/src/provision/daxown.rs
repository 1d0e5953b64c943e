// SPDX-License-Identifier: GPL-2.0

//! The daxown that goes into guests: built here once for its sources, run there.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;

use super::cargo::cargo_target;
use super::cmd;
use super::cmd::Step;
use super::key::Key;
use super::lock::Lock;
use super::prune;
use super::Ctx;

/// What it is made from, below `tools/`.
const SOURCES: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "daxmap/Cargo.toml",
    "daxmap/src",
    "daxown/Cargo.toml",
    "daxown/src",
    "ownership/Cargo.toml",
    "ownership/src",
    "../drivers/dax/ownership",
];

/// The program; it is made anew when its sources or the compiler have changed.
pub fn daxown(ctx: &Ctx) -> Result<PathBuf> {
    let tools = ctx.repo.join("tools");
    let dir = ctx.cache.join("daxown");
    let kept = dir.join(key(&tools)?);
    let program = kept.join("daxown");
    // Under its name it is whole, so nobody needs to wait for a checkout that makes another.
    if program.is_file() {
        prune::mark_used(&kept);
        return Ok(program);
    }
    let _lock = Lock::exclusive(&dir.with_extension("lock"), "daxown")?;
    if program.is_file() {
        prune::mark_used(&kept);
        return Ok(program);
    }

    let target = cargo_target(ctx, "release")?;
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
        .arg(tools.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target);
    cmd::run_cmd(ctx, &step, &mut command)?;

    let cannot = || format!("cannot keep daxown in {}", kept.display());
    fs::create_dir_all(&kept).with_context(cannot)?;
    prune::forget_unused(&dir)?;
    let new = kept.join("daxown.new");
    fs::copy(target.join("release/daxown"), &new).with_context(cannot)?;
    fs::rename(&new, &program).with_context(cannot)?;
    prune::mark_used(&kept);
    Ok(program)
}

fn key(tools: &Path) -> Result<String> {
    let rustc = Command::new("rustc")
        .arg("-vV")
        .output()
        .context("cannot start rustc")?;
    let mut files = Vec::new();
    for source in SOURCES {
        collect(&tools.join(source), &mut files)?;
    }
    files.sort();
    let mut key = Key::default().add("rustc", rustc.stdout);
    for file in files {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(tools).unwrap_or(&file).to_string_lossy();
        key = key.add(&name, bytes);
    }
    Ok(key.finish())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    let cannot = || format!("cannot list {}", path.display());
    for entry in fs::read_dir(path).with_context(cannot)? {
        collect(&entry.with_context(cannot)?.path(), files)?;
    }
    Ok(())
}
