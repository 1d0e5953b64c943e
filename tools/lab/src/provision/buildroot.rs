// SPDX-License-Identifier: GPL-2.0

//! A root with the tools and headers that Debian 13 builds its kernel and modules with, and a way
//! to run programs in it, on any release and without privilege.
//!
//! The packages are unpacked, not installed: nothing of them runs until something is built.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use anyhow::Result;

use super::apt::Apt;
use super::cmd;
use super::cmd::Step;
use super::host;
use super::Ctx;

/// What building a module takes, apart from the kernel's own packages; apt adds what these depend on.
pub const TOOLS: [&str; 33] = [
    "base-files",
    "bash",
    "bc",
    "bindgen",
    "bison",
    "coreutils",
    "dash",
    "diffutils",
    "findutils",
    "flex",
    "gawk",
    "grep",
    "gzip",
    "hostname",
    "kmod",
    "libc-bin",
    "libc6-dev",
    "libelf-dev",
    "libssl-dev",
    "make",
    "mount",
    "openssl",
    "pahole",
    "perl-base",
    "python3-minimal",
    "rsync",
    "rust-src",
    "rustc",
    "sed",
    "tar",
    "util-linux",
    "xz-utils",
    "zstd",
];

/// Not needed to build anything, and a third of the size.
const UNWANTED: [&str; 4] = [
    "usr/share/locale",
    "usr/share/man",
    "usr/share/perl",
    "usr/share/info",
];

/// Links that the packages' own scripts would have made.
const LINKS: [(&str, &str); 2] = [("usr/bin/awk", "gawk"), ("usr/bin/yacc", "bison.yacc")];

/// Runs a program in the root, with the mounts that it takes; in the checkout.
const ENTER: &str = "tools/lab/enter-root";

/// Makes the root in `dir`.
pub fn make(ctx: &Ctx, apt: &Apt, packages: &[&str], debs: &Path, dir: &Path) -> Result<()> {
    let all: Vec<&str> = TOOLS.iter().chain(packages).copied().collect();
    let files = apt.fetch_closure(ctx, &all, debs)?;
    // base-files brings the links of the merged /usr, which all others unpack through.
    let is_first = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("base-files_")
    };
    let (first, others): (Vec<&PathBuf>, Vec<&PathBuf>) = files.iter().partition(is_first);
    for deb in first.into_iter().chain(others) {
        host::unpack_deb(ctx, deb, dir)?;
    }
    for name in UNWANTED {
        let path = dir.join(name);
        if path.is_dir() {
            fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    for (link, target) in LINKS {
        let link = dir.join(link);
        if !link.is_symlink() && !link.exists() {
            symlink(target, &link).with_context(|| format!("cannot link {}", link.display()))?;
        }
    }
    for name in ["dev", "proc", "sys", "tmp", "root"] {
        let path = dir.join(name);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    }
    Ok(())
}

/// `program` in the root: as somebody whom only this root takes for its administrator, with the
/// checkout and the cache where they are outside.
pub fn command(ctx: &Ctx, root: &Path, program: &str) -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command
        .args(["--mount", "--pid", "--fork", "--kill-child"])
        .arg(ctx.repo.join(ENTER))
        .args([root, ctx.repo.as_path(), ctx.cache.as_path()])
        .arg(program);
    command
}

/// What a step that runs in the root says when it fails.
pub fn step(ctx: &Ctx, what: String, log: &str) -> Step {
    let mut advice = "read the log, mend what it names, then run the same command again".to_owned();
    if !rustix::process::geteuid().is_root() && !namespaces(ctx) {
        advice =
            "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1), or run this as \
                  root"
                .to_owned();
    }
    Step::new(ctx, what, log, advice)
}

fn namespaces(ctx: &Ctx) -> bool {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "true"]);
    cmd::output(ctx, &mut command).is_ok()
}
