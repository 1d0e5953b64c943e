// SPDX-License-Identifier: GPL-2.0

//! How to see that a step worked, for daxown and for a shell.

use daxmap::size::Total as _;
use daxmap::{Map, Range, Tree};

use crate::show::human;

/// How to see that a step worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The link leads to something of this name.
    Link(String, String),
    /// The link is gone.
    NoLink(String),
    /// The file says this.
    Says(String, String),
    /// The path is there.
    There(String),
    /// The path is not there any more.
    Gone(String),
    /// No memory of this dax device is offline.
    Online(String),
    /// No memory of this dax device is online.
    Offline(String),
    /// The directory has more entries of this prefix, with a number, than there were.
    More {
        dir: String,
        prefix: &'static str,
        than: usize,
    },
    /// All of these.
    All(Vec<Check>),
    /// The command's own status tells all that can be told.
    Status,
}

impl Check {
    pub fn more(dir: &str, prefix: &'static str, than: usize) -> Check {
        Check::More {
            dir: dir.into(),
            prefix,
            than,
        }
    }

    /// Whether it is so in `tree`; else why not.
    pub fn verify(&self, tree: &Tree) -> Result<(), String> {
        match self {
            Check::Status => Ok(()),
            Check::Link(path, want) => match tree.link_name(path) {
                Some(name) if name == *want => Ok(()),
                Some(name) => Err(format!("{path} leads to {name}, not to {want}")),
                None => Err(format!("{path} is not there: no driver took it")),
            },
            Check::NoLink(path) => match tree.link_name(path) {
                None => Ok(()),
                Some(name) => Err(format!("{path} still leads to {name}")),
            },
            Check::Says(path, want) => match tree.text(path) {
                Ok(text) if text.trim() == want => Ok(()),
                Ok(text) => Err(format!("{path} says {:?}, not {want:?}", text.trim())),
                Err(_) => Err(format!("{path} cannot be read")),
            },
            Check::There(path) => match tree.exists(path) {
                true => Ok(()),
                false => Err(format!("{path} is not there")),
            },
            Check::Gone(path) => match tree.exists(path) {
                false => Ok(()),
                true => Err(format!("{path} is still there")),
            },
            Check::Online(dax) => match bytes(tree, dax, Map::offline_bytes) {
                0 => Ok(()),
                bytes => Err(format!("{} of {dax} is still offline", human(bytes))),
            },
            Check::Offline(dax) => match bytes(tree, dax, Map::online_bytes) {
                0 => Ok(()),
                bytes => Err(format!("{} of {dax} is still online", human(bytes))),
            },
            Check::More { dir, prefix, than } => {
                let names = tree.list(dir).unwrap_or_default();
                match names.iter().filter(|n| is_numbered(n, prefix)).count() {
                    n if n > *than => Ok(()),
                    _ => Err(format!("there is no new {prefix} in {dir}")),
                }
            }
            Check::All(all) => all.iter().try_for_each(|c| c.verify(tree)),
        }
    }

    /// The check as commands for a shell, a line each; none where the status says it.
    pub fn test(&self) -> Option<String> {
        let link = |path: &str| format!("\"$(basename \"$(readlink {path})\")\"");
        match self {
            Check::Link(path, want) => Some(format!("test {} = {want}", link(path))),
            Check::NoLink(path) | Check::Gone(path) => Some(format!("test ! -e {path}")),
            Check::Says(path, want) => Some(format!("test \"$(cat {path})\" = {want}")),
            Check::There(path) => Some(format!("test -e {path}")),
            Check::More { dir, prefix, than } => Some(format!(
                "test \"$(ls {dir} | grep -c '^{prefix}[0-9]')\" -gt {than}"
            )),
            Check::All(all) => {
                let tests: Vec<String> = all.iter().filter_map(Check::test).collect();
                (!tests.is_empty()).then(|| tests.join("\n"))
            }
            Check::Online(_) | Check::Offline(_) | Check::Status => None,
        }
    }
}

fn is_numbered(name: &str, prefix: &str) -> bool {
    let rest = name.strip_prefix(prefix);
    rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// What `of` counts in all ranges of a dax device.
fn bytes(tree: &Tree, dax: &str, of: fn(&Map, Range) -> Option<u64>) -> u64 {
    let map = Map::read(tree);
    let device = map.dax.iter().find(|d| d.name == dax);
    let ranges = device.map(|d| d.ranges.clone()).unwrap_or_default();
    let counted = ranges.iter().filter_map(|r| of(&map, *r));
    counted.total()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_and_what_went_shows() {
        let dir = tempfile::tempdir().unwrap();
        let devices = dir.path().join("sys/bus/dax/devices");
        std::fs::create_dir_all(devices.join("dax0.0")).unwrap();
        std::fs::create_dir_all(devices.join("daxes")).unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        let more = |than| Check::more("/sys/bus/dax/devices", "dax", than);
        assert_eq!(more(0).verify(&tree), Ok(()));
        assert!(more(1).verify(&tree).unwrap_err().contains("no new dax"));
        let gone = |name: &str| Check::Gone(format!("/sys/bus/dax/devices/{name}"));
        assert_eq!(gone("dax0.1").verify(&tree), Ok(()));
        assert!(gone("dax0.0").verify(&tree).is_err());
        let both = Check::All(vec![gone("dax0.1"), gone("dax0.0")]);
        assert!(both.verify(&tree).is_err());
        // A failure within a chain would not end a shell script.
        assert_eq!(both.test().unwrap().lines().count(), 2);
    }
}
