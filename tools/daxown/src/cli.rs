// SPDX-License-Identifier: GPL-2.0

//! The command line; help, man pages and completions are all made from these definitions.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::list::Column;

const EXAMPLES: &str = "\
Examples:
  daxown list                     who owns each Soft Reserved range and CXL region
  daxown tree --svg map.svg       the physical address map, also as a picture
  daxown explain 0x490000000      the story of one address
  daxown explain region0          the story of one region
  daxown doctor                   what is not usable, why, and what to do
  daxown capture report.tar.gz    one archive for a bug report
  daxown --sysroot report.tar.gz doctor
                                  the same verbs on somebody else's machine

Exit status: 0 done; 1 and 2 as the verb says; 3 the verb could not do its work.";

/// Show who owns which Soft Reserved and CXL memory, and why
#[derive(Debug, Parser)]
#[command(name = "daxown", version, max_term_width = 100, after_help = EXAMPLES)]
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
    /// Print JSON for programs; `daxown generate schema` documents it
    #[arg(short = 'J', long, global = true)]
    pub json: bool,
    /// Print sizes in bytes
    #[arg(short, long, global = true)]
    pub bytes: bool,
    /// When to use colours; `auto` is on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub color: When,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List Soft Reserved ranges and CXL regions with their owners
    List(ListArgs),
    /// Write one archive of everything that is read here, and nothing private, for a bug report
    Capture(CaptureArgs),
}

/// Kinds of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowKind {
    Reserved,
    Region,
}

/// Kinds of owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OwnerKind {
    Cxl,
    Hmem,
    SystemRam,
    Nobody,
    Unknown,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  daxown list
  daxown list --lost                        only what is not wholly usable
  daxown list --kind region -o range,device,online
  daxown list 0x490000000-0x4afffffff -J    one range, for programs")]
pub struct ListArgs {
    /// Only what shares a byte with this address or range, or is of this device or region
    #[arg(value_name = "ADDRESS|RANGE|NAME")]
    pub what: Vec<String>,
    /// Columns, in this order
    #[arg(short = 'o', long, value_name = "LIST", value_delimiter = ',')]
    pub columns: Vec<Column>,
    /// Only rows of this kind
    #[arg(short, long, value_name = "KIND")]
    pub kind: Option<RowKind>,
    /// Only rows with this owner
    #[arg(long, value_name = "OWNER", value_delimiter = ',')]
    pub owner: Vec<OwnerKind>,
    /// Only rows of which not every byte is usable
    #[arg(short, long)]
    pub lost: bool,
    /// Leave out the line of column names, and the totals
    #[arg(short = 'n', long)]
    pub noheadings: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
What goes in: the files daxown reads. Of the command line, the kernel log and the module
configuration only the lines about this memory; no addresses of the kernel's own code. Serial
numbers of CXL devices are in it. Run it as root, or the addresses are missing.

Examples:
  daxown capture report.tar.gz
  daxown --sysroot report.tar.gz list
  ssh host daxown capture - > host.tar.gz")]
pub struct CaptureArgs {
    /// Archive to write (tar, gzip); `-` is standard output
    pub file: PathBuf,
}
