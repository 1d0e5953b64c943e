// SPDX-License-Identifier: GPL-2.0

//! The options that the kernel was built with, as far as they decide about this memory.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::tree::Tree;

/// No configuration is larger.
const MAX_CONFIG: u64 = 4 << 20;
/// What the names of options begin with that have to do with this memory.
const CONCERNED: [&str; 10] = [
    "CONFIG_ACPI_HMAT",
    "CONFIG_CXL_",
    "CONFIG_DEV_DAX",
    "CONFIG_EFI_SOFT_RESERVE",
    "CONFIG_IKCONFIG",
    "CONFIG_MEMORY_HOTPLUG",
    "CONFIG_MEMORY_HOTREMOVE",
    "CONFIG_MHP_",
    "CONFIG_RUST=",
    "CONFIG_RUST ",
];

/// How an option is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// In the kernel image.
    BuiltIn,
    /// As a module.
    Module,
    /// Not there.
    Off,
}

/// The configuration of the kernel that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file that it was read from, from the root.
    pub path: String,
    set: BTreeMap<String, String>,
}

/// Where a kernel's configuration may lie, the surest first.
pub fn paths(release: Option<&str>) -> Vec<String> {
    let mut out = vec!["proc/config.gz".to_string()];
    if let Some(release) = release.filter(|r| !r.contains('/')) {
        out.push(format!("boot/config-{release}"));
        out.push(format!("lib/modules/{release}/config"));
    }
    out
}

impl Config {
    /// `None` if no file tells.
    pub fn read(tree: &Tree, release: Option<&str>) -> Option<Config> {
        paths(release).into_iter().find_map(|path| {
            let text = text(tree.bytes(&path).ok()?)?;
            let set: BTreeMap<String, String> = text
                .lines()
                .filter_map(|l| l.split_once('='))
                .filter(|(name, _)| name.starts_with("CONFIG_"))
                .map(|(name, value)| (name.to_string(), value.trim().to_string()))
                .collect();
            let path = format!("/{path}");
            // An empty or foreign file says nothing.
            (!set.is_empty()).then_some(Config { path, set })
        })
    }

    /// How an option such as `DEV_DAX_HMEM` is set. What is not in the file is off: an option that
    /// depends on one that is off is left out.
    pub fn get(&self, option: &str) -> Setting {
        match self
            .set
            .get(&format!("CONFIG_{option}"))
            .map(String::as_str)
        {
            Some("y") => Setting::BuiltIn,
            Some("m") => Setting::Module,
            _ => Setting::Off,
        }
    }
}

/// The lines of a configuration, packed or not, that a capture keeps.
pub(crate) fn telling_lines(bytes: Vec<u8>) -> Vec<u8> {
    let is_packed = is_gzip(&bytes);
    let text = text(bytes).unwrap_or_default();
    let is_kept = |l: &&str| {
        let name = l.trim_start_matches("# ");
        CONCERNED.iter().any(|p| name.starts_with(p))
    };
    let kept: String = text
        .lines()
        .filter(is_kept)
        .flat_map(|l| [l, "\n"])
        .collect();
    match is_packed {
        true => packed(&kept).unwrap_or_else(|| kept.into_bytes()),
        false => kept.into_bytes(),
    }
}

fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

fn text(bytes: Vec<u8>) -> Option<String> {
    if !is_gzip(&bytes) {
        return Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    let mut out = Vec::new();
    let mut unpacked = MultiGzDecoder::new(bytes.as_slice()).take(MAX_CONFIG);
    unpacked.read_to_end(&mut out).ok()?;
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn packed(text: &str) -> Option<Vec<u8>> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(text.as_bytes()).ok()?;
    out.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "CONFIG_LOCALVERSION=\"-secret\"\nCONFIG_DEV_DAX_HMEM=m\n\
                        # CONFIG_DEV_DAX_KMEM is not set\nCONFIG_CXL_REGION=y\nCONFIG_RUST_IS_AVAILABLE=y\n\
                        # CONFIG_RUST is not set\n";
    const KEPT: &str =
        "CONFIG_DEV_DAX_HMEM=m\n# CONFIG_DEV_DAX_KMEM is not set\nCONFIG_CXL_REGION=y\n\
                        # CONFIG_RUST is not set\n";

    #[test]
    fn a_capture_keeps_what_tells() {
        assert_eq!(telling_lines(TEXT.into()), KEPT.as_bytes());
        let gz = telling_lines(packed(TEXT).unwrap());
        assert!(is_gzip(&gz));
        assert_eq!(text(gz).as_deref(), Some(KEPT));
    }

    #[test]
    fn options_are_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("proc")).unwrap();
        std::fs::create_dir_all(dir.path().join("boot")).unwrap();
        let tree = || Tree::open(dir.path()).unwrap();
        assert_eq!(Config::read(&tree(), Some("7.3.4")), None);
        std::fs::write(dir.path().join("boot/config-7.3.4"), TEXT).unwrap();
        let config = Config::read(&tree(), Some("7.3.4")).unwrap();
        assert_eq!(config.path, "/boot/config-7.3.4");
        assert_eq!(Config::read(&tree(), Some("7.3.5")), None);
        for (option, setting) in [
            ("DEV_DAX_HMEM", Setting::Module),
            ("CXL_REGION", Setting::BuiltIn),
            ("DEV_DAX_KMEM", Setting::Off),
            ("DEV_DAX_CXL", Setting::Off),
        ] {
            assert_eq!(config.get(option), setting, "{option}");
        }
        std::fs::write(dir.path().join("proc/config.gz"), packed(TEXT).unwrap()).unwrap();
        let config = Config::read(&tree(), Some("7.3.5")).unwrap();
        assert_eq!(config.path, "/proc/config.gz");
    }
}
