// SPDX-License-Identifier: GPL-2.0

//! The command line; help, man pages and completions are all made from these definitions.

use std::path::{Path, PathBuf};

use anyhow::{bail, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::assign::AssignArgs;
use crate::diff::DiffArgs;
use crate::fix::FixArgs;
use crate::list::Pick;
use crate::predict::PredictArgs;
use crate::scenario::ScenarioArgs;
use crate::timeline::TimelineArgs;
use crate::wait::Condition;
use crate::watch::WatchArgs;

const EXAMPLES: &str = "\
Examples:
  daxown list                     who owns each range and CXL region
  daxown tree --svg map.svg       the physical address map, also as a picture
  daxown explain 0x490000000      the story of one address
  daxown explain region0          the story of one region
  daxown doctor                   what is not usable, why, and what to do
  daxown fix --dry-run            the steps that would mend it
  daxown diff before.tar.gz       what has changed since
  daxown predict                  what the other drivers would make of it
  daxown capture report.tar.gz    one archive for a bug report
  daxown --sysroot report.tar.gz doctor
                                  the same verbs on somebody else's machine
  ssh host dmesg | daxown --sysroot - doctor
                                  the same on a log or list that was pasted

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
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Read something else than this machine: a captured tree (a directory, or an archive made by
    /// `capture`), or what somebody pasted: a kernel log, /proc/iomem, the JSON of `cxl list` or
    /// `daxctl list`, in one file or several of a directory; `-` is standard input. Given several
    /// times, `list` and `doctor` print a line for each
    #[arg(long, value_name = "DIR|FILE|-", global = true)]
    pub sysroot: Vec<PathBuf>,
    /// What is as it should be, in place of /etc/daxown.toml
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
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

impl Global {
    /// The root of the one machine that a verb is about.
    pub fn path(&self) -> Result<&Path> {
        match self.sysroot.as_slice() {
            [] => Ok(Path::new("/")),
            [one] => Ok(one),
            _ => bail!("this verb is about one machine: give --sysroot once"),
        }
    }

    /// The same options for other machines.
    pub fn with(&self, sysroot: Vec<PathBuf>) -> Global {
        Global {
            sysroot,
            ..self.clone()
        }
    }
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
    /// Draw the physical address map with its owners
    Tree(TreeArgs),
    /// Tell the story of an address, range, dax device, region or hmem device
    Explain(ExplainArgs),
    /// Find every byte that is not usable, say why, and what to do
    Doctor(DoctorArgs),
    /// Do what doctor says to do, step by step
    Fix(FixArgs),
    /// Hand memory to another owner
    Assign(AssignArgs),
    /// Predict who would own what with the Rust drivers and with the kernel's own
    Predict(PredictArgs),
    /// Compare two machines, or one at two times
    Diff(DiffArgs),
    /// Write the machine as a scenario that the lab can boot
    Scenario(ScenarioArgs),
    /// Print what doctor finds as metrics for Prometheus
    Metrics(MetricsArgs),
    /// Return when it is settled who owns what
    Wait(WaitArgs),
    /// Tell the boot step by step: found, decided, served, and what was waited for
    Timeline(TimelineArgs),
    /// Print what changes, as it happens
    Watch(WatchArgs),
    /// Write one archive of everything that is read here, and nothing private, for a bug report
    Capture(CaptureArgs),
    /// Write man pages, shell completions and the JSON schema to a directory
    #[command(hide = true)]
    Generate(GenerateArgs),
}

/// Kinds of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowKind {
    Reserved,
    Region,
    /// CXL memory devices, with columns of their own
    Device,
}

/// Kinds of owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OwnerKind {
    Cxl,
    Hmem,
    SystemRam,
    Driver,
    Nobody,
    Unknown,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
On a terminal each row is one line, and a REASON that is too long is cut (…): `daxown explain` has all of it.

Examples:
  daxown list
  daxown list --lost                     only what is not wholly usable
  daxown list --kind region -o range,device,online
  daxown list --kind device              memory devices, and their capacity
  daxown list -o +window                 the usual columns and one more
  daxown list rack7/*.tar.gz             a line for each machine, and a total
  daxown list rack7/*.tar.gz --lost      the rows of each that are not all usable
  daxown list 0x490000000+512M -J        one range, for programs")]
pub struct ListArgs {
    /// Only what shares a byte with this address or range, or is of this device or region; or captures to
    /// read, of which several give a line each
    #[arg(value_name = "ADDRESS|RANGE|NAME|CAPTURE")]
    pub what: Vec<String>,
    /// Columns, in this order; with `+` in front, added to the usual ones: kind, name, range, start, end,
    /// size, owner, device, node, online, offline, usable, state, reason, window, source, members
    #[arg(short = 'o', long, value_name = "LIST", value_delimiter = ',')]
    pub columns: Vec<Pick>,
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

impl ListArgs {
    /// Whether only some rows or columns were asked for.
    pub fn picks(&self) -> bool {
        let all = self.what.is_empty() && self.columns.is_empty() && self.owner.is_empty();
        !all || self.kind.is_some() || self.lost || self.noheadings
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  daxown tree
  daxown tree --svg map.svg
  daxown --sysroot report.tar.gz tree --color always | less -R")]
pub struct TreeArgs {
    /// Write the map as a picture (SVG) to this file instead; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  daxown explain 0x490000000             one address
  daxown explain 0x490000000+512M        a range, or 0x490000000-0x4afffffff
  daxown explain dax0.0
  daxown explain region0
  daxown explain hmem.1 dax1.0           what both are about is told once
  daxown explain --kind trimmed          a kind of problem, on any machine
  daxown explain --kind list             all kinds")]
pub struct ExplainArgs {
    /// What to explain
    #[arg(
        value_name = "ADDRESS|RANGE|daxX.Y|regionN|hmem.N",
        required_unless_present = "kind"
    )]
    pub what: Vec<String>,
    /// Explain a kind of problem that doctor shows in brackets, or `list` all
    #[arg(short, long, value_name = "KIND", conflicts_with = "what")]
    pub kind: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Exit status:
  0  every byte of Soft Reserved and committed CXL memory is usable
  1  warnings: memory is offline, cut for alignment or waits, or something
     cannot be known
  2  memory is lost, or in use with nothing behind it
  3  the check could not be made

Examples:
  daxown doctor
  daxown doctor --quiet          one line, for monitoring
  daxown doctor --strict         notes (an idle region, unmapped capacity) count
  daxown doctor rack7/*.tar.gz   a line for each machine, and a total
  daxown doctor --agree > /etc/daxown.toml
                                 what is so now is as it should be
  daxown doctor --platform       whether this machine is ready for CXL memory")]
pub struct DoctorArgs {
    /// Captures to check in place of this machine
    #[arg(value_name = "CAPTURE")]
    pub captures: Vec<PathBuf>,
    /// Print a configuration that agrees to what is so now
    #[arg(long, conflicts_with_all = ["captures", "strict", "quiet"])]
    pub agree: bool,
    /// Check firmware, kernel and modules instead: whether they can serve such memory
    #[arg(long, conflicts_with_all = ["captures", "agree", "strict"])]
    pub platform: bool,
    /// Only the closing line
    #[arg(short, long)]
    pub quiet: bool,
    /// Notes count as warnings
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
What goes in: the files daxown reads. Of the command line, the kernel log and the module \
configuration only the lines about this memory; no addresses of the kernel's own code. Serial \
numbers of CXL devices are in it. Run it as root, or the addresses are missing.

Examples:
  daxown capture report.tar.gz
  daxown --sysroot report.tar.gz list
  ssh host daxown capture - > host.tar.gz")]
pub struct CaptureArgs {
    /// Archive to write (tar, gzip); `-` is standard output
    pub file: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  daxown metrics
  daxown metrics -o /var/lib/prometheus/node-exporter/daxown.prom
                                 for node_exporter's textfile collector")]
pub struct MetricsArgs {
    /// Replace this file in one step, rather than print
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
With the Rust dax_hmem the kernel says when ownership is settled. The stock drivers do not: then each \
range must have an owner, or a driver that failed.

With --for and --node it waits until all of them hold, settled or not. A name is an address, a range, a \
region, dax, hmem or memory device; its state is one of online (of what can be), usable (or a file), there, \
gone, committed, cxl, hmem, nobody.

Exit status:
  0  settled, or all is as asked for
  1  not so when the time was over
  3  the wait could not be made

Examples:
  daxown wait --timeout 60 && daxctl online-memory all
  daxown wait --for region0=online --timeout 30
  daxown wait --for 0x490000000=hmem --node 2
  daxown --sysroot report.tar.gz wait --for region0=online
                                 a capture does not change: it ends at once")]
pub struct WaitArgs {
    /// Give up after so many seconds; without it, wait for ever
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<f64>,
    /// Wait for this; may be given several times
    #[arg(long = "for", value_name = "NAME=STATE")]
    pub conditions: Vec<Condition>,
    /// Wait until memory of this NUMA node is online
    #[arg(long, value_name = "NODE")]
    pub node: Vec<u32>,
}

pub fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(s) if (0.0..=1e9).contains(&s) => Ok(s),
        _ => Err("a number of seconds from 0 to 1000000000".into()),
    }
}

/// What to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    Man,
    Completions,
    Schema,
    Kinds,
    All,
}

#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// What to write
    pub what: What,
    /// Directory to write to
    pub dir: PathBuf,
}
