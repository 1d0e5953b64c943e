// SPDX-License-Identifier: GPL-2.0

//! `lab fuzz-layouts`: random layouts, many in a guest, until N are done; and `lab fuzz-host`: the
//! property tests, which need no guest, with N cases each.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;

use super::selection::close;
use super::selection::print_failed;
use super::GuestOptions;
use crate::fuzz;
use crate::provision::Ctx;
use crate::scenario::Scenario;
use crate::suite;
use crate::suite::Store;

/// Arguments of `lab fuzz-layouts`.
#[derive(Args)]
pub struct Fuzz {
    /// How many layouts; a guest gets several
    #[arg(env = "N", default_value_t = 300)]
    layouts: usize,

    /// The seed to start from; without it a new one is taken, and printed
    #[arg(long, env = "SEED", value_parser = seed)]
    seed: Option<u64>,

    /// How many guests run at the same time
    #[arg(short, long, env = "JOBS", default_value_t = 2)]
    jobs: usize,

    #[command(flatten)]
    guest: GuestOptions,
}

/// Decimal, or hexadecimal with 0x, as it is printed.
pub(super) fn seed(text: &str) -> Result<u64, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

/// Arguments of `lab fuzz-host`.
#[derive(Args)]
pub struct FuzzHost {
    /// How many cases each test draws
    #[arg(env = "N", default_value_t = 500)]
    cases: u32,

    /// The seed to draw from; without it a new one is taken, and printed
    #[arg(long, env = "SEED", value_parser = seed)]
    seed: Option<u64>,
}

impl FuzzHost {
    /// Runs the property tests.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        println!("{} cases of each test, SEED={seed:#x}", self.cases);
        let totals = suite::run(vec![suite::properties(ctx, self.cases, seed)], 1);
        print_failed(&totals);
        println!("\nSEED={seed:#x}");
        Ok(close(&totals))
    }
}

impl Fuzz {
    /// Makes the layouts up and runs them.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        println!("{} layouts, SEED={seed:#x}", self.layouts);
        let dir = ctx.cache.join("fuzz").join(format!("{seed:x}"));
        let paths = fuzz::write(&dir, seed, self.layouts)?;
        let store = Arc::new(Store::new(
            ctx,
            self.guest.kdir.as_deref().map(PathBuf::from),
        ));
        let mut items = Vec::new();
        for path in paths {
            let mut scenario = Scenario::load(&ctx.repo, &path.to_string_lossy())?;
            if let Some(flavor) = &self.guest.flavor {
                scenario.flavor.clone_from(flavor);
            }
            items.push(suite::scenario_item(
                ctx,
                &store,
                &Arc::new(scenario),
                self.guest.drivers,
                self.guest.timeout,
            ));
        }
        let guests = items.len();
        let totals = suite::run(items, self.jobs);
        print_failed(&totals);
        if !totals.failed.is_empty() {
            println!(
                "\nRun one again by its file: make run SCENARIO={}/<name>.toml",
                dir.display()
            );
        }
        println!(
            "\n{} layouts in {guests} guests, SEED={seed:#x}",
            self.layouts
        );
        Ok(close(&totals))
    }
}
