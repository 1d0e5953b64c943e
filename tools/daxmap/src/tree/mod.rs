// SPDX-License-Identifier: GPL-2.0

//! A machine's files as `daxmap` sees them: live, in a captured directory, or in an archive.
//!
//! Links of a captured tree are resolved here and not by the system, so that an absolute one stays
//! inside that tree. Nothing but regular files is ever opened (a tree may hold a FIFO); the one
//! exception is the kernel log of the live machine, which [`Tree::kernel_log`] reads.

mod archive;
mod dir;
mod error;
mod json;
mod kmsg;
mod manifest;
mod paste;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

pub use error::{Lack, OpenError};
pub use manifest::{Manifest, Unreadable, MANIFEST_PATH};

/// No file that is read here is larger, save on a hostile tree.
const MAX_FILE: u64 = 16 << 20;
/// As many as the kernel follows.
const MAX_LINKS: usize = 40;
/// Nobody attaches more.
const MAX_TEXTS: usize = 64;

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
    manifest: Option<Manifest>,
}

impl Tree {
    /// The machine this runs on.
    pub fn live() -> Tree {
        Tree {
            store: Box::new(dir::Dir::new(PathBuf::from("/"))),
            live: true,
            pasted: false,
            manifest: None,
        }
    }

    /// A directory that holds a captured tree, an archive of one, `/` for this machine, or what
    /// somebody pasted: a file, a directory of such files, or `-` for standard input.
    pub fn open(path: &Path) -> Result<Tree, OpenError> {
        if path == Path::new("-") {
            return Tree::from_stdin(path);
        }
        let io_error = |source| OpenError::Io {
            path: path.to_path_buf(),
            source,
        };
        let meta = path.metadata().map_err(io_error)?;
        // A shell's <(...) is a pipe, of which the real path is none.
        if meta.is_file() || meta.file_type().is_fifo() {
            return Tree::from_input(File::open(path).map_err(io_error)?, path);
        }
        if !meta.is_dir() {
            return Err(OpenError::NotATree {
                path: path.to_path_buf(),
                why: "it is a device or a socket".into(),
            });
        }
        let real = path.canonicalize().map_err(io_error)?;
        match real == Path::new("/") {
            true => Ok(Tree::live()),
            false => Tree::captured(Box::new(dir::Dir::new(real)), path),
        }
    }

    /// Nothing is left of it for a second time.
    fn from_stdin(path: &Path) -> Result<Tree, OpenError> {
        static IS_READ: AtomicBool = AtomicBool::new(false);
        if IS_READ.swap(true, Ordering::Relaxed) {
            return Err(OpenError::Io {
                path: path.to_path_buf(),
                source: io::Error::other("standard input can be given once only"),
            });
        }
        Tree::from_input(io::stdin(), path)
    }

    /// An archive, or text, from a file or a pipe.
    fn from_input(input: impl Read + 'static, path: &Path) -> Result<Tree, OpenError> {
        let no_tree = |why: String| OpenError::NotATree {
            path: path.to_path_buf(),
            why,
        };
        let data = archive::Archive::unpacked(input, archive::MAX_UNPACKED);
        let data = data.map_err(|why| no_tree(why.to_string()))?;
        // The magic of a tar header.
        if data.get(257..262) == Some(b"ustar".as_slice()) {
            let archive = archive::Archive::read(data.as_slice());
            let archive = archive.map_err(|why| no_tree(why.to_string()))?;
            return Tree::captured(Box::new(archive), path);
        }
        let text =
            paste::text(&data).map_err(|_| no_tree("is neither an archive nor text".into()))?;
        match paste::tree(&[text]) {
            Some(archive) => Ok(Tree::of_paste(archive)),
            None => Err(no_tree("holds nothing that is understood".into())),
        }
    }

    fn of_paste(archive: archive::Archive) -> Tree {
        Tree {
            store: Box::new(archive),
            live: false,
            pasted: true,
            manifest: None,
        }
    }

    fn captured(store: Box<dyn Store>, path: &Path) -> Result<Tree, OpenError> {
        let mut tree = Tree {
            store,
            live: false,
            pasted: false,
            manifest: None,
        };
        tree.manifest = tree
            .bytes(MANIFEST_PATH)
            .ok()
            .and_then(|b| Manifest::parse(&b));
        tree.pasted = tree.manifest.as_ref().is_some_and(|m| m.pasted);
        let has = |dir| tree.store.kind(dir).is_ok();
        if !tree.pasted && !has("proc") && !has("sys") {
            return tree.texts_of().ok_or_else(|| OpenError::Empty {
                path: path.to_path_buf(),
            });
        }
        Ok(tree)
    }

    /// A folder of logs and lists, as somebody attached them.
    fn texts_of(&self) -> Option<Tree> {
        let names = self.list("").ok()?;
        let texts = names.iter().take(MAX_TEXTS).filter_map(|name| {
            let bytes = self.bytes(name).ok()?;
            let bytes = archive::Archive::unpacked(io::Cursor::new(bytes), MAX_FILE).ok()?;
            paste::text(&bytes).ok()
        });
        paste::tree(&texts.collect::<Vec<_>>()).map(Tree::of_paste)
    }

    /// Whether this is what somebody pasted: what is not in it is not known.
    pub fn is_pasted(&self) -> bool {
        self.pasted
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
