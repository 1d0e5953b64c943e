// SPDX-License-Identifier: GPL-2.0

//! Version numbers of tools and of Debian packages.

use std::fmt;

/// The leading three numbers of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// The first version in what a tool prints for `--version`, such as
    /// `QEMU emulator version 10.0.2 (Debian ...)`.
    pub fn find(text: &str) -> Option<Self> {
        text.split(|c: char| c.is_whitespace() || "(),".contains(c))
            .find_map(|word| Self::parse(word.trim_start_matches('v')))
    }

    /// A word that starts with at least two numbers, such as `1.95.0-nightly`.
    fn parse(word: &str) -> Option<Self> {
        let end = word
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(word.len());
        let mut numbers = word[..end].split('.').map(str::parse::<u32>);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next()?.ok()?;
        let patch = numbers.next().and_then(Result::ok).unwrap_or(0);
        Some(Self(major, minor, patch))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// Whether a Debian package version carries this upstream version:
/// `1.95.0+dfsg1-2~bpo13+1` carries `1.95.0`, `1.95.0.1-1` does not.
pub fn is_upstream(debian: &str, upstream: &str) -> bool {
    let without_epoch = debian.split_once(':').map_or(debian, |(_, rest)| rest);
    without_epoch
        .strip_prefix(upstream)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', '-', '~']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_tools_print() {
        for (text, version) in [
            ("rustc 1.95.0 (59807616e 2026-04-14)", Version(1, 95, 0)),
            (
                "QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)",
                Version(10, 0, 2),
            ),
            ("bindgen 0.72.1", Version(0, 72, 1)),
            ("Debian clang version 19.1.7 (3~deb12u1)", Version(19, 1, 7)),
            ("rustc 1.97.0-nightly (abc)", Version(1, 97, 0)),
            ("tool v2.1", Version(2, 1, 0)),
        ] {
            assert_eq!(Version::find(text), Some(version), "{text}");
        }
        assert_eq!(Version::find("no number in 2024 here"), None);
        assert_eq!(Version::find(""), None);
    }

    #[test]
    fn versions_are_ordered() {
        assert!(Version(0, 71, 1) < Version(0, 72, 0));
        assert!(Version(10, 0, 0) > Version(9, 2, 4));
    }

    #[test]
    fn debian_versions_carry_an_upstream_one() {
        assert!(is_upstream("1.95.0+dfsg1-2~bpo13+1", "1.95.0"));
        assert!(is_upstream("1:10.0.2-1", "10.0.2"));
        assert!(is_upstream("1.85.0", "1.85.0"));
        assert!(!is_upstream("1.85.10+dfsg1-1", "1.85.1"));
        assert!(!is_upstream("1.85.1+dfsg1-1", "1.85.0"));
    }
}
