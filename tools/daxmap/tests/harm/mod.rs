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

#[derive(Clone, Debug)]
pub enum Entry {
    File(Vec<u8>),
    Link(String),
}

pub type Files = BTreeMap<String, Entry>;

/// One way to break a tree; indices choose the victim.
#[derive(Clone, Debug)]
pub enum Harm {
    Remove(Index),
    RemoveDir(Index),
    Truncate(Index, Index),
    Corrupt(Index, Index, u8),
    Replace(Index, Vec<u8>),
    Number(Index, u64),
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

pub fn apply(files: &mut Files, harm: &Harm) {
    let names: Vec<String> = files.keys().cloned().collect();
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
        (index(), index()).prop_map(|(a, b)| Harm::Truncate(a, b)),
        (index(), index(), any::<u8>()).prop_map(|(a, b, c)| Harm::Corrupt(a, b, c)),
        (index(), proptest::collection::vec(any::<u8>(), 0..64))
            .prop_map(|(a, b)| Harm::Replace(a, b)),
        (index(), edge).prop_map(|(a, b)| Harm::Number(a, b)),
        (index(), index()).prop_map(|(a, b)| Harm::Retarget(a, b)),
        (index(), index()).prop_map(|(a, b)| Harm::Swap(a, b)),
    ]
}
