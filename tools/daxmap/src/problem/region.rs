// SPDX-License-Identifier: GPL-2.0

//! CXL regions that are idle, lost, disabled or incomplete, and capacity in none.

use super::{dax, remedy, Kind, Problem, Severity};
use crate::cxl::{Region, RegionState};
use crate::dax::Parent;
use crate::log::Event;
use crate::map::Map;
use crate::own::Owner;
use crate::range::{subtract, Range};

pub(super) fn diagnose(map: &Map) -> Vec<Problem> {
    let mut out: Vec<Problem> = Vec::new();
    for region in &map.regions {
        out.extend(one(map, region));
        out.extend(outside_reserved(map, region));
    }
    for m in &map.memdevs {
        let free = m
            .ram_bytes
            .unwrap_or(0)
            .saturating_sub(m.mapped_bytes.unwrap_or(0));
        if free > 0 && m.bound {
            let serial = m.serial.as_deref().unwrap_or("unknown");
            out.push(
                Problem::new(Kind::Unmapped, Severity::Note, m.name.as_str())
                    .because(format!(
                        "{} MiB of volatile capacity of {} (serial {serial}) is in no region{}",
                        free >> 20,
                        m.name,
                        if map.without_regions {
                            ", and this kernel knows none (CONFIG_CXL_REGION is off)"
                        } else {
                            ""
                        }
                    ))
                    .fix(create(map, &m.name)),
            );
        }
    }
    out
}

fn create(map: &Map, memdev: &str) -> Vec<String> {
    if map.without_regions {
        return Vec::new();
    }
    let decoder = map.windows.iter().find(|w| !w.decoder.is_empty());
    decoder
        .map(|w| format!("cxl create-region -m -t ram -d {} -w 1 {memdev}", w.decoder))
        .into_iter()
        .collect()
}

/// A region that is not what it should be; bytes are counted where its range is.
fn one(map: &Map, region: &Region) -> Option<Problem> {
    let name = region.name.as_str();
    let missing: Vec<String> = region
        .targets
        .iter()
        .filter(|t| t.decoder.is_none())
        .map(|t| t.position.to_string())
        .collect();
    let mut problem = if !missing.is_empty() && region.range.is_some() {
        Problem::new(Kind::RegionIncomplete, Severity::Warning, name)
            .because(format!(
                "{name} lacks its member at position {}: a device is missing or its driver did not bind",
                missing.join(", ")
            ))
            .fix(["cxl list -M -D -u"])
    } else if region.state == RegionState::Disabled {
        Problem::new(Kind::RegionDisabled, Severity::Warning, name)
            .because(format!(
                "{name} is not committed: nothing routes its addresses"
            ))
            .fix([format!("cxl enable-region {name}")])
    } else if region.state == RegionState::CommittedUnbound {
        Problem::new(Kind::RegionDisabled, Severity::Warning, name)
            .because(format!("{name} is committed, but its driver is not bound"))
            .fix([format!("cxl enable-region {name}")])
    } else {
        return lost(map, region);
    };
    problem.range = region.range;
    Some(problem)
}

/// A committed region whose range an hmem device holds.
fn lost(map: &Map, region: &Region) -> Option<Problem> {
    let range = region.range?;
    if !region.is_committed() || region.dax_driver.is_some() {
        return None;
    }
    let holder = holder(map, &range)?;
    let devices: Vec<String> = map
        .dax
        .iter()
        .filter(|d| d.parent == Parent::Hmem(holder.clone()))
        .filter(|d| d.driver.is_some())
        .map(|d| d.name.clone())
        .collect();
    let name = region.name.as_str();
    let problem = Problem::new(Kind::RegionLost, Severity::Note, name).seen(told(map, region));
    let mut problem = match &region.dax_region {
        Some(dax_region) => problem
            .because(format!(
                "{name} is committed but idle: {holder} had its range first, so the probe of {dax_region} lost"
            ))
            .seen(dax::lines(map, |e| match e {
                Event::Conflict { device, .. }
                | Event::ProbeFailed { device, .. }
                | Event::Said { device } => device == dax_region,
                _ => false,
            })),
        None => problem.because(format!(
            "{name} is committed but idle: {holder} had made its range System RAM before the region came"
        )),
    };
    // Handing over frees the whole hmem device: only right where the region covers all of it.
    let whole = map
        .hmem
        .iter()
        .any(|h| h.name == holder && h.range.is_some_and(|r| range.contains(&r)));
    if whole {
        problem = problem.fix(remedy::hand_to_cxl(&devices, &holder, region));
    }
    problem.range = Some(range);
    Some(problem)
}

/// The first hmem device that has a part of `range`.
fn holder(map: &Map, range: &Range) -> Option<String> {
    let mut pieces = map.reserved.iter().flat_map(|r| &r.pieces);
    pieces.find_map(|p| match &p.owner {
        Owner::Hmem { device } if p.range.overlaps(range) => Some(device.clone()),
        _ => None,
    })
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
            .fix([format!("cxl list -X -r {name}")]);
    }
    let Some(dax_region) = &region.dax_region else {
        return problem
            .because(format!("{name} is committed, but made no dax region: its driver is not bound, or firmware already gave the memory to the kernel"))
            .fix([format!("cxl enable-region {name}")]);
    };
    if map.module("dax_cxl").is_some_and(|m| !m.is_active()) {
        return Problem::new(Kind::ModuleNotLoaded, Severity::Loss, "dax_cxl")
            .because(format!("dax_cxl is not loaded, so nothing serves {name}"))
            .fix(remedy::load("dax_cxl"));
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
            .fix(remedy::leave_regions());
    }
    problem
        .because(format!(
            "{name} is committed, but no driver is bound to {dax_region}"
        ))
        .seen(told(map, region))
        .seen(said)
        .fix([format!("echo {dax_region} > /sys/bus/cxl/drivers_probe")])
}

/// Bytes of a committed volatile region that are in no Soft Reserved range and not usable.
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
    if offline > 0 {
        out.push(dax::offline(part, offline, piece.device.as_deref()));
    }
    let used = online
        .saturating_add(offline)
        .saturating_add(piece.file_bytes);
    let lost = part.len().saturating_sub(used);
    if lost > 0 {
        out.extend(dax::unused(map, &piece, lost));
    }
    out
}
