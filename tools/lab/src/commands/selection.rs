// SPDX-License-Identifier: GPL-2.0

//! Which items of a suite a command runs, and what it says in the end.

use std::process::ExitCode;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use clap::Args;
use regex::Regex;

use crate::suite;
use crate::suite::Item;
use crate::suite::Totals;

/// Arguments of the commands that run items.
#[derive(Args)]
pub struct Selection {
    /// Run only what matches this regular expression
    #[arg(long, env = "ONLY")]
    only: Option<String>,

    /// How much runs at the same time
    #[arg(short, long, env = "JOBS", default_value_t = 2)]
    jobs: usize,

    /// List what would run
    #[arg(short, long)]
    list: bool,
}

impl Selection {
    /// Runs what is selected, or lists it.
    pub fn run(self, mut items: Vec<Item>) -> Result<ExitCode> {
        let only = self.only.filter(|only| !only.is_empty());
        if let Some(only) = &only {
            let pattern = Regex::new(only).with_context(|| format!("ONLY={only}"))?;
            items.retain(|item| pattern.is_match(&item.name));
            if items.is_empty() {
                bail!("nothing matches `{only}`; without it, `--list` shows what there is");
            }
        }
        if self.list {
            for item in &items {
                println!("{}", item.name);
            }
            return Ok(ExitCode::SUCCESS);
        }
        let totals = suite::run(items, self.jobs);
        print_failed(&totals);
        println!();
        if let Some(only) = &only {
            println!("Partial: only what matches `{only}` was run.");
        }
        Ok(close(&totals))
    }
}

/// Prints what failed, and where its log is.
pub fn print_failed(totals: &Totals) {
    for (name, faults, log) in &totals.failed {
        println!("\nFAILED: {name}");
        for fault in faults {
            println!("- {fault}");
        }
        if let Some(log) = log {
            println!("  log: {}", log.display());
        }
    }
}

/// Prints how much passed.
pub fn close(totals: &Totals) -> ExitCode {
    let skipped = match totals.skipped {
        0 => String::new(),
        skipped => format!(", {skipped} skipped"),
    };
    println!(
        "{} passed, {} failed{skipped}",
        totals.passed,
        totals.failed.len()
    );
    if totals.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
