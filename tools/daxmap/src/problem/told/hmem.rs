// SPDX-License-Identifier: GPL-2.0

//! What a log alone says of failures of dax_hmem and dax_cxl, the kernel's own and the Rust ones.

use super::{at, Kind, Problem, Severity};
use crate::log::spoken::by_hmem;
use crate::log::{Event, Message};
use crate::map::Map;
use crate::problem::piece::ALIGN;
use crate::scan::index_of;

const SINCE: &str = "what became of it since is not in what was given";

fn of(event: &Event, name: &str) -> bool {
    match event {
        Event::ProbeFailed { device, .. }
        | Event::Conflict { device, .. }
        | Event::Said { device } => device == name,
        _ => false,
    }
}

/// The probe of an hmem device, or of dax_hmem itself, failed.
pub(super) fn failed(map: &Map, device: &str) -> Problem {
    let own: Vec<&Message> = map.log.iter().filter(|m| of(&m.event, device)).collect();
    let range = own.iter().find_map(|m| by_hmem(m));
    let errno = own.iter().find_map(|m| match &m.event {
        Event::ProbeFailed { errno, .. } => Some(format!(" (error -{errno})")),
        _ => None,
    });
    let errno = errno.unwrap_or_default();
    let is_taken = own
        .iter()
        .any(|m| matches!(m.event, Event::Conflict { .. }) || m.text.contains("has it already"));
    let is_odd = range.is_some_and(|r| r.aligned_inside(ALIGN) != Some(r));
    let (kind, what) = if index_of(device, "hmem_platform.").is_some() {
        let what = format!("dax_hmem was not bound to {device}{errno}, so it decides nothing");
        (Kind::PlatformUnbound, what)
    } else if is_taken {
        let what = format!("{device} found the range taken by another dax region");
        (Kind::Conflict, what)
    } else if is_odd {
        let what =
            format!("the probe of {device} failed{errno}, for its range is not aligned to 2 MiB");
        (Kind::Misaligned, what)
    } else {
        let what = format!(
            "the probe of {device} failed{errno}, so nobody serves its range: it is not aligned to 2 MiB, another \
             dax region has it, or the kernel was short of memory; which of these"
        );
        (Kind::HmemProbeFailed, what)
    };
    let lines = own.iter().map(|m| m.stamped());
    let mut problem = Problem::new(kind, Severity::Loss, device)
        .because(match kind {
            Kind::HmemProbeFailed => format!(
                "the log says that {what}, and what became of it since, is not in what was given"
            ),
            _ => format!("the log says that {what}; {SINCE}"),
        })
        .seen(lines);
    problem.range = range;
    problem
}

/// A region whose dax region was not served.
pub(super) fn region_lost(map: &Map, region: &str, device: &str) -> Problem {
    let own: Vec<&Message> = map.log.iter().filter(|m| of(&m.event, device)).collect();
    let range = own.iter().find_map(|m| match &m.event {
        Event::Conflict { range, .. } => Some(*range),
        _ => None,
    });
    let lost_to = own.iter().find_map(|m| {
        let (_, rest) = m.text.split_once("lost to ")?;
        rest.split(',').next()
    });
    let why = match (lost_to, range) {
        (Some(holder), _) => format!("{holder} had its range first"),
        (None, Some(_)) => "another dax region, mostly one of HMEM's, had its range first".to_string(),
        _ => "another dax region, mostly one of HMEM's, has a part of its range, it is not aligned to 2 MiB, or the \
              kernel was short of memory"
            .to_string(),
    };
    let mut problem = Problem::new(Kind::RegionLost, Severity::Note, region)
        .because(format!(
            "the log says that {device} was not served, so {region} is committed but idle: {why}; {SINCE}"
        ))
        .seen(own.iter().map(|m| m.stamped()));
    problem.range = range.or(map.region(region).and_then(|r| r.range));
    problem
}

/// What the Rust modules say in words of their own.
pub(super) fn said(map: &Map, message: &Message) -> Option<Problem> {
    let Event::Said { device } = &message.event else {
        return None;
    };
    let has = |words: &[&str]| words.iter().any(|w| message.text.contains(w));
    let region = device.strip_prefix("dax_").unwrap_or_default();
    if index_of(region, "region").is_some() {
        let is_failed = has(&["lost to ", "no memory for", "not aligned", "no dax device"]);
        return is_failed.then(|| region_lost(map, region, device));
    }
    if index_of(device, "hmem.").is_some() {
        let is_failed = has(&[
            "no memory for",
            "is not a multiple",
            "has it already",
            "no dax device",
        ]);
        return is_failed.then(|| failed(map, device));
    }
    index_of(device, "hmem_platform.")?;
    let (_, words) = message.text.split_once("]: ")?;
    let told = [
        (
            Kind::Stuck,
            Severity::Loss,
            &[
                "System RAM in use that nothing decodes",
                "System RAM is in use while",
            ][..],
        ),
        (
            Kind::Unserved,
            Severity::Loss,
            &[
                "nobody serves it",
                "not served:",
                "not all of it is served",
                "no CXL region was found",
            ],
        ),
        (Kind::Misaligned, Severity::Warning, &["cannot be served"]),
        (
            Kind::Undecoded,
            Severity::Warning,
            &["nothing decodes it any more"],
        ),
        (
            Kind::Trimmed,
            Severity::Warning,
            &["are not whole memory blocks", "no whole memory block"],
        ),
    ];
    let (kind, severity, _) = told.into_iter().find(|(_, _, words)| has(words))?;
    let problem = Problem::new(kind, severity, "dax_hmem")
        .because(format!("the log says: {words}; {SINCE}"))
        .seen([message.stamped()]);
    Some(match crate::log::spoken::named(message) {
        Some(range) => at(problem, range),
        None => problem,
    })
}
