// SPDX-License-Identifier: GPL-2.0

//! The machine's own apt sources, read so that the lab can use the same mirror and keys.
//!
//! Both forms are understood: `*.sources` (deb822) and `*.list` (one line an entry).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::Context;
use anyhow::Result;

/// One URI with its suites, as far as the lab cares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub uri: String,
    /// Suites, for example `trixie` and `trixie-updates`.
    pub suites: Vec<String>,
    /// Components, for example `main`.
    pub components: Vec<String>,
    /// Options that are kept for a source made from this one, by their deb822 names.
    pub options: BTreeMap<String, String>,
}

/// Options a derived source inherits: the key and how old a release may be. `Trusted` is
/// left out on purpose: what the lab downloads is always checked.
const KEPT: [(&str, &str); 4] = [
    ("signed-by", "Signed-By"),
    ("check-valid-until", "Check-Valid-Until"),
    ("check-date", "Check-Date"),
    ("valid-until-max", "Valid-Until-Max"),
];

/// All enabled binary sources in `list` (a file) and `parts` (a directory), in apt's order.
pub fn read(list: &Path, parts: &Path) -> Result<Vec<Source>> {
    let mut files = Vec::new();
    if list.is_file() {
        files.push(list.to_path_buf());
    }
    if parts.is_dir() {
        let cannot = || format!("cannot list {}", parts.display());
        let mut found: Vec<PathBuf> = fs::read_dir(parts)
            .with_context(cannot)?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()
            .with_context(cannot)?;
        found.sort();
        files.extend(found);
    }
    let mut sources = Vec::new();
    for file in files {
        let deb822 = match file.extension().and_then(|ext| ext.to_str()) {
            Some("sources") => true,
            Some("list") => false,
            _ => continue,
        };
        // Files of other packagers may be closed to users; the mirror is hardly in there.
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        sources.extend(match deb822 {
            true => parse_deb822(&text),
            false => parse_list(&text),
        });
    }
    Ok(sources)
}

/// Sources of a `*.list` file; lines apt itself would refuse are passed over.
pub fn parse_list(text: &str) -> Vec<Source> {
    text.lines().filter_map(parse_list_line).flatten().collect()
}

fn parse_list_line(line: &str) -> Option<Vec<Source>> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t']) {
        return None;
    }
    let mut rest = rest.trim_start();
    let mut options = BTreeMap::new();
    if let Some(after) = rest.strip_prefix('[') {
        let (inside, after) = after.split_once(']')?;
        for option in inside.split_whitespace() {
            let (name, value) = option.split_once('=')?;
            keep(&mut options, name, value);
        }
        rest = after;
    }
    let mut words = rest.split_whitespace().map(str::to_owned);
    Some(vec![Source {
        uri: words.next()?,
        suites: vec![words.next()?],
        components: words.collect(),
        options,
    }])
}

/// Sources of a `*.sources` file, one for each URI of each enabled stanza.
pub fn parse_deb822(text: &str) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            sources.extend(stanza(&fields));
            fields.clear();
        } else if line.starts_with([' ', '\t']) {
            // A continuation: only an embedded key needs its line ends.
            if let Some(value) = fields.get_mut(&last) {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            last = name.trim().to_ascii_lowercase();
            fields.insert(last.clone(), value.trim().to_owned());
        }
    }
    sources
}

fn stanza(fields: &BTreeMap<String, String>) -> Vec<Source> {
    let words = |name: &str| -> Vec<String> {
        let value = fields.get(name).map_or("", String::as_str);
        value.split_whitespace().map(str::to_owned).collect()
    };
    let disabled = fields.get("enabled").is_some_and(|value| {
        ["no", "false", "0", "off", "without", "disable"]
            .contains(&value.to_ascii_lowercase().as_str())
    });
    if disabled || !words("types").iter().any(|kind| kind == "deb") {
        return Vec::new();
    }
    let mut options = BTreeMap::new();
    for (name, value) in fields {
        keep(&mut options, name, value);
    }
    words("uris")
        .into_iter()
        .map(|uri| Source {
            uri,
            suites: words("suites"),
            components: words("components"),
            options: options.clone(),
        })
        .collect()
}

fn keep(options: &mut BTreeMap<String, String>, name: &str, value: &str) {
    let name = name.to_ascii_lowercase();
    if let Some((_, field)) = KEPT.iter().find(|(known, _)| *known == name) {
        options.insert((*field).to_owned(), value.to_owned());
    }
}

impl Source {
    /// This source with other suites of the same archive.
    pub fn with_suites(&self, suites: &[String]) -> Self {
        Self {
            suites: suites.to_vec(),
            components: vec!["main".to_owned()],
            ..self.clone()
        }
    }

    /// The deb822 stanza for apt: package lists only, for x86-64.
    pub fn stanza(&self) -> String {
        let mut text = format!(
            "Types: deb\nURIs: {}\nSuites: {}\nComponents: {}\nArchitectures: amd64\nTargets: Packages\n",
            self.uri,
            self.suites.join(" "),
            self.components.join(" "),
        );
        for (name, value) in &self.options {
            text.push_str(&format!("{name}: {value}\n"));
        }
        text
    }

    fn has(&self, suite: &str) -> bool {
        self.suites
            .iter()
            .any(|known| known.trim_end_matches('/') == suite)
            && self.components.iter().any(|component| component == "main")
            && !self.uri.starts_with("cdrom:")
    }
}

/// Sources that may be a full Debian mirror, the likeliest first.
///
/// A third party may name its suite like Debian's; only Debian also has the `-updates` and
/// `-backports` beside it. The signature decides in the end.
pub fn mirrors(sources: &[Source], codename: &str, aliases: &[&str]) -> Vec<Source> {
    let names: Vec<&str> = [codename].iter().chain(aliases).copied().collect();
    let likeness = |uri: &str| {
        ["-updates", "-backports"]
            .iter()
            .filter(|suffix| {
                sources.iter().any(|source| {
                    source.uri.trim_end_matches('/') == uri.trim_end_matches('/')
                        && names
                            .iter()
                            .any(|name| source.has(&format!("{name}{suffix}")))
                })
            })
            .count()
    };
    let mut found: Vec<Source> = Vec::new();
    for source in sources {
        let fits = names.iter().any(|name| source.has(name));
        if fits && !found.iter().any(|known| known.uri == source.uri) {
            found.push(source.clone());
        }
    }
    found.sort_by_key(|source| std::cmp::Reverse(likeness(&source.uri)));
    found
}

/// Sources of the security archive of the machine's own release.
pub fn security(sources: &[Source], codename: &str, aliases: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for source in sources {
        for name in [codename].iter().chain(aliases) {
            let suite = format!("{name}-security");
            if source.has(&suite) {
                found.push(source.with_suites(&[suite]));
            }
        }
    }
    found
}

#[cfg(test)]
#[path = "sources_test.rs"]
mod tests;
