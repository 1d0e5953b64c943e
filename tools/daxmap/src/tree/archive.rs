// SPDX-License-Identifier: GPL-2.0

//! A tree that is a tar archive, plain or compressed with gzip or zstd, held in memory.
//!
//! An archive may come from anyone: what it unpacks to is bounded, and nothing is written to disk.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};

use super::{Kind, Lack, Store};

/// A capture of a large machine is a few MiB.
pub(super) const MAX_UNPACKED: u64 = 512 << 20;
const MAX_ENTRIES: usize = 1 << 20;

enum Node {
    File(Vec<u8>),
    Dir(Vec<String>),
    Link(String),
}

pub(super) struct Archive {
    nodes: BTreeMap<String, Node>,
}

impl Archive {
    /// Nothing yet but the root.
    pub(super) fn empty() -> Archive {
        Archive {
            nodes: BTreeMap::from([(String::new(), Node::Dir(Vec::new()))]),
        }
    }

    pub(super) fn put(&mut self, path: &str, data: Vec<u8>) {
        self.insert(path.to_string(), Node::File(data));
    }

    pub(super) fn dir(&mut self, path: &str) {
        self.insert(path.to_string(), Node::Dir(Vec::new()));
    }

    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.insert(path.to_string(), Node::Link(target.to_string()));
    }

    /// What a file unpacks to, of which at most `limit` bytes.
    pub(super) fn unpacked(file: impl Read + 'static, limit: u64) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Archive::reader(file)?.take(limit).read_to_end(&mut out)?;
        Ok(out)
    }

    fn reader(file: impl Read + 'static) -> io::Result<Box<dyn Read>> {
        let mut file = BufReader::new(file);
        let magic = file.fill_buf()?;
        Ok(if magic.starts_with(&[0x1f, 0x8b]) {
            Box::new(flate2::bufread::MultiGzDecoder::new(file))
        } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            let zstd = ruzstd::decoding::StreamingDecoder::new(file)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
            Box::new(zstd)
        } else {
            Box::new(file)
        })
    }

    pub(super) fn read(reader: impl Read) -> io::Result<Archive> {
        let mut archive = Archive::empty();
        let mut unpacked = 0u64;
        let mut tar = tar::Archive::new(reader.take(MAX_UNPACKED));
        for entry in tar.entries()? {
            let mut entry = entry?;
            let Some(path) = clean(&entry.path_bytes()) else {
                continue;
            };
            let node = match entry.header().entry_type() {
                tar::EntryType::Directory => Node::Dir(Vec::new()),
                tar::EntryType::Symlink => match entry.link_name_bytes() {
                    Some(target) => Node::Link(String::from_utf8_lossy(&target).into_owned()),
                    None => continue,
                },
                tar::EntryType::Regular | tar::EntryType::Continuous => {
                    let mut data = Vec::new();
                    // Sparse entries may claim more than the archive holds.
                    entry
                        .by_ref()
                        .take(MAX_UNPACKED.saturating_sub(unpacked))
                        .read_to_end(&mut data)?;
                    unpacked += data.len() as u64;
                    Node::File(data)
                }
                _ => continue,
            };
            if unpacked >= MAX_UNPACKED || archive.nodes.len() >= MAX_ENTRIES {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "larger than any machine's memory map",
                ));
            }
            archive.insert(path, node);
        }
        Ok(archive)
    }

    fn insert(&mut self, path: String, node: Node) {
        // A directory named again keeps what is in it.
        if let (Some(Node::Dir(_)), Node::Dir(_)) = (self.nodes.get(&path), &node) {
            return;
        }
        let fresh = self.nodes.insert(path.clone(), node).is_none();
        if !fresh {
            return;
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if !self.nodes.contains_key(parent) {
            self.insert(parent.to_string(), Node::Dir(Vec::new()));
        }
        if let Some(Node::Dir(names)) = self.nodes.get_mut(parent) {
            names.push(name.to_string());
        }
    }

    fn get(&self, path: &str) -> Result<&Node, Lack> {
        self.nodes.get(path).ok_or(Lack::Missing)
    }
}

/// The entry's path below the root; `None` for the root itself and for paths that climb.
fn clean(path: &[u8]) -> Option<String> {
    let path = String::from_utf8_lossy(path);
    let parts: Vec<&str> = super::parts(&path).collect();
    if parts.is_empty() || parts.contains(&"..") || parts.len() > 64 {
        return None;
    }
    Some(parts.join("/"))
}

impl Store for Archive {
    fn kind(&self, path: &str) -> Result<Kind, Lack> {
        Ok(match self.get(path)? {
            Node::File(_) => Kind::File,
            Node::Dir(_) => Kind::Dir,
            Node::Link(_) => Kind::Link,
        })
    }

    fn link(&self, path: &str) -> Result<String, Lack> {
        match self.get(path)? {
            Node::Link(target) => Ok(target.clone()),
            _ => Err(Lack::Broken("is no link".into())),
        }
    }

    fn bytes(&self, path: &str, limit: u64) -> Result<Vec<u8>, Lack> {
        match self.get(path)? {
            Node::File(data) => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                Ok(data[..data.len().min(limit)].to_vec())
            }
            _ => Err(Lack::Broken("is no regular file".into())),
        }
    }

    fn names(&self, path: &str) -> Result<Vec<String>, Lack> {
        match self.get(path)? {
            Node::Dir(names) => Ok(names.clone()),
            _ => Err(Lack::Missing),
        }
    }
}
