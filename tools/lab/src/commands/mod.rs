// SPDX-License-Identifier: GPL-2.0

//! The subcommands that boot guests.

use std::process::ExitCode;

use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use clap::Args;
use clap::Subcommand;

use crate::provision::Ctx;
use crate::scenario::Drivers;

mod bench;
mod captures;
mod check;
mod compare;
mod cxl_test;
mod fuzz;
mod run;
mod scenario;
mod selection;
mod shell;

/// Subcommands about guests.
#[derive(Subcommand)]
pub enum Command {
    /// Boot a scenario and print who owns each Soft Reserved range
    Run(run::Run),
    /// Run all tests
    Check(check::Check),
    /// Run our modules on the kernel's CXL unit-test platform
    ///
    /// The kernel's unit tests build the CXL drivers once more, with mocks in place of the platform. Our
    /// modules are linked to the same mocks, and a guest loads all of it: a mock region that assembles
    /// must go to CXL, one that lacks a member to HMEM, and all can be unloaded and loaded again. The
    /// same with the kernel's own modules, for comparison. The first run builds a kernel, a variant of
    /// `base`, in about ten minutes.
    ///
    /// Each test is a scenario of tests/cxl-test: `lab run tests/cxl-test/NAME.toml` shows one.
    CxlTest(cxl_test::CxlTest),
    /// Run random layouts of ranges, windows and regions in guests
    FuzzLayouts(fuzz::Fuzz),
    /// Renew the captures of guests that daxown is tested with
    Captures(captures::Captures),
    /// Run every scenario with the C modules and with ours, and print both
    Compare(compare::Compare),
    /// Measure the C modules and ours on the same kernel
    Bench(bench::Bench),
    /// Boot a scenario and give its guest this terminal
    Shell(shell::Shell),
    /// Check a scenario file without booting it
    Scenario(scenario::Check),
}

impl Command {
    /// Runs one subcommand.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        match self {
            Self::Run(run) => run.run(ctx),
            Self::Check(check) => check.run(ctx),
            Self::CxlTest(test) => test.run(ctx),
            Self::FuzzLayouts(fuzz) => fuzz.run(ctx),
            Self::Captures(captures) => captures.run(ctx),
            Self::Compare(compare) => compare.run(ctx),
            Self::Bench(bench) => bench.run(ctx),
            Self::Shell(shell) => shell.run(ctx),
            Self::Scenario(check) => check.run(ctx),
        }
    }
}

/// What every guest can be told. An empty variable counts as unset, as in `make`.
#[derive(Args, Clone, Debug)]
pub struct GuestOptions {
    /// Whose modules decide
    #[arg(long, env = "DRIVERS", default_value = "rust")]
    pub drivers: Drivers,

    /// A kernel tree of your own, built with CONFIG_RUST, in place of the scenario's flavour
    #[arg(long, env = "KDIR", value_parser = NonEmptyStringValueParser::new())]
    pub kdir: Option<String>,

    /// Seconds until a guest is ended
    #[arg(long, env = "TIMEOUT")]
    pub timeout: Option<u64>,
}
