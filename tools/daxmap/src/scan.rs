// SPDX-License-Identifier: GPL-2.0

//! Reading attributes of a tree while keeping count of what could not be read.
//!
//! A missing file is normal (another kernel, an older capture). A file that is there but closed, or
//! odd, is a [`Gap`]: something in the map may be unknown because of it.

use std::cell::RefCell;

use serde::Serialize;

use crate::range::parse_number;
use crate::tree::{Lack, Tree};

/// Something that exists but could not be read or understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The path, from the root.
    pub path: String,
    /// Why.
    pub why: String,
    /// Whether root could read it.
    pub needs_root: bool,
}

/// A tree and the gaps met in it so far.
pub(crate) struct Scan<'a> {
    pub(crate) tree: &'a Tree,
    gaps: RefCell<Vec<Gap>>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(tree: &'a Tree) -> Scan<'a> {
        Scan {
            tree,
            gaps: RefCell::default(),
        }
    }

    pub(crate) fn into_gaps(self) -> Vec<Gap> {
        self.gaps.into_inner()
    }

    pub(crate) fn gap(&self, path: &str, why: impl Into<String>, needs_root: bool) {
        let gap = Gap {
            path: format!("/{}", path.trim_start_matches('/')),
            why: why.into(),
            needs_root,
        };
        let mut gaps = self.gaps.borrow_mut();
        if !gaps.contains(&gap) {
            gaps.push(gap);
        }
    }

    /// Lines of a log that were given and could not be read, though they are about this memory; whether
    /// one tells that there is some.
    pub(crate) fn gap_of_log(&self, log: &str) -> bool {
        let unread: Vec<&str> = crate::log::unread(log);
        if let Some(first) = unread.first() {
            let (first, n) = (shorten(first.trim()), unread.len());
            self.gap(
                "dev/kmsg",
                format!("lines of no known form ({n}): {first}"),
                false,
            );
        }
        // The end of a line that was cut tells as well that there is such memory.
        let is_of_memory = |line: &&str| {
            line.contains("[mem 0x") || line.to_ascii_lowercase().contains("soft reserved")
        };
        unread.iter().any(is_of_memory)
    }

    fn keep<T>(&self, path: &str, result: Result<T, Lack>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(Lack::Missing) => None,
            Err(Lack::Denied) => {
                self.gap(path, "only root may read it", true);
                None
            }
            // An attribute that answers with an error (ENXIO, ENODEV) has no value now; sysfs does
            // that for devices in transition, and it is no fault of the tree.
            Err(Lack::Broken(why)) => {
                if !path.contains("/devices/") {
                    self.gap(path, why, false);
                }
                None
            }
        }
    }

    /// Notes that something is not there that every machine has: a capture lacks it.
    pub(crate) fn expect(&self, path: &str) {
        let mut gaps = self.gaps.borrow().clone().into_iter();
        let is_known = gaps.any(|g| g.path.trim_start_matches('/') == path);
        if !is_known && !self.tree.is_pasted() && !self.exists(path) {
            self.gap(path, "is not there", false);
        }
    }

    pub(crate) fn text(&self, path: &str) -> Option<String> {
        self.keep(path, self.tree.text(path)).map(clean)
    }

    pub(crate) fn log(&self) -> Option<String> {
        self.keep("dev/kmsg", self.tree.kernel_log()).map(clean)
    }

    /// A one-line attribute, trimmed; `None` if empty.
    pub(crate) fn value(&self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        let line = text.lines().next()?.trim();
        (!line.is_empty()).then(|| line.to_string())
    }

    pub(crate) fn number(&self, path: &str) -> Option<u64> {
        let value = self.value(path)?;
        let number = parse_number(&value);
        if number.is_none() {
            self.gap(path, format!("no number: {}", shorten(&value)), false);
        }
        number
    }

    /// A NUMA node: the kernel's -1 is "none".
    pub(crate) fn node(&self, path: &str) -> Option<u32> {
        let value = self.value(path)?;
        if value == "-1" {
            return None;
        }
        let node = parse_number(&value).and_then(|n| u32::try_from(n).ok());
        if node.is_none() {
            self.gap(path, format!("no node number: {}", shorten(&value)), false);
        }
        node
    }

    pub(crate) fn list(&self, path: &str) -> Vec<String> {
        let mut names = self.keep(path, self.tree.list(path)).unwrap_or_default();
        names.retain(|n| !n.chars().any(char::is_control));
        names
    }

    pub(crate) fn real(&self, path: &str) -> Option<String> {
        self.tree.real(path).ok()
    }

    pub(crate) fn link_name(&self, path: &str) -> Option<String> {
        self.tree.link_name(path).map(clean)
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.tree.exists(path)
    }
}

/// Text that may be printed: a captured tree may hold anything, escape sequences included.
fn clean(text: String) -> String {
    let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(odd) {
        return text;
    }
    text.replace(odd, "\u{fffd}")
}

/// Untrusted text, cut and without control characters, for a message.
pub(crate) fn shorten(text: &str) -> String {
    let mut out: String = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(40)
        .collect();
    if text.chars().nth(40).is_some() {
        out.push('…');
    }
    out
}

/// The number behind `prefix` in a name such as `region3`; `None` for any other name.
pub(crate) fn index_of(name: &str, prefix: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?;
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}
