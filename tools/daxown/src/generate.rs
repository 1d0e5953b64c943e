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
use crate::diff::DiffDoc;
use crate::fleet::FleetDoc;
use crate::json::{DoctorDoc, ExplainDoc, ListDoc, TreeDoc};
use crate::kinds::KindDoc;
use crate::platform::PlatformDoc;
use crate::predict::PredictDoc;
use crate::timeline::TimelineDoc;
use crate::wait::WaitDoc;

/// The documents of all verbs.
#[derive(Serialize)]
struct Schemas {
    list: Schema,
    tree: Schema,
    explain: Schema,
    doctor: Schema,
    predict: Schema,
    diff: Schema,
    fleet: Schema,
    kinds: Schema,
    platform: Schema,
    timeline: Schema,
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
    if matches!(args.what, What::Kinds | What::All) {
        let path = dir.join("kinds.md");
        fs::write(&path, crate::kinds::page()).with_context(|| path.display().to_string())?;
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
                diff: schema_for!(DiffDoc),
                fleet: schema_for!(FleetDoc),
                kinds: schema_for!(Vec<KindDoc>),
                platform: schema_for!(PlatformDoc),
                timeline: schema_for!(TimelineDoc),
                wait: schema_for!(WaitDoc),
            },
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
