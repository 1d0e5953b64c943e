// SPDX-License-Identifier: GPL-2.0

//! `daxown`: who owns which Soft Reserved and CXL memory, and why.
//!
//! Each verb reads one [`daxmap::Map`] and prints it in its own way. Exit status: 0 done, 1 and 2 as
//! a verb documents, 3 the verb could not do its work.

mod assign;
mod capture;
mod cli;
mod config;
mod diff;
mod doctor;
mod explain;
mod fix;
mod fleet;
mod generate;
mod json;
mod kinds;
mod list;
mod metrics;
mod platform;
mod predict;
mod scenario;
mod show;
mod subject;
mod table;
mod timeline;
mod tree;
mod wait;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use daxmap::{Map, Tree};

use cli::{Cli, Global, Verb};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // Not clap's 2: a monitor takes that for lost memory.
            return ExitCode::from(if error.use_stderr() { 3 } else { 0 });
        }
    };
    match run(&cli) {
        Ok(code) => code,
        // `daxown list | head` is no error of ours.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("daxown: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode> {
    let global = &cli.global;
    match &cli.verb {
        Verb::List(args) => list::run(global, args),
        Verb::Tree(args) => tree::run(global, args),
        Verb::Explain(args) => explain::run(global, args),
        Verb::Doctor(args) => doctor::run(global, args),
        Verb::Fix(args) => fix::run(global, args),
        Verb::Assign(args) => assign::run(global, args),
        Verb::Predict(args) => predict::run(global, args),
        Verb::Diff(args) => diff::run(global, args),
        Verb::Scenario(args) => scenario::run(global, args),
        Verb::Metrics(args) => metrics::run(global, args),
        Verb::Wait(args) => wait::run(global, args),
        Verb::Timeline(args) => timeline::run(global, args),
        Verb::Watch(args) => watch::run(global, args),
        Verb::Generate(args) => generate::run(args),
        Verb::Capture(args) => capture::run(global, args),
    }
}

/// The machine the user asked for.
fn read(global: &Global) -> Result<Map> {
    Ok(Map::read(&Tree::open(global.path()?)?))
}

/// Writes to standard output; a closed pipe comes back as an error, not as a panic.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}
