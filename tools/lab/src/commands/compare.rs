// SPDX-License-Identifier: GPL-2.0

//! `lab compare`: every scenario with the C modules and with ours, in one table.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use anyhow::Context;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use clap::Args;
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::CellAlignment;
use comfy_table::Table;
use regex::Regex;
use serde::Deserialize;
use serde::Serialize;

use crate::page;
use crate::provision::Ctx;
use crate::report;
use crate::scenario::Drivers;
use crate::scenario::Scenario;
use crate::scenario::MIB;
use crate::suite::run_scenario;
use crate::suite::Store;

/// Arguments of `lab compare`.
#[derive(Args)]
pub struct Compare {
    /// Compare only scenarios whose name matches this regular expression; the other rows of the page
    /// stay as they are
    #[arg(long, env = "ONLY")]
    only: Option<String>,

    /// A kernel tree of your own, built with CONFIG_RUST, in place of every flavour
    #[arg(long, env = "KDIR", value_parser = NonEmptyStringValueParser::new())]
    kdir: Option<String>,

    /// Seconds until a guest is ended
    #[arg(long, env = "TIMEOUT")]
    timeout: Option<u64>,

    /// How many guests run at the same time
    #[arg(short, long, env = "JOBS", default_value_t = 2)]
    jobs: usize,

    /// Print the result as JSON
    #[arg(short = 'J', long)]
    json: bool,
}

/// What came out with one set of drivers.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Side {
    /// Owner of each range, in the order of the scenario.
    owners: Vec<String>,
    online_mib: u64,
    /// What whole memory blocks could hold and is not online, persistent memory apart.
    lost_mib: u64,
    /// What is outside whole memory blocks.
    #[serde(skip)]
    unaligned_mib: u64,
    /// Reports of the kernel.
    warnings: usize,
    /// Why there is no result.
    error: Option<String>,
    /// What is not as the scenario expects.
    #[serde(skip)]
    faults: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Row {
    scenario: String,
    reserved_mib: u64,
    /// What alignment costs, whoever owns the ranges.
    unaligned_mib: u64,
    c: Side,
    rust: Side,
}

impl Compare {
    /// Runs all and prints the table.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let only = self.only.as_deref().filter(|only| !only.is_empty());
        let pattern = only.unwrap_or("");
        let pattern = Regex::new(pattern).with_context(|| format!("ONLY={pattern}"))?;
        let mut scenarios = Vec::new();
        let mut paths = Scenario::all(&ctx.repo)?;
        if self.kdir.is_none() {
            paths.extend(Scenario::all_flavors(&ctx.repo)?);
        }
        for path in paths {
            let scenario = Scenario::load(&ctx.repo, &path.to_string_lossy())?;
            let both = [Drivers::C, Drivers::Rust]
                .iter()
                .all(|drivers| scenario.drivers.contains(drivers));
            let comparable = both && !scenario.soft_reserved.is_empty();
            if comparable && pattern.is_match(&scenario.name) {
                scenarios.push(scenario);
            }
        }
        let rows = self.rows(ctx, &scenarios);
        if self.json {
            println!("{}", serde_json::to_string_pretty(&rows)?);
        } else {
            println!("{}", table(&rows));
        }
        let mut expected = true;
        for row in &rows {
            for (side, drivers) in [(&row.c, Drivers::C), (&row.rust, Drivers::Rust)] {
                for fault in side.faults.iter().chain(&side.error) {
                    eprintln!("{} ({drivers}): {fault}", row.scenario);
                    expected = false;
                }
            }
        }
        if rows
            .iter()
            .any(|row| row.c.error.is_some() || row.rust.error.is_some())
        {
            return Ok(ExitCode::FAILURE);
        }
        // A kernel of one's own is none of the page's.
        if self.kdir.is_none() {
            write(&ctx.repo, rows, only.is_some())?;
        }
        Ok(if expected {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn rows(&self, ctx: &Ctx, scenarios: &[Scenario]) -> Vec<Row> {
        let store = Store::new(ctx, self.kdir.clone().map(PathBuf::from));
        let rows: Mutex<Vec<Row>> = Mutex::new(
            scenarios
                .iter()
                .map(|scenario| Row {
                    scenario: scenario.name.clone(),
                    reserved_mib: scenario
                        .soft_reserved
                        .iter()
                        .map(|range| range.size)
                        .sum::<u64>()
                        / MIB,
                    unaligned_mib: 0,
                    c: Side::default(),
                    rust: Side::default(),
                })
                .collect(),
        );
        let mut work = Vec::new();
        for index in (0..scenarios.len()).rev() {
            work.extend([(index, Drivers::Rust), (index, Drivers::C)]);
        }
        let work = Mutex::new(work);
        let next = || loop {
            let task = work.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some((index, drivers)) = task else { return };
            let scenario = &scenarios[index];
            let side = self.side(ctx, &store, scenario, drivers);
            eprintln!(
                "{} ({drivers}): {} MiB online",
                scenario.name, side.online_mib
            );
            let mut rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
            rows[index].unaligned_mib = rows[index].unaligned_mib.max(side.unaligned_mib);
            match drivers {
                Drivers::C => rows[index].c = side,
                _ => rows[index].rust = side,
            }
        };
        thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(next);
            }
        });
        rows.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn side(&self, ctx: &Ctx, store: &Store, scenario: &Scenario, drivers: Drivers) -> Side {
        let run = match run_scenario(ctx, store, scenario, drivers, self.timeout) {
            Ok(run) => run,
            Err(error) => {
                return Side {
                    error: Some(format!("{error:#}")),
                    ..Side::default()
                }
            }
        };
        let Some(ownership) = &run.verdict.ownership else {
            return Side {
                error: Some(format!("no result; see {}", run.log.display())),
                warnings: run.verdict.reports.len(),
                ..Side::default()
            };
        };
        let ranges = &ownership.ranges;
        let online: u64 = ranges.iter().map(|range| range.online()).sum();
        let usable: u64 = ranges.iter().map(report::usable).sum();
        let persistent: u64 = ranges.iter().map(|range| range.persistent).sum();
        Side {
            owners: ranges
                .iter()
                .map(|range| {
                    let owners = range.owners();
                    let owners: Vec<&str> = owners.into_iter().map(report::owner_name).collect();
                    owners.join("+")
                })
                .collect(),
            online_mib: online / MIB,
            unaligned_mib: (ranges.iter().map(|range| range.size()).sum::<u64>() - usable) / MIB,
            lost_mib: usable.saturating_sub(online + persistent) / MIB,
            warnings: run.verdict.reports.len(),
            error: None,
            // Nothing can be wrong with what the scenario says nothing about.
            faults: if run.verdict.expected {
                run.verdict.faults.clone()
            } else {
                Vec::new()
            },
        }
    }
}

/// Writes page and JSON; with `keep`, what they say of other scenarios stays.
fn write(repo: &Path, mut rows: Vec<Row>, keep: bool) -> Result<()> {
    let path = repo.join("Documentation/compare.json");
    if keep {
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut all: Vec<Row> = serde_json::from_str(&text)
            .with_context(|| format!("{} is no result of compare", path.display()))?;
        for row in rows {
            match all.iter_mut().find(|old| old.scenario == row.scenario) {
                Some(old) => *old = row,
                None => all.push(row),
            }
        }
        rows = all;
    }
    fs::write(&path, serde_json::to_string_pretty(&rows)? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))?;
    page::renew(repo, "compare", &table(&rows).to_string())?;
    eprintln!("written: Documentation/compare.md, compare.json");
    Ok(())
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN);
    table.set_header([
        "scenario",
        "reserved MiB",
        "unaligned MiB",
        "C: owner",
        "C: online",
        "C: lost",
        "C: warnings",
        "Rust: owner",
        "Rust: online",
        "Rust: lost",
        "Rust: warnings",
    ]);
    let cells = |side: &Side| match &side.error {
        Some(error) => vec![error.clone(), String::new(), String::new(), String::new()],
        None => vec![
            side.owners.join(", "),
            side.online_mib.to_string(),
            side.lost_mib.to_string(),
            side.warnings.to_string(),
        ],
    };
    for row in rows {
        let mut line = vec![
            row.scenario.clone(),
            row.reserved_mib.to_string(),
            row.unaligned_mib.to_string(),
        ];
        line.extend(cells(&row.c));
        line.extend(cells(&row.rust));
        table.add_row(line);
    }
    let sum = |pick: fn(&Row) -> u64| rows.iter().map(pick).sum::<u64>().to_string();
    table.add_row([
        "total".to_owned(),
        sum(|row| row.reserved_mib),
        sum(|row| row.unaligned_mib),
        String::new(),
        sum(|row| row.c.online_mib),
        sum(|row| row.c.lost_mib),
        sum(|row| row.c.warnings as u64),
        String::new(),
        sum(|row| row.rust.online_mib),
        sum(|row| row.rust.lost_mib),
        sum(|row| row.rust.warnings as u64),
    ]);
    for column in [1, 2, 4, 5, 6, 8, 9, 10] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
