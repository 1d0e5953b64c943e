// SPDX-License-Identifier: GPL-2.0

//! Why a tree, or a file of one, could not be read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a tree could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The path cannot be read.
    #[error("{path}")]
    Io {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is neither an archive nor text that is understood.
    #[error("{path}: {why}: give a directory, an archive that `daxown capture FILE` made, a kernel log, /proc/iomem, or the JSON of `cxl list` or `daxctl list`")]
    NotATree {
        /// The path as given.
        path: PathBuf,
        /// What the archive reader said.
        why: String,
    },
    /// Readable, but without anything of a machine in it.
    #[error("{path}: holds neither proc/ nor sys/, and no log or list that is understood: give the root of a captured tree, or an archive made by `daxown capture`")]
    Empty {
        /// The path as given.
        path: PathBuf,
    },
}

/// Why one file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Not there: this kernel, or this capture, does not have it.
    Missing,
    /// There, but only for root.
    Denied,
    /// There, but odd.
    Broken(String),
}

impl From<io::Error> for Lack {
    fn from(error: io::Error) -> Lack {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Lack::Missing,
            io::ErrorKind::PermissionDenied => Lack::Denied,
            _ => Lack::Broken(error.to_string()),
        }
    }
}
