// SPDX-License-Identifier: GPL-2.0

//! The command line of the lab; each subcommand's arguments stand beside its code.

use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

use crate::commands;
use crate::provision;
use crate::provision::Ctx;

#[derive(Parser)]
#[command(name = "lab", about, version, arg_required_else_help = true)]
struct Cli {
    /// Print every command that is run
    #[arg(short, long, global = true, env = "V", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    verbose: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Provision(provision::cli::Command),
    #[command(flatten)]
    Guest(commands::Command),
}

/// Runs the subcommand; an error is printed with its causes, exit status 1.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let ctx = Ctx::new(cli.verbose)?;
    match cli.command {
        Command::Provision(command) => command.run(&ctx),
        Command::Guest(command) => command.run(&ctx),
    }
}
