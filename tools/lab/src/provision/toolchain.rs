// SPDX-License-Identifier: GPL-2.0

//! The compilers of a kernel with Rust: rustc and its sources, bindgen, LLVM.

use std::fs;
use std::path::Path;
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
use super::host;
use super::lock::Lock;
use super::version;
use super::version::Version;
use super::Ctx;

/// The LLVM that both Debian releases have, as `make LLVM=` takes it.
const LLVM: &str = "-19";
/// What Linux 7.3 wants.
const MIN_RUSTC: Version = Version(1, 85, 0);
/// What Linux 7.3 wants.
pub const MIN_BINDGEN: Version = Version(0, 71, 1);
/// The bindgen that is built where Debian has none new enough.
const BINDGEN: &str = "0.72.1";

/// Programs and sources for `make` of a kernel.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// All that `rustc --version --verbose` says.
    rustc: String,
    clang: String,
    bindgen_version: String,
    bindgen: PathBuf,
    rust_lib_src: Option<PathBuf>,
}

impl Toolchain {
    /// Finds, and where needed makes, every part.
    pub fn find(ctx: &Ctx) -> Result<Self> {
        let rustc = cmd::output(ctx, Command::new("rustc").arg("-vV"))
            .context("rustc is needed: run `make deps`")?;
        let found = Version::find(&rustc).unwrap_or(Version(0, 0, 0));
        if found < MIN_RUSTC {
            bail!("rustc {found} is too old, the kernel wants {MIN_RUSTC}: run `make deps`");
        }
        let clang = format!("clang{LLVM}");
        let clang = cmd::output(ctx, Command::new(clang).arg("--version"))?;
        let bindgen = bindgen(ctx)?;
        let bindgen_version = bindgen_says(ctx, &bindgen).unwrap_or_default();
        let rust_lib_src = rust_lib_src(ctx, found)?;
        Ok(Self {
            rustc,
            clang: first_line(&clang),
            bindgen_version,
            bindgen,
            rust_lib_src,
        })
    }

    /// What identifies it in a cache key.
    pub fn identity(&self) -> String {
        format!("{}\n{}\n{}", self.rustc, self.clang, self.bindgen_version)
    }

    /// The variables for `make`.
    pub fn make_args(&self) -> Vec<String> {
        let mut args = vec![
            format!("LLVM={LLVM}"),
            format!("BINDGEN={}", self.bindgen.display()),
        ];
        if let Some(dir) = &self.rust_lib_src {
            args.push(format!("RUST_LIB_SRC={}", dir.display()));
        }
        args
    }
}

/// Makes sure that all programs and sources are there, and names them.
pub fn describe(ctx: &Ctx) -> Result<String> {
    let qemu = host::qemu(ctx)?;
    let tools = Toolchain::find(ctx)?;
    let rust_lib_src = match &tools.rust_lib_src {
        Some(dir) => dir.display().to_string(),
        None => "in rustc's sysroot".to_owned(),
    };
    let rows = [
        ("rustc", first_line(&tools.rustc)),
        ("rust-src", rust_lib_src),
        ("bindgen", first_line(&tools.bindgen_version)),
        ("clang", tools.clang),
        ("qemu", qemu.display().to_string()),
        ("cache", ctx.cache.display().to_string()),
    ];
    let lines = rows.map(|(name, value)| format!("{name:9} {value}"));
    Ok(lines.join("\n"))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// A bindgen that is new enough: the one in PATH, else one built once into the cache.
pub fn bindgen(ctx: &Ctx) -> Result<PathBuf> {
    if let Some(path) = cmd::find_program("bindgen") {
        if bindgen_version(ctx, &path).is_some_and(|found| found >= MIN_BINDGEN) {
            return Ok(path);
        }
    }
    let root = ctx.cache.join(format!("tools/bindgen-{BINDGEN}"));
    let program = root.join("bin/bindgen");
    if bindgen_version(ctx, &program).is_some() {
        return Ok(program);
    }
    let _lock = Lock::exclusive(&ctx.cache.join("locks/bindgen"), "bindgen")?;
    if bindgen_version(ctx, &program).is_some() {
        return Ok(program);
    }
    announce(&format!(
        "Building bindgen {BINDGEN}: about 2 minutes, once"
    ));
    let step = Step::new(
        ctx,
        "build bindgen",
        "bindgen",
        "check that cargo reaches its registry, then run the same command again",
    )
    .with_progress(45, "   Compiling");
    let mut command = Command::new("cargo");
    command
        .args(["install", "bindgen-cli", "--locked", "--force"])
        .args(["--version", BINDGEN])
        .arg("--root")
        .arg(&root)
        .arg("--target-dir")
        .arg(root.join("build"))
        // It runs for seconds in its whole life; most of the time goes into building it.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        // The lab's own workspace must not have a say in how it is built.
        .current_dir(&ctx.cache);
    cmd::run_cmd(ctx, &step, &mut command)?;
    fs::remove_dir_all(root.join("build")).context("cannot remove what cargo left behind")?;
    if bindgen_version(ctx, &program).is_none() {
        bail!(
            "{} was built but does not start: it needs libclang, run `make deps`",
            program.display()
        );
    }
    Ok(program)
}

fn bindgen_says(ctx: &Ctx, program: &Path) -> Option<String> {
    if !program.is_file() {
        return None;
    }
    cmd::output(ctx, Command::new(program).arg("--version")).ok()
}

fn bindgen_version(ctx: &Ctx, program: &Path) -> Option<Version> {
    Version::find(&bindgen_says(ctx, program)?)
}

/// The standard library's source for exactly this rustc; `None` if it has its own.
fn rust_lib_src(ctx: &Ctx, rustc: Version) -> Result<Option<PathBuf>> {
    let sysroot = cmd::output(ctx, Command::new("rustc").args(["--print", "sysroot"]))?;
    let own = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library");
    if is_library(&own) {
        return Ok(None);
    }
    let dir = ctx.cache.join(format!("rust-src-{rustc}"));
    let library = dir.join("library");
    if is_library(&library) {
        return Ok(Some(library));
    }
    let _lock = Lock::exclusive(&ctx.cache.join("locks/rust-src"), "rust-src")?;
    if is_library(&library) {
        return Ok(Some(library));
    }
    announce(&format!(
        "Fetching the standard library's source for rustc {rustc} (seconds)"
    ));
    fetch_rust_src(ctx, rustc, &dir)?;
    Ok(Some(library))
}

fn is_library(dir: &Path) -> bool {
    dir.join("core/src/lib.rs").is_file()
}

fn fetch_rust_src(ctx: &Ctx, rustc: Version, dir: &Path) -> Result<()> {
    let upstream = rustc.to_string();
    let mut seen = Vec::new();
    for (scope, package) in [(Scope::Guest, "rust-src"), (Scope::Host, "rust-web-src")] {
        let apt = Apt::open(ctx, scope)?;
        for version in apt.versions(ctx, package)? {
            if !version::is_upstream(&version, &upstream) {
                seen.push(format!("{package} {version}"));
                continue;
            }
            let temp = host::temp_dir(ctx)?;
            let deb = apt.fetch(ctx, package, &version, temp.path())?;
            let tree = temp.path().join("tree");
            host::unpack_deb(ctx, &deb, &tree)?;
            let source = tree.join(format!("usr/src/rustc-{upstream}/library"));
            if !is_library(&source) {
                bail!(
                    "the package {package} {version} has no library in /usr/src/rustc-{upstream}"
                );
            }
            return fs::create_dir_all(dir)
                .and_then(|()| fs::rename(&source, dir.join("library")))
                .with_context(|| format!("cannot move the library to {}", dir.display()));
        }
    }
    bail!(
        "no source of the standard library for rustc {upstream}: Debian has {}; \
         add it to your toolchain (`rustup component add rust-src`) or use one of these rustc versions",
        match seen.is_empty() {
            true => "none".to_owned(),
            false => seen.join(", "),
        }
    )
}
