// SPDX-License-Identifier: GPL-2.0

//! Captured trees as files, ways to break them, and the archive of what is left.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    File(Vec<u8>),
    Link(String),
}

const TEXTS: [&str; 8] = [
    "proc/iomem",
    "proc/cmdline",
    "proc/modules",
    "dev/kmsg",
    "dax_hmem/ledger",
    "modules.dep",
    "block_size_bytes",
    "daxown.json",
];

pub type Files = BTreeMap<String, Entry>;

/// One way to break a tree; indices choose the victim.
#[derive(Clone, Debug)]
pub enum Harm {
    Remove(Index),
    RemoveDir(Index),
    /// Everything below the first so many parts of a path.
    Prune(Index, usize),
    /// Only root may read it, and it was not root who captured.
    Deny(Index),
    Truncate(Index, Index),
    Corrupt(Index, Index, u8),
    Replace(Index, Vec<u8>),
    Number(Index, u64),
    /// A number within a line.
    Digits(Index, Index, u64),
    Retarget(Index, Index),
    Swap(Index, Index),
}

/// As many cases as the environment asks for.
pub fn cases(default: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    ProptestConfig::with_cases(asked.and_then(|n| n.parse().ok()).unwrap_or(default))
}

pub fn fixtures() -> Vec<PathBuf> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../daxown/tests/fixtures");
    let entries = |dir: &Path| std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    let mut paths: Vec<PathBuf> = entries(&dir)
        .chain(entries(&dir.join("scenarios")))
        .chain(entries(&dir.join("machines")))
        .filter(|p| p.extension().is_some_and(|e| e == "gz"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

pub fn load(path: &PathBuf) -> Files {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(path).unwrap()));
    let mut files = Files::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        if let Some(link) = entry.link_name().unwrap() {
            files.insert(name, Entry::Link(link.to_string_lossy().into_owned()));
        } else if entry.header().entry_type().is_file() {
            let mut data = Vec::new();
            entry.read_to_end(&mut data).unwrap();
            files.insert(name, Entry::File(data));
        }
    }
    files
}

pub fn save(files: &Files, to: impl Write) {
    let mut tar = tar::Builder::new(GzEncoder::new(to, flate2::Compression::fast()));
    for (name, entry) in files {
        let mut header = tar::Header::new_gnu();
        match entry {
            Entry::File(data) => {
                header.set_size(data.len() as u64);
                tar.append_data(&mut header, name, data.as_slice()).unwrap();
            }
            Entry::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                tar.append_link(&mut header, name, target).unwrap();
            }
        }
    }
    tar.into_inner().unwrap().finish().unwrap();
}

/// The tree as a directory.
pub fn unpack(files: &Files, root: &Path) {
    for (name, entry) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match entry {
            Entry::File(data) => std::fs::write(path, data).unwrap(),
            Entry::Link(target) => std::os::unix::fs::symlink(target, path).unwrap(),
        }
    }
}

pub fn apply(files: &mut Files, harm: &Harm) {
    let mut names: Vec<String> = files.keys().cloned().collect();
    // Nearly all files are numbers of one device; these hold the lines that are parsed.
    let texts = names
        .iter()
        .filter(|n| TEXTS.iter().any(|t| n.ends_with(t)));
    let texts: Vec<String> = texts.cloned().collect();
    names.extend(texts.iter().cycle().take(texts.len() * 15).cloned());
    if names.is_empty() {
        return;
    }
    let name = |i: &Index| i.get(&names).clone();
    match harm {
        Harm::Remove(i) => {
            files.remove(&name(i));
        }
        Harm::RemoveDir(i) => {
            let name = name(i);
            let dir = name.rsplit_once('/').map_or("", |(d, _)| d).to_string();
            files.retain(|n, _| !n.starts_with(&dir));
        }
        Harm::Prune(i, depth) => {
            let name = name(i);
            let parts: Vec<&str> = name.split('/').take(*depth).collect();
            let dir = parts.join("/");
            files.retain(|n, _| *n != dir && !n.starts_with(&format!("{dir}/")));
        }
        Harm::Deny(i) => {
            let name = name(i);
            files.remove(&name);
            deny(files, &name);
        }
        Harm::Digits(i, at, n) => {
            if let Some(Entry::File(data)) = files.get_mut(&name(i)) {
                replace_number(data, at, *n);
            }
        }
        Harm::Truncate(i, at) => {
            if let Some(Entry::File(data)) = files.get_mut(&name(i)) {
                data.truncate(at.index(data.len() + 1));
            }
        }
        Harm::Corrupt(i, at, byte) => {
            if let Some(Entry::File(data)) = files.get_mut(&name(i)) {
                if !data.is_empty() {
                    let at = at.index(data.len());
                    data[at] = *byte;
                }
            }
        }
        Harm::Replace(i, data) => {
            files.insert(name(i), Entry::File(data.clone()));
        }
        Harm::Number(i, n) => {
            files.insert(name(i), Entry::File(format!("{n:#x}\n").into_bytes()));
        }
        Harm::Retarget(i, to) => {
            let target = format!("/{}", name(to));
            if let Some(Entry::Link(link)) = files.get_mut(&name(i)) {
                *link = target;
            }
        }
        Harm::Swap(a, b) => {
            let (a, b) = (name(a), name(b));
            if let (Some(x), Some(y)) = (files.get(&a).cloned(), files.get(&b).cloned()) {
                files.insert(a, y);
                files.insert(b, x);
            }
        }
    }
}

/// Notes in the manifest that a file could not be read.
fn deny(files: &mut Files, name: &str) {
    let Some(Entry::File(manifest)) = files.get_mut(daxmap::MANIFEST_PATH) else {
        return;
    };
    let Ok(mut document) = serde_json::from_slice::<serde_json::Value>(manifest) else {
        return;
    };
    let list = document
        .get_mut("unreadable")
        .and_then(|u| u.as_array_mut());
    if let Some(unreadable) = list {
        let why = "permission denied";
        unreadable.push(serde_json::json!({ "path": name, "denied": true, "why": why }));
        document["root"] = false.into();
        *manifest = document.to_string().into_bytes();
    }
}

/// Puts another number in the place of the one at or behind `at`, in the same notation.
fn replace_number(data: &mut Vec<u8>, at: &Index, number: u64) {
    let from = at.index(data.len() + 1);
    let Some(start) = (from..data.len()).find(|&i| data[i].is_ascii_digit()) else {
        return;
    };
    let len = data[start..]
        .iter()
        .take_while(|b| b.is_ascii_hexdigit())
        .count();
    let hex = data[start..start + len]
        .iter()
        .any(|b| b.is_ascii_alphabetic());
    let text = if hex {
        format!("{number:x}")
    } else {
        number.to_string()
    };
    data.splice(start..start + len, text.into_bytes());
}

pub fn harm() -> impl Strategy<Value = Harm> {
    let index = any::<Index>;
    let edge = prop_oneof![
        Just(0),
        Just(1),
        Just(u64::MAX),
        Just(1 << 63),
        Just(0x490000000),
        any::<u64>()
    ];
    prop_oneof![
        index().prop_map(Harm::Remove),
        index().prop_map(Harm::RemoveDir),
        (index(), 1usize..6).prop_map(|(a, b)| Harm::Prune(a, b)),
        index().prop_map(Harm::Deny),
        (index(), index()).prop_map(|(a, b)| Harm::Truncate(a, b)),
        (index(), index(), any::<u8>()).prop_map(|(a, b, c)| Harm::Corrupt(a, b, c)),
        (index(), proptest::collection::vec(any::<u8>(), 0..64))
            .prop_map(|(a, b)| Harm::Replace(a, b)),
        (index(), edge.clone()).prop_map(|(a, b)| Harm::Number(a, b)),
        (index(), index(), edge).prop_map(|(a, b, c)| Harm::Digits(a, b, c)),
        (index(), index()).prop_map(|(a, b)| Harm::Retarget(a, b)),
        (index(), index()).prop_map(|(a, b)| Harm::Swap(a, b)),
    ]
}
