// SPDX-License-Identifier: GPL-2.0

//! Many machines in one call: a line for each, and a total.

use daxmap::size::Total as _;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use comfy_table::CellAlignment::{Left, Right};
use daxmap::problem::Severity;
use daxmap::{Map, Owner};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Global;
use crate::doctor::Checkup;
use crate::json::{self, Machine, RowDoc, TotalsDoc};
use crate::list::Row;
use crate::show::{self, Look};
use crate::table::Table;

/// One of many machines.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MachineDoc {
    /// What it was read from.
    pub source: String,
    /// Why it could not be; everything else is missing then.
    pub error: Option<String>,
    /// The machine.
    pub machine: Option<Machine>,
    /// What `doctor` returns for it: 0, 1 or 2; 3 if it could not be read.
    pub status: u8,
    /// Sums.
    pub totals: Option<TotalsDoc>,
    /// Soft Reserved bytes by owner.
    pub owners: OwnersDoc,
    /// Soft Reserved bytes that can be used now, as far as known.
    pub usable: u64,
    /// Kinds of loss, or of warning if there is no loss.
    pub kinds: Vec<String>,
    /// The rows that were asked for, where `list` was asked for some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<RowDoc>>,
}

/// Soft Reserved bytes by owner.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct OwnersDoc {
    /// CXL regions.
    pub cxl: u64,
    /// hmem devices.
    pub hmem: u64,
    /// System RAM since boot.
    pub system_ram: u64,
    /// Another driver.
    pub driver: u64,
    /// No driver.
    pub nobody: u64,
    /// Cannot be known.
    pub unknown: u64,
}

/// `list -J` and `doctor -J` of several machines.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FleetDoc {
    /// `daxown-fleet-1`.
    pub schema: String,
    /// The largest status.
    pub status: u8,
    /// The machines, in the order in which they were given.
    pub machines: Vec<MachineDoc>,
}

/// The machines that were asked for: by `--sysroot`, and by name among the arguments.
pub fn sources(global: &Global, captures: &[PathBuf]) -> Vec<PathBuf> {
    global.sysroot.iter().chain(captures).cloned().collect()
}

/// Whether an argument names a capture rather than an address or a device.
pub fn is_capture(text: &str) -> bool {
    let path = Path::new(text);
    // A shell makes a pipe of <(...).
    let is_pipe = path.metadata().is_ok_and(|m| m.file_type().is_fifo());
    path.is_file() || is_pipe || path.join("proc").is_dir() || path.join("sys").is_dir()
}

/// The lines of `list`.
pub fn list(global: &Global, sources: &[PathBuf]) -> Result<ExitCode> {
    let machines = read(global, false, sources);
    let status = match machines.iter().any(|m| m.error.is_some()) {
        true => 3,
        false => 0,
    };
    print(global, machines, status, owners)
}

/// The rows that were asked for, of each machine; `render` makes the table of all.
pub fn select(
    global: &Global,
    sources: &[PathBuf],
    select: impl Fn(&Map) -> Result<Vec<Row>>,
    render: impl Fn(&[Row], &Look) -> String,
) -> Result<ExitCode> {
    let mut machines = Vec::new();
    let mut all = Vec::new();
    let mut found_any = false;
    let mut refused = None;
    for path in sources {
        let doc = match Checkup::open(global, path) {
            Ok(checkup) => {
                // A name that this machine does not have may be another's.
                let rows = select(&checkup.map);
                let mut doc = of(path, checkup, false);
                let rows = rows.map_or_else(
                    |error| {
                        refused = Some(error);
                        Vec::new()
                    },
                    |rows| {
                        found_any = true;
                        rows
                    },
                );
                doc.rows = Some(rows.iter().map(|r| r.doc.clone()).collect());
                all.extend(rows.into_iter().map(|row| Row {
                    machine: Some(short(&doc.source)),
                    ..row
                }));
                doc
            }
            Err(error) => unreadable(path, &error),
        };
        machines.push(doc);
    }
    if let Some(error) = refused.filter(|_| !found_any) {
        return Err(error);
    }
    let status = match machines.iter().any(|m| m.error.is_some()) {
        true => 3,
        false => 0,
    };
    print(global, machines, status, |_, look| render(&all, look))
}

/// The lines of `doctor`.
pub fn doctor(global: &Global, strict: bool, sources: &[PathBuf]) -> Result<ExitCode> {
    let machines = read(global, strict, sources);
    let status = machines.iter().map(|m| m.status).max().unwrap_or(0);
    print(global, machines, status, problems)
}

fn read(global: &Global, strict: bool, sources: &[PathBuf]) -> Vec<MachineDoc> {
    let sources = sources.iter();
    sources
        .map(|path| match Checkup::open(global, path) {
            Ok(checkup) => of(path, checkup, strict),
            Err(error) => unreadable(path, &error),
        })
        .collect()
}

fn unreadable(path: &Path, error: &anyhow::Error) -> MachineDoc {
    MachineDoc {
        source: path.display().to_string(),
        error: Some(format!("{error:#}")),
        machine: None,
        status: 3,
        totals: None,
        owners: OwnersDoc::default(),
        usable: 0,
        kinds: Vec::new(),
        rows: None,
    }
}

fn of(path: &Path, checkup: Checkup, strict: bool) -> MachineDoc {
    let mut owners = OwnersDoc::default();
    let mut usable = 0u64;
    for piece in checkup.map.reserved.iter().flat_map(|r| &r.pieces) {
        let sum = match &piece.owner {
            Owner::Cxl { .. } => &mut owners.cxl,
            Owner::Hmem { .. } => &mut owners.hmem,
            Owner::SystemRam => &mut owners.system_ram,
            Owner::Nobody => &mut owners.nobody,
            Owner::Driver { .. } => &mut owners.driver,
            Owner::Unknown => &mut owners.unknown,
        };
        *sum = sum.saturating_add(piece.range.len());
        usable = usable.saturating_add(piece.known_bytes().unwrap_or(0));
    }
    let worst = checkup.problems.iter().map(|p| p.severity).max();
    let mut kinds: Vec<String> = checkup
        .problems
        .iter()
        .filter(|p| Some(p.severity) == worst && p.severity != Severity::Note)
        .map(|p| p.kind.word().to_string())
        .collect();
    kinds.dedup();
    MachineDoc {
        source: path.display().to_string(),
        error: None,
        machine: Some(Machine::of(&checkup.map)),
        status: checkup.status(strict),
        totals: Some(checkup.totals),
        owners,
        usable,
        kinds,
        rows: None,
    }
}

fn print(
    global: &Global,
    machines: Vec<MachineDoc>,
    status: u8,
    table: impl Fn(&[MachineDoc], &Look) -> String,
) -> Result<ExitCode> {
    for m in &machines {
        if let Some(error) = &m.error {
            eprintln!("daxown: {error}");
        }
    }
    let text = match global.json {
        true => json::text(&FleetDoc {
            schema: "daxown-fleet-1".into(),
            status,
            machines,
        })?,
        false => table(&machines, &Look::new(global)),
    };
    crate::print(&text)?;
    Ok(ExitCode::from(status))
}

/// `rack7/node3` for `rack7/node3.tar.gz`.
fn short(source: &str) -> String {
    let ends = [".tar.gz", ".tgz", ".tar.zst", ".tar"];
    let stem = ends.iter().find_map(|end| source.strip_suffix(end));
    stem.unwrap_or(source).to_string()
}

fn kernel(m: &MachineDoc) -> String {
    let kernel = m.machine.as_ref().and_then(|m| m.kernel.clone());
    kernel.unwrap_or_else(|| "?".into())
}

fn drivers(m: &MachineDoc) -> String {
    m.machine.as_ref().map_or("?".into(), |m| m.drivers.clone())
}

/// Of a machine that could not be read nothing is known.
fn known(m: &MachineDoc, number: u64) -> Option<u64> {
    m.totals.is_some().then_some(number)
}

fn sum(machines: &[MachineDoc], of: impl Fn(&MachineDoc) -> u64) -> u64 {
    machines.iter().map(of).total()
}

fn total(machines: &[MachineDoc]) -> String {
    format!("{} machines", machines.len())
}

fn owners(machines: &[MachineDoc], look: &Look) -> String {
    let mut table = Table::new(look);
    table.prose("MACHINE");
    table.column("KERNEL", Left);
    table.column("DRIVERS", Left);
    type Of = fn(&MachineDoc) -> u64;
    let sizes: [(&str, Of); 6] = [
        ("RESERVED", |m| m.totals.as_ref().map_or(0, |t| t.reserved)),
        ("CXL", |m| m.owners.cxl),
        ("HMEM", |m| m.owners.hmem),
        ("NOBODY", |m| m.owners.nobody),
        ("UNKNOWN", |m| m.owners.unknown),
        ("USABLE", |m| m.usable),
    ];
    for (name, _) in sizes {
        table.column(name, Right);
    }
    for m in machines {
        let mut cells = vec![short(&m.source), kernel(m), drivers(m)];
        cells.extend(sizes.map(|(_, of)| look.maybe_size(known(m, of(m)))));
        table.row(cells);
    }
    let mut cells = vec![total(machines), String::new(), String::new()];
    cells.extend(sizes.map(|(_, of)| look.size(sum(machines, of))));
    table.row(cells);
    table.spare(&["KERNEL", "UNKNOWN", "NOBODY"]);
    table.text()
}

fn problems(machines: &[MachineDoc], look: &Look) -> String {
    let mut table = Table::new(look);
    table.prose("MACHINE");
    table.column("STATUS", Left);
    table.column("NOT USABLE", Right);
    table.column("OF", Right);
    table.column("LOSSES", Right);
    table.column("WARNINGS", Right);
    table.column("NOTES", Right);
    table.prose("WHAT");
    let of = |m: &MachineDoc| {
        m.totals
            .as_ref()
            .map_or(0, |t| t.reserved.saturating_add(t.regions))
    };
    let lost = |m: &MachineDoc| m.totals.as_ref().map_or(0, |t| t.not_usable);
    let count = |f: fn(&TotalsDoc) -> usize| {
        move |m: &MachineDoc| m.totals.as_ref().map_or(0, |t| f(t) as u64)
    };
    let counts = [
        count(|t| t.losses),
        count(|t| t.warnings),
        count(|t| t.notes),
    ];
    let word = |status: u8| match status {
        0 => look.paint(show::state_style("online"), "OK"),
        1 => look.paint(show::severity_style(Severity::Warning), "WARNING"),
        2 => look.paint(show::severity_style(Severity::Loss), "LOSS"),
        _ => look.paint(show::severity_style(Severity::Loss), "unreadable"),
    };
    for m in machines {
        let mut cells = vec![
            short(&m.source),
            word(m.status),
            look.maybe_size(known(m, lost(m))),
            look.maybe_size(known(m, of(m))),
        ];
        let count = |n: u64| known(m, n).map_or("?".into(), |n| n.to_string());
        cells.extend(counts.iter().map(|c| count(c(m))));
        cells.push(m.kinds.join(", "));
        table.row(cells);
    }
    let worst = machines.iter().map(|m| m.status).max().unwrap_or(0);
    let mut cells = vec![
        total(machines),
        word(worst),
        look.size(sum(machines, lost)),
        look.size(sum(machines, of)),
    ];
    cells.extend(counts.iter().map(|c| sum(machines, c).to_string()));
    cells.push(String::new());
    table.row(cells);
    table.text()
}
