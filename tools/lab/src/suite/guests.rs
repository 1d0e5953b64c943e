// SPDX-License-Identifier: GPL-2.0

//! Every scenario as a test, with our drivers, and with the C drivers where it says what these do.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use anyhow::Result;

use super::Item;
use super::Report;
use super::Store;
use crate::guest::boot;
use crate::guest::selftest_list;
use crate::guest::selftests;
use crate::guest::Outcome;
use crate::provision;
use crate::provision::Ctx;
use crate::report;
use crate::report::Verdict;
use crate::scenario::Check;
use crate::scenario::Drivers;
use crate::scenario::Scenario;

/// A scenario that was run and judged.
pub struct ScenarioRun {
    pub outcome: Outcome,
    pub verdict: Verdict,
    /// The run's directory.
    pub log: PathBuf,
    archive: PathBuf,
}

impl ScenarioRun {
    /// What `daxown capture` kept of the guest in the end.
    pub fn archive(&self) -> &Path {
        &self.archive
    }
}

/// Boots and judges one scenario.
pub fn run_scenario(
    ctx: &Ctx,
    store: &Store,
    scenario: &Scenario,
    drivers: Drivers,
    timeout: Option<u64>,
) -> Result<ScenarioRun> {
    let assets = store.get(&scenario.flavor, drivers)?;
    let (boot, outcome) = boot(ctx, &assets, scenario, drivers, timeout, |_| {}, |_| {})?;
    let verdict = report::judge(&boot, &outcome)?;
    Ok(ScenarioRun {
        outcome,
        verdict,
        log: boot.dir.path().to_path_buf(),
        archive: boot.dir.archive(),
    })
}

/// Of what needs the debug kernel, this is run with all the others.
const ON_DEBUG: &str = "tests/scenarios/debug/turmoil.toml";

/// Of what runs on any kernel, this is run on Debian's own too: a range of each kind after a boot, and
/// one that a region covers by half; with `all`. `FLAVOR=debian` runs all.
const ON_DEBIAN: [&str; 2] = ["default", "region-smaller"];

/// Machines of people, captured or rebuilt from what they wrote: `daxown scenario` makes a guest of each.
const MACHINES: &str = "tools/daxown/tests/fixtures/machines";

/// An item for each scenario with our drivers, and with the C drivers where these lose memory;
/// with `all` also where they do not, those that ask for it, those of other flavours, those that
/// `daxown scenario` makes of captures, and one on the debug kernel.
pub fn items(ctx: &Ctx, kdir: Option<PathBuf>, timeout: Option<u64>, all: bool) -> Vec<Item> {
    // The caller's own kernel is one flavour, and need not have the checkers.
    let others = all && kdir.is_none();
    let store = Arc::new(Store::new(ctx, kdir));
    let found = || -> Result<Vec<PathBuf>> {
        let mut paths = Scenario::all(&ctx.repo)?;
        if others {
            paths.extend(Scenario::all_flavors(&ctx.repo)?);
            paths.extend(machines(&ctx.repo.join(MACHINES))?);
        }
        let debug = ctx.repo.join(ON_DEBUG);
        match others {
            // It takes longest.
            true if has_debug_kernel(ctx) => paths.insert(0, debug),
            // To build that kernel takes as long as all the others.
            true => paths.push(debug),
            false => {}
        }
        Ok(paths)
    };
    let paths = match found() {
        Ok(paths) if !paths.is_empty() => paths,
        Ok(_) => return vec![broken("scenarios", "there are none".to_owned())],
        Err(error) => return vec![broken("scenarios", format!("{error:#}"))],
    };
    let (mut items, selftests) = scenario_items(ctx, &store, paths, timeout, all);
    items.push(all_selftests(ctx, &store, selftests));
    // To fetch that kernel and to make its metadata takes as long as half of all others.
    if others {
        let paths = ON_DEBIAN.map(|name| ctx.repo.join(format!("tests/scenarios/{name}.toml")));
        for flavor in [provision::DEBIAN, provision::DEBIAN_OLDER] {
            items.extend(on(ctx, &store, flavor, paths.clone(), timeout));
        }
    }
    items
}

/// The captures that a guest can be made of, by name.
fn machines(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// An item for each scenario about a flavour, with our drivers and with the C drivers.
pub fn flavor_items(ctx: &Ctx, timeout: Option<u64>) -> Vec<Item> {
    let store = Arc::new(Store::new(ctx, None));
    match Scenario::all_flavors(&ctx.repo) {
        Ok(paths) => scenario_items(ctx, &store, paths, timeout, true).0,
        Err(error) => vec![broken("scenarios", format!("{error:#}"))],
    }
}

/// Items, and the selftests of all these scenarios; with `all` also an item where C does as well as
/// ours, and for what is run by `make check ALL=1` alone.
fn scenario_items(
    ctx: &Ctx,
    store: &Arc<Store>,
    paths: Vec<PathBuf>,
    timeout: Option<u64>,
    all: bool,
) -> (Vec<Item>, Vec<String>) {
    let mut items = Vec::new();
    let mut selftests = Vec::new();
    for path in paths {
        let name = stem(&path);
        match Scenario::load(&ctx.repo, &path.to_string_lossy()) {
            Err(error) => items.push(broken(&format!("scenario {name}"), format!("{error:#}"))),
            Ok(scenario) => {
                let scenario = Arc::new(scenario);
                selftests.extend(scenario.selftests().map(str::to_owned));
                for &drivers in &scenario.drivers {
                    let wanted = match scenario.check {
                        _ if all => true,
                        Check::Always => drivers == Drivers::Rust || scenario.c_loses(),
                        Check::Rust => drivers == Drivers::Rust,
                        Check::All => false,
                    };
                    if wanted && scenario.expect(drivers).is_some() {
                        items.push(item(ctx, store, &scenario, drivers, timeout));
                    }
                }
            }
        }
    }
    (items, selftests)
}

/// A guess, on which nothing depends but the order.
fn has_debug_kernel(ctx: &Ctx) -> bool {
    let kernels = std::fs::read_dir(ctx.cache.join("kernels"));
    kernels.into_iter().flatten().flatten().any(|entry| {
        entry.file_name().to_string_lossy().starts_with("debug-")
            && entry.path().join("complete").is_file()
    })
}

/// An item for each scenario that is for our drivers, on the debug kernel.
pub fn debug_items(ctx: &Ctx, timeout: Option<u64>) -> Vec<Item> {
    let store = Arc::new(Store::new(ctx, None));
    match (Scenario::all(&ctx.repo), Scenario::all_debug(&ctx.repo)) {
        (Ok(paths), Ok(debug)) => {
            let paths = paths.into_iter().chain(debug);
            on(ctx, &store, "debug", paths, timeout)
        }
        (Err(error), _) | (_, Err(error)) => vec![broken("scenarios", format!("{error:#}"))],
    }
}

/// An item for each scenario that is for our drivers and any kernel, on this flavour.
pub fn on_flavor(ctx: &Ctx, flavor: &str, timeout: Option<u64>) -> Vec<Item> {
    let store = Arc::new(Store::new(ctx, None));
    match Scenario::all(&ctx.repo) {
        Ok(paths) => on(ctx, &store, flavor, paths, timeout),
        Err(error) => vec![broken("scenarios", format!("{error:#}"))],
    }
}

/// Items of scenarios with our drivers on a flavour, whichever they are about.
fn on(
    ctx: &Ctx,
    store: &Arc<Store>,
    flavor: &str,
    paths: impl IntoIterator<Item = PathBuf>,
    timeout: Option<u64>,
) -> Vec<Item> {
    let item_of = |path: PathBuf| match Scenario::load(&ctx.repo, &path.to_string_lossy()) {
        Err(error) => {
            let name = format!("scenario {}", stem(&path));
            Some(broken(&name, format!("{error:#}")))
        }
        // What is about the C drivers alone is about no driver of ours.
        Ok(scenario) if !scenario.drivers.contains(&Drivers::Rust) => None,
        Ok(mut scenario) => {
            flavor.clone_into(&mut scenario.flavor);
            let scenario = Arc::new(scenario);
            Some(item(ctx, store, &scenario, Drivers::Rust, timeout))
        }
    };
    paths.into_iter().filter_map(item_of).collect()
}

/// An item for each scenario on the kernel's CXL unit tests, and each set of drivers it is for.
pub fn cxl_test_items(ctx: &Ctx, kdir: Option<PathBuf>, timeout: Option<u64>) -> Vec<Item> {
    let store = Arc::new(Store::new(ctx, kdir));
    match Scenario::all_cxl_test(&ctx.repo) {
        Ok(paths) => scenario_items(ctx, &store, paths, timeout, true).0,
        Err(error) => vec![broken("cxl-test", format!("{error:#}"))],
    }
}

/// Fails for each selftest that no scenario runs.
fn all_selftests(ctx: &Ctx, store: &Arc<Store>, run: Vec<String>) -> Item {
    let (ctx, store) = (ctx.clone(), store.clone());
    Item::new("every selftest is in a scenario", move || {
        let assets = store.get("base", Drivers::C)?;
        let installed = selftests(&ctx, &assets.kernel)?;
        let mut report = Report::default();
        for test in selftest_list(&installed)? {
            if run.contains(&test) {
                report.passed += 1;
            } else {
                let fault = "no scenario runs it".to_owned();
                report
                    .failed
                    .push((format!("selftest {test}"), vec![fault]));
            }
        }
        Ok(report)
    })
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn broken(name: &str, fault: String) -> Item {
    let label = name.to_owned();
    Item::new(name, move || Ok(Report::failure(&label, fault.clone())))
}

/// The item for one scenario and one set of drivers.
pub fn item(
    ctx: &Ctx,
    store: &Arc<Store>,
    scenario: &Arc<Scenario>,
    drivers: Drivers,
    timeout: Option<u64>,
) -> Item {
    let kind = if scenario.cxl_test {
        "cxl-test"
    } else {
        "scenario"
    };
    let name = match scenario.flavor.as_str() {
        flavor if provision::debian_series(flavor).is_some() => {
            format!("{kind} {} ({drivers}, {flavor})", scenario.name)
        }
        _ => format!("{kind} {} ({drivers})", scenario.name),
    };
    let (ctx, store, scenario) = (ctx.clone(), store.clone(), scenario.clone());
    Item::new(name.clone(), move || {
        let assets = store.get(&scenario.flavor, drivers)?;
        if let Some(need) = assets.lacks(&scenario.needs) {
            return Ok(Report {
                skipped: Some(format!("needs {need}")),
                ..Report::default()
            });
        }
        let run = run_scenario(&ctx, &store, &scenario, drivers, timeout)?;
        let mut report = Report {
            log: Some(run.log.clone()),
            ..Report::default()
        };
        for (step, cases) in &run.verdict.cases {
            for case in cases {
                let name = format!("{name}, {step}: {}", case.name);
                match &case.fault {
                    None => report.passed += 1,
                    Some(fault) => report.failed.push((name, vec![fault.clone()])),
                }
            }
        }
        if run.verdict.faults.is_empty() {
            report.passed += 1;
        } else {
            report.failed.push((name.clone(), run.verdict.faults));
        }
        Ok(report)
    })
}
