// SPDX-License-Identifier: GPL-2.0

//! Failures that only a log tells of, for nothing else of the machine was given: each with the cause that
//! its kind has. What became of it since is not known.

mod hmem;

use super::{dax, region, Kind, Problem, Severity};
use crate::log::{Event, Message};
use crate::map::Map;
use crate::range::Range;
use crate::scan::index_of;

/// Where what was given is not enough.
pub(super) const ASK: &str =
    "# `daxown capture FILE` on the machine holds what is needed to say what to do";

/// Of the failures that none of `known` has as evidence.
pub(super) fn diagnose(map: &Map, known: &[Problem]) -> Vec<Problem> {
    let mut out: Vec<Problem> = Vec::new();
    if map.in_source.sysfs {
        return out;
    }
    for message in &map.log {
        let line = message.stamped();
        let mut all = known.iter().chain(&out);
        if all.any(|p| p.evidence.contains(&line)) {
            continue;
        }
        out.extend(failure(map, message).map(|mut problem| {
            if !problem.evidence.contains(&line) {
                problem.evidence.push(line);
            }
            match problem.severity {
                Severity::Note => problem,
                _ => problem.fix([ASK]),
            }
        }));
    }
    out
}

fn failure(map: &Map, message: &Message) -> Option<Problem> {
    match &message.event {
        Event::Stuck { device, .. }
        | Event::ReserveFailed { device, .. }
        | Event::AddFailed { device, .. }
        | Event::Rejected { device, .. }
        | Event::Truncated { device, .. } => of_dax(map, device),
        Event::Conflict { device, .. } => of_bus(map, device, ""),
        Event::ProbeFailed { device, driver, .. } if index_of_dax(device) => match driver.as_str() {
            "kmem" => of_dax(map, device),
            _ => of_bus(map, device, driver),
        },
        Event::ProbeFailed { device, driver, .. } => of_bus(map, device, driver),
        Event::NoWindow { decoder, range } => Some(at(
            Problem::new(Kind::DecoderUnassigned, Severity::Note, owner_of(message, decoder)).because(
                format!(
                    "{decoder} is committed and maps {range}, which no CXL window takes: no region has it, and \
                     whether anything reaches the memory is not in what was given"
                ),
            ),
            *range,
        )),
        Event::AttachFailed {
            decoder,
            region: name,
            errno,
        } => Some(
            Problem::new(Kind::RegionIncomplete, Severity::Warning, name.as_str())
                .because(format!(
                    "{name} lacks a member: the log says that the kernel refused to attach {decoder} to it (error \
                     -{errno}); whether the addresses are routed all the same, and who serves them, is not in what \
                     was given"
                ))
                .seen(region::refusal(map, name)),
        ),
        Event::HasSystemRam { region, range } => Some(at(
            Problem::new(Kind::BootRam, Severity::Warning, region.as_str())
                .because(format!(
                    "the log says that {range} of {region} is System RAM since boot, so its driver makes no dax \
                     region{}{}",
                    // The first range that the line names is the region's.
                    match message.first_range() == Some(*range) {
                        true => ": all of it",
                        false => "; whether anybody has the rest is not in what was given",
                    },
                    match map.host.no_soft_reserve {
                        true => " (efi=nosoftreserve is on the command line)",
                        false => "",
                    }
                ))
                .fix(map.host.no_soft_reserve.then_some("# boot without efi=nosoftreserve")),
            *range,
        )),
        Event::Wiped { pci } => Some(
            Problem::new(Kind::Undecoded, Severity::Warning, pci.as_str())
                .because(format!(
                    "the log says that a reset of the bus wiped decoders of {pci} while they were in use: nothing maps \
                     the memory behind them since; which memory it is, and what became of it, is not in what was given"
                ))
                .seen(dax::lines(map, |e| matches!(e, Event::Wiped { pci: p } if p == pci))),
        ),
        Event::CardGone { port } => {
            let subject = if port.is_empty() { "CXL" } else { port };
            Some(
                Problem::new(Kind::DeviceGone, Severity::Warning, subject)
                    .because(
                        "the log says that a card was taken out: if it had memory, that went with it; which memory, \
                         and whether it is in use still, is not in what was given",
                    )
                    .seen(dax::lines(map, |e| matches!(e, Event::CardGone { port: p } if p == port))),
            )
        }
        Event::OffliningFailed { .. } => Some(
            Problem::new(Kind::Offline, Severity::Warning, "memory")
                .because(
                    "the log says that memory blocks could not be taken offline, for a page there cannot be moved: \
                     who tried may have taken others offline before; which are so now is not in what was given",
                )
                .seen(dax::lines(map, |e| matches!(e, Event::OffliningFailed { .. }))),
        ),
        Event::RequestFailed { device, range } => asked_for(map, device, range),
        Event::Said { .. } => hmem::said(map, message),
        Event::MapEntry { .. }
        | Event::NodeRange { .. }
        | Event::WindowNode { .. }
        | Event::Decision { .. }
        | Event::BadPage { .. }
        | Event::Unaddressable { .. } => None,
    }
}

fn at(problem: Problem, range: Range) -> Problem {
    problem.at(range, 0)
}

fn index_of_dax(device: &str) -> bool {
    let first = device.split('.').next().unwrap_or_default();
    index_of(first, "dax").is_some()
}

/// The memory device that a message names before its decoder.
fn owner_of<'a>(message: &'a Message, decoder: &'a str) -> &'a str {
    let before = message.text.split_once(&format!(":{decoder}"));
    let name = before.and_then(|(head, _)| head.rsplit(' ').next());
    name.filter(|n| index_of(n, "mem").is_some())
        .unwrap_or(decoder)
}

/// The worst that the log says of a dax device; a list may show that it has a driver since.
fn of_dax(map: &Map, device: &str) -> Option<Problem> {
    let mut listed = map.dax.iter();
    if listed.any(|d| d.name == device && d.driver.is_some()) {
        return None;
    }
    let own = || map.log.iter().map(|m| &m.event);
    let own = || own().filter(|e| dax::about(e, device));
    let worst = own().min_by_key(|e| match e {
        Event::Stuck { .. } => 0,
        Event::ReserveFailed { .. } => 1,
        Event::AddFailed { .. } => 2,
        Event::Rejected { .. } => 3,
        Event::ProbeFailed { .. } => 4,
        _ => 5,
    })?;
    let (kind, severity, what, range) = match worst {
        Event::Stuck { range, .. } => (
            Kind::Stuck,
            Severity::Loss,
            format!("kmem could not take {range} of {device} away, so that it stays online until reboot"),
            Some(*range),
        ),
        Event::ReserveFailed { range, .. } => (
            Kind::KmemCannotReserve,
            Severity::Loss,
            format!("kmem could not reserve {range} for {device}"),
            Some(*range),
        ),
        Event::AddFailed { range, .. } => (
            Kind::KmemFailed,
            Severity::Loss,
            format!("kmem could not add {range} of {device} as System RAM"),
            Some(*range),
        ),
        Event::Rejected { why, .. } if why.contains("after alignment") => (
            Kind::Trimmed,
            Severity::Warning,
            format!("{device} holds no whole memory block, and kmem works in these"),
            None,
        ),
        Event::Rejected { why, .. } if why.contains("node") => (
            Kind::KmemFailed,
            Severity::Loss,
            format!(
                "{device} has no target node (kmem refuses such a device): neither SRAT nor the CXL window gives one"
            ),
            None,
        ),
        Event::Rejected { why, .. } => (
            Kind::KmemFailed,
            Severity::Loss,
            format!("kmem did not take {device}: {why}"),
            None,
        ),
        Event::ProbeFailed { errno, .. } => (
            Kind::KmemFailed,
            Severity::Loss,
            format!("kmem did not take {device}: error -{errno}"),
            None,
        ),
        Event::Truncated { by, .. } => (
            Kind::Trimmed,
            Severity::Warning,
            format!("kmem works in whole memory blocks, and that costs {by} of {device}"),
            None,
        ),
        _ => return None,
    };
    let mut problem = Problem::new(kind, severity, device)
        .because(format!(
            "the log says that {what}; what became of {device} since is not in what was given"
        ))
        .seen(dax::lines(map, |e| dax::about(e, device)));
    problem.range = range;
    Some(problem)
}

/// A device of another bus whose probe failed, or that found its range taken.
fn of_bus(map: &Map, device: &str, driver: &str) -> Option<Problem> {
    if index_of(device, "hmem.").is_some() || index_of(device, "hmem_platform.").is_some() {
        return Some(hmem::failed(map, device));
    }
    let region = device.strip_prefix("dax_").unwrap_or_default();
    if index_of(region, "region").is_some() {
        return Some(hmem::region_lost(map, region, device));
    }
    let failed = dax::lines(
        map,
        |e| matches!(e, Event::ProbeFailed { device: d, .. } if d == device),
    );
    let (kind, severity, what) = if index_of(device, "region").is_some() {
        let what =
            format!("the driver of {device} did not take it: it is committed, or was, and idle");
        (Kind::RegionDisabled, Severity::Warning, what)
    } else if index_of_dax(device) {
        let what = format!("{driver} did not take {device}");
        (Kind::NoDriver, Severity::Loss, what)
    } else if driver.contains("cxl") || device.starts_with(['m', 'e', 'p']) {
        let what =
            format!("the probe of {device} by {driver} failed: its memory is in no region without");
        (Kind::MemdevUnbound, Severity::Warning, what)
    } else {
        return None;
    };
    Some(
        Problem::new(kind, severity, device)
            .because(format!(
                "the log says that {what}; what became of it since is not in what was given"
            ))
            .seen(failed),
    )
}

/// A driver that found its addresses taken: of memory that is known to be concerned.
fn asked_for(map: &Map, device: &str, range: &Range) -> Option<Problem> {
    let reserved = map.reserved.iter().map(|r| r.range);
    let regions = map.regions.iter().filter_map(|r| r.range);
    let mut known = reserved.chain(regions);
    let part = known.find_map(|r| r.overlap(range))?;
    Some(at(
        Problem::new(Kind::Foreign, Severity::Warning, device).because(format!(
            "the log says that the driver of {device} asked for {range} and was refused, for somebody has it; who \
             is not in what was given"
        )),
        part,
    ))
}
