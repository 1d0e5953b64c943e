// SPDX-License-Identifier: GPL-2.0

//! `daxown generate`: man pages, completions and the JSON schema, from the program's own definitions.

use std::fs::{self, File};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use schemars::{schema_for, Schema};
use serde::Serialize;

use crate::cli::{Cli, GenerateArgs, What};
use crate::json::{DoctorDoc, ExplainDoc, ListDoc, TreeDoc, WaitDoc};
use crate::predict::PredictDoc;

/// The documents of all verbs.
#[derive(Serialize)]
struct Schemas {
    list: Schema,
    tree: Schema,
    explain: Schema,
    doctor: Schema,
    predict: Schema,
    wait: Schema,
}

pub fn run(args: &GenerateArgs) -> Result<ExitCode> {
    let dir = &args.dir;
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    if matches!(args.what, What::Man | What::All) {
        clap_mangen::generate_to(Cli::command(), dir).with_context(|| dir.display().to_string())?;
    }
    if matches!(args.what, What::Completions | What::All) {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            clap_complete::generate_to(shell, &mut Cli::command(), "daxown", dir)
                .with_context(|| dir.display().to_string())?;
        }
    }
    if matches!(args.what, What::Schema | What::All) {
        let path = dir.join("daxown.schema.json");
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        serde_json::to_writer_pretty(
            file,
            &Schemas {
                list: schema_for!(ListDoc),
                tree: schema_for!(TreeDoc),
                explain: schema_for!(ExplainDoc),
                doctor: schema_for!(DoctorDoc),
                predict: schema_for!(PredictDoc),
                wait: schema_for!(WaitDoc),
            },
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
