// SPDX-License-Identifier: GPL-2.0

//! `lab run`: boots one scenario and shows who owns what, as daxown says it in the guest, and whether
//! what the lab itself saw is as the scenario expects.

use std::env;
use std::io;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use clap::Args;
use indicatif::ProgressBar;
use rustix::termios;
use serde::Serialize;
use serde_json::Value;

use super::GuestOptions;
use crate::guest::boot;
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

/// Columns that daxown's table with all its reasons needs; a terminal may have fewer.
const NARROWEST: u16 = 120;

/// Arguments of `lab run`.
#[derive(Args)]
pub struct Run {
    /// Name of a file in tests/scenarios without .toml, or the path of a file or of a capture
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
    /// What `daxown list -J` and `daxown doctor -J` printed in the guest.
    list: Option<Value>,
    doctor: Option<Value>,
    log: &'a Path,
    seconds: f64,
}

impl Run {
    /// Boots, judges, prints.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let start = Instant::now();
        let mut scenario = Scenario::load(&ctx.repo, &self.scenario)?;
        let drivers = self.guest.drivers;
        let assets = self.guest.assets(ctx, &mut scenario)?;
        if self.dry_run {
            let boot = Boot::new(ctx, &assets, &scenario, drivers, self.guest.timeout)?;
            println!("{}", boot.command());
            return Ok(ExitCode::SUCCESS);
        }
        if !self.json {
            println!("{}: {}", scenario.name, scenario.description);
            println!("kernel: {}", assets.describe());
        }
        let spinner = ProgressBar::new_spinner();
        spinner.enable_steady_tick(Duration::from_millis(200));
        let show = |boot: &Boot<'_>| {
            if ctx.verbose {
                eprintln!("{}", boot.command());
            }
            if let Some(terminal) = terminal() {
                // Without it daxown prints as into a file, which is as true.
                let _ = boot.dir.write_input("terminal", terminal);
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
            let document = |words: &str| outcome.results.verbs.of(words)?.document().ok();
            let json = Json {
                scenario: &scenario.name,
                drivers,
                pass: verdict.faults.is_empty(),
                faults: &verdict.faults,
                kernel_reports: &verdict.reports,
                ownership: verdict.ownership.as_ref(),
                list: document("list -J"),
                doctor: document("doctor -J"),
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

/// Width and colours of the terminal that somebody looks at.
fn terminal() -> Option<String> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    let width = termios::tcgetwinsize(&stdout).map_or(0, |size| size.ws_col);
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let color = if plain { "never" } else { "always" };
    Some(format!("{} {color}\n", width.max(NARROWEST)))
}

fn print(boot: &Boot<'_>, outcome: &Outcome, verdict: &Verdict, wall: Duration) {
    for verb in ["list", "doctor"] {
        if let Some(verb) = outcome.results.verbs.of(verb) {
            print!("\n$ daxown {}\n{}{}", verb.name(), verb.stdout, verb.stderr);
        }
    }
    if let (Some(ownership), Some(end)) = (&verdict.ownership, outcome.results.end()) {
        if !ownership.ranges.is_empty() {
            println!("\nWhat the lab itself found:");
            for line in report::table(verdict, &boot.layout).lines() {
                println!("  {line}");
            }
        }
        print_iomem(boot, ownership, &end.iomem);
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

/// The lines of /proc/iomem about ranges and windows.
fn print_iomem(boot: &Boot<'_>, ownership: &Ownership, lines: &[iomem::Line]) {
    let windows = &boot.layout.windows;
    let mut places: Vec<(u64, u64)> = ownership
        .ranges
        .iter()
        .map(|range| (range.start, range.end))
        .collect();
    places.extend(
        windows
            .iter()
            .map(|&(start, size)| (start, start + (size - 1))),
    );
    let names: Vec<String> = windows
        .iter()
        .enumerate()
        .map(|(index, window)| format!("W{index} = {:#x}", window.0))
        .collect();
    if !names.is_empty() {
        println!("\n/proc/iomem, {}:", names.join(", "));
    }
    for line in iomem::excerpt(lines, &places) {
        println!("  {}", iomem::show(&line, &boot.layout));
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
