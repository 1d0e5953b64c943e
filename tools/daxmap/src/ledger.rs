// SPDX-License-Identifier: GPL-2.0

//! The ledger of the Rust modules in debugfs: one line a piece, `key=value` fields, and behind them
//! lines about regions.
//!
//! Read liberally: an unknown key is kept aside, an unknown state is kept as text, a line of another
//! kind, or without what makes it one, is passed over.

mod outcome;

use std::collections::BTreeMap;
use std::ffi::CStr;

pub use ownership::{Standing, Why};
use serde::Serialize;

use crate::range::{parse_number, Range};
use crate::scan::{shorten, Scan};

pub use outcome::{Fate, Outcome};

/// Where the kernel shows it.
pub const LEDGER_PATH: &str = "sys/kernel/debug/dax_hmem/ledger";

/// What dax_hmem made of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// A word of the driver's.
    Known(Standing),
    /// A state this version does not know.
    Other(String),
}

impl State {
    fn parse(word: &str) -> State {
        Standing::from_word(word).map_or_else(|| State::Other(word.to_string()), State::Known)
    }

    /// The word.
    pub fn word(&self) -> &str {
        match self {
            State::Known(standing) => text(standing.word()),
            State::Other(word) => word,
        }
    }
}

impl Serialize for State {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// A word of the driver's as text.
pub(crate) fn text(word: &'static CStr) -> &'static str {
    word.to_str().unwrap_or_default()
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The piece.
    pub range: Range,
    /// What became of it.
    pub state: State,
    /// Target node.
    pub node: Option<u32>,
    /// The kernel's word for why.
    pub reason: Option<String>,
    /// The hmem device, such as `hmem.0`.
    pub dev: Option<String>,
    /// The CXL region, such as `region0`.
    pub region: Option<String>,
    /// Who else has the memory: a resource, or a device; one word.
    pub holder: Option<String>,
    /// Who won where this piece lost.
    pub lost_to: Option<String>,
    /// 0, or the positive errno of the step that failed.
    pub errno: u32,
    /// Nanoseconds since boot.
    pub seen_ns: Option<u64>,
    /// Nanoseconds since boot.
    pub decided_ns: Option<u64>,
    /// Nanoseconds since boot.
    pub served_ns: Option<u64>,
    /// KiB cut off at the start to reach alignment.
    pub kib_head: u64,
    /// KiB cut off at the end to reach alignment.
    pub kib_tail: u64,
    /// Fields this version does not know.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub other: BTreeMap<String, String>,
}

/// What the ledger holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// What became of each piece.
    pub records: Vec<Record>,
    /// What became of each region, the oldest first; older modules do not say it.
    pub outcomes: Vec<Outcome>,
}

/// Reads it where it is there, and keeps count of what could not be read of it.
pub(crate) fn read(scan: &Scan) -> Option<Ledger> {
    let text = scan.text(LEDGER_PATH)?;
    if let Some(why) = odd(&text) {
        scan.gap(LEDGER_PATH, why, false);
    }
    Some(parse(&text))
}

/// What keeps a text from being a whole ledger. A line of a kind that this version does not know is none of it.
fn odd(text: &str) -> Option<String> {
    let is_plain = |line: &str| line.split_whitespace().all(|word| word.contains('='));
    let mut lines = text.lines().filter(|l| !l.trim_start().starts_with('#'));
    if let Some(line) = lines.find(|l| !is_plain(l)) {
        return Some(format!("no line of a ledger: {}", shorten(line.trim())));
    }
    if text.is_empty() || text.ends_with('\n') {
        return None;
    }
    let last = text.lines().next_back().unwrap_or_default();
    Some(format!("ends within a line: {}", shorten(last.trim())))
}

/// Reads the lines; those that are of no known kind are passed over.
pub fn parse(text: &str) -> Ledger {
    let mut ledger = Ledger::default();
    let lines = text.lines().filter(|l| !l.trim_start().starts_with('#'));
    for line in lines {
        let fields = fields(line);
        if fields.contains_key("outcome") {
            ledger.outcomes.extend(Outcome::of(fields));
        } else {
            ledger.records.extend(record(fields));
        }
    }
    ledger
}

/// What has a value; `-` is none.
fn fields(line: &str) -> BTreeMap<String, String> {
    line.split_whitespace()
        .filter_map(|f| f.split_once('='))
        .filter(|(_, v)| !v.is_empty() && *v != "-")
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect()
}

/// Kernel code speaks of -12; the sign carries nothing here.
fn errno(fields: &mut BTreeMap<String, String>) -> u32 {
    fields
        .remove("errno")
        .and_then(|v| parse_number(v.trim_start_matches('-')))
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(0)
}

/// 0: the step has not come yet.
fn time(fields: &mut BTreeMap<String, String>, key: &str) -> Option<u64> {
    let value = fields.remove(key)?;
    parse_number(&value).filter(|&n| n != 0)
}

fn record(mut fields: BTreeMap<String, String>) -> Option<Record> {
    let range = Range::parse(&fields.remove("range")?)?;
    let state = State::parse(&fields.remove("state")?);
    let mut number = |key: &str| fields.remove(key).and_then(|v| parse_number(&v));
    let node = number("node").and_then(|n| u32::try_from(n).ok());
    let (kib_head, kib_tail) = (
        number("kib_head").unwrap_or(0),
        number("kib_tail").unwrap_or(0),
    );
    Some(Record {
        range,
        state,
        node,
        reason: fields.remove("reason"),
        dev: fields.remove("dev"),
        region: fields.remove("region"),
        holder: fields.remove("holder"),
        lost_to: fields.remove("lost_to"),
        errno: errno(&mut fields),
        seen_ns: time(&mut fields, "seen_ns"),
        decided_ns: time(&mut fields, "decided_ns"),
        served_ns: time(&mut fields, "served_ns"),
        kib_head,
        kib_tail,
        other: fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_record() {
        let Ledger { records, outcomes } = parse(
            "# dax_hmem ledger 1\n\
             range=0x490000000-0x4afffffff node=1 state=hmem reason=no-region dev=hmem.0 errno=0 seen_ns=123 decided_ns=456 served_ns=789\n",
        );
        assert_eq!((records.len(), outcomes.len()), (1, 0));
        let r = &records[0];
        assert_eq!(r.range, Range::new(0x490000000, 0x4afffffff).unwrap());
        assert_eq!(r.state, State::Known(Standing::Hmem));
        assert_eq!(r.dev.as_deref(), Some("hmem.0"));
        assert_eq!((r.node, r.errno, r.served_ns), (Some(1), 0, Some(789)));
        assert!(r.other.is_empty());
    }

    #[test]
    fn unknown_fields_and_states_are_kept() {
        let ledger =
            parse("state=gone node=-1 errno=-12 range=0-0xffffffffffffffff x=1 junk dev=-\n");
        let r = &ledger.records[0];
        assert_eq!(r.state, State::Other("gone".into()));
        assert_eq!((r.node, r.errno, r.dev.clone()), (None, 12, None));
        assert_eq!(r.range.end, u64::MAX);
        assert_eq!(r.other["x"], "1");
    }

    #[test]
    fn lines_of_no_known_kind_are_passed_over() {
        let text = "state=hmem\nrange=5-4 state=hmem\nrange=\n\u{0}\n=\n==\n\
                    outcome=lost\nrange=0x0-0xfff kind=new\n";
        assert_eq!(parse(text), Ledger::default());
    }

    #[test]
    fn what_is_no_whole_ledger_is_told() {
        let line = "range=0x0-0xfff state=hmem\n";
        assert_eq!(odd(""), None);
        assert_eq!(
            odd(&format!("# dax_hmem ledger 2\n{line}speed=7 of=all\n")),
            None
        );
        assert!(odd(&line[..12]).unwrap().contains("ends within a line"));
        assert!(odd(&format!("{line}\u{fffd}x\u{1}\n"))
            .unwrap()
            .contains("no line of a ledger"));
    }

    #[test]
    fn regions_have_lines_of_their_own() {
        let ledger = parse(
            "# dax_hmem ledger 1\n\
             range=0x0-0xfff state=hmem dev=hmem.3\n\
             region=region0 range=0x0-0xfff driver=dax_cxl outcome=lost lost_to=hmem.3 errno=-12 at_ns=5 x=1\n\
             region=region1 driver=dax_cxl outcome=bound lost_to=- errno=0 at_ns=9\n\
             region=region2 outcome=eaten\n",
        );
        assert_eq!((ledger.records.len(), ledger.outcomes.len()), (1, 3));
        let [lost, bound, odd] = &ledger.outcomes[..] else {
            unreachable!();
        };
        assert_eq!(
            (&lost.fate, lost.errno, lost.at_ns),
            (&Fate::Lost, 12, Some(5))
        );
        assert_eq!(
            (lost.range, lost.other["x"].as_str()),
            (Range::new(0, 0xfff), "1")
        );
        assert_eq!(lost.text(), "dax_cxl lost region0 to hmem.3, error -12");
        assert_eq!((&bound.fate, &bound.lost_to), (&Fate::Bound, &None));
        assert_eq!(bound.text(), "dax_cxl bound region1");
        assert_eq!((&odd.fate, odd.range), (&Fate::Other("eaten".into()), None));
    }
}
