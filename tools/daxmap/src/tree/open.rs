// SPDX-License-Identifier: GPL-2.0

//! Opening what a user names: a directory, an archive, text in a file or from a pipe.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{
    archive, dir, paste, Lists, Manifest, OpenError, Store, Tree, MANIFEST_PATH, MAX_FILE,
};

/// Nobody attaches more.
const MAX_TEXTS: usize = 64;

impl Tree {
    /// A directory that holds a captured tree, an archive of one, `/` for this machine, or what
    /// somebody pasted: a file, a pipe, a directory of such files, or `-` for standard input.
    pub fn open(path: &Path) -> Result<Tree, OpenError> {
        static IS_READ: AtomicBool = AtomicBool::new(false);
        if path == Path::new("-") {
            return match IS_READ.swap(true, Ordering::Relaxed) {
                true => Err(OpenError::Twice),
                false => Tree::from_input(io::stdin(), path),
            };
        }
        let io_error = |source| OpenError::Io {
            path: path.to_path_buf(),
            source,
        };
        let meta = fs::metadata(path).map_err(io_error)?;
        // A shell names a pipe, `<(dmesg)`, by a link that leads to no path.
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
        if real == Path::new("/") {
            return Ok(Tree::live());
        }
        Tree::captured(Box::new(dir::Dir::new(real)), path)
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
            Some((archive, lists)) => Ok(Tree::of_paste(archive, lists)),
            None => Err(no_tree("holds nothing that is understood".into())),
        }
    }

    fn of_paste(archive: archive::Archive, lists: Lists) -> Tree {
        Tree {
            store: Box::new(archive),
            live: false,
            pasted: true,
            lists,
            manifest: None,
        }
    }

    pub(super) fn captured(store: Box<dyn Store>, path: &Path) -> Result<Tree, OpenError> {
        let mut tree = Tree {
            store,
            live: false,
            pasted: false,
            lists: Lists::default(),
            manifest: None,
        };
        tree.manifest = tree
            .bytes(MANIFEST_PATH)
            .ok()
            .and_then(|b| Manifest::parse(&b));
        tree.pasted = tree.manifest.as_ref().is_some_and(|m| m.pasted);
        tree.lists = tree.manifest.as_ref().map_or(tree.lists, |m| m.lists);
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
        let (archive, lists) = paste::tree(&texts.collect::<Vec<_>>())?;
        Some(Tree::of_paste(archive, lists))
    }
}
