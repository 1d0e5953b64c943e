// SPDX-License-Identifier: GPL-2.0

//! The kernel's source: Debian's package, unpacked once into the cache.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use super::apt::Apt;
use super::apt::Scope;
use super::cmd;
use super::cmd::announce;
use super::cmd::Step;
use super::host;
use super::lock::Lock;
use super::Ctx;

/// The series whose kernels the lab builds, the newest that the modules are written for.
pub const SERIES: &str = "7.3";
/// The other one that they are for.
pub const OLDER: &str = "7.2";

/// An unpacked kernel source.
#[derive(Clone, Debug)]
pub struct Source {
    /// Root of the tree.
    pub dir: PathBuf,
    /// Debian's version of it.
    pub version: String,
}

/// The newest source in the cache; fetched if there is none.
pub fn kernel_source(ctx: &Ctx) -> Result<Source> {
    if let Some(source) = cached(ctx)? {
        return Ok(source);
    }
    let _lock = Lock::exclusive(&ctx.cache.join("locks/source"), "the kernel source")?;
    if let Some(source) = cached(ctx)? {
        return Ok(source);
    }
    fetch(ctx)?;
    cached(ctx)?.context("the kernel source vanished from the cache while it was being made")
}

fn package() -> String {
    format!("linux-source-{SERIES}")
}

/// A tree gets its final name when it is whole, so that any that is found can be used.
fn cached(ctx: &Ctx) -> Result<Option<Source>> {
    let parent = ctx.cache.join("source");
    let Ok(entries) = fs::read_dir(&parent) else {
        return Ok(None);
    };
    let prefix = format!("{}_", package());
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", parent.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(version) = name.strip_prefix(&prefix) {
            let made = entry.metadata().and_then(|data| data.modified()).ok();
            found.push((made, entry.path(), version.to_owned()));
        }
    }
    let newest = found.into_iter().max();
    Ok(newest.map(|(_, dir, version)| Source { dir, version }))
}

fn fetch(ctx: &Ctx) -> Result<()> {
    let package = package();
    let apt = Apt::open(ctx, Scope::Guest)?;
    let versions = apt.versions(ctx, &package)?;
    let Some(version) = versions.first() else {
        bail!(
            "the mirror has no {package} in trixie-backports any more; \
             build against your own kernel tree with KDIR=<tree>"
        );
    };
    announce(&format!(
        "Fetching {package} {version}: 170 MB and a minute to unpack, once"
    ));
    let temp = host::temp_dir(ctx)?;
    let deb = apt.fetch(ctx, &package, version, temp.path())?;
    let tree = temp.path().join("tree");
    host::unpack_deb(ctx, &deb, &tree)?;
    let tar = tree.join(format!("usr/src/{package}.tar.xz"));
    let step = Step::new(
        ctx,
        "unpack the kernel source",
        "source",
        format!("make 2 GB of room in {}", ctx.cache.display()),
    );
    let mut command = Command::new("tar");
    command.arg("-xf").arg(&tar).arg("-C").arg(temp.path());
    cmd::run_cmd(ctx, &step, &mut command)?;
    let parent = ctx.cache.join("source");
    fs::create_dir_all(&parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let dir = parent.join(format!("{package}_{version}"));
    fs::rename(temp.path().join(&package), &dir)
        .with_context(|| format!("cannot move the kernel source to {}", dir.display()))
}
