// SPDX-License-Identifier: GPL-2.0

//! Keeps the cache within bounds: two builds of each kernel flavour, nothing unused for a month.
//!
//! A build takes about 0.5 GB, a debug build about 1 GB. With five flavours the kernels stay
//! below 7 GB, whatever is changed and rebuilt; with the kernel source, the cache below 9 GB.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use anyhow::Context;
use anyhow::Result;

/// Builds of one flavour that are kept, the one being made included.
const KEEP: usize = 2;
/// A build used this recently may be in use by another run.
const BUSY: Duration = Duration::from_secs(2 * 3600);
/// What was not used for this long goes, whatever it is.
const FORGOTTEN: Duration = Duration::from_secs(30 * 24 * 3600);

/// Remembers that an entry was used now. Best effort: a wrong guess costs a rebuild.
pub fn mark_used(dir: &Path) {
    let _ = fs::write(dir.join("used"), "");
}

/// Removes the entries of `parent` that nothing has used for a month.
pub fn forget_unused(parent: &Path) -> Result<()> {
    for (used, path) in builds(parent)? {
        if used.elapsed().is_ok_and(|age| age > FORGOTTEN) {
            remove(parent, &path)?;
        }
    }
    Ok(())
}

/// Removes the builds of `flavor` that have not been used for longest, to make room for `new`.
pub fn make_room(parent: &Path, new: &Path, flavor: &str) -> Result<()> {
    let mut others: Vec<(SystemTime, PathBuf)> = builds(parent)?
        .into_iter()
        .filter(|(_, path)| path != new && belongs_to(path, flavor))
        .collect();
    others.sort();
    let excess = (others.len() + 1).saturating_sub(KEEP);
    for (used, path) in others.into_iter().take(excess) {
        if used.elapsed().is_ok_and(|age| age > BUSY) {
            remove(parent, &path)?;
        }
    }
    forget_unused(parent)
}

fn remove(parent: &Path, path: &Path) -> Result<()> {
    // Renamed first: a build that is half removed must not be taken for a whole one.
    let gone = parent.join(format!(".gone-{}", std::process::id()));
    fs::rename(path, &gone)
        .and_then(|()| fs::remove_dir_all(&gone))
        .with_context(|| format!("cannot remove the old build {}", path.display()))
}

/// The whole build that a new one starts from: every flavour is `base` and some options, so one of
/// that, or else the one used last.
pub fn seed(parent: &Path) -> Option<PathBuf> {
    let builds = builds(parent).ok()?;
    let whole = builds
        .into_iter()
        .filter(|(_, path)| path.join("complete").is_file());
    whole
        .max_by_key(|(used, path)| (belongs_to(path, "base"), *used))
        .map(|(_, path)| path)
}

/// All builds with the time of their last use.
fn builds(parent: &Path) -> Result<Vec<(SystemTime, PathBuf)>> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(parent) else {
        return Ok(found);
    };
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot list {}", parent.display()))?
            .path();
        if path.is_dir() {
            let time = fs::metadata(path.join("used"))
                .or_else(|_| fs::metadata(&path))
                .and_then(|data| data.modified());
            found.push((time.unwrap_or(SystemTime::UNIX_EPOCH), path));
        }
    }
    Ok(found)
}

/// `debug-0123456789ab` belongs to `debug`, `debug-big-0123456789ab` does not.
fn belongs_to(path: &Path, flavor: &str) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.rsplit_once('-'))
        .is_some_and(|(name, _)| name == flavor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn build(parent: &Path, name: &str, hours_ago: u64) -> PathBuf {
        let dir = parent.join(name);
        fs::create_dir_all(&dir).unwrap();
        let file = File::create(dir.join("used")).unwrap();
        let used = SystemTime::now() - Duration::from_secs(hours_ago * 3600);
        file.set_modified(used).unwrap();
        dir
    }

    #[test]
    fn the_oldest_builds_of_the_flavour_go() {
        let temp = tempfile::tempdir().unwrap();
        let parent = temp.path();
        let oldest = build(parent, "base-aa", 30);
        let older = build(parent, "base-bb", 20);
        let kept = build(parent, "base-cc", 10);
        let other = build(parent, "builtin-base-dd", 99);
        make_room(parent, &parent.join("base-ee"), "base").unwrap();
        assert!(!oldest.exists() && !older.exists());
        assert!(kept.exists() && other.exists());
        assert_eq!(fs::read_dir(parent).unwrap().count(), 2);
    }

    #[test]
    fn what_nobody_used_for_a_month_goes() {
        let temp = tempfile::tempdir().unwrap();
        let forgotten = build(temp.path(), "gone-flavour-aa", 31 * 24);
        let kept = build(temp.path(), "base-bb", 29 * 24);
        forget_unused(temp.path()).unwrap();
        assert!(!forgotten.exists() && kept.exists());
    }

    #[test]
    fn builds_that_may_be_in_use_stay() {
        let temp = tempfile::tempdir().unwrap();
        let dirs: Vec<PathBuf> = (0..4)
            .map(|n| build(temp.path(), &format!("base-a{n}"), 0))
            .collect();
        make_room(temp.path(), &temp.path().join("base-ee"), "base").unwrap();
        assert!(dirs.iter().all(|dir| dir.exists()));
    }

    #[test]
    fn only_whole_builds_are_built_upon() {
        let temp = tempfile::tempdir().unwrap();
        let whole = build(temp.path(), "base-aa", 5);
        build(temp.path(), "base-bb", 1);
        assert_eq!(seed(temp.path()), None);
        fs::write(whole.join("complete"), "").unwrap();
        assert_eq!(seed(temp.path()), Some(whole));
    }

    #[test]
    fn a_build_of_base_is_built_upon_first() {
        let temp = tempfile::tempdir().unwrap();
        let whole = |name, hours_ago| {
            let dir = build(temp.path(), name, hours_ago);
            fs::write(dir.join("complete"), "").unwrap();
            dir
        };
        let debug = whole("debug-cc", 1);
        assert_eq!(seed(temp.path()), Some(debug));
        whole("base-aa", 9);
        let base = whole("base-bb", 5);
        assert_eq!(seed(temp.path()), Some(base));
    }
}
