// SPDX-License-Identifier: GPL-2.0

//! The guests of a bench: what they boot, and what becomes of what they say.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use super::counts::side;
use super::counts::Counts;
use super::moments::Moments;
use super::result::Bench;
use super::result::Topic;
use super::result::Unit;
use super::size::Sizes;
use crate::guest::boot;
use crate::guest::Assets;
use crate::guest::Boot;
use crate::guest::Outcome;
use crate::provision::Ctx;
use crate::scenario::Drivers;
use crate::scenario::Scenario;
use crate::scenario::MIB;

/// Bytes of a memory block.
const BLOCK: u64 = 128 * MIB;

/// One guest, or one look at files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Load the drivers where a region is ready, behind a slow probe or not.
    Online { slow: bool },
    /// From the start of the kernel until all memory of the default scenario is online.
    Boot,
    /// Count instructions with ranges of this topic.
    Count(Topic),
    /// Sizes of the files.
    Size,
}

impl Work {
    /// For progress, and what `ONLY=` is compared with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Online { slow: true } => "online, behind a slow probe",
            Self::Online { slow: false } => "online",
            Self::Boot => "boot",
            Self::Count(Topic::Claimed) => "count, claimed by CXL",
            Self::Count(_) => "count, registered by HMEM",
            Self::Size => "size",
        }
    }

    /// True if the result depends on how fast the host is.
    pub fn is_timed(self) -> bool {
        matches!(self, Self::Online { .. } | Self::Boot)
    }

    fn scenario(self, repo: &Path) -> Result<Scenario> {
        let mut scenario = match self {
            Self::Online { slow } => {
                let mut scenario = load(repo, &["online.toml"])?;
                if !slow {
                    scenario.test_modules.clear();
                }
                scenario
            }
            Self::Count(Topic::Claimed) => load(repo, &["claimed.toml", "count.toml"])?,
            Self::Count(_) => load(repo, &["registered.toml", "count.toml"])?,
            Self::Boot | Self::Size => Scenario::load(repo, "default")?,
        };
        // The suites run when their module is loaded, and only ours has some.
        scenario.kernel_args.push("kunit.enable=0".to_owned());
        scenario.name = format!("bench-{}", scenario.name);
        Ok(scenario)
    }

    /// Does it, and puts what comes out into `bench`.
    pub fn run(
        self,
        ctx: &Ctx,
        assets: &Assets,
        drivers: Drivers,
        bench: &mut Bench,
        progress: impl FnMut(&str),
    ) -> Result<()> {
        if self == Self::Size {
            return sizes(assets, drivers, bench);
        }
        let scenario = self.scenario(&ctx.repo)?;
        let mut fault = None;
        let prepare = |boot: &Boot<'_>| {
            if self.is_timed() {
                fault = boot.dir.write_input("monitor", "").err();
            }
        };
        let (boot, outcome) = boot(ctx, assets, &scenario, drivers, None, prepare, progress)?;
        if let Some(error) = fault {
            return Err(error);
        }
        self.take(&scenario, &boot, &outcome, drivers, bench)
            .with_context(|| {
                format!(
                    "{} ({drivers}): see {}",
                    self.name(),
                    boot.dir.path().display()
                )
            })
    }

    fn take(
        self,
        scenario: &Scenario,
        boot: &Boot<'_>,
        outcome: &Outcome,
        drivers: Drivers,
        bench: &mut Bench,
    ) -> Result<()> {
        if let Some(reason) = outcome.trouble.as_ref().or(outcome.results.failed.as_ref()) {
            bail!("{reason}");
        }
        if !outcome.results.complete {
            bail!("the guest did not come to its end");
        }
        let logs = outcome.results.step_logs.values().map(String::as_str);
        if let Self::Count(topic) = self {
            let counts = Counts::parse(logs)?;
            counts.verify(topic)?;
            counts.fill(bench, topic, drivers)?;
            if topic == Topic::Claimed {
                counts.fill_modules(bench, drivers)?;
            }
            return Ok(());
        }
        let path = boot.dir.output().join("uevents");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let moments = Moments::parse(&text)?;
        let size: u64 = scenario.soft_reserved.iter().map(|range| range.size).sum();
        let blocks = usize::try_from(size / BLOCK)?;
        if moments.blocks != blocks {
            bail!("{} of {blocks} memory blocks came online", moments.blocks);
        }
        let mut add = |name: &str, value: f64| {
            side(bench.figure(Topic::Time, name, Unit::Seconds), drivers).add(value);
        };
        let Self::Online { slow } = self else {
            add(
                "boot to all memory online, default scenario",
                moments.online,
            );
            return Ok(());
        };
        let start = moments.start.context("the guest's mark is missing")?;
        let behind = if slow {
            "a probe of 5 s"
        } else {
            "no slow probe"
        };
        add(
            &format!("loading to DAX device, {behind}"),
            moments.device - start,
        );
        add(
            &format!("loading to memory online, {behind}"),
            moments.online - start,
        );
        Ok(())
    }
}

/// A scenario of tests/bench, put together from files.
fn load(repo: &Path, files: &[&str]) -> Result<Scenario> {
    let dir = repo.join("tests/bench");
    let mut text = String::new();
    for file in files {
        let path = dir.join(file);
        text += &fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    Scenario::parse(&dir.join(files[0]), &text)
}

fn sizes(assets: &Assets, drivers: Drivers, bench: &mut Bench) -> Result<()> {
    for module in ["dax_hmem", "dax_cxl"] {
        let sizes = Sizes::of(&module_file(assets, drivers, module)?)?;
        for (name, bytes) in [
            ("text", sizes.text),
            ("data", sizes.data),
            ("bss", sizes.bss),
            ("instructions in text", sizes.code),
            ("the same without diagnostics", sizes.plain_code()),
        ] {
            let figure = bench.figure(Topic::Size, &format!("{module}: {name}"), Unit::Bytes);
            side(figure, drivers).add(bytes as f64);
        }
        if drivers == Drivers::Rust && module == "dax_hmem" {
            let mut code: Vec<(String, u64)> = sizes
                .groups
                .iter()
                .map(|(&name, &bytes)| (name.to_owned(), bytes))
                .collect();
            code.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
            bench.code = code;
        }
    }
    Ok(())
}

fn module_file(assets: &Assets, drivers: Drivers, module: &str) -> Result<PathBuf> {
    let file = format!("{module}.ko");
    if drivers == Drivers::Rust {
        let updates = assets.updates.as_ref().context("no modules of ours")?;
        return Ok(updates.join(file));
    }
    let kernel = &assets.kernel;
    let dax = kernel
        .modroot
        .join("lib/modules")
        .join(&kernel.release)
        .join("kernel/drivers/dax");
    let found = [dax.join("hmem").join(&file), dax.join(&file)];
    found
        .into_iter()
        .find(|path| path.is_file())
        .with_context(|| format!("there is no {file} below {}", dax.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_bench_can_be_read() {
        let repo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for work in [
            Work::Online { slow: true },
            Work::Online { slow: false },
            Work::Boot,
            Work::Count(Topic::Claimed),
            Work::Count(Topic::Registered),
        ] {
            let scenario = work.scenario(&repo).expect("a scenario");
            let slow = scenario
                .test_modules
                .iter()
                .any(|name| name == "slow_probe");
            assert_eq!(slow, work == Work::Online { slow: true });
        }
    }
}
