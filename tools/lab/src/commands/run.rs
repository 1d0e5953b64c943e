// SPDX-License-Identifier: GPL-2.0

//! `lab run`: boots one scenario and shows who owns what.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;

use super::GuestOptions;
use crate::guest::boot;
use crate::guest::Assets;
use crate::guest::Boot;
use crate::guest::LoadedModule;
use crate::guest::Outcome;
use crate::provision::Ctx;
use crate::report;
use crate::report::iomem;
use crate::report::Ownership;
use crate::report::Verdict;
use crate::scenario::Drivers;
use crate::scenario::Scenario;
use crate::scenario::MIB;

/// Arguments of `lab run`.
#[derive(Args)]
pub struct Run {
    /// Name of a file in tests/scenarios without .toml, or the path of a file
    #[arg(env = "SCENARIO", default_value = "default", value_parser = NonEmptyStringValueParser::new())]
    scenario: String,

    #[command(flatten)]
    guest: GuestOptions,

    /// Print QEMU's command line and boot nothing
    #[arg(long)]
    dry_run: bool,

    /// Print the result as JSON
    #[arg(short = 'J', long)]
    json: bool,
}

#[derive(Serialize)]
struct Json<'a> {
    scenario: &'a str,
    drivers: Drivers,
    pass: bool,
    faults: &'a [String],
    kernel_reports: &'a [String],
    ownership: Option<&'a Ownership>,
    log: &'a Path,
    seconds: f64,
}

impl Run {
    /// Boots, judges, prints.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let start = Instant::now();
        let scenario = Scenario::load(&ctx.repo, &self.scenario)?;
        let drivers = self.guest.drivers;
        let kdir = self.guest.kdir.as_deref().map(Path::new);
        let assets = Assets::new(ctx, &scenario.flavor, kdir, drivers)?;
        if self.dry_run {
            let boot = Boot::new(ctx, &assets, &scenario, drivers, self.guest.timeout)?;
            println!("{}", boot.command());
            return Ok(ExitCode::SUCCESS);
        }
        if !self.json {
            println!("{}: {}", scenario.name, scenario.description);
        }
        let spinner = ProgressBar::new_spinner();
        spinner.enable_steady_tick(Duration::from_millis(200));
        let show = |boot: &Boot<'_>| {
            if ctx.verbose {
                eprintln!("{}", boot.command());
            }
            spinner.set_message("booting");
        };
        let progress = |text: &str| spinner.set_message(text.to_owned());
        let timeout = self.guest.timeout;
        let booted = boot(ctx, &assets, &scenario, drivers, timeout, show, progress);
        spinner.finish_and_clear();
        let (boot, outcome) = booted?;
        let verdict = report::judge(&boot, &outcome)?;
        if self.json {
            let json = Json {
                scenario: &scenario.name,
                drivers,
                pass: verdict.faults.is_empty(),
                faults: &verdict.faults,
                kernel_reports: &verdict.reports,
                ownership: verdict.ownership.as_ref(),
                log: boot.dir.path(),
                seconds: start.elapsed().as_secs_f64(),
            };
            println!("{}", serde_json::to_string_pretty(&json)?);
        } else {
            print(&boot, &outcome, &verdict, start.elapsed());
        }
        Ok(if verdict.faults.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn print(boot: &Boot<'_>, outcome: &Outcome, verdict: &Verdict, wall: Duration) {
    if let (Some(ownership), Some(end)) = (&verdict.ownership, outcome.results.end()) {
        if !ownership.ranges.is_empty() {
            println!("\n{}", report::table(ownership, &boot.layout));
            let total: u64 = ownership.ranges.iter().map(|range| range.size()).sum();
            let online: u64 = ownership.ranges.iter().map(|range| range.online()).sum();
            println!("{} of {} MiB online", online / MIB, total / MIB);
        }
        let mut places: Vec<(u64, u64)> = ownership
            .ranges
            .iter()
            .map(|range| (range.start, range.end))
            .collect();
        for &(start, size) in &boot.layout.windows {
            places.push((start, start + (size - 1)));
        }
        if !boot.layout.windows.is_empty() {
            let windows: Vec<String> = boot
                .layout
                .windows
                .iter()
                .enumerate()
                .map(|(index, window)| format!("W{index} = {:#x}", window.0))
                .collect();
            println!("\n/proc/iomem, {}:", windows.join(", "));
        }
        for line in iomem::excerpt(&end.iomem, &places) {
            println!("  {}", iomem::show(&line, &boot.layout));
        }
    }
    if !outcome.results.modules.is_empty() {
        println!();
        for module in &outcome.results.modules {
            println!("{}", describe(module));
        }
    }
    println!("\nlog: {}", boot.dir.path().display());
    let seconds = wall.as_secs_f64();
    if verdict.faults.is_empty() {
        let note = if verdict.expected {
            "as the scenario expects"
        } else {
            "the scenario expects nothing with these drivers"
        };
        println!("{note}; {seconds:.1} s");
        return;
    }
    println!("NOT as the scenario expects; {seconds:.1} s");
    for fault in &verdict.faults {
        println!("- {fault}");
    }
}

fn describe(module: &LoadedModule) -> String {
    let state = if module.loaded {
        "loaded"
    } else {
        "not loaded"
    };
    format!("{}: {state}, modprobe takes {}", module.name, module.file)
}
