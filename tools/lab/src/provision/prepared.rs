// SPDX-License-Identifier: GPL-2.0

//! Kernels that are prepared for modules and not built: enough to compile modules against, in a
//! fifth of the time.

use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use super::cmd;
use super::cmd::Step;
use super::config::Config;
use super::host;
use super::key::Key;
use super::lock::write_atomic;
use super::lock::Lock;
use super::prune;
use super::source;
use super::toolchain::Toolchain;
use super::Ctx;

/// Changes when the way of making it does.
const RECIPE: &str = "1";

/// What is to be prepared.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// For messages and for the cache.
    pub name: String,
    /// Options on top of `base`. These must come out as they are; what depends on them need not.
    pub own: Config,
    /// GCC in place of clang.
    pub gcc: bool,
    /// Only configured: enough for what is refused for its configuration.
    pub configured_only: bool,
}

/// A kernel tree that modules can be compiled against.
pub struct Prepared {
    pub kdir: PathBuf,
    /// Variables for `make` of modules against it.
    pub make_args: Vec<String>,
}

impl Prepared {
    /// True if this is a line of its configuration.
    pub fn has(&self, option: &str) -> Result<bool> {
        Ok(Config::read(&self.kdir.join(".config"))?.get(option) != "n")
    }
}

/// The tree; made if the cache does not have it.
pub fn prepared(ctx: &Ctx, wanted: &Wanted) -> Result<Prepared> {
    host::ensure(ctx)?;
    let base = Config::read(&ctx.repo.join("tests/flavors/base.config"))?;
    let toolchain = Toolchain::find(ctx)?;
    let source = source::kernel_source(ctx)?;
    let mut make_args = toolchain.make_args();
    if wanted.gcc {
        make_args.retain(|arg| !arg.starts_with("LLVM="));
    }
    let all = base.merge(wanted.own.clone());
    let key = Key::default()
        .add("recipe", RECIPE)
        .add("source", &source.version)
        .add("toolchain", toolchain.identity())
        .add("args", make_args.join(" "))
        .add("config", all.to_text())
        .add("part", if wanted.configured_only { "1" } else { "0" })
        .finish();
    let parent = ctx.cache.join("prepared");
    let dir = parent.join(format!("{}-{key}", wanted.name));
    let tree = Prepared {
        kdir: dir.join("build"),
        make_args,
    };
    let stamp = dir.join("complete");
    if !stamp.is_file() {
        let lock = ctx.cache.join(format!("locks/prepared-{key}"));
        let lock = Lock::exclusive(&lock, &format!("the kernel {}", wanted.name))?;
        let _lock = lock.share_with_children()?;
        if !stamp.is_file() {
            prune::make_room(&parent, &dir, &wanted.name)?;
            fs::create_dir_all(&tree.kdir)
                .with_context(|| format!("cannot make {}", tree.kdir.display()))?;
            make(ctx, wanted, &all, &source.dir, &tree)?;
            write_atomic(&stamp, &source.version)?;
        }
    }
    prune::mark_used(&dir);
    Ok(tree)
}

fn make(ctx: &Ctx, wanted: &Wanted, all: &Config, source: &Path, tree: &Prepared) -> Result<()> {
    let kernel_make = |what: &str, args: &[&str]| -> Result<()> {
        let step = Step::new(
            ctx,
            format!("{what} the kernel {}", wanted.name),
            &format!("prepared-{}-{what}", wanted.name),
            "read the log, mend what it names, then run the same command again",
        );
        let mut command = Command::new("make");
        command
            .arg("-C")
            .arg(source)
            .arg(format!("O={}", tree.kdir.display()))
            .args(&tree.make_args)
            .args(args);
        cmd::run_cmd(ctx, &step, &mut command).map(|_| ())
    };
    let fragment = tree.kdir.join("wanted.config");
    write_atomic(&fragment, &all.to_text())?;
    let fragment = format!("KCONFIG_ALLCONFIG={}", fragment.display());
    kernel_make("configure", &[&fragment, "allnoconfig"])?;
    let built = Config::read(&tree.kdir.join(".config"))?;
    let missing = wanted.own.missing_from(&built);
    if !missing.is_empty() {
        let list: Vec<String> = missing.iter().map(|one| format!("  {one}")).collect();
        bail!(
            "the kernel {} does not take these options of tests/configs:\n{}",
            wanted.name,
            list.join("\n")
        );
    }
    if wanted.configured_only {
        return kernel_make("finish", &["syncconfig", "include/config/kernel.release"]);
    }
    let jobs = available_parallelism().map_or(1, NonZero::get);
    kernel_make("prepare", &[&format!("-j{jobs}"), "modules_prepare"])?;
    // What a built kernel exports; here nothing is known of it.
    let symvers = tree.kdir.join("Module.symvers");
    fs::write(&symvers, "").with_context(|| format!("cannot write {}", symvers.display()))
}
