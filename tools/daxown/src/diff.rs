// SPDX-License-Identifier: GPL-2.0

//! `daxown diff`: what is not the same on two machines, or on one at two times.

mod facts;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use comfy_table::CellAlignment::Left;
use daxmap::Tree;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Global;
use crate::json::{self, Machine};
use crate::show::{self, Look};
use crate::table::Table;
pub use facts::{Side, Value};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Compared are things that keep their identity over boots: memory by address, regions by the serial numbers \
of their members, memory devices by serial number (by place on PCI where that is no number of their \
own). Names such as region0, mem1, hmem.2, dax3.0 may change at each boot, and are not compared. Of what \
was pasted, or could be read by root only, that is compared which both sides hold.

Exit status:
  0  nothing differs of what both hold
  1  something differs
  3  the comparison could not be made, also because the two share nothing

Examples:
  daxown diff before.tar.gz after.tar.gz      a new BIOS, kernel or card
  daxown diff before.tar.gz                   that capture and this machine, now
  daxown diff before.tar.gz after.tar.gz -J")]
pub struct DiffArgs {
    /// A capture, or the root of a tree
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// The other one; this machine as it is now, or that of --sysroot, if left out
    #[arg(value_name = "B")]
    pub b: Option<PathBuf>,
    /// Say nothing; the exit status tells
    #[arg(short, long)]
    pub quiet: bool,
}

/// What can differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// The kernel, its drivers and modules, the policy for new memory.
    Machine,
    /// A piece of Soft Reserved memory.
    Memory,
    /// A CXL window.
    Window,
    /// A CXL region.
    Region,
    /// A CXL memory device.
    Device,
    /// A dax device.
    Dax,
    /// What doctor finds.
    Problem,
}

impl Sort {
    /// The word in tables and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Sort::Machine => "machine",
            Sort::Memory => "memory",
            Sort::Window => "window",
            Sort::Region => "region",
            Sort::Device => "device",
            Sort::Dax => "dax",
            Sort::Problem => "problem",
        }
    }

    /// For a sentence.
    fn plural(self) -> &'static str {
        match self {
            Sort::Machine => "the kernel and its modules",
            Sort::Memory => "Soft Reserved memory",
            Sort::Window => "CXL windows",
            Sort::Region => "CXL regions",
            Sort::Device => "memory devices",
            Sort::Dax => "dax devices",
            Sort::Problem => "what doctor finds",
        }
    }
}

/// One difference.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Change {
    /// What kind of thing it is.
    pub what: Sort,
    /// Which one.
    pub which: String,
    /// What of it: `owner`, `online`, ...; `there` where only one side has it.
    pub attribute: String,
    /// On the first side; `null` if it is not there.
    pub a: Option<Value>,
    /// On the second side.
    pub b: Option<Value>,
}

/// `daxown diff -J`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DiffDoc {
    /// `daxown-diff-1`.
    pub schema: String,
    /// The first machine.
    pub a: Machine,
    /// The second one.
    pub b: Machine,
    /// Nothing differs of what both hold; `false` as well where nothing could be compared.
    pub same: bool,
    /// What differs.
    pub changes: Vec<Change>,
    /// What one of the two does not hold, so that it could not be compared.
    pub not_compared: Vec<Sort>,
}

/// What differs, and what could not be compared.
#[derive(Debug, Default)]
pub struct Found {
    pub changes: Vec<Change>,
    pub not_compared: BTreeSet<Sort>,
    /// How many attributes both hold, whether they differ or not.
    pub compared: usize,
}

impl Found {
    /// Whether the two share nothing that could differ.
    fn is_void(&self) -> bool {
        self.compared == 0 && !self.not_compared.is_empty()
    }
}

pub fn run(global: &Global, args: &DiffArgs) -> Result<ExitCode> {
    // The machine that is asked about is the other one.
    let b = match &args.b {
        Some(b) => b.as_path(),
        None => global.path()?,
    };
    let a = Side::read(&Tree::open(&args.a)?);
    let b = Side::read(&Tree::open(b)?);
    let found = compare(&a, &b);
    let same = found.changes.is_empty() && !found.is_void();
    let status = ExitCode::from(match found.is_void() {
        true => 3,
        false => u8::from(!same),
    });
    if args.quiet {
        return Ok(status);
    }
    let look = Look::new(global);
    let text = if global.json {
        json::text(&DiffDoc {
            schema: "daxown-diff-1".into(),
            a: Machine::of(&a.map),
            b: Machine::of(&b.map),
            same,
            changes: found.changes,
            not_compared: found.not_compared.into_iter().collect(),
        })?
    } else {
        render(&found, &look)
    };
    crate::print(&text)?;
    Ok(status)
}

pub fn changes(a: &Side, b: &Side) -> Vec<Change> {
    compare(a, b).changes
}

/// Where a side is a part of a machine, what it does not hold is no difference.
fn compare(a: &Side, b: &Side) -> Found {
    let is_like = a.is_like(b);
    let by_place = !is_like && (a.is_part() || b.is_part());
    let mut found = Found::default();
    let mut out = facts::memory(&a.map, &b.map);
    found.compared = facts::common_memory(&a.map, &b.map);
    let (one, other) = (a.facts(by_place), b.facts(by_place));
    let mut keys: Vec<_> = one.keys().chain(other.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let change = |attribute: &str, a: Option<Value>, b: Option<Value>| Change {
            what: key.0,
            which: key.1.clone(),
            attribute: attribute.into(),
            a,
            b,
        };
        let there = || Some(Value::Text("there".into()));
        match (one.get(key), other.get(key)) {
            (Some(_), None) => out.push(change("there", there(), None)),
            (None, Some(_)) => out.push(change("there", None, there())),
            (Some(x), Some(y)) => {
                let mut names: Vec<_> = x.keys().chain(y.keys()).copied().collect();
                names.sort_unstable();
                names.dedup();
                for name in names {
                    let (a, b) = (x.get(name), y.get(name));
                    match a == b {
                        // What a log or a list says of the kernel alone is no comparison.
                        true => found.compared += usize::from(is_told(a)),
                        false => out.push(change(name, a.cloned(), b.cloned())),
                    }
                }
            }
            (None, None) => {}
        }
    }
    out.sort_by_key(|c| c.what);
    for change in out {
        let is_held = a.holds(&change, change.a.as_ref()) && b.holds(&change, change.b.as_ref());
        match is_like || is_held {
            true => {
                found.compared += 1;
                found.changes.push(change);
            }
            false => drop(found.not_compared.insert(change.what)),
        }
    }
    found
}

/// Whether an attribute says something.
fn is_told(value: Option<&Value>) -> bool {
    !matches!(value, Some(Value::Text(text)) if text.is_empty() || text == "unknown")
}

fn render(found: &Found, look: &Look) -> String {
    let words: Vec<&str> = found.not_compared.iter().map(|s| s.plural()).collect();
    let rest = match words.split_last() {
        None => String::new(),
        Some((last, rest)) => {
            let words = match rest.is_empty() {
                true => (*last).to_string(),
                false => format!("{} and {last}", rest.join(", ")),
            };
            let text =
                format!("not in one of the two, and not compared, is what there is of {words}");
            show::sentence(&text, look)
        }
    };
    let changes = &found.changes;
    if found.is_void() {
        return format!("Nothing was compared: the two hold nothing of the same kind.\n\n{rest}");
    }
    if changes.is_empty() && rest.is_empty() {
        return "Nothing differs.\n".into();
    }
    if changes.is_empty() {
        return format!("Nothing differs of what both hold.\n\n{rest}");
    }
    let mut table = Table::new(look);
    table.column("WHAT", Left);
    table.prose("WHICH");
    table.column("ATTRIBUTE", Left);
    table.prose("A");
    table.prose("B");
    for c in changes {
        let value = |v: &Option<Value>| match v {
            Some(Value::Text(text)) => text.clone(),
            Some(Value::Bytes(bytes)) => look.size(*bytes),
            None => "-".into(),
        };
        table.row([
            c.what.word().to_string(),
            c.which.clone(),
            c.attribute.clone(),
            value(&c.a),
            value(&c.b),
        ]);
    }
    let count = match changes.len() {
        1 => "1 difference".to_string(),
        n => format!("{n} differences"),
    };
    format!("{}\n{count}\n{rest}", table.text())
}
