// SPDX-License-Identifier: GPL-2.0

//! What a capture says about itself: who made it, and what that user was not allowed to read.

use serde::{Deserialize, Serialize};

use super::Lists;

/// Where the manifest lies in a captured tree.
pub const MANIFEST_PATH: &str = "daxown.json";

/// The capture's own description.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the layout.
    pub format: u32,
    /// The program and version that captured.
    pub tool: String,
    /// Whether it ran as root.
    pub root: bool,
    /// It was made of what somebody pasted: what is not in it is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pasted: bool,
    /// What the lists are short of that were pasted.
    #[serde(default, skip_serializing_if = "Lists::is_whole")]
    pub lists: Lists,
    /// What could not be read.
    #[serde(default)]
    pub unreadable: Vec<Unreadable>,
}

/// One path that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Path below the root, without a leading slash.
    pub path: String,
    /// Whether permission was the cause.
    pub denied: bool,
    /// What the system said.
    pub why: String,
}

impl Manifest {
    /// `None` for anything that is no manifest.
    pub fn parse(bytes: &[u8]) -> Option<Manifest> {
        serde_json::from_slice(bytes).ok()
    }

    pub(super) fn was_denied(&self, path: &str) -> bool {
        self.unreadable.iter().any(|u| {
            u.denied
                && path
                    .strip_prefix(u.path.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}
