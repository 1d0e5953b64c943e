// SPDX-License-Identifier: GPL-2.0

//! Every kind of problem explained: `daxown explain --kind trimmed`, and Documentation/daxown/kinds.md.
//!
//! The match has no arm for the rest: a new kind does not compile before it is explained.

mod text;

use std::process::ExitCode;

use anyhow::{bail, Result};
use daxmap::problem::Kind;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Global;
use crate::json;
use crate::show::{self, Lines, Look};

/// What there is to say of a kind.
pub struct About {
    /// `loss`, `warning`, `note`.
    pub severity: &'static str,
    /// In a few words.
    pub meaning: &'static str,
    /// What leads to it.
    pub cause: &'static str,
    /// What to do.
    pub action: &'static str,
}

/// `daxown explain --kind KIND -J`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct KindDoc {
    /// The kind.
    pub kind: String,
    /// How bad it is.
    pub severity: String,
    /// In a few words.
    pub meaning: String,
    /// What leads to it.
    pub cause: String,
    /// What to do.
    pub action: String,
}

/// The words of all kinds.
pub fn words() -> Vec<&'static str> {
    Kind::ALL.iter().map(|k| k.word()).collect()
}

/// Explains the kinds that are named; `list` names all.
pub fn explain(global: &Global, kinds: &[String]) -> Result<ExitCode> {
    let mut wanted: Vec<Kind> = Vec::new();
    for name in kinds {
        match Kind::ALL.iter().find(|k| k.word() == name) {
            Some(kind) => wanted.push(*kind),
            None if name == "list" => return list(global),
            None => bail!(
                "there is no kind of problem {name:?}; there are {}",
                words().join(", ")
            ),
        }
    }
    let docs: Vec<KindDoc> = wanted.into_iter().map(document).collect();
    let look = Look::new(global);
    let text = match global.json {
        true => json::text(&docs)?,
        false => docs
            .iter()
            .map(|d| one(d, &look))
            .collect::<Vec<String>>()
            .join("\n"),
    };
    crate::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn list(global: &Global) -> Result<ExitCode> {
    let docs: Vec<KindDoc> = Kind::ALL.iter().copied().map(document).collect();
    let text = match global.json {
        true => json::text(&docs)?,
        false => docs
            .iter()
            .map(|d| format!("{:20} {}\n", d.kind, d.meaning))
            .collect(),
    };
    crate::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn document(kind: Kind) -> KindDoc {
    let about = text::about(kind);
    KindDoc {
        kind: kind.word().into(),
        severity: about.severity.into(),
        meaning: about.meaning.into(),
        cause: about.cause.into(),
        action: about.action.into(),
    }
}

fn one(doc: &KindDoc, look: &Look) -> String {
    let mut out = format!("{}  {}\n", look.bold(&doc.kind), doc.severity);
    for (label, text) in [
        ("what", &doc.meaning),
        ("why", &doc.cause),
        ("do", &doc.action),
    ] {
        out.push_str(&show::block(label, &[text], look, Lines::Prose));
    }
    out
}

/// The page about all kinds.
pub fn page() -> String {
    let mut out = String::from(
        "# Kinds of problem\n\n\
         Made by `daxown generate kinds`; `daxown explain --kind KIND` prints one of them. Each byte of Soft\n\
         Reserved or committed CXL memory that is not usable is counted in exactly one problem.\n",
    );
    let wrapped = |text: &str| show::wrap(text, 100).join("\n");
    for doc in Kind::ALL.iter().copied().map(document) {
        out.push_str(&format!(
            "\n## {}\n\n*{}*: {}.\n\n{}\n\n{}\n",
            doc.kind,
            doc.severity,
            doc.meaning,
            wrapped(&doc.cause),
            wrapped(&doc.action)
        ));
    }
    out
}
