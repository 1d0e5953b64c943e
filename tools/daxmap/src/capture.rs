// SPDX-License-Identifier: GPL-2.0

//! One archive of everything that is read here, and nothing private.
//!
//! What goes in is listed below by name; of the files that may hold private things (command line,
//! kernel log, module configuration) only the lines about this memory go in, and addresses of the
//! kernel itself stay out. Serial numbers of CXL devices are in it: regions are told apart by them.

mod wanted;

pub(crate) use wanted::MODPROBE_DIRS;

use std::collections::BTreeMap;
use std::io::{self, Write};

use flate2::write::GzEncoder;
use flate2::Compression;

use crate::tree::{Lack, Manifest, Tree, Unreadable, MANIFEST_PATH};

/// Version of the archive's layout.
pub const FORMAT: u32 = 1;

enum Entry {
    File(Vec<u8>),
    Link(String),
    Dir,
}

/// What was gathered.
pub struct Capture {
    entries: BTreeMap<String, Entry>,
    manifest: Manifest,
}

impl Capture {
    /// Gathers from a tree; never fails: what cannot be read is named in the manifest.
    pub fn of(tree: &Tree, tool: &str, root: bool) -> Capture {
        // A capture of a capture is no more than the first maker could read.
        let inherited = tree.manifest().cloned();
        let mut gather = Gather {
            tree,
            capture: Capture {
                entries: BTreeMap::new(),
                manifest: Manifest {
                    format: FORMAT,
                    tool: tool.to_string(),
                    root: inherited.as_ref().map_or(root, |m| m.root),
                    pasted: tree.is_pasted(),
                    lists: tree.lists(),
                    unreadable: inherited.map(|m| m.unreadable).unwrap_or_default(),
                },
            },
        };
        wanted::gather(&mut gather);
        gather.capture
    }

    /// What could not be read.
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.manifest.unreadable
    }

    /// Files gathered.
    pub fn files(&self) -> usize {
        let is_file = |e: &&Entry| matches!(e, Entry::File(_));
        self.entries.values().filter(is_file).count()
    }

    /// Writes a gzip-compressed tar archive; the same content gives the same bytes.
    pub fn write(&self, to: impl Write) -> io::Result<()> {
        let mut tar = tar::Builder::new(GzEncoder::new(to, Compression::best()));
        let manifest = serde_json::to_vec_pretty(&self.manifest)?;
        let files = [(MANIFEST_PATH.to_string(), Entry::File(manifest))];
        for (path, entry) in files.iter().map(|(p, e)| (p, e)).chain(&self.entries) {
            let mut header = tar::Header::new_gnu();
            header.set_mtime(0);
            match entry {
                Entry::File(data) => {
                    header.set_mode(0o644);
                    header.set_size(data.len() as u64);
                    tar.append_data(&mut header, path, data.as_slice())?;
                }
                Entry::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_mode(0o777);
                    header.set_size(0);
                    tar.append_link(&mut header, path, target)?;
                }
                Entry::Dir => {
                    header.set_entry_type(tar::EntryType::Directory);
                    header.set_mode(0o755);
                    header.set_size(0);
                    tar.append_data(&mut header, path, io::empty())?;
                }
            }
        }
        tar.into_inner()?.finish()?.flush()
    }
}

/// Copies single paths from a tree.
struct Gather<'a> {
    tree: &'a Tree,
    capture: Capture,
}

impl Gather<'_> {
    fn put(&mut self, path: &str, entry: Entry) {
        self.capture.entries.insert(path.to_string(), entry);
    }

    fn note(&mut self, path: &str, lack: Lack) {
        let (denied, why) = match lack {
            Lack::Missing => return,
            Lack::Denied => (true, "permission denied".to_string()),
            Lack::Broken(why) => (false, why),
        };
        let path = path.to_string();
        let known = &mut self.capture.manifest.unreadable;
        if !known.iter().any(|u| u.path == path) {
            known.push(Unreadable { path, denied, why });
        }
    }

    /// A file, stored under its real path so that every link to it leads there.
    fn file(&mut self, path: &str) {
        self.edited(path, |bytes| bytes);
    }

    /// A file of which `edit` keeps what may be shown.
    fn edited(&mut self, path: &str, edit: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let real = self.tree.real(path).unwrap_or_else(|_| path.to_string());
        match self.tree.bytes(path) {
            Ok(bytes) => self.put(&real, Entry::File(edit(bytes))),
            Err(lack) => self.note(&real, lack),
        }
    }

    /// A text file of which the lines stay that `keep` likes.
    fn lines(&mut self, path: &str, keep: impl Fn(&str) -> bool) {
        self.edited(path, |bytes| {
            let text = String::from_utf8_lossy(&bytes);
            let kept = text.lines().filter(|l| keep(l));
            kept.flat_map(|l| [l, "\n"])
                .collect::<String>()
                .into_bytes()
        });
    }

    fn names(&mut self, path: &str) -> Vec<String> {
        match self.tree.list(path) {
            Ok(names) => names,
            Err(lack) => {
                self.note(path, lack);
                Vec::new()
            }
        }
    }

    /// A link as it is, under the real path of its directory.
    fn link(&mut self, path: &str) {
        let Ok(target) = self.tree.link(path) else {
            return;
        };
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Ok(parent) = self.tree.real(parent) {
            self.put(&format!("{parent}/{name}"), Entry::Link(target));
        }
    }

    /// That a directory is there.
    fn dir(&mut self, path: &str) {
        if let Ok(real) = self.tree.real(path) {
            self.put(&real, Entry::Dir);
        }
    }
}

#[cfg(test)]
mod tests;
