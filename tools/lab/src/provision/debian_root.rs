// SPDX-License-Identifier: GPL-2.0

//! A Debian 13 with a backports kernel as people have it: installed, with apt and dpkg, so that
//! packages can be tried in it.

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
use super::key::Key;
use super::lock::write_atomic;
use super::lock::Lock;
use super::prune;
use super::source::SERIES;
use super::stock;
use super::Ctx;

/// What our packages depend on, so that a test need not fetch it, and what looks at packages.
const PACKAGES: [&str; 15] = [
    "bc",
    "bindgen",
    "bison",
    "dkms",
    "flex",
    "kmod",
    "libelf-dev",
    "libssl-dev",
    "lintian",
    "make",
    "openssl",
    "pahole",
    "rust-src",
    "rustc",
    "xz-utils",
];

/// The root; made if the cache does not have it.
pub fn debian_root(ctx: &Ctx) -> Result<PathBuf> {
    if !rustix::process::geteuid().is_root() {
        bail!("packages are installed in a root of their own, which only root can make: sudo make check-packages");
    }
    let Some(mmdebstrap) = cmd::find_program("mmdebstrap") else {
        bail!("mmdebstrap is needed: apt-get install --no-install-recommends mmdebstrap");
    };
    let apt = Apt::open(ctx, Scope::Guest)?;
    let release = stock::newest(ctx, &apt, SERIES)?;
    let mut packages: Vec<String> = PACKAGES.map(str::to_owned).to_vec();
    packages.extend([
        format!("linux-headers-{release}"),
        format!("linux-modules-{release}"),
        format!("linux-source-{SERIES}"),
    ]);
    let packages = packages.join(",");
    let key = Key::default().add("packages", &packages).finish();
    let parent = ctx.cache.join("debian-root");
    let dir = parent.join(format!("trixie-{key}"));
    let lock = ctx.cache.join("locks/debian-root");
    let lock = Lock::exclusive(&lock, "a root of Debian 13")?;
    let _lock = lock.share_with_children()?;
    let stamp = dir.join("complete");
    let root = dir.join("root");
    if !stamp.is_file() {
        announce("Installing a Debian 13 with a kernel of its backports: some minutes, 2 GB, once");
        prune::make_room(&parent, &dir, "trixie")?;
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let step = Step::new(
            ctx,
            "install a Debian 13",
            "debian-root",
            "read the log, mend what it names, then run the same command again",
        );
        // Its mounts are gone with it, however it ends: a root that is removed must hold none.
        let mut command = Command::new("unshare");
        command
            .arg("--mount")
            .arg(mmdebstrap)
            .args(["--variant=apt", "--mode=root", "--quiet"])
            .arg(format!("--include={packages}"))
            .args(["trixie"])
            .arg(&root)
            .arg(apt.sources());
        cmd::run_cmd(ctx, &step, &mut command)?;
        write_atomic(&stamp, &release)?;
    }
    prune::mark_used(&dir);
    Ok(root)
}
