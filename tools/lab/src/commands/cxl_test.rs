// SPDX-License-Identifier: GPL-2.0

//! `lab cxl-test`: our modules on the kernel's CXL unit-test platform, tools/testing/cxl.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use clap::Args;

use super::selection::Selection;
use crate::provision::Ctx;
use crate::suite;

/// Arguments of `lab cxl-test`.
#[derive(Args)]
pub struct CxlTest {
    /// A kernel tree of your own that has what tests/flavors/cxl-test.config asks for
    #[arg(long, env = "KDIR", value_parser = NonEmptyStringValueParser::new())]
    kdir: Option<String>,

    /// Seconds until a guest is ended
    #[arg(long, env = "TIMEOUT")]
    timeout: Option<u64>,

    #[command(flatten)]
    selection: Selection,
}

impl CxlTest {
    /// Runs the scenarios of tests/scenarios/cxl-test.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let kdir = self.kdir.map(PathBuf::from);
        self.selection
            .run(suite::cxl_test_items(ctx, kdir, self.timeout))
    }
}
