// SPDX-License-Identifier: GPL-2.0

//! The kernel's CXL unit tests, `tools/testing/cxl`, built against a kernel.
//!
//! They are the CXL drivers once more, linked so that functions which ask the platform go to mocks
//! instead, and modules that make up a platform. Their build puts objects beside the drivers'
//! sources, so it runs in a copy. There the mocks of a type-2 device and of an extended linear cache
//! may stand together with a Soft Reserved range, which the tests forbid.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use super::cmd;
use super::cmd::announce;
use super::cmd::Step;
use super::host;
use super::kdir;
use super::key::Key;
use super::lock::Lock;
use super::modules::toolchain_args;
use super::prune;
use super::Ctx;
use super::Kernel;

/// Changes when the way of building does, so that old builds are not taken for new ones.
const RECIPE: &str = "2";
/// What is copied of the kernel's source: all that is compiled.
const SOURCES: [&str; 3] = ["drivers/cxl", "drivers/dax", "tools/testing/cxl"];
/// Where the module parameters of the mock platform are checked.
const PLATFORM: &str = "tools/testing/cxl/test/cxl.c";
/// What counts the Soft Reserved range among those parameters of which there may be one only.
const EXCLUSIVE: &str = "\tif (hmem_test)\n\t\tcount++;\n";
/// The driver that ours takes the place of.
const DAX_HMEM: &str = "dax_hmem.ko";

/// The built modules.
#[derive(Clone, Debug)]
pub struct CxlTest {
    /// All but `dax_hmem`.
    pub cxl: PathBuf,
    /// `dax_hmem` in C, linked to the mocks.
    pub dax_hmem: PathBuf,
}

impl CxlTest {
    fn in_dir(dir: &Path) -> Self {
        Self {
            cxl: dir.join("cxl"),
            dax_hmem: dir.join("dax_hmem"),
        }
    }
}

/// The unit tests' modules for `kernel`; built if the cache does not have them.
pub fn cxl_test(ctx: &Ctx, kernel: &Kernel) -> Result<CxlTest> {
    host::ensure(ctx)?;
    let key = Key::default()
        .add("recipe", RECIPE)
        .add("kernel", kdir::identity(&kernel.kdir, &kernel.image)?)
        .finish();
    let parent = ctx.cache.join("cxl-test");
    let dir = parent.join(&key);
    let _lock = Lock::exclusive(
        &ctx.cache.join(format!("locks/cxl-test-{key}")),
        "the kernel's CXL unit tests",
    )?;
    if !dir.is_dir() {
        announce(&format!(
            "Building the kernel's CXL unit tests for {}: a minute, once",
            kernel.release
        ));
        prune::forget_unused(&parent)?;
        make(ctx, kernel, &parent, &dir)?;
    }
    prune::mark_used(&dir);
    Ok(CxlTest::in_dir(&dir))
}

/// Builds in a directory that goes, whatever happens; what it was for gets its name in one step.
fn make(ctx: &Ctx, kernel: &Kernel, parent: &Path, dir: &Path) -> Result<()> {
    let source = source_of(&kernel.kdir)?;
    let temp = host::temp_dir(ctx)?;
    for name in SOURCES {
        copy_sources(&source.join(name), &temp.path().join("source").join(name))?;
    }
    allow_combinations(&temp.path().join("source").join(PLATFORM))?;
    let tests = temp.path().join("source/tools/testing/cxl");
    let step = Step::new(
        ctx,
        format!("build the kernel's CXL unit tests for {}", kernel.release),
        "cxl-test",
        "a kernel of your own needs the options that tools/testing/cxl/config_check.c asks for; \
         tests/flavors/cxl-test.config has them",
    );
    let mut command = Command::new("make");
    command
        .arg("-C")
        .arg(&kernel.kdir)
        .arg(format!("M={}", tests.display()))
        .args(&kernel.make_args)
        .args(toolchain_args(ctx, kernel)?)
        // With lld, the wrapped functions that cxl_core itself exports get lost.
        .arg("LD=ld.bfd")
        .arg("modules");
    cmd::run_cmd(ctx, &step, &mut command)?;

    let built = temp.path().join("built");
    let found = CxlTest::in_dir(&built);
    take(&tests, |name| name != DAX_HMEM, &found.cxl)?;
    take(&tests.join("test"), |_| true, &found.cxl)?;
    take(&tests, |name| name == DAX_HMEM, &found.dax_hmem)?;
    for needed in [
        found.cxl.join("cxl_test.ko"),
        found.cxl.join("cxl_mock.ko"),
        found.dax_hmem.join(DAX_HMEM),
    ] {
        if !needed.is_file() {
            let name = needed.file_name().unwrap_or_default().to_string_lossy();
            bail!("the build of the kernel's CXL unit tests left no {name}");
        }
    }
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    fs::rename(&built, dir).with_context(|| format!("cannot move modules to {}", dir.display()))
}

/// Lets the mock range be combined with a type-2 device, or an extended linear cache. Kernels that
/// cannot make these forbid nothing.
fn allow_combinations(platform: &Path) -> Result<()> {
    let text = fs::read_to_string(platform)
        .with_context(|| format!("cannot read {}", platform.display()))?;
    if !text.contains("have_multiple_modparms") {
        return Ok(());
    }
    if !text.contains(EXCLUSIVE) {
        bail!("{PLATFORM} of this kernel checks its parameters in another way; see EXCLUSIVE");
    }
    fs::write(platform, text.replacen(EXCLUSIVE, "", 1))
        .with_context(|| format!("cannot write {}", platform.display()))
}

/// The source that a tree was built from.
fn source_of(kdir: &Path) -> Result<PathBuf> {
    let candidates = [kdir.join("source"), kdir.to_path_buf()];
    let found = candidates
        .into_iter()
        .find(|dir| dir.join("tools/testing/cxl/Kbuild").is_file());
    found.with_context(|| {
        format!(
            "{} and its source have no tools/testing/cxl: give a whole kernel tree",
            kdir.display()
        )
    })
}

/// Copies what is compiled, and not what a build in the tree itself has left.
fn copy_sources(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let cannot = || format!("cannot list {}", from.display());
    for entry in fs::read_dir(from).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let target = to.join(&*name);
        if path.is_dir() {
            copy_sources(&path, &target)?;
        } else if is_source(&name) {
            fs::copy(&path, &target).with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

fn is_source(name: &str) -> bool {
    let generated = name.ends_with(".mod.c");
    let code = name.ends_with(".c") || name.ends_with(".h");
    (code && !generated) || ["Kbuild", "Makefile", "Kconfig"].contains(&name)
}

/// Moves the modules of `from` that are wanted.
fn take(from: &Path, wanted: impl Fn(&str) -> bool, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let cannot = || format!("cannot list {}", from.display());
    for entry in fs::read_dir(from).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.extension() == Some(OsStr::new("ko")) && wanted(&name) {
            fs::rename(&path, to.join(&*name))
                .with_context(|| format!("cannot move {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sources_are_copied() {
        let temp = tempfile::tempdir().unwrap();
        let from = temp.path().join("from");
        fs::create_dir_all(from.join("core")).unwrap();
        for name in [
            "Kbuild", "a.c", "a.o", ".a.o.cmd", "m.mod.c", "m.ko", "core/b.h",
        ] {
            fs::write(from.join(name), "x").unwrap();
        }
        let to = temp.path().join("to");
        copy_sources(&from, &to).unwrap();
        for (name, there) in [
            ("Kbuild", true),
            ("a.c", true),
            ("core/b.h", true),
            ("a.o", false),
            (".a.o.cmd", false),
            ("m.mod.c", false),
            ("m.ko", false),
        ] {
            assert_eq!(to.join(name).exists(), there, "{name}");
        }
    }

    #[test]
    fn the_mock_range_may_be_combined() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("cxl.c");
        let check = |text: &str| {
            fs::write(&file, text).unwrap();
            allow_combinations(&file)
        };
        let known = format!("have_multiple_modparms\n{EXCLUSIVE}\tif (type2_test)\n");
        assert!(check(&known).is_ok());
        let left = fs::read_to_string(&file).unwrap();
        assert_eq!(left, "have_multiple_modparms\n\tif (type2_test)\n");
        assert!(check("no such check").is_ok());
        assert!(check("have_multiple_modparms").is_err());
    }

    #[test]
    fn the_source_is_found_beside_or_in_the_tree() {
        let temp = tempfile::tempdir().unwrap();
        let kdir = temp.path();
        assert!(source_of(kdir).is_err());
        let tests = kdir.join("source/tools/testing/cxl");
        fs::create_dir_all(&tests).unwrap();
        fs::write(tests.join("Kbuild"), "").unwrap();
        assert_eq!(source_of(kdir).unwrap(), kdir.join("source"));
    }
}
