// SPDX-License-Identifier: GPL-2.0

//! `lab cxl-test`: our modules on the kernel's CXL unit-test platform, tools/testing/cxl.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use clap::Args;
use regex::Regex;

use super::check::close;
use crate::provision::Ctx;
use crate::suite;

/// Arguments of `lab cxl-test`.
#[derive(Args)]
pub struct CxlTest {
    /// Run only what matches this regular expression
    #[arg(long, env = "ONLY")]
    only: Option<String>,

    /// A kernel tree of your own that has what tests/flavors/cxl-test.config asks for
    #[arg(long, env = "KDIR", value_parser = NonEmptyStringValueParser::new())]
    kdir: Option<String>,

    /// Seconds until a guest is ended
    #[arg(long, env = "TIMEOUT")]
    timeout: Option<u64>,

    /// How many guests run at the same time
    #[arg(short, long, env = "JOBS", default_value_t = 2)]
    jobs: usize,

    /// List what would run
    #[arg(short, long)]
    list: bool,
}

impl CxlTest {
    /// Runs the scenarios of tests/cxl-test.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let mut items = suite::cxl_test_items(ctx, self.kdir.map(PathBuf::from), self.timeout);
        let only = self.only.filter(|only| !only.is_empty());
        if let Some(only) = &only {
            let pattern = Regex::new(only).with_context(|| format!("ONLY={only}"))?;
            items.retain(|item| pattern.is_match(&item.name));
        }
        if items.is_empty() {
            bail!("nothing to run; `lab cxl-test --list` shows what there is");
        }
        if self.list {
            for item in &items {
                println!("{}", item.name);
            }
            return Ok(ExitCode::SUCCESS);
        }
        let totals = suite::run(items, self.jobs);
        Ok(close(&totals, only.as_deref()))
    }
}
