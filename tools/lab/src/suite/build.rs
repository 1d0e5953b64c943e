// SPDX-License-Identifier: GPL-2.0

//! The kernel side as its makers check it: no warning of the compiler or clippy, and rustfmt.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;

use super::host::write_log;
use super::Item;
use super::Report;
use crate::provision;
use crate::provision::Ctx;
use crate::provision::Kernel;

/// Lines of a failed build that are shown.
const SHOWN: usize = 20;

/// The items of the kernel side.
pub fn items(ctx: &Ctx, kdir: Option<PathBuf>) -> Vec<Item> {
    let lint = {
        let ctx = ctx.clone();
        move || {
            let kernel = match &kdir {
                Some(kdir) => provision::kernel_from_kdir(&ctx, kdir)?,
                None => provision::kernel(&ctx, "base")?,
            };
            clippy(&ctx, &kernel, "modules clippy")
        }
    };
    let format = {
        let ctx = ctx.clone();
        move || {
            let mut command = Command::new("make");
            command.arg("-C").arg(&ctx.repo).arg("rustfmtcheck");
            judge(&ctx, "modules rustfmtcheck", command)
        }
    };
    vec![
        Item::new("modules clippy", lint),
        Item::new("modules rustfmtcheck", format),
    ]
}

/// The modules without dax_cxl, where the kernel has no CXL regions: other code is compiled then.
pub fn without_regions(ctx: &Ctx) -> Item {
    const NAME: &str = "modules clippy, no-region";
    let ctx = ctx.clone();
    Item::new(NAME, move || {
        clippy(&ctx, &provision::kernel(&ctx, "no-region")?, NAME)
    })
}

/// Builds everything anew, since clippy says nothing about what is up to date. It does so in a copy of
/// the sources, as people build: guests get what is built beside them.
fn clippy(ctx: &Ctx, kernel: &Kernel, name: &str) -> Result<Report> {
    let checks = ctx.cache.join("checks");
    fs::create_dir_all(&checks).with_context(|| format!("cannot create {}", checks.display()))?;
    let sources = tempfile::tempdir_in(&checks).context("cannot make a build directory")?;
    provision::copy_sources(&ctx.repo, sources.path())?;
    let mut command = Command::new("make");
    command
        .arg("-C")
        .arg(sources.path())
        .arg(format!("KDIR={}", kernel.kdir.display()))
        .args(&kernel.make_args)
        .arg("CLIPPY=1");
    judge(ctx, name, command)
}

/// Passes if the command succeeds without a word of warning.
fn judge(ctx: &Ctx, name: &str, mut command: Command) -> Result<Report> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let text = format!(
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let log = ctx
        .cache
        .join("logs")
        .join(format!("{}.log", name.replace([' ', ','], "-")));
    write_log(&log, &text)?;
    let warned = text.lines().any(|line| line.contains("warning:"));
    let mut report = Report {
        passed: 1,
        log: Some(log),
        ..Report::default()
    };
    if !output.status.success() || warned {
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(SHOWN)..].join("\n    ");
        report.passed = 0;
        report.failed = vec![(
            name.to_owned(),
            vec![format!("its last lines:\n    {last}")],
        )];
    }
    Ok(report)
}
