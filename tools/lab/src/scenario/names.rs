// SPDX-License-Identifier: GPL-2.0

//! Names of things in a scenario.

use std::collections::HashSet;

use toml::Spanned;

use super::fault::Faults;

/// Names become QEMU ids: unique, and of harmless characters.
#[derive(Default)]
pub struct Names(HashSet<String>);

impl Names {
    /// Takes a name, which must be new.
    pub fn add(&mut self, name: &Spanned<String>, faults: &mut Faults) {
        let text = name.get_ref();
        if !is_name(text) {
            faults.at(
                name,
                format!("`{text}` is not a name: letters, digits, `-` and `_`"),
            );
        }
        if !self.0.insert(text.clone()) {
            faults.at(name, format!("there are two of `{text}`"));
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
