// SPDX-License-Identifier: GPL-2.0

//! The guest's root file system: Debian trixie packages in one read-only EROFS image.
//!
//! The packages are unpacked, not installed: nothing of them runs here, no privilege is needed
//! and nothing of this machine gets in. The few things their scripts would have made are made
//! by hand.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;

use super::apt::Apt;
use super::apt::Scope;
use super::cmd;
use super::cmd::announce;
use super::cmd::Step;
use super::host;
use super::key::Key;
use super::lock::write_atomic;
use super::lock::Lock;
use super::Ctx;

/// Changes when the way of making the image does.
const RECIPE: &str = "1";

/// What the guest has; apt adds what these depend on.
const PACKAGES: [&str; 28] = [
    "base-files",
    "base-passwd",
    "bash",
    "bsdutils",
    "coreutils",
    "cxl",
    "dash",
    "daxctl",
    "diffutils",
    "findutils",
    "gawk",
    "grep",
    "gzip",
    "hostname",
    "jq",
    "kexec-tools",
    "kmod",
    "less",
    "libc-bin",
    "login",
    "mount",
    "numactl",
    "perl-base",
    "procps",
    "sed",
    "tar",
    "udev",
    "util-linux",
];

/// Not needed in a guest, and most of the size.
const UNWANTED: [&str; 11] = [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/i18n",
    "usr/share/lintian",
    "usr/share/bash-completion",
    "usr/share/zsh",
    "usr/lib/udev/hwdb.d",
    "usr/lib/x86_64-linux-gnu/gconv",
    "var/lib/dpkg",
];

/// The image; made if the cache does not have it.
pub fn rootfs(ctx: &Ctx) -> Result<PathBuf> {
    let key = Key::default()
        .add("recipe", RECIPE)
        .add("packages", PACKAGES.join(" "))
        .add("unwanted", UNWANTED.join(" "))
        .finish();
    let dir = ctx.cache.join("rootfs");
    let image = dir.join(format!("{key}.erofs"));
    if image.is_file() {
        return Ok(image);
    }
    host::ensure(ctx)?;
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let _lock = Lock::exclusive(&ctx.cache.join("locks/rootfs"), "the guest's file system")?;
    if !image.is_file() {
        announce("Making the guest's file system: 40 MB of packages, half a minute, once");
        make(ctx, &dir, &image)?;
    }
    Ok(image)
}

fn make(ctx: &Ctx, dir: &Path, image: &Path) -> Result<()> {
    let temp = host::temp_dir(ctx)?;
    let apt = Apt::open(ctx, Scope::Guest)?;
    let debs = apt.fetch_closure(ctx, &PACKAGES, &temp.path().join("debs"))?;
    let tree = temp.path().join("tree");
    // base-files brings the links of the merged /usr, which all others unpack through.
    let (first, others): (Vec<&PathBuf>, Vec<&PathBuf>) = debs
        .iter()
        .partition(|path| name_of(path).starts_with("base-files_"));
    for deb in first.into_iter().chain(others) {
        host::unpack_deb(ctx, deb, &tree)?;
    }
    finish_tree(&tree)?;

    let temp_image = temp.path().join("image.erofs");
    let step = Step::new(
        ctx,
        "make the guest's file system",
        "rootfs",
        format!("make 1 GB of room in {}", ctx.cache.display()),
    );
    let mut command = Command::new("mkfs.erofs");
    // Uncompressed: an emulated processor unpacks slower than it reads.
    command
        .args(["--all-root", "-T", "0"])
        .args(["-U", "00000000-0000-0000-0000-000000000000"])
        .arg(&temp_image)
        .arg(&tree);
    cmd::run_cmd(ctx, &step, &mut command)?;

    let manifest: String = debs.iter().map(|deb| name_of(deb) + "\n").collect();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        // Older images; a guest that still has one open keeps it.
        let path = entry.context("cannot list images")?.path();
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    write_atomic(&image.with_extension("manifest"), &manifest)?;
    fs::rename(&temp_image, image)
        .with_context(|| format!("cannot move the image to {}", image.display()))
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What the packages' own scripts would have done, as far as a guest needs it.
fn finish_tree(tree: &Path) -> Result<()> {
    for name in UNWANTED {
        let path = tree.join(name);
        if path.is_dir() {
            fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    for name in ["passwd", "group"] {
        let master = tree.join(format!("usr/share/base-passwd/{name}.master"));
        let text = fs::read_to_string(&master)
            .with_context(|| format!("cannot read {}", master.display()))?;
        // No password for root: nobody but the console's user can reach the guest.
        put(
            tree,
            &format!("etc/{name}"),
            &text.replace("root:*:", "root::"),
        )?;
    }
    put(tree, "etc/hostname", "guest\n")?;
    put(tree, "etc/hosts", "127.0.0.1 localhost guest\n")?;
    put(tree, "etc/fstab", "")?;
    put(tree, "etc/machine-id", "")?;
    for (link, target) in [
        ("etc/mtab", "../proc/self/mounts"),
        ("usr/bin/awk", "gawk"),
        ("usr/bin/pager", "less"),
    ] {
        let link = tree.join(link);
        if !link.is_symlink() {
            symlink(target, &link).with_context(|| format!("cannot link {}", link.display()))?;
        }
    }
    // Packages close a few directories to others; the image belongs to root all the same.
    for name in ["dev", "proc", "sys", "run", "tmp", "root", "mnt"] {
        let path = tree.join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("cannot open up {}", path.display()))?;
    }
    Ok(())
}

fn put(tree: &Path, name: &str, text: &str) -> Result<()> {
    let path = tree.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
