// SPDX-License-Identifier: GPL-2.0

//! `lab check`: all tests, and one line at the end that says how many passed.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use clap::Args;
use regex::Regex;

use crate::provision::Ctx;
use crate::suite;
use crate::suite::Totals;

/// Arguments of `lab check`.
#[derive(Args)]
pub struct Check {
    /// Run only what matches this regular expression
    #[arg(long, env = "ONLY")]
    only: Option<String>,

    /// Every scenario on the debug kernel (KASAN, lockdep, kmemleak, ...) instead
    #[arg(long, conflicts_with = "kdir")]
    debug: bool,

    /// What is about other flavours of the kernel, in folders of their names in tests/, instead
    #[arg(long, conflicts_with_all = ["kdir", "debug"])]
    flavors: bool,

    /// Also run the C drivers where they do as well as ours, scenarios that say `check = "all"`,
    /// what is about other flavours of the kernel, and turmoil on the debug kernel
    #[arg(long, env = "ALL", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    all: bool,

    /// A kernel tree of your own, built with CONFIG_RUST, in place of every flavour
    #[arg(long, env = "KDIR", value_parser = NonEmptyStringValueParser::new())]
    kdir: Option<String>,

    /// Seconds until a guest is ended
    #[arg(long, env = "TIMEOUT")]
    timeout: Option<u64>,

    /// How much runs at the same time
    #[arg(short, long, env = "JOBS", default_value_t = 2)]
    jobs: usize,

    /// List what would run
    #[arg(short, long)]
    list: bool,
}

impl Check {
    /// Runs the suite.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let mut items = if self.debug {
            suite::debug_items(ctx, self.timeout)
        } else if self.flavors {
            suite::flavor_items(ctx, self.timeout)
        } else {
            suite::items(ctx, self.kdir.map(PathBuf::from), self.timeout, self.all)
        };
        let only = self.only.filter(|only| !only.is_empty());
        if let Some(only) = &only {
            let pattern = Regex::new(only).with_context(|| format!("ONLY={only}"))?;
            items.retain(|item| pattern.is_match(&item.name));
            if items.is_empty() {
                bail!("nothing matches `{only}`; `lab check --list` shows what there is");
            }
        }
        if self.list {
            for item in &items {
                println!("{}", item.name);
            }
            return Ok(ExitCode::SUCCESS);
        }
        let totals = suite::run(items, self.jobs);
        Ok(close(&totals, only.as_deref()))
    }
}

/// Prints what failed and how much passed.
pub fn close(totals: &Totals, only: Option<&str>) -> ExitCode {
    for (name, faults, log) in &totals.failed {
        println!("\nFAILED: {name}");
        for fault in faults {
            println!("- {fault}");
        }
        if let Some(log) = log {
            println!("  log: {}", log.display());
        }
    }
    println!();
    if let Some(only) = only {
        println!("Partial: only what matches `{only}` was run.");
    }
    println!("{} passed, {} failed", totals.passed, totals.failed.len());
    if totals.failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
