// SPDX-License-Identifier: GPL-2.0

//! `lab fuzz-operations`: random walks in guests; one that fails is made shorter.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use anyhow::Result;
use clap::Args;

use super::fuzz::seed;
use super::selection::close;
use super::selection::print_failed;
use super::GuestOptions;
use crate::fuzz::Walk;
use crate::provision::Ctx;
use crate::scenario::Scenario;
use crate::suite;
use crate::suite::Item;
use crate::suite::Store;

/// Arguments of `lab fuzz-operations`.
#[derive(Args)]
pub struct Operations {
    /// How many walks; each has a guest of its own
    #[arg(env = "N", default_value_t = 20)]
    walks: usize,

    /// How many steps a walk has
    #[arg(long, env = "STEPS", default_value_t = 30)]
    steps: usize,

    /// The seed to start from; without it a new one is taken, and printed
    #[arg(long, env = "SEED", value_parser = seed)]
    seed: Option<u64>,

    /// How many guests may be spent on making a walk shorter that failed
    #[arg(long, default_value_t = 12)]
    shrink: usize,

    /// How many guests run at the same time
    #[arg(short, long, env = "JOBS", default_value_t = 2)]
    jobs: usize,

    #[command(flatten)]
    guest: GuestOptions,
}

/// Where walks are written, and what runs them.
struct Place<'a> {
    ctx: &'a Ctx,
    dir: PathBuf,
    store: Arc<Store>,
    guest: GuestOptions,
}

impl Place<'_> {
    /// The walk as something to run, and the file that it is in.
    fn item(&self, name: &str, walk: &Walk) -> Result<Item> {
        let path = self.dir.join(format!("{name}.toml"));
        fs::write(&path, walk.scenario())
            .with_context(|| format!("cannot write {}", path.display()))?;
        let mut scenario = Scenario::load(&self.ctx.repo, &path.to_string_lossy())?;
        if let Some(flavor) = &self.guest.flavor {
            scenario.flavor.clone_from(flavor);
        }
        let guest = &self.guest;
        Ok(suite::scenario_item(
            self.ctx,
            &self.store,
            &Arc::new(scenario),
            guest.drivers,
            guest.timeout,
        ))
    }

    fn fails(&self, name: &str, walk: &Walk) -> Result<bool> {
        Ok(!suite::run(vec![self.item(name, walk)?], 1)
            .failed
            .is_empty())
    }

    /// Leaves out steps, half of them first, as long as the walk still fails.
    fn shrink(&self, name: &str, walk: &Walk, mut guests: usize) -> Result<Walk> {
        let mut walk = walk.clone();
        let mut chunk = walk.steps.len().div_ceil(2);
        while chunk > 0 && guests > 0 {
            let mut at = 0;
            while at < walk.steps.len() && guests > 0 {
                let end = walk.steps.len().min(at + chunk);
                let rest = [&walk.steps[..at], &walk.steps[end..]].concat();
                let shorter = walk.with_steps(&rest);
                guests -= 1;
                match self.fails(&format!("{name}-try"), &shorter)? {
                    true => walk = shorter,
                    false => at = end,
                }
            }
            chunk /= 2;
        }
        Ok(walk)
    }
}

impl Operations {
    /// Makes the walks up, runs them, and shrinks the first that failed.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        println!(
            "{} walks of {} steps, SEED={seed:#x}",
            self.walks, self.steps
        );
        let dir = ctx.cache.join("fuzz").join(format!("walk-{seed:x}"));
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let place = Place {
            ctx,
            dir,
            store: Arc::new(Store::new(
                ctx,
                self.guest.kdir.as_deref().map(PathBuf::from),
            )),
            guest: self.guest,
        };
        let mut random = fastrand::Rng::with_seed(seed);
        let walks: Vec<(String, Walk)> = (0..self.walks)
            .map(|number| {
                let walk = Walk::random(&mut random, self.steps);
                (format!("walk-{seed:x}-{number}"), walk)
            })
            .collect();
        let items = walks
            .iter()
            .map(|(name, walk)| place.item(name, walk))
            .collect::<Result<Vec<Item>>>()?;
        let totals = suite::run(items, self.jobs);
        print_failed(&totals);
        let failed = walks.iter().find(|(name, _)| {
            totals
                .failed
                .iter()
                .any(|(item, _, _)| item.contains(name.as_str()))
        });
        if let Some((name, walk)) = failed {
            if self.shrink > 0 {
                println!(
                    "\nMaking {name} shorter, in {} guests at the most",
                    self.shrink
                );
                let short = place.shrink(name, walk, self.shrink)?;
                let _ = place.item(&format!("{name}-short"), &short)?;
                print_short(&place.dir, name, &short);
            }
        }
        println!("\n{} walks, SEED={seed:#x}", self.walks);
        Ok(close(&totals))
    }
}

fn print_short(dir: &Path, name: &str, walk: &Walk) {
    println!("\n{name} fails with these {} steps:", walk.steps.len());
    for step in &walk.steps {
        println!("  {}", step.join(" beside "));
    }
    println!(
        "Run it again: make run SCENARIO={}/{name}-short.toml",
        dir.display()
    );
}
