// SPDX-License-Identifier: GPL-2.0

//! Memory devices: without driver, with capacity in no region, with decoders in no region.

use super::{create, dax, listed, Kind, Problem, Severity};
use crate::cxl::Memdev;
use crate::decode::Set;
use crate::log::Event;
use crate::map::Map;
use crate::size::human;

pub(super) fn diagnose(map: &Map) -> Vec<Problem> {
    let mut out: Vec<Problem> = map
        .memdevs
        .iter()
        .filter_map(|m| unmapped(map, m))
        .collect();
    out.extend(without_driver(map));
    out.extend(unassigned(map));
    out
}

/// Capacity of a device with a driver that is in no region.
fn unmapped(map: &Map, m: &Memdev) -> Option<Problem> {
    // A decoder outside of regions may map it all the same.
    let own = map.endpoints.iter().filter(|e| e.memdev == m.name);
    let mapped = own.fold(0u64, |sum, e| match map.is_committed(e) {
        true => sum.saturating_add(e.dpa_bytes),
        false => sum,
    });
    let free = m
        .free_ram()
        .min(m.ram_bytes.unwrap_or(0).saturating_sub(mapped));
    let in_reset = map
        .regions
        .iter()
        .filter(|r| r.is_reset())
        .any(|r| r.targets.iter().any(|t| t.memdev.as_ref() == Some(&m.name)));
    let in_source = map.in_source.sysfs || map.shows_decoders(m);
    if free == 0 || !m.bound || in_reset || !in_source {
        return None;
    }
    let serial = m.serial.as_deref().unwrap_or("unknown");
    let mut cause = format!(
        "{} of volatile capacity of {} (serial {serial}) is in no region",
        human(free),
        m.name,
    );
    if map.without_regions {
        cause.push_str(", and this kernel knows none (CONFIG_CXL_REGION is off)");
    } else if let Some(w) = create::doubt(map, m, &[]) {
        cause.push_str(&match map.has_memory_map {
            true => format!(
                "; whether memory in {} that no decoder shows is this device's own cannot be known (CXL 1.1 \
                 shows no decoder), and a region would map it twice",
                w.label()
            ),
            false => format!(
                "; the memory map of firmware is not known, so memory in {} may be this device's own without a \
                 decoder that shows it (CXL 1.1), and a region would map it twice",
                w.label()
            ),
        });
    } else if !map.shows_decoders(m) {
        cause.push_str(", and its decoders cannot be read");
    }
    let plan = create::plan(map, m);
    Some(
        Problem::new(Kind::Unmapped, Severity::Note, m.name.as_str())
            .because(cause)
            .fix(plan.map(|p| p.command())),
    )
}

/// Devices that no driver has: what they decode is not known, and no region can be made of them.
fn without_driver(map: &Map) -> Option<Problem> {
    let all: Vec<&Memdev> = map.memdevs.iter().filter(|m| !m.bound).collect();
    let first = all.first()?;
    let sizes = all.iter().map(|m| {
        m.ram_bytes
            .unwrap_or(0)
            .saturating_add(m.pmem_bytes.unwrap_or(0))
    });
    let size = sizes.fold(0u64, u64::saturating_add);
    let names: Vec<String> = all
        .iter()
        .map(|m| match &m.pci {
            Some(pci) => format!("{} at {pci}", m.name),
            None => m.name.clone(),
        })
        .collect();
    let failed = dax::lines(map, |e| match e {
        Event::ProbeFailed { device, .. } => all.iter().any(|m| m.name == *device),
        _ => false,
    });
    let why = match failed.is_empty() {
        true => "why cannot be known from what could be read",
        false => "its probe failed",
    };
    let problem = Problem::new(Kind::MemdevUnbound, Severity::Warning, first.name.as_str());
    let problem = problem.because(format!(
        "{} of {} ({}) {}; {why}",
        human(size),
        match all.len() {
            1 => "a device".to_string(),
            n => format!("{n} devices"),
        },
        listed(&names),
        match all.len() {
            1 => "is in no region and has no driver",
            _ => "are in no region and have no driver",
        },
    ));
    // A probe that failed will fail again.
    if !failed.is_empty() {
        return Some(problem.seen(failed));
    }
    let words: Vec<&str> = all.iter().map(|m| m.name.as_str()).collect();
    Some(problem.fix([format!("cxl enable-memdev {}", words.join(" "))]))
}

/// Committed decoders that are in no region.
fn unassigned(map: &Map) -> Vec<Problem> {
    let sets = map.sets();
    let alone = sets.iter().filter(|s| {
        let with_region = map.regions.iter().any(|r| r.range == Some(s.range));
        s.region.is_none() && !with_region && !s.accelerator
    });
    alone.map(|s| in_no_region(map, s)).collect()
}

fn in_no_region(map: &Map, set: &Set) -> Problem {
    let names: Vec<String> = set
        .members
        .iter()
        .map(|(d, m)| format!("{m}'s {d}"))
        .collect();
    let said = dax::lines(map, |e| match e {
        Event::NoWindow { decoder, range } => {
            *range == set.range && set.members.iter().any(|(name, _)| name == decoder)
        }
        _ => false,
    });
    let fits = map
        .windows
        .iter()
        .any(|w| w.range.is_some_and(|r| r.contains(&set.range)));
    let crossed: Vec<String> = map
        .windows
        .iter()
        .filter(|w| w.range.is_some_and(|r| r.overlaps(&set.range)))
        .map(|w| w.label().to_string())
        .collect();
    let why = match (fits, crossed.is_empty()) {
        (true, _) => "why cannot be known from what could be read".to_string(),
        (false, true) => "no CXL window takes these addresses".to_string(),
        (false, false) => format!(
            "no CXL window takes all of these addresses: they reach beyond {}",
            listed(&crossed)
        ),
    };
    let subject = set.members.first().map_or("CXL", |(_, memdev)| memdev);
    let mut problem = Problem::new(Kind::DecoderUnassigned, Severity::Note, subject)
        .because(format!(
            "{} {} committed and map {}, but {} in no region: {why}",
            short(&names),
            if names.len() == 1 { "is" } else { "are" },
            set.range,
            if names.len() == 1 { "is" } else { "are" },
        ))
        .seen(said);
    if names.len() == 1 {
        problem.cause = problem.cause.replace(" and map ", " and maps ");
    }
    problem.range = Some(set.range);
    problem
}

/// The first and the last of many.
fn short(names: &[String]) -> String {
    match names {
        [first, .., last] if names.len() > 4 => {
            format!("{} decoders ({first} to {last})", names.len())
        }
        _ => listed(names),
    }
}
