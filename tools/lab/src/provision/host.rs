// SPDX-License-Identifier: GPL-2.0

//! This machine's packages: what the lab needs, what is missing, and how it gets here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use tempfile::TempDir;

use super::apt::Apt;
use super::apt::Scope;
use super::cmd;
use super::cmd::announce;
use super::cmd::Step;
use super::debian::Release;
use super::toolchain::MIN_BINDGEN;
use super::version::Version;
use super::Ctx;

/// Needed on every release.
const PACKAGES: [&str; 22] = [
    "bc",
    "bison",
    "ca-certificates",
    "clang-19",
    "cpio",
    "debian-archive-keyring",
    "erofs-utils",
    "flex",
    "gcc",
    "kmod",
    "libc6-dev",
    "libclang1-19",
    "libelf-dev",
    "libssl-dev",
    "lld-19",
    "llvm-19",
    "make",
    "perl",
    "python3",
    "tar",
    "xz-utils",
    "zstd",
];

/// Older QEMU lacks parts of CXL that the scenarios use.
const MIN_QEMU: Version = Version(10, 0, 0);
const QEMU: &str = "qemu-system-x86_64";

/// Makes sure that all packages are there: installs as root, else says how.
pub fn ensure(ctx: &Ctx) -> Result<()> {
    // Asked for by every part of the lab; the answer holds for the process.
    static DONE: Mutex<bool> = Mutex::new(false);
    let mut done = DONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if *done {
        return Ok(());
    }
    let release = Release::detect()?;
    let missing = missing(ctx, release)?;
    if !missing.is_empty() {
        install(ctx, &missing)?;
    }
    *done = true;
    Ok(())
}

/// A QEMU that is new enough.
pub fn qemu(ctx: &Ctx) -> Result<PathBuf> {
    ensure(ctx)?;
    let found = cmd::find_program(QEMU).filter(|path| is_new(ctx, path, MIN_QEMU));
    found.with_context(|| format!("no {QEMU} of version {MIN_QEMU} or later: run `make deps`"))
}

/// A directory in the cache that goes when dropped; on one file system with the rest, so that
/// what was made in it can be moved out.
pub fn temp_dir(ctx: &Ctx) -> Result<TempDir> {
    remove_stale(ctx);
    tempfile::Builder::new()
        .prefix("tmp-")
        .tempdir_in(&ctx.cache)
        .with_context(|| format!("cannot make a directory in {}", ctx.cache.display()))
}

/// Removes what killed runs left behind. Best effort: it only takes room.
fn remove_stale(ctx: &Ctx) {
    let day = std::time::Duration::from_secs(24 * 3600);
    for entry in fs::read_dir(&ctx.cache).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|data| data.modified());
        let is_old = modified.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > day));
        if is_old && entry.file_name().to_string_lossy().starts_with("tmp-") {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Unpacks a package without running anything of it.
pub fn unpack_deb(ctx: &Ctx, deb: &Path, into: &Path) -> Result<()> {
    fs::create_dir_all(into).with_context(|| format!("cannot make {}", into.display()))?;
    let mut command = Command::new("dpkg-deb");
    command.arg("-x").arg(deb).arg(into);
    cmd::output(ctx, &mut command).map(|_| ())
}

/// The packages that are not installed, as apt takes them.
fn missing(ctx: &Ctx, release: Release) -> Result<Vec<String>> {
    let mut command = Command::new("dpkg-query");
    command.args(["-W", "-f", "${Package} ${db:Status-Status}\n"]);
    // It fails when one is unknown, and still tells of the others.
    let (_, known, _) = cmd::capture(ctx, command.args(PACKAGES))?;
    let mut missing = not_installed(&known);
    if !cmd::find_program(QEMU).is_some_and(|path| is_new(ctx, &path, MIN_QEMU)) {
        missing.push("qemu-system-x86".to_owned());
    }
    let bindgen = cmd::find_program("bindgen");
    if release == Release::Trixie && !bindgen.is_some_and(|path| is_new(ctx, &path, MIN_BINDGEN)) {
        missing.push("bindgen".to_owned());
    }
    Ok(missing)
}

fn not_installed(known: &str) -> Vec<String> {
    let states: BTreeMap<&str, &str> = known
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    PACKAGES
        .iter()
        .filter(|package| states.get(**package) != Some(&"installed"))
        .map(|package| (*package).to_owned())
        .collect()
}

fn is_new(ctx: &Ctx, program: &Path, wanted: Version) -> bool {
    cmd::output(ctx, Command::new(program).arg("--version"))
        .ok()
        .and_then(|text| Version::find(&text))
        .is_some_and(|found| found >= wanted)
}

fn install(ctx: &Ctx, missing: &[String]) -> Result<()> {
    announce(&format!("Missing packages: {}", missing.join(" ")));
    let apt = Apt::open(ctx, Scope::Host)?;
    let mut command = apt.command("apt-get");
    command.args(["install", "-y", "--no-install-recommends"]);
    command.args(missing);
    if !rustix::process::geteuid().is_root() {
        bail!(
            "packages are missing; this command installs them:\n\n  {}\n",
            as_root(&cmd::shell_line(&command))
        );
    }
    announce("Installing them with apt-get: a few minutes, once");
    let step = Step::new(
        ctx,
        "install packages",
        "packages",
        "correct what apt-get complains about, then run the same command again",
    );
    command.env("DEBIAN_FRONTEND", "noninteractive");
    cmd::run_cmd(ctx, &step, &mut command).map(|_| ())
}

fn as_root(line: &str) -> String {
    match cmd::find_program("sudo") {
        Some(_) => format!("sudo {line}"),
        None => format!("su -c \"{line}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wholly_installed_packages_count() {
        let mut known: String = PACKAGES
            .iter()
            .map(|package| format!("{package} installed\n"))
            .collect();
        assert!(not_installed(&known).is_empty());
        known = known.replace("flex installed", "flex config-files");
        known = known.replace("bc installed\n", "");
        assert_eq!(not_installed(&known), ["bc", "flex"]);
        assert_eq!(not_installed("").len(), PACKAGES.len());
    }
}
