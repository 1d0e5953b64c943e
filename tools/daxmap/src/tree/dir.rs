// SPDX-License-Identifier: GPL-2.0

//! A tree that is a directory of this machine: `/`, or a capture that was unpacked.

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;

use super::{Kind, Lack, Store};

pub(super) struct Dir {
    root: PathBuf,
}

impl Dir {
    pub(super) fn new(root: PathBuf) -> Dir {
        Dir { root }
    }
}

impl Store for Dir {
    fn kind(&self, path: &str) -> Result<Kind, Lack> {
        let file_type = fs::symlink_metadata(self.root.join(path))?.file_type();
        Ok(if file_type.is_file() {
            Kind::File
        } else if file_type.is_dir() {
            Kind::Dir
        } else if file_type.is_symlink() {
            Kind::Link
        } else {
            Kind::Other
        })
    }

    fn link(&self, path: &str) -> Result<String, Lack> {
        let target = fs::read_link(self.root.join(path))?;
        Ok(target.to_string_lossy().into_owned())
    }

    fn bytes(&self, path: &str, limit: u64) -> Result<Vec<u8>, Lack> {
        let mut out = Vec::new();
        File::open(self.root.join(path))?
            .take(limit)
            .read_to_end(&mut out)?;
        Ok(out)
    }

    fn names(&self, path: &str) -> Result<Vec<String>, Lack> {
        // An entry that vanishes while it is listed is no reason to lose the others.
        Ok(fs::read_dir(self.root.join(path))?
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect())
    }
}
