// SPDX-License-Identifier: GPL-2.0

//! CXL regions that are idle, lost, disabled or incomplete, and capacity in none.

mod boot_ram;
mod incomplete;

use super::{dax, offline, order, remedy, Kind, Problem, Severity};
use crate::cxl::{Region, RegionState, Target};
use crate::dax::{DaxDevice, Parent};
use crate::ledger::{text, Record, Why};
use crate::log::Event;
use crate::map::Map;
use crate::own::Owner;
use crate::range::{subtract, Range};
pub(super) use boot_ram::boot_ram;
pub(super) use incomplete::{blank, refusal};

pub(super) fn diagnose(map: &Map) -> Vec<Problem> {
    let mut out: Vec<Problem> = Vec::new();
    for region in &map.regions {
        out.extend(one(map, region));
        out.extend(outside_reserved(map, region));
    }
    out.extend(boot_ram::windows_as_ram(map));
    out
}

/// A region that is not what it should be; bytes are counted where its range is.
fn one(map: &Map, region: &Region) -> Option<Problem> {
    let name = region.name.as_str();
    let mut problem = if !region.missing().is_empty() && region.range.is_some() {
        incomplete::problem(map, region)?
    } else if region.is_reset() {
        // Where Soft Reserved memory is lost by it, that problem tells.
        let told = |r: Range| map.reserved.iter().any(|x| x.range.overlaps(&r));
        if region.range.is_some_and(told) {
            return None;
        }
        Problem {
            severity: Severity::Warning,
            ..reset(map, name)
        }
    } else if region.is_held && region.state == RegionState::Disabled {
        Problem::new(Kind::DecoderUnassigned, Severity::Note, name)
            .because(format!(
                "{name} has all its members and is not committed, but their decoders are locked, and nothing resets \
                 such before a reset of the devices; what firmware committed is as it was, so its addresses are \
                 decoded all the same, and HMEM can serve them"
            ))
            .seen(region.targets.iter().filter_map(|t| {
                let decoder = t.decoder.as_ref()?;
                Some(format!("/sys/bus/cxl/devices/{decoder}/locked"))
            }))
            .seen(refusal(map, name))
    } else if region.is_refused && region.state == RegionState::Disabled {
        Problem::new(Kind::DecoderUnassigned, Severity::Note, name)
            .because(format!(
                "{name} has all its members and is not committed, for the kernel refused one of them; what firmware \
                 committed is as it was, so its addresses are decoded all the same, and HMEM can serve them"
            ))
            .seen(refusal(map, name))
    } else if region.state == RegionState::Disabled {
        Problem::new(Kind::RegionDisabled, Severity::Warning, name)
            .because(format!("{name} is not committed"))
            .fix(["# look: cxl list -R -T -u"])
    } else if region.state == RegionState::CommittedUnbound {
        Problem::new(Kind::RegionDisabled, Severity::Warning, name)
            .because(format!("{name} is committed, but its driver is not bound"))
            .seen(refused_by_driver(map, name))
            .fix(enable(map, name))
    } else {
        return lost(map, region);
    };
    problem.range = region.range;
    Some(problem)
}

/// The lines about a probe of a region that failed.
fn refused_by_driver(map: &Map, name: &str) -> Vec<String> {
    dax::lines(
        map,
        |e| matches!(e, Event::ProbeFailed { device, .. } if device == name),
    )
}

/// Binds a region to its driver. A probe that failed will fail again.
fn enable(map: &Map, name: &str) -> [String; 1] {
    [match refused_by_driver(map, name).is_empty() {
        true => format!("cxl enable-region {name}"),
        false => {
            format!("# nothing to run before the cause is gone; then: cxl enable-region {name}")
        }
    }]
}

/// A region with all its members whose decoders are not committed.
pub(super) fn reset(map: &Map, name: &str) -> Problem {
    let problem = Problem::new(Kind::RegionDisabled, Severity::Loss, name)
        .because(format!(
            "{name} has all its members, but its decoders are not committed: nothing maps its addresses, \
             and what was in the memory cannot be relied on"
        ))
        .seen([format!("/sys/bus/cxl/devices/{name}/commit")]);
    let Some(region) = map.region(name) else {
        return problem;
    };
    let member = |t: &Target| {
        let mut bound = map.memdevs.iter().filter(|m| m.bound);
        bound.any(|m| Some(&m.name) == t.memdev.as_ref())
    };
    let in_use = region.range.is_some_and(|r| map.used_bytes(&r) > 0);
    if in_use || map.is_without_dax_cxl() || !region.targets.iter().all(member) {
        return problem;
    }
    // Committed below somebody else's device, the memory could be used by two.
    if let Some(other) = region.range.and_then(|r| occupant(map, &r)) {
        return problem.fix([
            format!("# nothing to run while {other} has these addresses, although nothing uses them there;"),
            format!("# once it has let go of them: echo 1 > /sys/bus/cxl/devices/{name}/commit"),
        ]);
    }
    if let Some(why) = order::hinders(map, region) {
        return problem.fix([format!("# nothing to run: {why}")]);
    }
    problem.fix([
        format!("echo 1 > /sys/bus/cxl/devices/{name}/commit"),
        format!("cxl enable-region {name}"),
    ])
}

/// A committed region whose range an hmem device holds.
fn lost(map: &Map, region: &Region) -> Option<Problem> {
    let range = region.range?;
    if !region.is_committed() || region.dax_driver.is_some() || map.accelerator_of(region).is_some()
    {
        return None;
    }
    let holder = holder(map, &range)?;
    let name = region.name.as_str();
    let problem = Problem::new(Kind::RegionLost, Severity::Note, name).seen(told(map, region));
    let about = |e: &Event| match (e, &region.dax_region) {
        (
            Event::Conflict { device, .. }
            | Event::ProbeFailed { device, .. }
            | Event::Said { device },
            Some(dax_region),
        ) => device == dax_region,
        _ => false,
    };
    let lines = dax::lines(map, about);
    let mut problem = match &region.dax_region {
        _ if region.mode.as_deref() == Some("pmem") => problem.because(format!(
            "{name} is persistent memory, and {holder} has its range: System RAM there would overwrite what is kept"
        )),
        _ if map.is_without_dax_cxl() => problem.because(format!(
            "{name} is committed but idle: this kernel has no dax_cxl, so HMEM serves everything, and \
             {holder} has its range"
        )),
        // A probe that failed left a line in the log, or a word in the ledger.
        Some(dax_region) if !lines.is_empty() || map.outcome_of(region).is_some() => {
            problem.because(format!(
                "{name} is committed but idle: {holder} had its range first, so the probe of {dax_region} lost"
            ))
        }
        Some(dax_region) => problem.because(format!(
            "{name} is committed but idle: {holder} has its range, and {dax_region} has no driver (no \
             failed probe is known)"
        )),
        None => problem.because(format!(
            "{name} is committed but idle: {holder} had made its range System RAM before the region came"
        )),
    };
    problem = problem.seen(lines);
    // Where memory beyond it is lost, that loss tells how to hand over.
    if !reaches_beyond(map, &range) {
        problem = problem.fix(hand_over(map, region, &range, &holder));
    }
    problem.range = Some(range);
    Some(problem)
}

/// Whether memory of a region lies beyond what is declared, and all that is declared there within the region.
fn reaches_beyond(map: &Map, range: &Range) -> bool {
    let declared: Vec<Range> = map.reserved.iter().map(|r| r.range).collect();
    let mut here = declared.iter().filter(|d| d.overlaps(range));
    !subtract(*range, &declared).is_empty() && here.all(|d| range.contains(d))
}

/// Handing over frees the whole hmem device: only right where the region covers all of it.
fn hand_over(map: &Map, region: &Region, range: &Range, holder: &str) -> Vec<String> {
    let parent = Parent::Hmem(holder.to_string());
    let devices: Vec<&DaxDevice> = map.dax.iter().filter(|d| d.parent == parent).collect();
    let is_whole = map
        .hmem
        .iter()
        .any(|h| h.name == holder && h.range.is_some_and(|r| range.contains(&r)));
    match is_whole && !devices.iter().any(|d| d.is_file()) {
        true => remedy::hand_to_cxl(map, &devices, &[holder], &[region]),
        false => Vec::new(),
    }
}

/// The first hmem device that has a part of `range`.
fn holder(map: &Map, range: &Range) -> Option<String> {
    let mut pieces = map.reserved.iter().flat_map(|r| &r.pieces);
    pieces.find_map(|p| match &p.owner {
        Owner::Hmem { device } if p.range.overlaps(range) => Some(device.clone()),
        _ => None,
    })
}

/// A device that has a part of `range`, whether it uses it or not.
fn occupant(map: &Map, range: &Range) -> Option<String> {
    let mut dax = map.dax.iter();
    let is_here = |d: &&DaxDevice| d.ranges.iter().any(|r| r.overlaps(range));
    let mut hmem = map.hmem.iter().filter(|h| h.driver.is_some());
    hmem.find(|h| h.range.is_some_and(|r| r.overlaps(range)))
        .map(|h| h.name.clone())
        .or_else(|| dax.find(is_here).map(|d| d.name.clone()))
}

/// What the ledger says of the region's last probe.
fn told(map: &Map, region: &Region) -> Option<String> {
    let outcome = map.outcome_of(region)?;
    Some(format!("{} (ledger)", outcome.text()))
}

/// A committed region without a DAX driver, where no hmem device has the bytes concerned.
pub(super) fn idle(map: &Map, name: &str) -> Problem {
    let problem = Problem::new(Kind::RegionIdle, Severity::Loss, name);
    let Some(region) = map.region(name) else {
        return problem.because(format!(
            "{name} has the range, but sysfs does not show {name}"
        ));
    };
    if region.mode.as_deref() == Some("pmem") {
        return Problem::new(Kind::Persistent, Severity::Warning, name)
            .because(format!(
                "{name} is persistent memory: although firmware marks it Soft Reserved, nobody makes it System RAM"
            ))
            .fix([format!("# look: cxl list -X -r {name}")]);
    }
    if let Some(range) = region.range.filter(|r| !map.boot_ram_in(r).is_empty()) {
        return boot_ram(map, &range);
    }
    let mut records = map.ledger.iter().flat_map(|l| &l.records);
    let foreign = text(Why::ForeignRegion.word());
    let is_foreign =
        |r: &Record| r.region.as_deref() == Some(name) && r.reason.as_deref() == Some(foreign);
    if records.any(is_foreign) {
        return Problem::new(Kind::Unserved, Severity::Loss, name)
            .because(format!(
                "{name} is another driver's, or of a mode that dax_cxl does not know, says the ledger"
            ))
            .seen(["/sys/kernel/debug/dax_hmem/ledger"]);
    }
    let Some(dax_region) = &region.dax_region else {
        if region.state == RegionState::CommittedUnbound {
            let problem =
                problem.because(format!("{name} is committed, but its driver is not bound"));
            let problem = problem.seen(refused_by_driver(map, name));
            return match map.is_without_dax_cxl() {
                true => problem.fix(remedy::load(map, "dax_cxl")),
                false => problem.fix(enable(map, name)),
            };
        }
        return problem.because(format!(
            "{name} is committed and its driver is bound, but it made no dax region; why cannot be known \
             from what could be read"
        ));
    };
    if map.module("dax_cxl").is_some_and(|m| !m.is_active()) {
        return Problem::new(Kind::ModuleNotLoaded, Severity::Loss, "dax_cxl")
            .because(format!("dax_cxl is not loaded, so nothing serves {name}"))
            .fix(remedy::load(map, "dax_cxl"));
    }
    let said = dax::lines(map, |e| match e {
        Event::Conflict { device, .. } | Event::ProbeFailed { device, .. } => device == dax_region,
        _ => false,
    });
    if let Some(holder) = region.range.and_then(|range| holder(map, &range)) {
        return problem
            .because(format!(
                "{name} reaches beyond what {holder} has of it, and dax_cxl serves a region whole or not at all"
            ))
            .seen(told(map, region))
            .seen(said)
            .fix(match region.range.filter(|r| reaches_beyond(map, r)) {
                // The next boot finds the region first, whoever's drivers run.
                Some(range) => hand_over(map, region, &range, &holder),
                None => remedy::leave_regions(),
            });
    }
    problem
        .because(format!(
            "{name} is committed, but no driver is bound to {dax_region}"
        ))
        .seen(told(map, region))
        .seen(said)
        .fix([format!("echo {dax_region} > /sys/bus/cxl/drivers_probe")])
}

/// Bytes of a committed volatile region that are in no Soft Reserved range and not System RAM.
fn outside_reserved(map: &Map, region: &Region) -> Vec<Problem> {
    let Some(range) = region.range.filter(|_| region.is_committed()) else {
        return Vec::new();
    };
    if region.mode.as_deref() == Some("pmem") {
        return Vec::new();
    }
    let reserved: Vec<Range> = map.reserved.iter().map(|r| r.range).collect();
    subtract(range, &reserved)
        .into_iter()
        .flat_map(|part| part_of(map, region, part))
        .collect()
}

fn part_of(map: &Map, region: &Region, part: Range) -> Vec<Problem> {
    let piece = crate::own::piece_of_region(map, region, part);
    let Some(online) = piece.online_bytes else {
        return Vec::new();
    };
    let offline = piece.offline_bytes.unwrap_or(0);
    let mut out = Vec::new();
    if piece.file_bytes > 0 {
        out.push(super::piece::file(map, &piece));
    }
    if offline > 0 {
        out.push(offline::problem(
            map,
            part,
            offline,
            piece.device.as_deref(),
        ));
    }
    let used = online
        .saturating_add(offline)
        .saturating_add(piece.file_bytes);
    let lost = part.len().saturating_sub(used);
    if lost > 0 && map.accelerator_of(region).is_none() {
        out.extend(dax::unused(map, &piece, lost));
    }
    out
}
