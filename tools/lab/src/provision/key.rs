// SPDX-License-Identifier: GPL-2.0

//! Cache keys: what goes in decides what comes out.

use sha2::Digest;
use sha2::Sha256;

/// Collects named inputs; equal inputs in equal order give equal keys, on any machine.
#[derive(Default)]
pub struct Key(Sha256);

impl Key {
    /// Adds one input. Lengths are hashed too, so that neighbours cannot run together.
    pub fn add(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        for part in [name.as_bytes(), value] {
            self.0.update((part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
        self
    }

    /// The key, short enough for a file name.
    pub fn finish(self) -> String {
        self.0
            .finalize()
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_stable_and_tell_inputs_apart() {
        let key = || Key::default().add("rustc", "1.95.0").add("config", "A=y");
        assert_eq!(key().finish(), key().finish());
        // The value itself may not change unnoticed: every user would rebuild.
        assert_eq!(key().finish(), "f31bfe5b6cc3");
        assert_ne!(key().finish(), key().add("patch", "").finish());
        assert_ne!(
            Key::default().add("a", "bc").finish(),
            Key::default().add("ab", "c").finish()
        );
    }
}
