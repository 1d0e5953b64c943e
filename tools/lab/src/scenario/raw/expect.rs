// SPDX-License-Identifier: GPL-2.0

//! What a scenario file expects, as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::scenario::size::Address;
use crate::scenario::size::Size;

/// `[expect]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    #[serde(default)]
    pub range: BTreeMap<String, Spanned<Range>>,
    pub iomem: Option<Spanned<String>>,
    pub dax: Option<Vec<Spanned<Dax>>>,
    pub log: Option<Vec<Spanned<String>>>,
    pub no_log: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    pub at: BTreeMap<String, Spanned<State>>,
    /// What differs with the C drivers; each key replaces the one above it.
    pub c: Option<Box<Expect>>,
}

/// `[expect.at.NAME]`: what a capture must show.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    #[serde(default)]
    pub range: BTreeMap<String, Spanned<Range>>,
    pub iomem: Option<Spanned<String>>,
    pub dax: Option<Vec<Spanned<Dax>>>,
}

/// Who must own a Soft Reserved range.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    Cxl,
    Hmem,
    Nobody,
}

/// `[expect.range.NAME]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    pub owner: Option<Spanned<Owner>>,
    /// MiB online as System RAM.
    pub online: Option<u64>,
    /// Bytes of the range that no owner can serve.
    pub unowned: Option<Size>,
    pub pieces: Option<Vec<Piece>>,
}

/// A part of a range with its own owner.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// Bytes from the start of the range.
    pub at: Size,
    pub size: Size,
    pub owner: Owner,
    pub online: Option<u64>,
}

/// A DAX device that must exist; the list is complete.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dax {
    /// Path below /sys/devices, `*` stands for any name.
    pub path: String,
    pub at: Option<Spanned<Address>>,
    pub size: Option<Size>,
    pub driver: Option<String>,
    pub target_node: Option<i64>,
}
