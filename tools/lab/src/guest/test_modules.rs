// SPDX-License-Identifier: GPL-2.0

//! The modules of tests/modules: things that scenarios need and the product has not.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;
use sha2::Digest;
use sha2::Sha256;

use crate::provision;
use crate::provision::Ctx;
use crate::provision::Kernel;
use crate::provision::Step;

/// Directory that holds them, built for `kernel`.
pub fn test_modules(ctx: &Ctx, kernel: &Kernel) -> Result<PathBuf> {
    let source = ctx.repo.join("tests/modules");
    let mut hash = Sha256::new();
    hash.update(kernel.modroot.as_os_str().as_encoded_bytes());
    let mut files: Vec<PathBuf> = fs::read_dir(&source)
        .with_context(|| format!("cannot list {}", source.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name == "Kbuild"
                || name.ends_with(".h")
                || name.ends_with(".c") && !name.ends_with(".mod.c")
        })
        .collect();
    files.sort();
    for file in files {
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        hash.update(file.as_os_str().as_encoded_bytes());
        hash.update(text);
    }
    let parent = ctx.cache.join("test-modules");
    let dir = parent.join(format!("{:x}", hash.finalize()));
    if dir.is_dir() {
        return Ok(dir);
    }
    fs::create_dir_all(&parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let new = tempfile::tempdir_in(&parent).context("cannot make a build directory")?;
    let step = Step::new(
        ctx,
        format!("build the test modules for {}", kernel.release),
        "test-modules",
        "correct what the compiler complains about in tests/modules",
    );
    let mut command = provision::make_command(ctx, kernel);
    command
        .arg("-C")
        .arg(&kernel.kdir)
        .arg(format!("M={}", source.display()))
        .arg(format!("MO={}", new.path().display()))
        .args(&kernel.make_args)
        .args(provision::toolchain_args(ctx, kernel)?)
        .arg("modules");
    if kernel.root.is_some() {
        // Headers lack what is private to drivers/dax and drivers/cxl.
        let source = provision::kernel_source(ctx)?.dir;
        command.arg(format!("KCFLAGS=-I{}", source.display()));
    }
    provision::run_cmd(ctx, &step, &mut command)?;
    // Someone else may have built the same meanwhile: theirs is as good.
    if fs::rename(new.path(), &dir).is_ok() {
        let _ = new.keep();
    }
    Ok(dir)
}
