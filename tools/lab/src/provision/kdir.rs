// SPDX-License-Identifier: GPL-2.0

//! The caller's own kernel tree, checked for what the lab needs of it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use super::cmd;
use super::cmd::Step;
use super::config::Config;
use super::host;
use super::kernel::release;
use super::key::Key;
use super::lock::Lock;
use super::prune;
use super::toolchain;
use super::Ctx;
use super::Kernel;

/// What a guest boots from, before any module can be loaded.
const BUILT_IN: [&str; 8] = [
    "CONFIG_BLK_DEV_INITRD",
    "CONFIG_DEVTMPFS",
    "CONFIG_TMPFS",
    "CONFIG_PCI_MMCONFIG",
    "CONFIG_SERIAL_8250_CONSOLE",
    "CONFIG_VIRTIO_PCI",
    "CONFIG_VIRTIO_BLK",
    "CONFIG_EROFS_FS",
];

/// What the modules are about.
const PRESENT: [&str; 5] = [
    "CONFIG_RUST",
    "CONFIG_MODULES",
    "CONFIG_DEV_DAX",
    "CONFIG_DEV_DAX_HMEM",
    "CONFIG_DEV_DAX_KMEM",
];

/// The kernel of a tree that somebody built; its modules are installed into the cache.
pub fn kernel_from_kdir(ctx: &Ctx, kdir: &Path) -> Result<Kernel> {
    host::ensure(ctx)?;
    let kdir = fs::canonicalize(kdir)
        .with_context(|| format!("KDIR={}: there is no such directory", kdir.display()))?;
    let image = check(&kdir)?;
    let release = release(&kdir)?;

    let id = identity(&kdir, &image)?;
    let modroot = ctx.cache.join("kdir").join(id);
    let stamp = modroot.join("complete");
    if !stamp.is_file() {
        let lock = modroot.with_extension("lock");
        let _lock = Lock::exclusive(&lock, "a module tree")?;
        if !stamp.is_file() {
            prune::forget_unused(&ctx.cache.join("kdir"))?;
            install(ctx, &kdir, &modroot)?;
            fs::write(&stamp, "").with_context(|| format!("cannot write {}", stamp.display()))?;
        }
    }
    prune::mark_used(&modroot);
    let bindgen = toolchain::bindgen(ctx)?;
    Ok(Kernel {
        image,
        release,
        modroot,
        make_args: vec![format!("BINDGEN={}", bindgen.display())],
        initramfs: None,
        root: None,
        kdir,
    })
}

/// Names everything that is missing at once; returns the kernel image.
fn check(kdir: &Path) -> Result<PathBuf> {
    let file = kdir.join(".config");
    if !file.is_file() {
        bail!(
            "KDIR={}: not a configured kernel tree: it has no .config",
            kdir.display()
        );
    }
    let lacks = lacking(&Config::read(&file)?);
    if !lacks.is_empty() {
        bail!(
            "KDIR={}: the lab needs these options:\n  {}",
            kdir.display(),
            lacks.join("\n  ")
        );
    }
    let image = kdir.join("arch/x86/boot/bzImage");
    for needed in [
        &image,
        &kdir.join("Module.symvers"),
        &kdir.join("rust/libkernel.rmeta"),
    ] {
        if !needed.is_file() {
            bail!(
                "KDIR={}: not built: {} is missing; run `make bzImage modules` there",
                kdir.display(),
                needed.display()
            );
        }
    }
    Ok(image)
}

fn lacking(config: &Config) -> Vec<String> {
    let built_in = BUILT_IN
        .iter()
        .filter(|option| config.get(option) != "y")
        .map(|option| format!("{option}=y"));
    let present = PRESENT
        .iter()
        .filter(|option| config.get(option) == "n")
        .map(|option| match *option {
            "CONFIG_RUST" | "CONFIG_MODULES" => format!("{option}=y"),
            _ => format!("{option}=m"),
        });
    present.chain(built_in).collect()
}

/// Changes whenever the tree is built anew.
pub fn identity(kdir: &Path, image: &Path) -> Result<String> {
    let mut key = Key::default().add("kdir", kdir.to_string_lossy().as_bytes());
    for name in [".config", "Module.symvers"] {
        let path = kdir.join(name);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        key = key.add(name, bytes);
    }
    let modified = fs::metadata(image)
        .and_then(|data| data.modified())
        .with_context(|| format!("cannot read {}", image.display()))?;
    Ok(key.add("image", format!("{modified:?}")).finish())
}

fn install(ctx: &Ctx, kdir: &Path, modroot: &Path) -> Result<()> {
    let step = Step::new(
        ctx,
        "install the modules of KDIR",
        "kdir-modules",
        "run `make modules` in the kernel tree",
    );
    let mut command = std::process::Command::new("make");
    command
        .arg("-C")
        .arg(kdir)
        .arg(format!("INSTALL_MOD_PATH={}", modroot.display()))
        .arg("modules_install");
    cmd::run_cmd(ctx, &step, &mut command)?;
    unlink_build(modroot, &release(kdir)?)
}

/// Removes the links out of a module tree; they would point nowhere inside a guest.
pub fn unlink_build(modroot: &Path, release: &str) -> Result<()> {
    for name in ["build", "source"] {
        let link = modroot.join("lib/modules").join(release).join(name);
        if link.is_symlink() {
            fs::remove_file(&link).with_context(|| format!("cannot remove {}", link.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_missing_options_are_named_at_once() {
        let mut text = String::new();
        for option in BUILT_IN.iter().chain(&PRESENT) {
            text.push_str(&format!("{option}=y\n"));
        }
        assert!(lacking(&Config::parse("t", &text).unwrap()).is_empty());
        let text = text
            .replace("CONFIG_RUST=y\n", "")
            .replace("CONFIG_DEV_DAX_HMEM=y\n", "")
            .replace("CONFIG_EROFS_FS=y", "CONFIG_EROFS_FS=m");
        assert_eq!(
            lacking(&Config::parse("t", &text).unwrap()),
            [
                "CONFIG_RUST=y",
                "CONFIG_DEV_DAX_HMEM=m",
                "CONFIG_EROFS_FS=y"
            ]
        );
    }

    #[test]
    fn a_tree_that_is_not_built_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let error = |dir: &Path| check(dir).unwrap_err().to_string();
        assert!(error(dir.path()).contains("no .config"));
        let text: String = BUILT_IN
            .iter()
            .chain(&PRESENT)
            .map(|option| format!("{option}=y\n"))
            .collect();
        fs::write(dir.path().join(".config"), text).unwrap();
        assert!(error(dir.path()).contains("not built"));
    }
}
