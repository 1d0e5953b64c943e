// SPDX-License-Identifier: GPL-2.0

//! The lab's own kernels, one for each flavour, built once into the cache.
//!
//! A build happens in its final place, because Rust's build records it; a stamp tells that it is
//! whole. An interrupted build is taken up where it stopped, by whoever comes next.

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
use super::cmd::announce;
use super::cmd::Step;
use super::config;
use super::config::Config;
use super::host;
use super::kdir;
use super::key::Key;
use super::lock::write_atomic;
use super::lock::Lock;
use super::prune;
use super::source;
use super::source::Source;
use super::stock;
use super::toolchain::Toolchain;
use super::Ctx;
use super::Kernel;

/// Changes when the way of building does, so that old builds are not taken for new ones.
const RECIPE: &str = "1";
/// Lines that a build prints, and one that starts from another, until a build has told better.
const USUAL_LINES: [u64; 2] = [2200, 300];

/// Copies the build $1 by way of $2 to $3.
///
/// objtool's build records its place. Found in another one it would be built anew, and after it
/// each object that it has looked at, which is nearly every one.
const COPY: &str = r#"
set -e
rm -rf "$2"
cp -a --reflink=auto "$1" "$2"
rm -f "$2/.config"
find "$2/tools" -name '.*.cmd' -exec sed -i "s|$1/|$3/|g" {} +
mv "$2" "$3"
"#;

/// Whether the cache has no kernel of any flavour that is built here.
pub fn nothing_is_built(ctx: &Ctx) -> bool {
    prune::seed(&ctx.cache.join("kernels")).is_none()
}

/// The kernel of a flavour; made if the cache does not have it.
pub fn kernel(ctx: &Ctx, flavor: &str) -> Result<Kernel> {
    if let Some(series) = stock::series(flavor) {
        return stock::kernel(ctx, flavor, series);
    }
    let wanted = config::flavor(&ctx.repo.join("tests/flavors"), flavor)?;
    host::ensure(ctx)?;
    let toolchain = Toolchain::find(ctx)?;
    let source = source::kernel_source(ctx)?;
    let key = Key::default()
        .add("recipe", RECIPE)
        .add("source", &source.version)
        .add("toolchain", toolchain.identity())
        .add("config", wanted.to_text())
        .finish();
    let parent = ctx.cache.join("kernels");
    let build = Build {
        ctx,
        flavor,
        dir: parent.join(format!("{flavor}-{key}")),
        parent,
        wanted,
        toolchain,
        source,
    };
    if !build.is_complete() {
        let lock = ctx.cache.join(format!("locks/kernel-{flavor}-{key}"));
        let lock = Lock::exclusive(&lock, &format!("the kernel {flavor}"))?;
        let _lock = lock.share_with_children()?;
        if !build.is_complete() {
            build.make()?;
        }
    }
    prune::mark_used(&build.dir);
    build.result()
}

struct Build<'a> {
    ctx: &'a Ctx,
    flavor: &'a str,
    parent: PathBuf,
    dir: PathBuf,
    wanted: Config,
    toolchain: Toolchain,
    source: Source,
}

impl Build<'_> {
    fn stamp(&self) -> PathBuf {
        self.dir.join("complete")
    }

    fn is_complete(&self) -> bool {
        self.stamp().is_file()
    }

    fn kdir(&self) -> PathBuf {
        self.dir.join("build")
    }

    fn result(&self) -> Result<Kernel> {
        let kdir = self.kdir();
        Ok(Kernel {
            image: kdir.join("arch/x86/boot/bzImage"),
            release: release(&kdir)?,
            modroot: self.dir.join("root"),
            make_args: self.toolchain.make_args(),
            initramfs: None,
            root: None,
            kdir,
        })
    }

    fn make(&self) -> Result<()> {
        prune::make_room(&self.parent, &self.dir, self.flavor)?;
        let kdir = self.kdir();
        let resumed = kdir.join(".config").is_file();
        let mut seeded = false;
        if !resumed {
            seeded = self.seed()?;
            fs::create_dir_all(&kdir).with_context(|| format!("cannot make {}", kdir.display()))?;
        }
        self.configure()?;
        let lines_file = self.parent.join(format!("{}.lines", self.flavor));
        let usual = fs::read_to_string(&lines_file).ok();
        let usual: Option<u64> = usual.and_then(|text| text.trim().parse().ok());
        announce(&format!(
            "Building the kernel {} in {}: {}, once",
            self.flavor,
            kdir.display(),
            if seeded {
                "some minutes"
            } else {
                "about 10 minutes"
            }
        ));
        let step = self
            .step("build", "build the kernel")
            .with_progress(usual.unwrap_or(USUAL_LINES[usize::from(seeded)]), "  ");
        let jobs = available_parallelism().map_or(1, NonZero::get);
        let mut command = self.command();
        command
            .arg(format!("-j{jobs}"))
            .args(["bzImage", "modules"]);
        let lines = cmd::run_cmd(self.ctx, &step, &mut command)?;
        if !resumed {
            write_atomic(&lines_file, &lines.to_string())?;
        }
        self.install_modules()?;
        write_atomic(&self.stamp(), &self.source.version)
    }

    /// Starts from another flavour's build, if there is one, so that only what differs is compiled.
    fn seed(&self) -> Result<bool> {
        let Some(other) = prune::seed(&self.parent) else {
            return Ok(false);
        };
        let same = fs::read_to_string(other.join("complete")).ok();
        if same.as_deref() != Some(self.source.version.as_str()) {
            return Ok(false);
        }
        fs::create_dir_all(&self.dir)
            .with_context(|| format!("cannot make {}", self.dir.display()))?;
        // Whatever was left by an interrupted copy goes first.
        let kdir = self.kdir();
        if kdir.exists() {
            fs::remove_dir_all(&kdir)
                .with_context(|| format!("cannot remove {}", kdir.display()))?;
        }
        announce(&format!("Starting from {}", other.display()));
        let temp = self.dir.join("build.copy");
        let mut command = Command::new("sh");
        command
            .args(["-c", COPY, "sh"])
            .arg(other.join("build"))
            .args([&temp, &kdir]);
        cmd::run_cmd(
            self.ctx,
            &self.step("copy", "copy a kernel build"),
            &mut command,
        )
        .map(|_| true)
    }

    fn configure(&self) -> Result<()> {
        let fragment = self.dir.join("wanted.config");
        write_atomic(&fragment, &self.wanted.to_text())?;
        let mut command = self.command();
        command
            .arg(format!("KCONFIG_ALLCONFIG={}", fragment.display()))
            .arg("allnoconfig");
        let step = self.step("config", "configure the kernel");
        cmd::run_cmd(self.ctx, &step, &mut command)?;
        let built = Config::read(&self.kdir().join(".config"))?;
        let missing = self.wanted.missing_from(&built);
        if missing.is_empty() {
            return Ok(());
        }
        let rust = match built.get("CONFIG_RUST") {
            "y" => String::new(),
            _ => self.why_no_rust()?,
        };
        let list: Vec<String> = missing.iter().map(|one| format!("  {one}")).collect();
        bail!(
            "the kernel {} does not take these options of tests/flavors \
             (a dependency is missing, or the option is gone):\n{}\n{rust}",
            self.flavor,
            list.join("\n")
        )
    }

    /// The kernel's own words on why Rust is not available.
    fn why_no_rust(&self) -> Result<String> {
        let (_, out, err) = cmd::capture(self.ctx, self.command().arg("rustavailable"))?;
        Ok(format!("the kernel on its Rust toolchain:\n{}{}", out, err))
    }

    fn install_modules(&self) -> Result<()> {
        let root = self.dir.join("root");
        let mut command = self.command();
        command
            .arg(format!("INSTALL_MOD_PATH={}", root.display()))
            .arg("modules_install");
        let step = self.step("modules", "install the kernel's modules");
        cmd::run_cmd(self.ctx, &step, &mut command)?;
        kdir::unlink_build(&root, &release(&self.kdir())?)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("make");
        command
            .arg("-C")
            .arg(&self.source.dir)
            .arg(format!("O={}", self.kdir().display()))
            .args(self.toolchain.make_args())
            // The same inputs give the same kernel, whoever builds it.
            .args(["KBUILD_BUILD_USER=lab", "KBUILD_BUILD_HOST=lab"])
            .arg("KBUILD_BUILD_TIMESTAMP=2026-01-01");
        command
    }

    fn step(&self, log: &str, what: &str) -> Step {
        Step::new(
            self.ctx,
            format!("{what} {}", self.flavor),
            &format!("kernel-{}-{log}", self.flavor),
            format!(
                "run the same command again to go on where it stopped; \
                 if it fails in the same way, remove {} and try once more",
                self.dir.display()
            ),
        )
    }
}

/// `uname -r` of a built tree.
pub fn release(kdir: &Path) -> Result<String> {
    let file = kdir.join("include/config/kernel.release");
    let text = fs::read_to_string(&file)
        .with_context(|| format!("{} is not a built kernel tree", kdir.display()))?;
    Ok(text.trim().to_owned())
}
