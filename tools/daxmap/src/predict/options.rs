// SPDX-License-Identifier: GPL-2.0

//! The parameters of dax_hmem: those it runs with, or will be loaded with.

use ownership::Policy;

use crate::capture::MODPROBE_DIRS;
use crate::host::ranges;
use crate::range::Range;
use crate::tree::Tree;

/// The value of a parameter: in sysfs where the module is loaded, else what modprobe would pass. The
/// kernel command line comes last, and wins.
fn value(tree: &Tree, name: &str) -> Option<String> {
    if let Ok(text) = tree.text(&format!("sys/module/dax_hmem/parameters/{name}")) {
        return Some(text.trim().to_string());
    }
    let mut out = None;
    for folder in MODPROBE_DIRS.iter().rev() {
        for file in tree.list(folder).unwrap_or_default() {
            let text = tree.text(&format!("{folder}/{file}")).unwrap_or_default();
            for line in text.lines() {
                let mut words = line.split_whitespace();
                if words.next() == Some("options") && words.next() == Some("dax_hmem") {
                    out = words.find_map(|w| given(w, name)).or(out);
                }
            }
        }
    }
    let line = tree.text("proc/cmdline").unwrap_or_default();
    let words = line.split_whitespace();
    words
        .filter_map(|w| given(w.strip_prefix("dax_hmem.")?, name))
        .next_back()
        .or(out)
}

/// The value in `name=value`; a bare name switches something on.
fn given(word: &str, name: &str) -> Option<String> {
    let (key, value) = word.split_once('=').unwrap_or((word, "Y"));
    (key == name).then(|| value.to_string())
}

pub(super) fn policy(tree: &Tree) -> Policy {
    match value(tree, "policy").as_deref() {
        Some("split") => Policy::Split,
        _ => Policy::Whole,
    }
}

/// A parameter that the Rust dax_hmem does not take, so that it is not loaded.
pub(super) fn refused(tree: &Tree) -> Option<String> {
    let is_known = |name: &str, value: &str| match name {
        "policy" => matches!(value, "whole" | "split"),
        "region_idle" => truth(value).is_some(),
        _ => value.trim().is_empty() || value.split(',').all(|r| Range::parse(r.trim()).is_some()),
    };
    ["policy", "region_idle", "exclude"]
        .into_iter()
        .filter_map(|name| Some((name, value(tree, name)?)))
        .find(|(name, value)| !is_known(name, value))
        .map(|(name, value)| format!("{name}={value}"))
}

/// What the kernel takes for a truth value: it looks at the first letter, of `on` and `off` at two.
fn truth(value: &str) -> Option<bool> {
    let word = value.to_ascii_lowercase();
    let starts = |words: &[&str]| words.iter().any(|w| word.starts_with(w));
    match (
        starts(&["y", "t", "1", "on"]),
        starts(&["n", "f", "0", "of"]),
    ) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// Whether `dax_hmem.region_idle` leaves the memory of HMEM's devices to the administrator.
pub(super) fn is_idle(tree: &Tree) -> bool {
    value(tree, "region_idle").is_some_and(|v| truth(&v) == Some(true))
}

/// What the Rust dax_hmem must keep away from (`dax_hmem.exclude`).
pub(super) fn excluded(tree: &Tree) -> Vec<Range> {
    ranges(&value(tree, "exclude").unwrap_or_default())
}
