// SPDX-License-Identifier: GPL-2.0

//! Where things are: the checkout and the user's cache.

use std::env;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

/// Name of the project's directory in the user's cache.
const CACHE_NAME: &str = "dax-hmem-rust";

/// What every step of the lab needs to know.
#[derive(Clone, Debug)]
pub struct Ctx {
    /// Root of the checkout.
    pub repo: PathBuf,
    /// The project's directory in the user's cache.
    pub cache: PathBuf,
    /// Print every command.
    pub verbose: bool,
}

impl Ctx {
    /// Finds the checkout and makes the cache directory.
    pub fn new(verbose: bool) -> Result<Self> {
        let repo = find_repo()?;
        let cache = cache_dir()?;
        fs::create_dir_all(&cache).with_context(|| {
            format!(
                "cannot create the cache {}; set XDG_CACHE_HOME to a directory you can write",
                cache.display()
            )
        })?;
        Ok(Self {
            repo,
            cache,
            verbose,
        })
    }
}

/// The checkout is found from the working directory, else from where the lab was compiled.
fn find_repo() -> Result<PathBuf> {
    let is_repo = |dir: &Path| dir.join("tests/flavors").is_dir() && dir.join("tools/lab").is_dir();
    let cwd = env::current_dir().context("cannot tell the working directory")?;
    if let Some(dir) = cwd.ancestors().find(|dir| is_repo(dir)) {
        return Ok(dir.to_path_buf());
    }
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
    if let Some(dir) = built_in.ancestors().find(|dir| is_repo(dir)) {
        return Ok(dir.to_path_buf());
    }
    bail!("cannot find the checkout: run this inside it")
}

fn cache_dir() -> Result<PathBuf> {
    // The XDG rules ask for relative values to be ignored.
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    if let Some(dir) = absolute("XDG_CACHE_HOME") {
        return Ok(dir.join(CACHE_NAME));
    }
    if let Some(home) = absolute("HOME") {
        return Ok(home.join(".cache").join(CACHE_NAME));
    }
    bail!("neither XDG_CACHE_HOME nor HOME is set: cannot tell where the cache is")
}
