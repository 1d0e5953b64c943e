// SPDX-License-Identifier: GPL-2.0

//! `lab scenario --check FILE`: says what is wrong with a file, and in which line.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::provision::Ctx;
use crate::scenario::Scenario;

/// Arguments of `lab scenario`.
#[derive(Args)]
pub struct Check {
    /// Files, or names of scenarios in tests/scenarios; all of these if there is none
    #[arg(long, num_args = 0.., value_name = "FILE", required = true)]
    check: Vec<String>,
}

impl Check {
    /// Checks every file; a fault in one does not hide those of the next.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let mut names = self.check;
        if names.is_empty() {
            for path in Scenario::all(&ctx.repo)? {
                names.push(path.to_string_lossy().into_owned());
            }
        }
        let mut code = ExitCode::SUCCESS;
        for name in names {
            match Scenario::load(&ctx.repo, &name) {
                Ok(scenario) => println!("{}: {}", scenario.path.display(), scenario.description),
                Err(error) => {
                    eprintln!("{error:#}");
                    code = ExitCode::FAILURE;
                }
            }
        }
        Ok(code)
    }
}
