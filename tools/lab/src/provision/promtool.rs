// SPDX-License-Identifier: GPL-2.0

//! Prometheus' own checker of metrics and alert rules, out of the release's package, for the tests of
//! what `daxown metrics` writes.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;

use super::apt::Apt;
use super::apt::Scope;
use super::host;
use super::lock::Lock;
use super::Ctx;

const PACKAGE: &str = "prometheus";

/// The program; fetched if the cache does not have it. Nothing of the package is installed or run.
pub fn promtool(ctx: &Ctx) -> Result<PathBuf> {
    let program = ctx.cache.join("tools/promtool");
    let _lock = Lock::exclusive(&ctx.cache.join("locks/promtool"), "promtool")?;
    if program.is_file() {
        return Ok(program);
    }
    host::ensure(ctx)?;
    let apt = Apt::open(ctx, Scope::Host)?;
    let versions = apt.versions(ctx, PACKAGE)?;
    let newest = versions
        .first()
        .with_context(|| format!("this machine's mirror has no package {PACKAGE}"))?;
    let temp = host::temp_dir(ctx)?;
    let deb = apt.fetch(ctx, PACKAGE, newest, temp.path())?;
    let unpacked = temp.path().join("unpacked");
    host::unpack_deb(ctx, &deb, &unpacked)?;
    let cannot = || format!("cannot keep {}", program.display());
    fs::create_dir_all(ctx.cache.join("tools")).with_context(cannot)?;
    // In one file system: it is there whole, or not at all.
    fs::rename(unpacked.join("usr/bin/promtool"), &program).with_context(cannot)?;
    Ok(program)
}
