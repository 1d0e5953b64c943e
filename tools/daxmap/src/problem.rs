// SPDX-License-Identifier: GPL-2.0

//! What keeps memory from being usable, with its cause and what to do.
//!
//! Each byte of Soft Reserved memory and of committed volatile CXL regions that is not usable is in
//! exactly one problem that counts bytes; problems that count none explain or warn.

mod asked;
mod blocks;
pub mod command;
mod create;
mod dax;
mod gate;
mod hmem;
mod kind;
mod left;
mod machine;
mod memdev;
mod offline;
mod order;
mod physical;
mod piece;
mod region;
pub mod remedy;
mod reserve;
mod told;

use serde::Serialize;

use crate::map::Map;
use crate::names::listed;
use crate::range::Range;

pub use gate::refusal;

use command::Command;
pub use kind::Kind;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// A little is lost, something is off by choice, or something cannot be known.
    Warning,
    /// Memory is lost.
    Loss,
}

impl Severity {
    /// The word used in JSON and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Loss => "loss",
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// What it is about: a device, region, module or file.
    pub subject: String,
    /// Where, if at an address.
    pub range: Option<Range>,
    /// Bytes that are not usable because of it, counted nowhere else.
    pub bytes: u64,
    /// The cause, in a sentence.
    pub cause: String,
    /// Commands to run now, in order, each only if the one before succeeded; a line with `#` in front
    /// is a remark.
    pub remedy: Vec<String>,
    /// Where it is known from: log lines and paths.
    pub evidence: Vec<String>,
}

impl Problem {
    fn new(kind: Kind, severity: Severity, subject: impl Into<String>) -> Problem {
        Problem {
            kind,
            severity,
            subject: subject.into(),
            range: None,
            bytes: 0,
            cause: String::new(),
            remedy: Vec::new(),
            evidence: Vec::new(),
        }
    }

    fn at(mut self, range: Range, bytes: u64) -> Problem {
        self.range = Some(range);
        self.bytes = bytes;
        self
    }

    fn because(mut self, cause: impl Into<String>) -> Problem {
        self.cause = cause.into();
        self
    }

    /// Adds remarks, and commands that are known to [`command::Command`].
    fn fix<S: Into<String>>(mut self, lines: impl IntoIterator<Item = S>) -> Problem {
        for line in lines {
            let line = line.into();
            debug_assert!(
                line.starts_with('#') || Command::parse(&line).is_some(),
                "an advice that is no known command: {line}"
            );
            self.remedy.push(line);
        }
        self
    }

    fn seen<S: Into<String>>(mut self, lines: impl IntoIterator<Item = S>) -> Problem {
        self.evidence.extend(lines.into_iter().map(Into::into));
        self
    }
}

/// Whether a problem is as the machine's own policy has it, so that mending it has to be asked for.
pub fn is_policy(map: &Map, problem: &Problem) -> bool {
    problem.kind == Kind::Offline && offline::is_policy(map)
}

/// Without those that say of the same thing what one that counts its bytes says.
fn untold(all: Vec<Problem>) -> Vec<Problem> {
    let is_told = |p: &Problem| {
        let mut others = all.iter().filter(|o| o.bytes > 0);
        p.bytes == 0 && others.any(|o| o.subject == p.subject && o.cause == p.cause)
    };
    all.iter().filter(|p| !is_told(p)).cloned().collect()
}

/// All problems of a machine, the worst first, then by address.
pub fn find(map: &Map) -> Vec<Problem> {
    let mut out: Vec<Problem> = Vec::new();
    for reserved in &map.reserved {
        for p in &reserved.pieces {
            out.extend(piece::diagnose(map, reserved, p));
        }
    }
    out.extend(physical::diagnose(map));
    out.extend(asked::diagnose(map));
    out.extend(region::diagnose(map));
    out.extend(memdev::diagnose(map));
    out.extend(blocks::diagnose(map));
    out.extend(machine::diagnose(map));
    let told = told::diagnose(map, &out);
    out.extend(told);
    out = untold(out);
    let mut out: Vec<Problem> = out.into_iter().map(|p| gate::pass(map, p)).collect();
    out.sort_by_key(|p| {
        let first = p.range.map_or(u64::MAX, |r| r.start);
        // What is in use and cannot be relied on comes before what is only missing.
        let in_use = p.severity == Severity::Loss && p.kind <= Kind::Foreign;
        (std::cmp::Reverse((p.severity, in_use)), first, p.kind)
    });
    out
}
