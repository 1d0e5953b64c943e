// SPDX-License-Identifier: GPL-2.0

//! Random layouts in guests: whatever the layout, no byte is lost and none has two owners.
//!
//! A layout is one CXL window with its regions and the Soft Reserved ranges in and around it. A
//! guest gets several: each window is a NUMA node, windows share bridges and devices, ranges touch,
//! somebody else has memory in one of them, and a region is destroyed before the decision is made
//! again. What must come out is told by an oracle that looks at every page on its own and shares no
//! code with the modules. A layout is written as a scenario file, so that one that failed can be
//! run again by itself.

mod expectation;
mod generate;
mod oracle;
mod walk;
mod write;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;

use generate::Guest;

pub use walk::Walk;

/// Writes the guests for `layouts` layouts, starting from `seed`, as scenario files.
///
/// The same seed gives the same files.
pub fn write(dir: &Path, seed: u64, layouts: usize) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut paths = Vec::new();
    let mut left = layouts;
    while left > 0 {
        let guest = Guest::random(&mut random, left);
        left -= guest.windows.len();
        let path = dir.join(format!("fuzz-{seed:x}-{}.toml", paths.len()));
        fs::write(&path, write::scenario(&guest))
            .with_context(|| format!("cannot write {}", path.display()))?;
        paths.push(path);
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn every_layout_is_a_valid_scenario() {
        let dir = tempfile::tempdir().expect("temporary directory");
        for path in write(dir.path(), 1, 100).expect("written") {
            let text = fs::read_to_string(&path).expect("read");
            if let Err(error) = Scenario::parse(&path, &text) {
                panic!("{error:#}\n{text}");
            }
        }
    }

    #[test]
    fn layouts_have_everything() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let all: String = write(dir.path(), 2, 60)
            .expect("written")
            .iter()
            .map(|path| fs::read_to_string(path).expect("read"))
            .collect();
        for wanted in [
            "split_range.ko at=",
            "take_memory.ko at=",
            "[expect.at.first.range.",
            "target_node = 3",
            "\", \"mem",
        ] {
            assert!(all.contains(wanted), "no layout with {wanted}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_layouts() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let read = |seed| -> Vec<String> {
            let paths = write(dir.path(), seed, 20).expect("written");
            paths
                .iter()
                .map(|path| fs::read_to_string(path).expect("read"))
                .collect()
        };
        assert_eq!(read(7), read(7));
        assert_ne!(read(7), read(8));
    }
}
