// SPDX-License-Identifier: GPL-2.0

//! `daxown`: who owns which Soft Reserved and CXL memory, and why.

mod capture;
mod cli;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Verb};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.verb {
        Verb::Capture(args) => capture::run(&cli.global, args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("daxown: {error:#}");
            ExitCode::from(3)
        }
    }
}
