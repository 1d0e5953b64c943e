// SPDX-License-Identifier: GPL-2.0

//! The kselftests of tests/selftests, installed as the kernel installs its own.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use sha2::Digest;
use sha2::Sha256;

use crate::provision;
use crate::provision::Ctx;
use crate::provision::Kernel;
use crate::provision::Step;

/// Name of the list that an installation has.
const LIST: &str = "kselftest-list.txt";

/// A directory with the selftests and their runner, built for `kernel`.
pub fn selftests(ctx: &Ctx, kernel: &Kernel) -> Result<PathBuf> {
    let source = ctx.repo.join("tests/selftests");
    let mut hash = Sha256::new();
    hash.update(kernel.modroot.as_os_str().as_encoded_bytes());
    add_tree(&mut hash, &source)?;
    let parent = ctx.cache.join("selftests");
    let dir = parent.join(format!("{:x}", hash.finalize()));
    if dir.join(LIST).is_file() {
        return Ok(dir);
    }
    fs::create_dir_all(&parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let new = tempfile::tempdir_in(&parent).context("cannot make a directory")?;
    let installed = new.path().join("installed");
    let step = Step::new(
        ctx,
        format!("install the selftests for {}", kernel.release),
        "selftests",
        "correct what make complains about",
    );
    let mut command = provision::make_command(ctx, kernel);
    command
        .arg("-C")
        .arg(&source)
        .arg(format!("KDIR={}", kernel.kdir.display()))
        .arg(format!("OUTPUT={}", new.path().join("objects").display()))
        .arg(format!("INSTALL_PATH={}", installed.display()))
        .args(&kernel.make_args)
        .arg("install");
    if kernel.root.is_some() {
        // Headers have no selftests.
        let source = provision::kernel_source(ctx)?.dir;
        command.arg(format!("KSFT={}/tools/testing/selftests", source.display()));
    }
    provision::run_cmd(ctx, &step, &mut command)?;
    if !installed.join(LIST).is_file() {
        bail!("installing the selftests left no {LIST}");
    }
    // Someone else may have installed the same meanwhile: theirs is as good.
    let _ = fs::rename(&installed, &dir);
    Ok(dir)
}

/// The tests of an installation, as `collection:test`.
pub fn list(installed: &Path) -> Result<Vec<String>> {
    let path = installed.join(LIST);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text.lines().map(|line| line.trim().to_owned()).collect())
}

/// Adds all files below `dir` that git could know.
fn add_tree(hash: &mut Sha256, dir: &Path) -> Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir)
        .with_context(|| format!("cannot list {}", dir.display()))?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let built = [".o", ".ko", ".mod", ".mod.c", ".cmd", ".symvers", ".order"];
        if path.is_dir() {
            add_tree(hash, &path)?;
        } else if !name.starts_with('.') && !built.iter().any(|end| name.ends_with(end)) {
            let text =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            hash.update(path.as_os_str().as_encoded_bytes());
            hash.update(text);
        }
    }
    Ok(())
}
