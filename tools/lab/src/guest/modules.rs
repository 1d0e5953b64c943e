// SPDX-License-Identifier: GPL-2.0

//! The guest's /lib/modules: the kernel's own modules, with ours in `updates/` or without.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use sha2::Digest;
use sha2::Sha256;

use super::Assets;
use crate::provision;
use crate::provision::Ctx;
use crate::provision::Kernel;
use crate::scenario::Drivers;
use crate::scenario::Scenario;

/// Where the guest has the modules of the kernel's CXL unit tests, below `updates/`.
pub const IN_CXL_TEST: &str = "cxl-test";

/// Modules that modprobe is to prefer to those of the kernel.
struct Preferred {
    /// Where they are, and nothing else.
    from: PathBuf,
    /// Where the guest has them, below its `updates/`.
    below: &'static str,
}

/// The guest's /lib/modules for a scenario, and where our modules in it are from, if they are.
pub fn guest_modules(
    ctx: &Ctx,
    assets: &Assets,
    scenario: &Scenario,
    drivers: Drivers,
) -> Result<(PathBuf, Option<PathBuf>)> {
    let kernel = &assets.kernel;
    let ours = match drivers {
        Drivers::Rust if scenario.cxl_test => Some(provision::modules_for_cxl_test(ctx, kernel)?),
        Drivers::Rust if !scenario.report => Some(provision::modules_without_report(ctx, kernel)?),
        _ => assets.updates.clone(),
    };
    let mut preferred = Vec::new();
    if let Some(ours) = &ours {
        preferred.push(Preferred {
            from: ours.clone(),
            below: "",
        });
    }
    if scenario.cxl_test {
        let tests = provision::cxl_test(ctx, kernel)?;
        let mut add = |from| {
            preferred.push(Preferred {
                from,
                below: IN_CXL_TEST,
            });
        };
        add(tests.cxl);
        if drivers == Drivers::C {
            add(tests.dax_hmem);
        }
    }
    let tree = module_tree(&ctx.cache, kernel, &preferred)?;
    Ok((tree, ours))
}

/// A directory to be mounted at /lib/modules: the kernel's modules, and others beside them.
fn module_tree(cache: &Path, kernel: &Kernel, preferred: &[Preferred]) -> Result<PathBuf> {
    let own = kernel.modroot.join("lib/modules");
    if preferred.is_empty() {
        return Ok(own);
    }
    let mut modules = Vec::new();
    for place in preferred {
        let files = module_files(&place.from)?;
        if files.is_empty() {
            bail!("{} holds no kernel module", place.from.display());
        }
        for file in files {
            let name = file.file_name().unwrap_or_default();
            let target = Path::new("updates").join(place.below).join(name);
            modules.push((file, target));
        }
    }
    let key = key(&own.join(&kernel.release), &modules)?;
    let trees = cache.join("trees");
    let tree = trees.join(&key);
    if tree.is_dir() {
        return Ok(tree.join("lib/modules"));
    }
    fs::create_dir_all(&trees).with_context(|| format!("cannot create {}", trees.display()))?;
    let new = tempfile::tempdir_in(&trees).context("cannot make a module tree")?;
    let release = new.path().join("lib/modules").join(&kernel.release);
    copy_tree(&own.join(&kernel.release), &release)?;
    for (module, target) in &modules {
        let target = release.join(target);
        let dir = target.parent().unwrap_or(&release);
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        fs::copy(module, &target).with_context(|| format!("cannot copy {}", module.display()))?;
    }
    depmod(new.path(), &kernel.release)?;
    // Someone else may have made the same tree meanwhile: theirs is as good.
    if fs::rename(new.path(), &tree).is_ok() {
        let _ = new.keep();
    }
    Ok(tree.join("lib/modules"))
}

/// The last part of a path, as text.
fn entry_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The modules in a directory, compressed or not.
fn module_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let path = entry?.path();
        let name = entry_name(&path);
        if name.ends_with(".ko") || name.contains(".ko.") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn key(own: &Path, modules: &[(PathBuf, PathBuf)]) -> Result<String> {
    let mut hash = Sha256::new();
    let order = own.join("modules.dep");
    let meta =
        fs::metadata(&order).with_context(|| format!("cannot look at {}", order.display()))?;
    hash.update(format!(
        "{} {} {}",
        own.display(),
        meta.mtime(),
        meta.mtime_nsec()
    ));
    for (module, target) in modules {
        let content =
            fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
        hash.update(target.as_os_str().as_encoded_bytes());
        hash.update(content);
    }
    Ok(format!("{:x}", hash.finalize()))
}

/// Links where the file system allows it; the links `build` and `source` lead nowhere in a
/// guest and are left out.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&path, &target)?;
        } else if kind.is_file() {
            let generated = entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(b"modules.");
            if generated || fs::hard_link(&path, &target).is_err() {
                fs::copy(&path, &target)
                    .with_context(|| format!("cannot copy {}", path.display()))?;
            }
        }
    }
    Ok(())
}

/// Makes the index that modprobe reads of `lib/modules/<release>` below a root.
pub fn depmod(root: &Path, release: &str) -> Result<()> {
    let program = ["/usr/sbin/depmod", "/sbin/depmod"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap_or("depmod");
    let output = Command::new(program)
        .arg("-b")
        .arg(root)
        .arg(release)
        .output()
        .context("cannot start depmod; it is in the package kmod")?;
    if !output.status.success() {
        bail!(
            "depmod failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
