// SPDX-License-Identifier: GPL-2.0

//! A captured machine as a scenario.

use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use daxmap::Map;
use daxmap::Tree;

use super::Scenario;

/// What the files of captures end in.
const ARCHIVES: [&str; 4] = [".tar.gz", ".tgz", ".tar.zst", ".tar"];

/// Whether a path is that of a capture: an archive, or the folder that one was unpacked to.
pub fn is_capture(path: &Path) -> bool {
    let name = path.to_string_lossy();
    let archive = path.is_file() && ARCHIVES.iter().any(|end| name.ends_with(end));
    archive || path.join("proc").is_dir() || path.join("sys").is_dir()
}

/// The scenario of a capture, named after it.
pub fn scenario(path: &Path) -> Result<Scenario> {
    let tree = Tree::open(path)?;
    let text = daxmap::scenario::text(&tree, &Map::read(&tree))
        .with_context(|| format!("{} makes no scenario", path.display()))?;
    let mut scenario = Scenario::parse(&named(path), &text)
        .with_context(|| format!("the scenario of {}", path.display()))?;
    scenario.path = path.to_path_buf();
    Ok(scenario)
}

/// `report.toml` for `report.tar.gz`.
fn named(path: &Path) -> std::path::PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = ARCHIVES.iter().find_map(|end| name.strip_suffix(end));
    path.with_file_name(format!("{}.toml", stem.unwrap_or(&name)))
}
