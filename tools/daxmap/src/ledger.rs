// SPDX-License-Identifier: GPL-2.0

//! The ledger of the Rust dax_hmem in debugfs: one line a decided piece, `key=value` fields.
//!
//! Read liberally: an unknown key is kept aside, an unknown state is kept as text, a line without a
//! range is passed over.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::range::{parse_number, Range};

/// Where the kernel shows it.
pub const LEDGER_PATH: &str = "sys/kernel/debug/dax_hmem/ledger";

/// What dax_hmem made of a piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The decision waits for CXL.
    Deferred,
    /// Left to CXL.
    Cxl,
    /// Served by an hmem device.
    Hmem,
    /// Let go by its owner, free for CXL.
    Free,
    /// Nobody could serve it.
    Failed,
    /// The kernel has it as System RAM already.
    SystemRam,
    /// A state this version does not know.
    #[serde(untagged)]
    Other(String),
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

/// Reads the records; lines that are none are passed over.
pub fn parse(text: &str) -> Vec<Record> {
    text.lines()
        .filter(|l| !l.trim_start().starts_with('#'))
        .filter_map(parse_line)
        .collect()
}

fn parse_line(line: &str) -> Option<Record> {
    let mut fields: BTreeMap<String, String> = line
        .split_whitespace()
        .filter_map(|f| f.split_once('='))
        .filter(|(_, v)| !v.is_empty() && *v != "-")
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    let range = Range::parse(&fields.remove("range")?)?;
    let state = match fields.remove("state").as_deref() {
        Some("deferred") => State::Deferred,
        Some("cxl") => State::Cxl,
        Some("hmem") => State::Hmem,
        Some("free") => State::Free,
        Some("failed") => State::Failed,
        Some("system-ram") => State::SystemRam,
        Some(other) => State::Other(other.to_string()),
        None => State::Other("unknown".into()),
    };
    let mut number = |key: &str| fields.remove(key).and_then(|v| parse_number(&v));
    let node = number("node").and_then(|n| u32::try_from(n).ok());
    let (seen_ns, decided_ns, served_ns) =
        (number("seen_ns"), number("decided_ns"), number("served_ns"));
    let (kib_head, kib_tail) = (
        number("kib_head").unwrap_or(0),
        number("kib_tail").unwrap_or(0),
    );
    // Kernel code speaks of -12; the sign carries nothing here.
    let errno = fields
        .remove("errno")
        .and_then(|v| parse_number(v.trim_start_matches('-')))
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(0);
    Some(Record {
        range,
        state,
        node,
        reason: fields.remove("reason"),
        dev: fields.remove("dev"),
        region: fields.remove("region"),
        lost_to: fields.remove("lost_to"),
        errno,
        // 0: the step has not come yet.
        seen_ns: seen_ns.filter(|&n| n != 0),
        decided_ns: decided_ns.filter(|&n| n != 0),
        served_ns: served_ns.filter(|&n| n != 0),
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
        let records = parse(
            "# dax_hmem ledger 1\n\
             range=0x490000000-0x4afffffff node=1 state=hmem reason=no-region dev=hmem.0 errno=0 seen_ns=123 decided_ns=456 served_ns=789\n",
        );
        assert_eq!(records.len(), 1);
        let r = &records[0];
        assert_eq!(r.range, Range::new(0x490000000, 0x4afffffff).unwrap());
        assert_eq!(r.state, State::Hmem);
        assert_eq!(r.dev.as_deref(), Some("hmem.0"));
        assert_eq!((r.node, r.errno, r.served_ns), (Some(1), 0, Some(789)));
        assert!(r.other.is_empty());
    }

    #[test]
    fn unknown_fields_and_states_are_kept() {
        let records =
            parse("state=gone node=-1 errno=-12 range=0-0xffffffffffffffff x=1 junk dev=-\n");
        let r = &records[0];
        assert_eq!(r.state, State::Other("gone".into()));
        assert_eq!((r.node, r.errno, r.dev.clone()), (None, 12, None));
        assert_eq!(r.range.end, u64::MAX);
        assert_eq!(r.other["x"], "1");
    }

    #[test]
    fn lines_without_a_range_are_passed_over() {
        assert!(parse("state=hmem\nrange=5-4 state=hmem\nrange=\n\u{0}\n=\n==\n").is_empty());
    }
}
