// SPDX-License-Identifier: GPL-2.0

//! Which Debian the lab runs on.

use std::fs;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

/// The releases the lab knows how to equip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Debian 12: QEMU comes from backports, bindgen from its authors.
    Bookworm,
    /// Debian 13.
    Trixie,
}

impl Release {
    /// The release of this machine.
    pub fn detect() -> Result<Self> {
        let text = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
        Self::from_os_release(&text)
    }

    fn from_os_release(text: &str) -> Result<Self> {
        let field = |name: &str| {
            text.lines()
                .filter_map(|line| line.split_once('='))
                .find(|(key, _)| *key == name)
                .map_or("", |(_, value)| value.trim_matches('"'))
        };
        match (field("ID"), field("VERSION_CODENAME")) {
            ("debian", "bookworm") => Ok(Self::Bookworm),
            ("debian", "trixie") => Ok(Self::Trixie),
            _ => bail!(
                "the lab runs on Debian 12 (bookworm) and 13 (trixie), this is {}; \
                 the modules themselves build anywhere with `make KDIR=<kernel tree>`",
                match field("PRETTY_NAME") {
                    "" => "another system",
                    name => name,
                }
            ),
        }
    }

    /// Its name in apt's suites.
    pub fn codename(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_told_apart() {
        let release = |id: &str, codename: &str| {
            Release::from_os_release(&format!(
                "PRETTY_NAME=\"Some {id}\"\nID={id}\nVERSION_CODENAME={codename}\n"
            ))
        };
        assert_eq!(release("debian", "bookworm").unwrap(), Release::Bookworm);
        assert_eq!(release("debian", "trixie").unwrap(), Release::Trixie);
        let error = release("fedora", "").unwrap_err().to_string();
        assert!(error.contains("this is Some fedora"), "{error}");
        assert!(Release::from_os_release("").is_err());
    }
}
