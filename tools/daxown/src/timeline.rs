// SPDX-License-Identifier: GPL-2.0

//! `daxown timeline`: the boot as far as it is about this memory, and what took its time.
//!
//! The Rust dax_hmem notes in its ledger when it found, decided and served each range. The kernel's own
//! notes nothing: then the log has the failures, and the rest is not told. Ledger and log run on two
//! clocks, some tens of milliseconds apart; where both speak of one range, the log is set by the ledger.

use std::process::ExitCode;

use anyhow::Result;
use comfy_table::CellAlignment::{Left, Right};
use daxmap::ledger::{Record, Standing, State, Why};
use daxmap::log::{Event, Message, Verdict};
use daxmap::{Map, Range};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Global;
use crate::json::{self, Machine, RangeDoc};
use crate::show::{self, human, Look};
use crate::table::Table;

/// Clocks further apart than this are no two clocks, but two events.
const CLOCKS_US: i64 = 2_000_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Steps of a range: found, deferred (where the decision waits for CXL), decided (and what it waited for), \
served; of a region: bound or lost. \
Below them stands what took longest.

Examples:
  daxown timeline
  daxown --sysroot report.tar.gz timeline -J")]
pub struct TimelineArgs {}

/// A step.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MomentDoc {
    /// Microseconds since boot; `null` where the log does not tell.
    pub at_us: Option<u64>,
    /// Date and time as the log has them, where it has no time since boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<String>,
    /// Microseconds since the step before of the same range; `null` for a first one.
    pub after_us: Option<u64>,
    /// `found`, `deferred`, `decided`, `served`, `failed`, `bound`, `lost` or `log`.
    pub what: String,
    /// The addresses.
    pub range: Option<RangeDoc>,
    /// In words.
    pub text: String,
    /// What was waited for since the step before.
    pub waited_for: Option<String>,
    /// `ledger` or `log`.
    pub evidence: String,
}

/// `daxown timeline -J`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TimelineDoc {
    /// `daxown-timeline-1`.
    pub schema: String,
    /// The machine.
    pub machine: Machine,
    /// The steps in order.
    pub moments: Vec<MomentDoc>,
}

pub fn run(global: &Global, _args: &TimelineArgs) -> Result<ExitCode> {
    let map = crate::read(global)?;
    let moments = moments(&map);
    let text = match global.json {
        true => json::text(&TimelineDoc {
            schema: "daxown-timeline-1".into(),
            machine: Machine::of(&map),
            moments,
        })?,
        false => render(&map, &moments, &Look::new(global)),
    };
    crate::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn moments(map: &Map) -> Vec<MomentDoc> {
    let mut out: Vec<MomentDoc> = Vec::new();
    let records = map.ledger.iter().flat_map(|l| &l.records);
    for record in records {
        // Pieces of one range were found, and waited, together.
        for moment in of_record(map, record) {
            let is_of_all = ["found", "deferred"].contains(&moment.what.as_str());
            let known = |m: &MomentDoc| m.at_us == moment.at_us && m.what == moment.what;
            if !(is_of_all && out.iter().any(known)) {
                out.push(moment);
            }
        }
    }
    for outcome in map.ledger.iter().flat_map(|l| &l.outcomes) {
        out.extend(outcome.at_ns.map(|ns| {
            MomentDoc {
                at_us: Some(ns / 1000),
                clock: None,
                after_us: None,
                what: match outcome.fate {
                    daxmap::ledger::Fate::Bound => "bound",
                    daxmap::ledger::Fate::Lost => "lost",
                    _ => "failed",
                }
                .into(),
                range: outcome.range.as_ref().map(RangeDoc::of),
                text: outcome.text(),
                waited_for: None,
                evidence: "ledger".into(),
            }
        }));
    }
    let ahead = ledger_ahead(map);
    out.extend(map.log.iter().filter_map(|m| {
        // What the ledger tells better is left out.
        let range = match &m.event {
            Event::ProbeFailed { .. } => None,
            Event::Conflict { range, .. }
            | Event::ReserveFailed { range, .. }
            | Event::AddFailed { range, .. }
            | Event::RequestFailed { range, .. }
            | Event::NoWindow { range, .. }
            | Event::HasSystemRam { range, .. }
            | Event::Stuck { range, .. }
            | Event::Unaddressable { range }
            | Event::Decision { range, .. } => Some(RangeDoc::of(range)),
            Event::Truncated { .. } | Event::Rejected { .. } => None,
            Event::AttachFailed { .. } | Event::OffliningFailed { .. } => None,
            Event::CardGone { .. } | Event::Wiped { .. } => None,
            // Of the kernel's other memory nobody asks here.
            Event::BadPage { page } => {
                let address = map.address_of_page(*page)?;
                let is_ours = map.reserved.iter().any(|r| r.range.has(address));
                is_ours.then_some(None)?
            }
            Event::Said { device } if device.starts_with("region") => None,
            Event::Said { .. } if is_deferral(m) => named_range(&m.text),
            Event::Said { .. } | Event::MapEntry { .. } => return None,
            Event::NodeRange { .. } | Event::WindowNode { .. } => return None,
        };
        let at = |us: u64| {
            let at = i64::try_from(us).ok()?.checked_add(ahead)?;
            u64::try_from(at).ok()
        };
        Some(MomentDoc {
            at_us: match m.time_us {
                Some(us) => Some(at(us)?),
                None => None,
            },
            clock: m.clock.clone(),
            after_us: None,
            what: if is_deferral(m) { "deferred" } else { "log" }.into(),
            range,
            text: m.text.clone(),
            waited_for: None,
            evidence: "log".into(),
        })
    }));
    in_order(out)
}

/// Whether dax_hmem says that a range waits for CXL.
fn is_deferral(message: &Message) -> bool {
    match &message.event {
        Event::Decision { verdict, .. } => matches!(verdict, Verdict::Awaits | Verdict::Defers),
        Event::Said { .. } => message.text.contains("undecided, waiting for CXL"),
        _ => false,
    }
}

/// The first range that a message names.
fn named_range(text: &str) -> Option<RangeDoc> {
    let (_, rest) = text.split_once("[mem ")?;
    let (range, _) = rest.split_once(']')?;
    Some(RangeDoc::of(&Range::parse(range)?))
}

/// By time; what has none stays behind what stands before it in the log, or before what follows.
fn in_order(moments: Vec<MomentDoc>) -> Vec<MomentDoc> {
    let of_log = |m: &MomentDoc| m.evidence == "log";
    let first = moments.iter().find_map(|m| m.at_us.filter(|_| of_log(m)));
    let mut last = first.unwrap_or(u64::MAX);
    let keyed = moments.into_iter().map(|m| {
        if let Some(at) = m.at_us.filter(|_| of_log(&m)) {
            last = at;
        }
        (m.at_us.unwrap_or(last), m)
    });
    let mut out: Vec<(u64, MomentDoc)> = keyed.collect();
    out.sort_by_key(|(at, _)| *at);
    out.into_iter().map(|(_, m)| m).collect()
}

fn of_record(map: &Map, record: &Record) -> Vec<MomentDoc> {
    if record.lost_to.is_some() {
        return Vec::new();
    }
    let moment = |at: u64, before: Option<u64>, what: &str, text: String| MomentDoc {
        at_us: Some(at / 1000),
        clock: None,
        after_us: before.map(|b| at.saturating_sub(b) / 1000),
        what: what.into(),
        range: Some(RangeDoc::of(&record.range)),
        text,
        waited_for: None,
        evidence: "ledger".into(),
    };
    let mut out = Vec::new();
    if let Some(seen) = record.seen_ns {
        let whole = map
            .reserved
            .iter()
            .find(|r| r.range.contains(&record.range));
        let range = whole.map_or(record.range, |r| r.range);
        let mut found = moment(
            seen,
            None,
            "found",
            format!("Soft Reserved, {}", human(range.len())),
        );
        found.range = Some(RangeDoc::of(&range));
        out.push(found);
        // The log has the moment itself, where it has it.
        let is_deferred = record.state == State::Known(Standing::Deferred);
        let mut log = map.log.iter().filter(|m| is_deferral(m));
        let name = format!("[mem {range}]");
        if (is_deferred || waited_for(record).is_some()) && !log.any(|m| m.text.contains(&name)) {
            let mut wait = moment(seen, None, "deferred", "undecided, waiting for CXL".into());
            wait.range = Some(RangeDoc::of(&range));
            out.push(wait);
        }
    }
    if let Some(decided) = record.decided_ns {
        let owner = match &record.state {
            State::Known(Standing::Cxl) => "CXL".to_string(),
            State::Known(Standing::Hmem) => "HMEM".to_string(),
            State::Known(Standing::SystemRam) => "System RAM".to_string(),
            State::Known(Standing::Free) => "free".to_string(),
            _ => "nobody".to_string(),
        };
        let why = record.reason.as_deref().unwrap_or("unstated");
        let mut step = moment(
            decided,
            record.seen_ns,
            "decided",
            format!("{owner}: {why}"),
        );
        step.waited_for = waited_for(record);
        out.push(step);
    }
    if let Some(served) = record.served_ns {
        let device = record.dev.as_deref().unwrap_or("its device");
        let text = format!("{device} serves it");
        out.push(moment(
            served,
            record.decided_ns.or(record.seen_ns),
            "served",
            text,
        ));
    }
    out
}

/// A decision for CXL waits for the region, any other one in a window until devices are probed.
fn waited_for(record: &Record) -> Option<String> {
    let region = record.region.as_deref().unwrap_or("a region");
    match Why::from_word(record.reason.as_deref()?)? {
        Why::Covered => Some(region.to_string()),
        Why::NoRegion | Why::PartlyCovered | Why::KeptByRegion => {
            Some("device probing to settle".into())
        }
        _ => None,
    }
}

/// By how much the ledger's clock is ahead of the log's, in microseconds.
fn ledger_ahead(map: &Map) -> i64 {
    let records = map.ledger.iter().flat_map(|l| &l.records);
    let apart = records.filter_map(|r| {
        // A piece was found with the whole range, which is what the log speaks of first.
        let whole = map.reserved.iter().find(|x| x.range.contains(&r.range));
        let first = first_line(map, &whole.map_or(r.range, |x| x.range))?;
        let seen = i64::try_from(r.seen_ns? / 1000).ok()?;
        Some(seen - i64::try_from(first).ok()?)
    });
    apart
        .filter(|us| us.abs() < CLOCKS_US)
        .min_by_key(|us| us.abs())
        .unwrap_or(0)
}

/// When the log first speaks of a range as dax_hmem's.
fn first_line(map: &Map, range: &Range) -> Option<u64> {
    let name = format!("[mem {range}]");
    let mut lines = map.log.iter();
    let line = lines.find(|m| m.text.contains("hmem_platform") && m.text.contains(&name))?;
    line.time_us
}

fn render(map: &Map, moments: &[MomentDoc], look: &Look) -> String {
    if moments.is_empty() {
        return match map.ledger {
            Some(_) => "The ledger is empty, and the log says nothing of this memory.\n".into(),
            None => show::sentence(
                &format!(
                    "Nothing tells when what happened: the Rust dax_hmem keeps a ledger, the kernel's own does not, \
                     and {}.",
                    match (map.in_source.log, map.in_source.unread) {
                        (_, true) => "of the log lines about this memory could not be read",
                        (false, _) if !map.in_source.sysfs => "the log is not in what was given",
                        _ => "the log has no failures",
                    }
                ),
                look,
            ),
        };
    }
    let mut table = Table::new(look);
    table.column("TIME", Right);
    table.column("AFTER", Right);
    table.column("WHAT", Left);
    table.column("RANGE", Left);
    table.prose("HOW");
    for m in moments {
        let range = m
            .range
            .as_ref()
            .map_or("-".into(), |r| format!("{}-{}", r.start, r.end));
        let text = match &m.waited_for {
            Some(what) => format!("{}; waited for {what}", m.text),
            None => m.text.clone(),
        };
        table.row([
            match (m.at_us, &m.clock) {
                (Some(us), _) => seconds(us),
                (None, Some(clock)) => clock.clone(),
                (None, None) => "-".into(),
            },
            m.after_us
                .map_or(String::new(), |us| format!("+{}", seconds(us))),
            m.what.clone(),
            range,
            text,
        ]);
    }
    let mut out = table.text();
    let longest = moments
        .iter()
        .filter(|m| m.after_us.is_some())
        .max_by_key(|m| m.after_us);
    if let Some((m, us)) = longest.and_then(|m| Some((m, m.after_us?))) {
        let why = match (&m.waited_for, m.what.as_str()) {
            (Some(what), _) => format!("waiting for {what}"),
            (None, "served") => "making its device and bringing it online".into(),
            (None, _) => format!("until it was {}", m.what),
        };
        let range = m
            .range
            .as_ref()
            .map_or(String::new(), |r| format!(" for {}-{}", r.start, r.end));
        let text = format!("longest: {} s{range}, {why}", seconds(us));
        out.push_str(&format!("\n{}", show::sentence(&text, look)));
    }
    out
}

fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}
