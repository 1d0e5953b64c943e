// SPDX-License-Identifier: GPL-2.0

//! A machine's files as `daxmap` sees them: live, in a captured directory, or in an archive.
//!
//! Links of a captured tree are resolved here and not by the system, so that an absolute one stays
//! inside that tree. Nothing but regular files is ever opened in one (it may hold a FIFO); the one
//! exception is the kernel log of the live machine, which [`Tree::kernel_log`] reads.

mod archive;
mod dir;
mod json;
mod kmsg;
mod manifest;
mod open;
mod paste;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use manifest::{Manifest, Unreadable, MANIFEST_PATH};

/// No file that is read here is larger, save on a hostile tree.
const MAX_FILE: u64 = 16 << 20;
/// As many as the kernel follows.
const MAX_LINKS: usize = 40;

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
    /// Standard input was named twice.
    #[error("-: standard input has been read already; only one source can be on it")]
    Twice,
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

/// What a name in a tree stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Dir,
    Link,
    Other,
}

/// One way to hold a tree; paths are relative to its root, without `.` or `..`, and without links
/// except on the running machine.
pub(crate) trait Store {
    fn kind(&self, path: &str) -> Result<Kind, Lack>;
    fn link(&self, path: &str) -> Result<String, Lack>;
    fn bytes(&self, path: &str, limit: u64) -> Result<Vec<u8>, Lack>;
    fn names(&self, path: &str) -> Result<Vec<String>, Lack>;
}

/// A machine's files.
pub struct Tree {
    store: Box<dyn Store>,
    live: bool,
    pasted: bool,
    lists: Lists,
    manifest: Option<Manifest>,
}

/// What lists that were pasted are short of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lists {
    /// One ends in the middle.
    #[serde(default)]
    pub cut: bool,
    /// One is empty.
    #[serde(default)]
    pub empty: bool,
}

impl Lists {
    pub(crate) fn is_whole(&self) -> bool {
        *self == Lists::default()
    }
}

impl Tree {
    /// The machine this runs on.
    pub fn live() -> Tree {
        Tree {
            store: Box::new(dir::Dir::new(PathBuf::from("/"))),
            live: true,
            pasted: false,
            lists: Lists::default(),
            manifest: None,
        }
    }

    /// Whether this is what somebody pasted: what is not in it is not known.
    pub fn is_pasted(&self) -> bool {
        self.pasted
    }

    /// What the lists in it are short of.
    pub fn lists(&self) -> Lists {
        self.lists
    }

    /// Whether this is the running machine.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// How the tree was captured, if `daxown capture` made it.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// A file's bytes.
    pub fn bytes(&self, path: &str) -> Result<Vec<u8>, Lack> {
        let path = match self.resolve(path) {
            // A capture cannot hold what its maker was not allowed to read, but it says so.
            Err(Lack::Missing) => return Err(self.missing(path)),
            other => other?,
        };
        match self.kind(&path)? {
            Kind::File => self.store.bytes(&path, MAX_FILE),
            Kind::Dir => Err(Lack::Broken("is a directory".into())),
            _ => Err(Lack::Broken("is no regular file".into())),
        }
    }

    /// A file's text; what is not UTF-8 is replaced.
    pub fn text(&self, path: &str) -> Result<String, Lack> {
        self.bytes(path)
            .map(|b| String::from_utf8_lossy(&b).into_owned())
    }

    /// The names in a directory, in natural order (`region2` before `region10`).
    pub fn list(&self, path: &str) -> Result<Vec<String>, Lack> {
        let real = match self.resolve(path) {
            Err(Lack::Missing) => return Err(self.missing(path)),
            other => other?,
        };
        let mut names = self.store.names(&real)?;
        names.sort_by_cached_key(|name| natural_key(name));
        Ok(names)
    }

    /// Whether the path leads to something.
    pub fn exists(&self, path: &str) -> bool {
        self.resolve(path).is_ok_and(|p| self.kind(&p).is_ok())
    }

    /// The path with all links followed.
    pub fn real(&self, path: &str) -> Result<String, Lack> {
        let path = self.walk(path)?;
        self.store.kind(&path)?;
        Ok(path)
    }

    /// The last name of what a link points to, also where the target itself is absent.
    pub fn link_name(&self, path: &str) -> Option<String> {
        let target = self.link(path).ok()?;
        let last = target.trim_end_matches('/').rsplit('/').next()?;
        (!last.is_empty()).then(|| last.to_string())
    }

    /// What a link says, unresolved.
    pub fn link(&self, path: &str) -> Result<String, Lack> {
        let (parent, name) = path
            .trim_matches('/')
            .rsplit_once('/')
            .unwrap_or(("", path));
        let parent = self.resolve(parent)?;
        self.store.link(&join(&parent, name))
    }

    /// The kernel log: of this machine from `/dev/kmsg` (or the journal), else as captured.
    pub fn kernel_log(&self) -> Result<String, Lack> {
        if self.live {
            return kmsg::live();
        }
        for path in ["dev/kmsg", "dmesg", "dmesg.txt", "var/log/dmesg"] {
            match self.bytes(path) {
                Err(Lack::Missing) => {}
                other => return other.map(|bytes| paste::log(&bytes)),
            }
        }
        Err(Lack::Missing)
    }

    /// `Missing`, or `Denied` where the capture's manifest says that its maker was refused.
    fn missing(&self, path: &str) -> Lack {
        let Some(manifest) = &self.manifest else {
            return Lack::Missing;
        };
        let path = path.trim_matches('/');
        // The manifest names real paths; the way here may have led over a bus's links.
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let real = self.resolve(parent).map(|p| join(&p, name));
        if manifest.was_denied(path) || real.is_ok_and(|r| manifest.was_denied(&r)) {
            Lack::Denied
        } else {
            Lack::Missing
        }
    }

    /// A path that the store takes: on the running machine the system follows its own links, and
    /// looking at each component takes longer than all the rest.
    fn resolve(&self, path: &str) -> Result<String, Lack> {
        if self.live {
            return Ok(parts(path).collect::<Vec<_>>().join("/"));
        }
        self.walk(path)
    }

    /// What a path leads to.
    fn kind(&self, path: &str) -> Result<Kind, Lack> {
        match self.store.kind(path)? {
            Kind::Link => self.store.kind(&self.walk(path)?),
            kind => Ok(kind),
        }
    }

    /// Follows links within the tree.
    fn walk(&self, path: &str) -> Result<String, Lack> {
        let mut todo: VecDeque<String> = parts(path).map(str::to_string).collect();
        // A capture holds real paths, and on most machines lib is a link to usr/lib.
        let merged = || self.store.kind("lib").is_err() && self.store.kind("usr/lib").is_ok();
        if todo.front().is_some_and(|first| first == "lib") && merged() {
            todo.push_front("usr".to_string());
        }
        let mut done: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(part) = todo.pop_front() {
            if part == ".." {
                done.pop();
                continue;
            }
            done.push(part);
            let here = done.join("/");
            if self.store.kind(&here)? != Kind::Link {
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(Lack::Broken("too many links".into()));
            }
            let target = self.store.link(&here)?;
            done.pop();
            if target.starts_with('/') {
                done.clear();
            }
            for part in parts(&target).rev() {
                todo.push_front(part.to_string());
            }
        }
        Ok(done.join("/"))
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        return name.to_string();
    }
    format!("{parent}/{name}")
}

fn parts(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.split('/').filter(|p| !p.is_empty() && *p != ".")
}

/// Digits compare as numbers; numbers too large for `u64` by their length first.
fn natural_key(name: &str) -> Vec<(String, usize, String)> {
    let mut out = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text_len = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (text, tail) = rest.split_at(text_len);
        let number_len = tail
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (number, tail) = tail.split_at(number_len);
        let number = number.trim_start_matches('0');
        out.push((text.to_string(), number.len(), number.to_string()));
        rest = tail;
    }
    out
}

#[cfg(test)]
mod tests;
