// SPDX-License-Identifier: GPL-2.0

//! Kernel configurations: fragments, their merge, and the check that a kernel has what was asked.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use super::stock::DEBIAN;
use super::stock::DEBIAN_OLDER;

/// Options with their values as they stand after `=`; `n` for "is not set".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config(BTreeMap<String, String>);

/// An option that did not come out as requested.
#[derive(Debug, PartialEq, Eq)]
pub struct Mismatch {
    option: String,
    wanted: String,
    got: String,
}

impl Config {
    /// Parses a fragment or a `.config`; `name` is for messages.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let mut options = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            let unset = line
                .strip_prefix("# ")
                .and_then(|rest| rest.strip_suffix(" is not set"));
            let (option, value) = match (unset, line.split_once('=')) {
                (Some(option), _) => (option, "n"),
                (None, _) if line.is_empty() || line.starts_with('#') => continue,
                (None, Some(pair)) => pair,
                (None, None) => bail!("{name}:{}: not an option: {line}", index + 1),
            };
            if !option.starts_with("CONFIG_") || value.is_empty() {
                bail!("{name}:{}: not an option: {line}", index + 1);
            }
            options.insert(option.to_owned(), value.to_owned());
        }
        Ok(Self(options))
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// `self` with the options of `other` put over its own.
    pub fn merge(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The value of an option, given with its `CONFIG_`.
    pub fn get(&self, option: &str) -> &str {
        self.0.get(option).map_or("n", String::as_str)
    }

    /// The text for KCONFIG_ALLCONFIG, in a stable order.
    pub fn to_text(&self) -> String {
        self.0
            .iter()
            .map(|(option, value)| match value.as_str() {
                "n" => format!("# {option} is not set\n"),
                value => format!("{option}={value}\n"),
            })
            .collect()
    }

    /// Every option of `self` that `built` does not hold.
    pub fn missing_from(&self, built: &Self) -> Vec<Mismatch> {
        self.0
            .iter()
            .filter(|(option, wanted)| built.get(option) != wanted.as_str())
            .map(|(option, wanted)| Mismatch {
                option: option.clone(),
                wanted: wanted.clone(),
                got: built.get(option).to_owned(),
            })
            .collect()
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            option,
            wanted,
            got,
        } = self;
        write!(f, "{option}: wanted {wanted}, got {got}")
    }
}

/// The configuration of a flavour: `base.config`, then the flavour's own fragment.
pub fn flavor(dir: &Path, name: &str) -> Result<Config> {
    let plain = !name.is_empty() && !name.contains(['/', '.']);
    let own = dir.join(format!("{name}.config"));
    if !plain || !own.is_file() {
        bail!(
            "there is no kernel flavour '{name}'; there are: {}, {DEBIAN} and {DEBIAN_OLDER}",
            flavors(dir)?.join(", ")
        );
    }
    let base = Config::read(&dir.join("base.config"))?;
    match name {
        "base" => Ok(base),
        _ => Ok(base.merge(Config::read(&own)?)),
    }
}

/// Names of all flavours.
pub fn flavors(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let cannot = || format!("cannot list {}", dir.display());
    for entry in fs::read_dir(dir).with_context(cannot)? {
        let name = entry.with_context(cannot)?.file_name();
        if let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".config")) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Config {
        Config::parse("test", text).unwrap()
    }

    #[test]
    fn later_values_win_and_comments_do_not_count() {
        let base = parse("# a comment\nCONFIG_A=y\nCONFIG_B=m\n\nCONFIG_S=\"x = y\"\n");
        let merged = base.merge(parse("# CONFIG_B is not set\nCONFIG_C=3\n"));
        assert_eq!(
            merged.to_text(),
            "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=3\nCONFIG_S=\"x = y\"\n"
        );
    }

    #[test]
    fn unset_and_absent_are_the_same() {
        let wanted = parse("CONFIG_A=n\n# CONFIG_B is not set\nCONFIG_C=y\nCONFIG_D=m\n");
        let built = parse("# CONFIG_A is not set\nCONFIG_C=y\nCONFIG_D=y\n");
        let missing = wanted.missing_from(&built);
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].to_string(), "CONFIG_D: wanted m, got y");
        assert!(wanted.missing_from(&wanted).is_empty());
    }

    #[test]
    fn bad_lines_are_refused_with_their_number() {
        for text in [
            "CONFIG_A=y\nnonsense\n",
            "CONFIG_A=y\nA=y",
            "CONFIG_A=y\nCONFIG_B=",
        ] {
            let error = Config::parse("f.config", text).unwrap_err().to_string();
            assert!(error.starts_with("f.config:2: "), "{error}");
        }
    }

    #[test]
    fn unknown_flavours_are_refused_with_a_list() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["base", "debug"] {
            fs::write(dir.path().join(format!("{name}.config")), "CONFIG_A=y\n").unwrap();
        }
        for name in ["bogus", "", "../base", "base.config"] {
            let error = flavor(dir.path(), name).unwrap_err().to_string();
            assert!(error.contains("there are: base, debug"), "{error}");
        }
        assert!(flavor(dir.path(), "debug").is_ok());
    }

    #[test]
    fn the_flavours_of_the_project_parse() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/flavors");
        for name in flavors(&dir).unwrap() {
            flavor(&dir, &name).unwrap();
        }
    }
}
