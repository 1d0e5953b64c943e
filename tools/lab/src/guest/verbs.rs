// SPDX-License-Identifier: GPL-2.0

//! What daxown said in the guest, one entry for each time it ran.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use serde_json::Value;

/// One run of daxown.
#[derive(Clone, Debug, Default)]
pub struct Verb {
    /// Its arguments, with spaces between.
    pub args: String,
    pub status: i32,
    pub millis: u64,
    pub stdout: String,
    pub stderr: String,
}

/// All runs, in order.
#[derive(Clone, Debug, Default)]
pub struct Verbs(pub Vec<Verb>);

impl Verbs {
    /// Reads what the guest's `verbs` wrote; empty if the guest did not get that far.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("index");
        if !path.is_file() {
            return Ok(Self::default());
        }
        let index =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        index
            .lines()
            .map(|line| {
                Self::entry(dir, line)
                    .with_context(|| format!("{}: not an entry: `{line}`", path.display()))
            })
            .collect::<Result<Vec<Verb>>>()
            .map(Self)
    }

    fn entry(dir: &Path, line: &str) -> Result<Verb> {
        let mut words = line.splitn(4, ' ');
        let mut next = || words.next().context("a word is missing");
        let (number, status, millis, args) = (next()?, next()?, next()?, next()?);
        let text = |stream: &str| -> Result<String> {
            let path = dir.join(format!("{number}.{stream}"));
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok(Verb {
            args: args.to_owned(),
            status: status.parse()?,
            millis: millis.parse()?,
            stdout: text("out")?,
            stderr: text("err")?,
        })
    }

    /// The first whose arguments begin with these words.
    pub fn of(&self, words: &str) -> Option<&Verb> {
        self.0.iter().find(|verb| {
            let rest = verb.args.strip_prefix(words);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
    }
}

impl Verb {
    /// The name of the verb.
    pub fn name(&self) -> &str {
        self.args.split(' ').next().unwrap_or_default()
    }

    /// The document of one that ran with `-J`.
    pub fn document(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout)
            .with_context(|| format!("daxown {} did not print JSON", self.args))
    }
}
