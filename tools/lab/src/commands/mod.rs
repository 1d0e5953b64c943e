// SPDX-License-Identifier: GPL-2.0

//! The subcommands that boot guests.

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use clap::Args;
use clap::Subcommand;

use crate::guest::Assets;
use crate::provision;
use crate::provision::Ctx;
use crate::scenario::Drivers;
use crate::scenario::Scenario;
use crate::scenario::BASE;

mod bench;
mod captures;
mod check;
mod check_packages;
mod compare;
mod cxl_test;
mod fuzz;
mod run;
mod scenario;
mod selection;
mod shell;
mod walk;

/// Subcommands about guests.
#[derive(Subcommand)]
pub enum Command {
    /// Boot a scenario and print who owns each Soft Reserved range
    Run(run::Run),
    /// Run all tests
    Check(check::Check),
    /// Install, upgrade, break and remove the Debian packages in a root of Debian 13
    CheckPackages(check_packages::CheckPackages),
    /// Run our modules on the kernel's CXL unit-test platform
    ///
    /// The kernel's unit tests build the CXL drivers once more, with mocks in place of the platform. Our
    /// modules are linked to the same mocks, and a guest loads all of it: a mock region that assembles
    /// must go to CXL, one that lacks a member to HMEM, and all can be unloaded and loaded again. The
    /// same with the kernel's own modules, for comparison. The first run builds a kernel, a variant of
    /// `base`, in about ten minutes.
    ///
    /// Each test is a scenario of tests/scenarios/cxl-test: `lab run tests/scenarios/cxl-test/NAME.toml` shows one.
    CxlTest(cxl_test::CxlTest),
    /// Run the tests that draw their cases at random with more of them, without a guest
    FuzzHost(fuzz::FuzzHost),
    /// Run random layouts of ranges, windows and regions in guests
    FuzzLayouts(fuzz::Fuzz),
    /// Run random walks of what administrators and hardware do, in guests
    FuzzOperations(walk::Operations),
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
            Self::CheckPackages(check) => check.run(ctx),
            Self::CxlTest(test) => test.run(ctx),
            Self::FuzzHost(fuzz) => fuzz.run(ctx),
            Self::FuzzLayouts(fuzz) => fuzz.run(ctx),
            Self::FuzzOperations(walk) => walk.run(ctx),
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

    /// A flavour of tests/flavors, or `debian` for Debian's own kernel; without it `base`, or
    /// `debian` where no kernel has been built yet
    #[arg(long, env = "FLAVOR", value_parser = NonEmptyStringValueParser::new())]
    pub flavor: Option<String>,

    /// Modules in place of the checkout's: a directory with lib/modules/<release>/updates and
    /// lib/modprobe.d, as an installation leaves them
    #[arg(long, env = "MODULES", value_parser = NonEmptyStringValueParser::new())]
    pub modules: Option<String>,

    /// Seconds until a guest is ended
    #[arg(long, env = "TIMEOUT")]
    pub timeout: Option<u64>,
}

impl GuestOptions {
    /// What the guests of this scenario are made of; the scenario is then one about that flavour.
    pub fn assets(&self, ctx: &Ctx, scenario: &mut Scenario) -> Result<Assets> {
        let about = scenario.flavor.clone();
        if let Some(flavor) = &self.flavor {
            if about != BASE && about != *flavor {
                bail!(
                    "the scenario {} is about the flavour {about}: leave FLAVOR={flavor} out",
                    scenario.name
                );
            }
            scenario.flavor.clone_from(flavor);
        } else if self.kdir.is_none() && scenario.name == SHOWN {
            // Any other may want what that kernel has not.
            scenario.flavor = default_flavor(ctx);
        }
        let kdir = self.kdir.as_deref().map(Path::new);
        // Those of the checkout are not built when others are given.
        let built = match self.modules {
            Some(_) => Drivers::None,
            None => self.drivers,
        };
        let mut assets = Assets::new(ctx, &scenario.flavor, kdir, built)?;
        if let Some(root) = &self.modules {
            let release = &assets.kernel.release;
            let updates = Path::new(root).join(format!("lib/modules/{release}/updates"));
            if !updates.is_dir() {
                bail!("{} has no modules for {release}", updates.display());
            }
            assets.updates = Some(updates);
        }
        if let Some(need) = assets.lacks(&scenario.needs) {
            bail!(
                "the scenario {} needs {need}, which the kernel {} has not; FLAVOR=base has it",
                scenario.name,
                assets.kernel.release
            );
        }
        Ok(assets)
    }
}

/// The scenario that shows what this is, to whoever has built nothing.
const SHOWN: &str = "default";

/// The lab's own kernel, or where none has been built Debian's, which is there sooner.
fn default_flavor(ctx: &Ctx) -> String {
    if !provision::nothing_is_built(ctx) {
        return BASE.to_owned();
    }
    if !provision::debian_is_there(ctx) {
        eprintln!(
            "No kernel has been built here: this fetches Debian's own, 600 MB with what builds \
             modules for it. FLAVOR=base builds one."
        );
    }
    provision::DEBIAN.to_owned()
}
