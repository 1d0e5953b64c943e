// SPDX-License-Identifier: GPL-2.0

//! `lab bench`: measures the C modules and ours on the same kernel, and renews the page about it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use clap::Args;
use indicatif::ProgressBar;
use indicatif::ProgressStyle;
use regex::Regex;

use crate::bench;
use crate::bench::Topic;
use crate::bench::Work;
use crate::provision::cmd;
use crate::provision::Ctx;
use crate::scenario::Drivers;
use crate::suite::Store;

/// Arguments of `lab bench`.
#[derive(Args)]
pub struct Bench {
    /// How many guests for each figure that is a time; what is counted needs only one
    #[arg(env = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// Measure only what matches this regular expression: `boot`, `online`, `count`, `size`; then
    /// Documentation has the other figures as they were, if they are of the same kernel and QEMU
    #[arg(long, env = "ONLY")]
    only: Option<String>,

    /// A kernel tree of your own, built with CONFIG_RUST
    #[arg(long, env = "KDIR", value_parser = NonEmptyStringValueParser::new())]
    kdir: Option<String>,

    /// Print the result as JSON
    #[arg(short = 'J', long)]
    json: bool,

    /// Measure nothing: show the result in this JSON file, and renew Documentation from it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "kdir"])]
    from: Option<PathBuf>,
}

/// C and Rust take turns, so that a host that becomes slower does so for both.
const SIDES: [Drivers; 2] = [Drivers::C, Drivers::Rust];

impl Bench {
    /// Measures, prints, writes.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let pattern = self.only.as_deref().filter(|only| !only.is_empty());
        let mut faults = Vec::new();
        let mut renewed = true;
        let mut result: bench::Bench = match &self.from {
            Some(path) => {
                let text = fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                serde_json::from_str(&text)
                    .with_context(|| format!("{} is no result of a bench", path.display()))?
            }
            None => {
                let measured = self.measure(ctx, pattern, &mut faults)?;
                match pattern {
                    Some(_) => merge(ctx, measured, &mut renewed)?,
                    None => measured,
                }
            }
        };
        result.fit();
        if self.json {
            println!("{}", serde_json::to_string_pretty(&result)?);
        } else {
            println!("{}", bench::table::terminal(&result));
        }
        for fault in &faults {
            eprintln!("error: {fault}");
        }
        if !faults.is_empty() {
            return Ok(ExitCode::FAILURE);
        }
        if !renewed {
            eprintln!("Documentation is of another kernel or QEMU, and stays as it is");
        } else {
            bench::page::write(&ctx.repo, &result)?;
            eprintln!("written: Documentation/bench.md, bench.svg, bench.json");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// What cannot be measured is told in `faults`, and harms nothing else.
    fn measure(
        &self,
        ctx: &Ctx,
        pattern: Option<&str>,
        faults: &mut Vec<String>,
    ) -> Result<bench::Bench> {
        let work = self.work(pattern)?;
        let store = Store::new(ctx, self.kdir.clone().map(PathBuf::from));
        let mut result = bench::Bench::default();
        let bar = ProgressBar::new(work.len() as u64);
        if let Ok(style) =
            ProgressStyle::with_template("[{bar:24}] {pos}/{len} {elapsed} {wide_msg}")
        {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        for (index, (work_item, drivers)) in work.iter().enumerate() {
            let start = Instant::now();
            let assets = store.get("base", *drivers)?;
            if index == 0 {
                result.kernel.clone_from(&assets.kernel.release);
                result.qemu = qemu_version(ctx, &assets.qemu)?;
            }
            let name = format!("{} ({drivers})", work_item.name());
            bar.set_message(name.clone());
            let progress = |text: &str| bar.set_message(format!("{name}: {text}"));
            let done = work_item.run(ctx, &assets, *drivers, &mut result, progress);
            let word = if done.is_ok() { "" } else { ": FAILED" };
            faults.extend(done.err().map(|error| format!("{error:#}")));
            bar.inc(1);
            // For those who keep the output; the bar is on terminals only.
            let seconds = start.elapsed().as_secs_f64();
            bar.suspend(|| {
                eprintln!(
                    "[{:>2}/{}] {seconds:>5.1} s  {name}{word}",
                    index + 1,
                    work.len()
                );
            });
        }
        bar.finish_and_clear();
        Ok(result)
    }

    /// What is to be done, in order.
    fn work(&self, pattern: Option<&str>) -> Result<Vec<(Work, Drivers)>> {
        let pattern = pattern.unwrap_or("");
        let pattern = Regex::new(pattern).with_context(|| format!("ONLY={pattern}"))?;
        let kinds = [
            Work::Online { slow: true },
            Work::Online { slow: false },
            Work::Boot,
            Work::Count(Topic::Claimed),
            Work::Count(Topic::Registered),
            Work::Size,
        ];
        let mut work = Vec::new();
        for kind in kinds
            .into_iter()
            .filter(|kind| pattern.is_match(kind.name()))
        {
            let runs = if kind.is_timed() { self.runs } else { 1 };
            for _ in 0..runs {
                work.extend(SIDES.map(|drivers| (kind, drivers)));
            }
        }
        if work.is_empty() {
            let names = kinds.map(Work::name).join("; ");
            bail!("ONLY={pattern} matches nothing of: {names}");
        }
        Ok(work)
    }
}

/// Puts what was measured in place of the same figures in Documentation. Clears `renewed`, and gives
/// back only what was measured, if the others are of another kernel or QEMU.
fn merge(ctx: &Ctx, measured: bench::Bench, renewed: &mut bool) -> Result<bench::Bench> {
    let path = ctx.repo.join(bench::page::FIGURES);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut all: bench::Bench = serde_json::from_str(&text)
        .with_context(|| format!("{} is no result of a bench", path.display()))?;
    *renewed = all.renew(&measured);
    Ok(if *renewed { all } else { measured })
}

fn qemu_version(ctx: &Ctx, qemu: &std::path::Path) -> Result<String> {
    let text = cmd::output(ctx, Command::new(qemu).arg("--version"))?;
    let line = text.lines().next().unwrap_or_default();
    let version = line.split(" (").next().unwrap_or(line);
    Ok(version.replace("emulator version ", ""))
}
