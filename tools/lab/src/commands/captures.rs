// SPDX-License-Identifier: GPL-2.0

//! `lab captures`: renews the captures of guests that daxown is tested with on the host.

use std::fs;
use std::process::ExitCode;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use clap::Args;
use regex::Regex;

use crate::provision::Ctx;
use crate::scenario::Drivers;
use crate::scenario::Scenario;
use crate::suite::run_scenario;
use crate::suite::Store;

/// Where they are kept.
const FIXTURES: &str = "tools/daxown/tests/fixtures/scenarios";

/// Arguments of `lab captures`.
#[derive(Args)]
pub struct Captures {
    /// Renew only those whose name, such as `two-regions-c`, matches this regular expression
    #[arg(long, env = "ONLY")]
    only: Option<String>,

    /// Seconds until a guest is ended
    #[arg(long, env = "TIMEOUT")]
    timeout: Option<u64>,
}

impl Captures {
    /// Runs the scenarios one after the other; of a run that failed nothing is kept.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let only = self.only.as_deref().unwrap_or("");
        let pattern = Regex::new(only).with_context(|| format!("ONLY={only}"))?;
        let dir = ctx.repo.join(FIXTURES);
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let store = Store::new(ctx, None);
        let mut code = ExitCode::SUCCESS;
        let mut count = 0;
        for (name, scenario, drivers) in all(ctx)? {
            if !pattern.is_match(&name) {
                continue;
            }
            count += 1;
            let run = run_scenario(ctx, &store, &scenario, drivers, self.timeout)?;
            if run.verdict.faults.is_empty() {
                let target = dir.join(format!("{name}.tar.gz"));
                fs::copy(run.archive(), &target)
                    .with_context(|| format!("cannot write {}", target.display()))?;
                println!("{name}: {} bytes", fs::metadata(&target)?.len());
                continue;
            }
            code = ExitCode::FAILURE;
            println!("{name}: NOT renewed; log: {}", run.log.display());
            for fault in run.verdict.faults {
                println!("- {fault}");
            }
        }
        if count == 0 {
            bail!("no capture has a name that matches `{only}`");
        }
        println!(
            "Now: SNAPSHOTS=overwrite cargo test -p daxown --test golden, and read what changed"
        );
        Ok(code)
    }
}

/// A capture for each scenario that has one, and each set of drivers of which it expects something.
fn all(ctx: &Ctx) -> Result<Vec<(String, Scenario, Drivers)>> {
    let paths = Scenario::all(&ctx.repo)?;
    let mut all = Vec::new();
    for path in paths {
        let scenario = Scenario::load(&ctx.repo, &path.to_string_lossy())?;
        for &drivers in &scenario.drivers {
            if scenario.captured && scenario.expect(drivers).is_some() {
                let name = format!("{}-{drivers}", scenario.name);
                all.push((name, scenario.clone(), drivers));
            }
        }
    }
    Ok(all)
}
