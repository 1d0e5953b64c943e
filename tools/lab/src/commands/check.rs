// SPDX-License-Identifier: GPL-2.0

//! `lab check`: all tests, and one line at the end that says how many passed.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use clap::Args;

use super::selection::Selection;
use crate::provision::Ctx;
use crate::suite;

/// Arguments of `lab check`.
#[derive(Args)]
pub struct Check {
    /// Every scenario on the debug kernel (KASAN, lockdep, kmemleak, ...) instead
    #[arg(long, conflicts_with = "kdir")]
    debug: bool,

    /// What is about other flavours of the kernel, in folders of their names in tests/, instead
    #[arg(long, conflicts_with_all = ["kdir", "debug"])]
    flavors: bool,

    /// The modules against kernels of many configurations, those of tests/configs, instead; the
    /// kernels are only prepared, not built
    #[arg(long, conflicts_with_all = ["kdir", "debug", "flavors", "flavor"])]
    configs: bool,

    /// Every scenario on this flavour, or on Debian's own kernel with `debian`, instead; what needs
    /// an option that the kernel lacks is skipped, and says so
    #[arg(long, env = "FLAVOR", conflicts_with_all = ["kdir", "debug", "flavors"], value_parser = NonEmptyStringValueParser::new())]
    flavor: Option<String>,

    /// Also run the C drivers where they do as well as ours, scenarios that say `check = "all"`,
    /// what is about other flavours of the kernel, and turmoil on the debug kernel
    #[arg(long, env = "ALL", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    all: bool,

    /// A kernel tree of your own, built with CONFIG_RUST, in place of every flavour
    #[arg(long, env = "KDIR", value_parser = NonEmptyStringValueParser::new())]
    kdir: Option<String>,

    /// Seconds until a guest is ended
    #[arg(long, env = "TIMEOUT")]
    timeout: Option<u64>,

    #[command(flatten)]
    selection: Selection,
}

impl Check {
    /// Runs the suite.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let items = if self.debug {
            suite::debug_items(ctx, self.timeout)
        } else if self.configs {
            suite::config_items(ctx)
        } else if let Some(flavor) = &self.flavor {
            suite::on_flavor(ctx, flavor, self.timeout)
        } else if self.flavors {
            suite::flavor_items(ctx, self.timeout)
        } else {
            suite::items(ctx, self.kdir.map(PathBuf::from), self.timeout, self.all)
        };
        self.selection.run(items)
    }
}
