// SPDX-License-Identifier: GPL-2.0

//! The command line; help, man pages and completions are all made from these definitions.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Show who owns which Soft Reserved and CXL memory, and why
#[derive(Debug, Parser)]
#[command(name = "daxown", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

/// Options that every verb has.
#[derive(Debug, Args)]
pub struct Global {
    /// Read a captured tree (a directory, or an archive made by `capture`) instead of this machine
    #[arg(
        long,
        value_name = "DIR|ARCHIVE",
        global = true,
        default_value = "/",
        hide_default_value = true
    )]
    pub sysroot: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write one archive of everything that is read here, and nothing private, for a bug report
    Capture(CaptureArgs),
}

#[derive(Debug, Args)]
pub struct CaptureArgs {
    /// Archive to write (tar, gzip); `-` is standard output
    pub file: PathBuf,
}
