// SPDX-License-Identifier: GPL-2.0

//! `/etc/daxown.toml`: what is as it should be on this machine.
//!
//! A problem that the file agrees to does not count, exactly as far as it goes: more bytes than agreed,
//! another place or another kind show as before. What was agreed and is not so any more shows too, so
//! that an exit status of 0 means "as agreed".

use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use daxmap::problem::{Problem, Severity};
use daxmap::{Map, Range, Tree};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::json::ProblemDoc;
use crate::show::human;
use crate::subject::number;

/// Where it is looked for.
pub const PATH: &str = "etc/daxown.toml";

/// A whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What the machine as a whole must be.
    #[serde(default)]
    pub machine: MachineConfig,
    /// Problems that are as they should be.
    #[serde(default)]
    pub accept: Vec<Accept>,
}

/// `[machine]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineConfig {
    /// Whose dax_hmem must run: `rust` or `stock`.
    pub drivers: Option<String>,
    /// Bytes of Soft Reserved and committed CXL memory that must be there.
    #[serde(default, deserialize_with = "size")]
    pub total: Option<u64>,
}

/// `[[accept]]`: at least a kind, and as much more as is needed to tell it from others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The kind, such as `trimmed`.
    pub kind: String,
    /// The addresses in which it lies; unlike names they stay the same over boots.
    #[serde(default, deserialize_with = "range")]
    pub range: Option<Range>,
    /// The serial number of a memory device that it is about, or that has a part of its memory.
    pub serial: Option<String>,
    /// The name that doctor shows.
    pub subject: Option<String>,
    /// As many bytes as it may cost; any number, if left out.
    #[serde(default, deserialize_with = "size")]
    pub bytes: Option<u64>,
    /// It need not be so.
    #[serde(default)]
    pub optional: bool,
    /// Why it is as it should be; for people.
    #[serde(default)]
    pub why: String,
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Bytes(u64),
        Text(String),
    }
    match Size::deserialize(deserializer)? {
        Size::Bytes(bytes) => Ok(Some(bytes)),
        Size::Text(text) => number(&text).map(Some).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is no size; write 2M, 512G or a number of bytes"
            ))
        }),
    }
}

fn range<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Range>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Range::parse(&text).map(Some).ok_or_else(|| {
        D::Error::custom(format!(
            "{text:?} is no range; write 0x490000000-0x4afffffff"
        ))
    })
}

impl Config {
    /// The file that was asked for, else that of the tree, if it has one.
    pub fn read(tree: &Tree, asked: Option<&PathBuf>) -> Result<Config> {
        if let Some(path) = asked {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
            return Config::parse(&text, path);
        }
        match tree.text(PATH) {
            Ok(text) => Config::parse(&text, &Path::new("/").join(PATH)),
            Err(daxmap::Lack::Missing) => Ok(Config::default()),
            Err(_) => bail!("/{PATH} is there and cannot be read: run daxown as root, or give another file with --config"),
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Config> {
        let config: Config = toml::from_str(text).with_context(|| path.display().to_string())?;
        for accept in &config.accept {
            let kinds = crate::kinds::words();
            if !kinds.contains(&accept.kind.as_str()) {
                bail!(
                    "{}: there is no kind of problem {:?}; `daxown explain --kind list` shows all",
                    path.display(),
                    accept.kind
                );
            }
        }
        Ok(config)
    }

    /// Takes what is agreed out of `problems`; adds what is not as agreed.
    pub fn apply(&self, map: &Map, total: u64, problems: Vec<Problem>) -> Agreement {
        let mut out = Agreement::default();
        let mut met = vec![false; self.accept.len()];
        for problem in problems {
            let found = self.accept.iter().position(|a| a.covers(map, &problem));
            match found {
                Some(index) => {
                    met[index] = true;
                    out.agreed.push((problem, self.accept[index].why.clone()));
                }
                None => out.open.push(problem),
            }
        }
        for (accept, _) in self
            .accept
            .iter()
            .zip(met)
            .filter(|(a, m)| !m && !a.optional)
        {
            out.broken
                .push(format!("agreed, and not so: {}", accept.text()));
        }
        if let Some(want) = &self.machine.drivers {
            let have = crate::json::drivers(map.drivers);
            if want != have {
                out.broken.push(format!(
                    "agreed are the drivers {want:?}; there are {have:?}"
                ));
            }
        }
        if let Some(want) = self.machine.total.filter(|w| *w != total) {
            out.broken.push(format!(
                "agreed are {} of Soft Reserved and committed CXL memory; there are {}",
                human(want),
                human(total)
            ));
        }
        out
    }
}

/// What remains of the problems, and what was agreed.
#[derive(Default)]
pub struct Agreement {
    /// Not agreed.
    pub open: Vec<Problem>,
    /// Agreed, with the reason that the file gives.
    pub agreed: Vec<(Problem, String)>,
    /// What is not as agreed.
    pub broken: Vec<String>,
}

impl Accept {
    fn covers(&self, map: &Map, problem: &Problem) -> bool {
        let inside = |r: &Range| problem.range.is_some_and(|p| r.contains(&p));
        self.kind == problem.kind.word()
            && self.range.as_ref().is_none_or(inside)
            && self.subject.as_ref().is_none_or(|s| *s == problem.subject)
            && self
                .serial
                .as_ref()
                .is_none_or(|s| is_about(map, s, problem))
            && self.bytes.is_none_or(|b| problem.bytes <= b)
    }

    fn text(&self) -> String {
        let mut words = vec![self.kind.clone()];
        words.extend(self.range.map(|r| r.to_string()));
        words.extend(self.serial.as_ref().map(|s| format!("serial {s}")));
        words.extend(self.subject.clone());
        words.join(" ")
    }
}

/// Whether a problem is about a memory device, or about memory of a region that it is a member of.
fn is_about(map: &Map, serial: &str, problem: &Problem) -> bool {
    let wanted = daxmap::range::parse_number(serial);
    let is =
        |s: Option<&str>| wanted.is_some() && s.and_then(daxmap::range::parse_number) == wanted;
    let mut devices = map.memdevs.iter().filter(|m| m.name == problem.subject);
    let mut regions = map.regions.iter().filter(|r| {
        r.name == problem.subject
            || r.range
                .zip(problem.range)
                .is_some_and(|(a, b)| a.overlaps(&b))
    });
    devices.any(|m| is(m.serial.as_deref()))
        || regions.any(|r| r.targets.iter().any(|t| is(t.serial.as_deref())))
}

/// A problem that is as it should be.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AgreedDoc {
    /// The problem.
    #[serde(flatten)]
    pub problem: ProblemDoc,
    /// The reason that the configuration gives.
    pub why: String,
}

/// A file that agrees to what is so now.
pub fn of_now(map: &Map, total: u64, problems: &[Problem]) -> String {
    let mut out = format!(
        "# What is as it should be on this machine; see Documentation/daxown/agreed.md.\n\n[machine]\ndrivers = {:?}\ntotal = {total}\n",
        crate::json::drivers(map.drivers)
    );
    for p in problems.iter().filter(|p| p.severity != Severity::Note) {
        out.push_str(&format!("\n[[accept]]\nkind = {:?}\n", p.kind.word()));
        let serial = map
            .memdevs
            .iter()
            .find(|m| m.name == p.subject)
            .and_then(|m| m.serial.clone());
        match (p.range, serial) {
            (Some(range), _) => out.push_str(&format!("range = \"{range}\"\n")),
            (None, Some(serial)) => out.push_str(&format!("serial = \"{serial}\"\n")),
            (None, None) => out.push_str(&format!("subject = {:?}\n", p.subject)),
        }
        if p.bytes > 0 {
            out.push_str(&format!("bytes = {}\n", p.bytes));
        }
        out.push_str("why = \"\"\n");
    }
    out
}
