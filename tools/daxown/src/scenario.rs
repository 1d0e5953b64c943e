// SPDX-License-Identifier: GPL-2.0

//! `daxown scenario`: a machine as a scenario for the lab.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use daxmap::{Map, Tree};

use crate::cli::Global;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The scenario has the machine's windows, regions, Soft Reserved ranges and devices, made small enough for \
a guest: their order, what lies in what, what touches, and how ends are aligned stay as they are. What \
could not be kept stands in its first lines. It expects what `daxown predict` says of the guest.

Examples:
  daxown scenario report.tar.gz > machine.toml
  make run SCENARIO=machine.toml DRIVERS=c     in the tree of the lab
  make run SCENARIO=report.tar.gz              both in one step")]
pub struct ScenarioArgs {
    /// The capture, in place of --sysroot
    #[arg(value_name = "DIR|ARCHIVE")]
    pub capture: Option<PathBuf>,
}

pub fn run(global: &Global, args: &ScenarioArgs) -> Result<ExitCode> {
    let path = match &args.capture {
        Some(path) => path,
        None => global.path()?,
    };
    let tree = Tree::open(path)?;
    let map = Map::read(&tree);
    let text = daxmap::scenario::text(&tree, &map).with_context(|| path.display().to_string())?;
    crate::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
