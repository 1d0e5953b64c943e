// SPDX-License-Identifier: GPL-2.0

//! `lab check`: every test of the project, two guests at a time.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Result;

use crate::provision::Ctx;

mod assets;
mod build;
mod configs;
mod guests;
mod host;
pub mod ktap;

pub use assets::Store;
pub use guests::cxl_test_items;
pub use guests::item as scenario_item;
pub use guests::run_scenario;
pub use guests::ScenarioRun;
pub use host::properties;

/// What one item of the suite found out.
#[derive(Debug, Default)]
pub struct Report {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that did not, with the reasons.
    pub failed: Vec<(String, Vec<String>)>,
    /// Why it was not run, if it was not.
    pub skipped: Option<String>,
    /// Where to read more.
    pub log: Option<PathBuf>,
}

impl Report {
    /// One test that failed.
    pub fn failure(name: &str, fault: impl Into<String>) -> Self {
        Self {
            failed: vec![(name.to_owned(), vec![fault.into()])],
            ..Self::default()
        }
    }
}

/// One piece of work of the suite.
pub struct Item {
    /// What `ONLY=` is compared with.
    pub name: String,
    work: Box<dyn Fn() -> Result<Report> + Send + Sync>,
}

impl Item {
    /// An item that does `work`; an error of it is a failed test of the item's name.
    pub fn new(
        name: impl Into<String>,
        work: impl Fn() -> Result<Report> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            work: Box::new(work),
        }
    }
}

/// Everything there is to check; with `all` also the C drivers where they do as well as ours, and
/// other flavours of the kernel.
pub fn items(ctx: &Ctx, kdir: Option<PathBuf>, timeout: Option<u64>, all: bool) -> Vec<Item> {
    let others = all && kdir.is_none();
    let mut items = host::items(ctx);
    items.extend(build::items(ctx, kdir.clone()));
    if kdir.is_none() {
        items.extend(configs::subset(ctx));
    }
    items.extend(guests::items(ctx, kdir, timeout, all));
    items.extend(others.then(|| build::without_regions(ctx)));
    items
}

/// What is about other flavours of the kernel than `base` and `debug`.
pub fn flavor_items(ctx: &Ctx, timeout: Option<u64>) -> Vec<Item> {
    let mut items = guests::flavor_items(ctx, timeout);
    items.push(build::without_regions(ctx));
    items
}

/// All scenarios with our drivers on another flavour than they are written for.
pub fn on_flavor(ctx: &Ctx, flavor: &str, timeout: Option<u64>) -> Vec<Item> {
    guests::on_flavor(ctx, flavor, timeout)
}

/// The modules against kernels of many configurations.
pub fn config_items(ctx: &Ctx) -> Vec<Item> {
    configs::items(ctx)
}

/// All scenarios with our drivers on the debug kernel.
pub fn debug_items(ctx: &Ctx, timeout: Option<u64>) -> Vec<Item> {
    guests::debug_items(ctx, timeout)
}

/// Totals of a suite.
#[derive(Debug, Default)]
pub struct Totals {
    pub passed: usize,
    pub skipped: usize,
    pub failed: Vec<(String, Vec<String>, Option<PathBuf>)>,
}

/// Works through `items` with `jobs` at a time; a line for each as it ends.
pub fn run(items: Vec<Item>, jobs: usize) -> Totals {
    let count = items.len();
    let queue = Mutex::new(VecDeque::from(items));
    let totals = Mutex::new((0, Totals::default()));
    let work = || loop {
        let next = queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some(item) = next else { return };
        let start = Instant::now();
        let report =
            (item.work)().unwrap_or_else(|error| Report::failure(&item.name, format!("{error:#}")));
        let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.0 += 1;
        print_line(totals.0, count, &item.name, &report, start.elapsed());
        totals.1.passed += report.passed;
        totals.1.skipped += usize::from(report.skipped.is_some());
        for (name, faults) in report.failed {
            totals.1.failed.push((name, faults, report.log.clone()));
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(work);
        }
    });
    totals
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .1
}

fn print_line(done: usize, count: usize, name: &str, report: &Report, time: Duration) {
    let word = match (&report.skipped, report.failed.is_empty()) {
        (Some(_), _) => "skip",
        (None, true) => "ok  ",
        (None, false) => "FAIL",
    };
    let tests = report.passed + report.failed.len();
    let tests = match (tests, report.failed.len()) {
        (0, 0) => report
            .skipped
            .as_ref()
            .map_or(String::new(), |why| format!(": {why}")),
        (1, _) => String::new(),
        (_, 0) => format!(" ({tests} tests)"),
        (_, failed) => format!(" ({failed} of {tests} tests failed)"),
    };
    let seconds = time.as_secs_f64();
    println!("[{done:>3}/{count}] {word} {seconds:>6.1} s  {name}{tests}");
}
