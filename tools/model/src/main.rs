// SPDX-License-Identifier: GPL-2.0

//! Explores the ownership protocol and prints what was found.

use anyhow::{bail, Result};
use clap::Parser;
use model::{
    code::{Code, Mutant},
    report,
    universe::{self, Universe},
};
use std::process::ExitCode;

/// Explore every interleaving of the ownership protocol
#[derive(Parser)]
struct Args {
    /// Universes to explore; all of them without any
    universes: Vec<String>,
    /// Put a fault in
    #[arg(long)]
    mutant: Option<Mutant>,
    /// Let the decision always wait for probing
    #[arg(long)]
    patient: bool,
    /// How much trouble there may be, instead of what the universe says
    #[arg(long)]
    budget: Option<u8>,
    /// Print how much was explored, and no counterexample
    #[arg(long)]
    brief: bool,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let code = Code {
        mutant: args.mutant,
        patient: args.patient,
    };

    let mut broken = 0;
    for mut universe in chosen(&args.universes)? {
        universe.budget = args.budget.unwrap_or(universe.budget);
        let report = report::explore(universe, code.clone());
        println!("{report}");
        if let Some(counterexample) = report.counterexample.filter(|_| !args.brief) {
            println!("{counterexample}");
        }
        broken += usize::from(report.broken.is_some());
    }
    Ok(if broken > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn chosen(names: &[String]) -> Result<Vec<Universe>> {
    let mut chosen = Vec::new();
    for name in names {
        match universe::ALL.into_iter().find(|u| u.name == name) {
            Some(universe) => chosen.push(universe),
            None => {
                let known = universe::ALL.map(|u| u.name).join(", ");
                bail!("there is no universe {name}; there are {known}");
            }
        }
    }
    if names.is_empty() {
        chosen.extend(universe::ALL);
    }
    Ok(chosen)
}
