// SPDX-License-Identifier: GPL-2.0

//! The project's modules, built against a kernel in the cache so that the checkout stays clean.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use super::buildroot;
use super::cmd;
use super::cmd::announce;
use super::cmd::Step;
use super::host;
use super::kdir;
use super::key::Key;
use super::lock::Lock;
use super::prune;
use super::Ctx;
use super::Kernel;

/// What the modules are made from, in the checkout.
const SOURCES: [&str; 7] = [
    "Makefile",
    "Kbuild",
    "drivers",
    "include",
    "rust",
    "tools/check-kdir.sh",
    "tools/check-layout.sh",
];

/// What the kernel's CXL unit tests answer in place of the platform; the same functions as for their
/// own dax_hmem. The linker does it, so that the same objects serve both.
const WRAPPED: &str = "LDFLAGS_MODULE=--wrap=walk_hmem_resources \
    --wrap=region_intersects --wrap=region_intersects_soft_reserve";

/// Builds the modules; the directory returned holds the `.ko` files and nothing else.
pub fn modules(ctx: &Ctx, kernel: &Kernel) -> Result<PathBuf> {
    build(ctx, kernel, "", &[])
}

/// Builds the modules linked to the mocks of the kernel's CXL unit tests.
pub fn modules_for_cxl_test(ctx: &Ctx, kernel: &Kernel) -> Result<PathBuf> {
    build(ctx, kernel, "-cxl-test", &[WRAPPED])
}

/// Builds the modules without what tells people of the decisions.
pub fn modules_without_report(ctx: &Ctx, kernel: &Kernel) -> Result<PathBuf> {
    build(ctx, kernel, "-no-report", &["CONFIG_DAX_HMEM_REPORT=n"])
}

/// `suffix` names the variant, `options` are what makes it one.
fn build(ctx: &Ctx, kernel: &Kernel, suffix: &str, options: &[&str]) -> Result<PathBuf> {
    host::ensure(ctx)?;
    let dir = ctx
        .cache
        .join("modules")
        .join(kdir::identity(&kernel.kdir, &kernel.image)?);
    let _lock = Lock::exclusive(&dir.with_extension("lock"), "the modules")?;
    let key = sources_key(&ctx.repo)?;
    let root = dir.join(format!("root-{key}{suffix}"));
    let updates = root
        .join("lib/modules")
        .join(&kernel.release)
        .join("updates");
    let stamp = root.join("complete");
    if stamp.is_file() {
        prune::mark_used(&dir);
        return Ok(updates);
    }

    announce(&format!(
        "Building the modules for {}{suffix}",
        kernel.release
    ));
    prune::forget_unused(&ctx.cache.join("modules"))?;
    forget_old(&dir)?;
    if root.exists() {
        // What an interrupted run left there would go into guests too.
        fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    let objects = dir.join(format!("objects{suffix}"));
    fs::create_dir_all(&objects).with_context(|| format!("cannot make {}", objects.display()))?;
    make(ctx, kernel, &objects, "build the modules for", options)?;
    let path = format!("INSTALL_MOD_PATH={}", root.display());
    // A kernel of a distribution's wants them signed with a key of its own, and compressed.
    let plain = ["CONFIG_MODULE_SIG_ALL=", "CONFIG_MODULE_COMPRESS_ALL="];
    let install = [&[path.as_str(), "modules_install"], &plain[..], options].concat();
    make(ctx, kernel, &objects, "install the modules for", &install)?;
    if !updates.join("dax_hmem.ko").is_file() {
        bail!(
            "`make modules_install` put no dax_hmem.ko into {}",
            updates.display()
        );
    }
    prune::mark_used(&dir);
    fs::write(&stamp, "").with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(updates)
}

fn make(ctx: &Ctx, kernel: &Kernel, objects: &Path, what: &str, args: &[&str]) -> Result<()> {
    let step = Step::new(
        ctx,
        format!("{what} {}", kernel.release),
        &format!("modules-{}", kernel.release),
        "correct what the compiler complains about",
    );
    let mut command = make_command(ctx, kernel);
    command
        .arg("-C")
        .arg(&ctx.repo)
        .arg(format!("KDIR={}", kernel.kdir.display()))
        .arg(format!("MO={}", objects.display()))
        .args(&kernel.make_args)
        .args(args);
    cmd::run_cmd(ctx, &step, &mut command).map(|_| ())
}

/// `make` with the tools that the kernel was built with.
pub fn make_command(ctx: &Ctx, kernel: &Kernel) -> Command {
    program(ctx, kernel, "make")
}

fn program(ctx: &Ctx, kernel: &Kernel, name: &str) -> Command {
    match &kernel.root {
        Some(root) => buildroot::command(ctx, root, name),
        None => Command::new(name),
    }
}

/// The toolchain that a kernel was built with, as arguments for make: the product's own build asks the
/// same script.
pub fn toolchain_args(ctx: &Ctx, kernel: &Kernel) -> Result<Vec<String>> {
    let script = ctx.repo.join("tools/check-kdir.sh");
    let mut script = program(ctx, kernel, &script.to_string_lossy());
    let variables = kernel
        .make_args
        .iter()
        .filter_map(|arg| arg.split_once('='));
    script.arg(&kernel.kdir).arg("undefined").envs(variables);
    let words = cmd::output(ctx, &mut script)?;
    Ok(words.split_whitespace().map(str::to_owned).collect())
}

/// How long installed modules of other sources stay: guests of another checkout may be using them.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Installed modules of older sources go; the objects stay, for a quick next build.
fn forget_old(dir: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot list {}", dir.display()))?
            .path();
        let name = path.file_name().and_then(|name| name.to_str());
        let fresh = fs::metadata(&path)
            .and_then(|data| data.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age < KEPT));
        if name.is_some_and(|name| name.starts_with("root-")) && !fresh {
            fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Key of everything the modules are built from, by content.
fn sources_key(repo: &Path) -> Result<String> {
    let mut key = Key::default().add("repo", repo.to_string_lossy().as_bytes());
    for name in SOURCES {
        let mut files = Vec::new();
        collect(&repo.join(name), &mut files)?;
        files.sort();
        for file in files {
            let bytes =
                fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            key = key.add(&file.to_string_lossy(), bytes);
        }
    }
    Ok(key.finish())
}

/// Copies what the modules are made from to a directory, as a package of the sources has it.
pub fn copy_sources(repo: &Path, to: &Path) -> Result<()> {
    for name in SOURCES {
        let mut files = Vec::new();
        collect(&repo.join(name), &mut files)?;
        for file in files {
            let target = to.join(file.strip_prefix(repo)?);
            let dir = target.parent().unwrap_or(to);
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
            fs::copy(&file, &target).with_context(|| format!("cannot copy {}", file.display()))?;
        }
    }
    Ok(())
}

/// All source files below `path`; what a build leaves in a checkout does not count.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_dir() {
        let cannot = || format!("cannot list {}", path.display());
        for entry in fs::read_dir(path).with_context(cannot)? {
            collect(&entry.with_context(cannot)?.path(), files)?;
        }
    } else if is_source(path) {
        files.push(path.to_path_buf());
    }
    Ok(())
}

fn is_source(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let Some(name) = name.filter(|name| !name.starts_with('.')) else {
        return false;
    };
    let generated = name.ends_with(".mod.c") || name.ends_with("_generated.rs");
    let extension = path.extension().and_then(|ext| ext.to_str());
    match extension {
        None => ["Makefile", "Kbuild", "Kconfig"].contains(&name) && path.is_file(),
        Some(ext) => {
            !generated
                && ["rs", "c", "h", "S", "lds", "conf", "sh"].contains(&ext)
                && path.is_file()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_follows_sources_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let repo = dir.path();
        fs::create_dir_all(repo.join("drivers/dax")).unwrap();
        fs::write(repo.join("Makefile"), "all:\n").unwrap();
        fs::write(repo.join("drivers/dax/a.rs"), "// a\n").unwrap();
        let key = sources_key(repo).unwrap();
        for noise in ["a.o", ".a.o.cmd", "a.ko", "a.mod.c", "x_generated.rs"] {
            fs::write(repo.join("drivers/dax").join(noise), "x").unwrap();
        }
        fs::write(repo.join("README.md"), "x").unwrap();
        assert_eq!(sources_key(repo).unwrap(), key);
        fs::write(repo.join("drivers/dax/b.h"), "").unwrap();
        let with_header = sources_key(repo).unwrap();
        assert_ne!(with_header, key);
        fs::write(repo.join("drivers/dax/a.rs"), "// b\n").unwrap();
        assert_ne!(sources_key(repo).unwrap(), with_header);
    }
}
