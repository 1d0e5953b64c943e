// SPDX-License-Identifier: GPL-2.0

//! `daxown watch`: what changes, as it happens, a line each.
//!
//! Four things are followed: the kernel's events (uevents), its log, the ledger of the Rust dax_hmem, and
//! the machine itself, which is read again after each of them and once a second.

mod sources;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{bail, Context, Result};
use clap::ValueEnum;
use daxmap::Tree;
use serde::Serialize;

use crate::cli::{seconds, Global};
use crate::diff::{self, Side, Value};
use crate::show::Look;
use sources::{Ledger, Log, Uevents};

/// Between two looks at the machine.
const TURN: Duration = Duration::from_secs(1);
/// Events come in bursts: one look answers those of such a time.
const BURST: Duration = Duration::from_millis(150);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each line has the time, where it is known from (event, log, ledger, state) and what happened. `state` lines \
say what is different now, in the words of `daxown diff`.

Exit status: 0 when the time was over; without --timeout it goes on until it is \
ended.

Examples:
  daxown watch
  daxown watch --only state --timeout 60
  daxown watch -J | jq .                       one JSON object a line")]
pub struct WatchArgs {
    /// End after so many seconds
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<f64>,
    /// Only lines from these
    #[arg(long, value_name = "FROM", value_delimiter = ',')]
    pub only: Vec<From>,
}

/// Where a line is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// A uevent of the kernel
    Event,
    /// A line of the kernel log
    Log,
    /// A record of the ledger
    Ledger,
    /// The machine, compared with the look before
    State,
}

/// A line for programs.
#[derive(Serialize)]
struct Line<'a> {
    /// Seconds since 1970.
    time: f64,
    from: From,
    text: &'a str,
}

/// Prints lines.
struct Printer {
    json: bool,
    look: Look,
    only: Vec<From>,
}

pub fn run(global: &Global, args: &WatchArgs) -> Result<ExitCode> {
    let tree = Tree::open(global.path()?)?;
    if !tree.is_live() {
        bail!(
            "watch needs the running machine; to see what two captures differ in: daxown diff A B"
        );
    }
    let printer = Printer {
        json: global.json,
        look: Look::new(global),
        only: args.only.clone(),
    };
    let end = args
        .timeout
        .and_then(|s| Instant::now().checked_add(Duration::from_secs_f64(s)));
    // All ears are open before the first look, so that nothing falls between.
    let events = Uevents::open().context("kernel events (netlink)")?;
    let mut log = Log::open();
    if log.is_none() {
        eprintln!(
            "daxown: this user may not read the kernel log; its lines are missing (run it as root)"
        );
    }
    let mut ledger = Ledger::new();
    let mut before = Side::read(&tree);
    // For whoever starts it beside what is to be watched.
    eprintln!("daxown: watching");
    loop {
        let left = match end.map(|e| e.checked_duration_since(Instant::now())) {
            Some(None) => return Ok(ExitCode::SUCCESS),
            Some(Some(left)) => left.min(TURN),
            None => TURN,
        };
        let woken = sources::wait(&events, log.as_ref(), left)?;
        if woken {
            std::thread::sleep(BURST.min(left));
        }
        for text in events.read() {
            printer.line(From::Event, &text)?;
        }
        for text in log.as_mut().map(Log::read).unwrap_or_default() {
            printer.line(From::Log, &text)?;
        }
        for text in ledger.read(&tree) {
            printer.line(From::Ledger, &text)?;
        }
        let now = Side::read(&tree);
        for change in diff::changes(&before, &now) {
            let value = |v: &Option<Value>| match v {
                Some(Value::Text(text)) => text.clone(),
                Some(Value::Bytes(bytes)) => printer.look.size(*bytes),
                None => "-".into(),
            };
            let text = format!(
                "{} {}: {} {} -> {}",
                change.what.word(),
                change.which,
                change.attribute,
                value(&change.a),
                value(&change.b)
            );
            printer.line(From::State, &text)?;
        }
        before = now;
    }
}

impl Printer {
    fn line(&self, from: From, text: &str) -> Result<()> {
        if !self.only.is_empty() && !self.only.contains(&from) {
            return Ok(());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let line = match self.json {
            true => serde_json::to_string(&Line {
                time: now.as_secs_f64(),
                from,
                text,
            })?,
            false => {
                let word = from.to_possible_value();
                let word = word.as_ref().map_or("", |v| v.get_name());
                format!(
                    "{}  {}  {text}",
                    clock(now),
                    self.look.dim(&format!("{word:6}"))
                )
            }
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    }
}

/// The time of day in UTC, as a log has it.
fn clock(since: Duration) -> String {
    let seconds = since.as_secs() % 86_400;
    format!(
        "{:02}:{:02}:{:02}.{:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        since.subsec_millis()
    )
}
