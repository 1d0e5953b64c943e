// SPDX-License-Identifier: GPL-2.0

//! Memory devices: without driver, with capacity in no region, with decoders in no region.

mod unassigned;

use super::{create, dax, listed, Kind, Problem, Severity};
use crate::cxl::Memdev;
use crate::host::Card;
use crate::log::Event;
use crate::map::Map;
use crate::modules::Presence;
use crate::size::human;
use crate::size::Total as _;

pub(super) fn diagnose(map: &Map) -> Vec<Problem> {
    let mut out: Vec<Problem> = map
        .memdevs
        .iter()
        .filter_map(|m| unmapped(map, m))
        .collect();
    out.extend(map.memdevs.iter().filter_map(|m| behind_persistent(map, m)));
    out.extend(map.memdevs.iter().filter_map(|m| without_endpoint(map, m)));
    out.extend(without_driver(map));
    out.extend(map.unknown_cards.iter().filter_map(|c| card(map, c)));
    out.extend(unassigned::diagnose(map));
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
    } else if create::is_too_old(map) {
        cause.push_str(
            ", and this kernel makes none of volatile capacity (6.3 is the first that does)",
        );
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
    } else if create::is_unsaid(map, m) {
        cause.push_str(", and whether a window that reaches it takes such memory cannot be read");
    } else if let Some(w) = create::fixed(map, m) {
        cause.push_str(&format!(
            ", and {} is fixed by firmware: a region made there would be locked, and could not be taken back before \
             a reset",
            w.label()
        ));
    }
    let plan = create::plan(map, m);
    Some(
        Problem::new(Kind::Unmapped, Severity::Note, m.name.as_str())
            .because(cause)
            .fix(plan.map(|p| p.command())),
    )
}

/// Volatile capacity that is in no region, and below persistent capacity that is mapped.
fn behind_persistent(map: &Map, m: &Memdev) -> Option<Problem> {
    let left = m.ram_bytes?.saturating_sub(m.mapped_bytes?);
    let shown = map.in_source.sysfs && map.shows_decoders(m);
    if !m.skips_ram || left == 0 || !m.bound || !shown {
        return None;
    }
    Some(
        Problem::new(Kind::Unmapped, Severity::Note, m.name.as_str()).because(format!(
            "{} of volatile capacity of {} is in no region, and cannot be put into one while persistent capacity of \
             the device is mapped: its decoders take what it has in the order of its own addresses",
            human(left),
            m.name
        )),
    )
}

/// A CXL memory card that the CXL bus does not show.
fn card(map: &Map, card: &Card) -> Option<Problem> {
    let pci = card.pci.as_str();
    let problem = Problem::new(Kind::MemdevUnbound, Severity::Warning, pci);
    let unknown = "what it decodes, as firmware set it up, cannot be known";
    if card.is_refused {
        let failed = dax::lines(map, |e| match e {
            Event::ProbeFailed { device, .. } | Event::Said { device } => device == pci,
            _ => false,
        });
        return Some(
            problem
                .because(format!("cxl_pci's probe of {pci} failed; {unknown}"))
                .seen(failed),
        );
    }
    // An accelerator's own driver makes a memory device of it, or does not.
    if card.driver.is_some() {
        return None;
    }
    let module = map.module("cxl_pci").map(|m| m.presence);
    Some(match module {
        Some(Presence::Absent) => problem.because(format!(
            "{pci} is a CXL memory card, and this kernel has no cxl_pci; {unknown}"
        )),
        Some(Presence::Installed) => problem
            .because(format!(
                "{pci} is a CXL memory card, and cxl_pci is not loaded{}; {unknown}",
                barred(map, "cxl_pci")
            ))
            .fix(load(map, "cxl_pci")),
        _ => problem.because(format!(
            "{pci} is a CXL memory card without driver; {unknown}"
        )),
    })
}

/// Loads a module, where nothing on the command line forbids it.
fn load(map: &Map, module: &str) -> Vec<String> {
    match map.host.forbids(module) {
        true => vec![format!(
            "# remove {module} from module_blacklist= on the kernel command line, and reboot"
        )],
        false => super::remedy::load(map, module),
    }
}

/// That the command line keeps a module from being loaded.
fn barred(map: &Map, module: &str) -> &'static str {
    match map.host.bars(module) {
        true => " (the command line blacklists it)",
        false => "",
    }
}

/// What a memory device needs before its driver can have it, and is not there.
fn lacks_root(map: &Map) -> Option<(&'static str, String)> {
    let state = |name: &str| match map.module(name)?.presence {
        Presence::Installed => Some(format!("{name} is not loaded{}", barred(map, name))),
        Presence::Absent => Some(format!("this kernel has no {name}")),
        _ => None,
    };
    if !map.in_source.sysfs {
        return None;
    }
    if let Some(state) = state("cxl_acpi").filter(|_| map.windows.is_empty()) {
        return Some((
            "cxl_acpi",
            format!("{state}, and without a CXL root no memory device gets its driver"),
        ));
    }
    let mut needed = ["cxl_port", "cxl_mem"].into_iter();
    needed.find_map(|name| Some((name, state(name)?)))
}

/// Whether it is known which memory devices are in a region: a list that was pasted may name no members.
fn shows_members(map: &Map) -> bool {
    let all = map.regions.iter().all(|r| !r.targets.is_empty());
    map.in_source.sysfs || all && !map.regions.is_empty()
}

/// What the log says of a probe of a memory device that failed. The kernel prints no such line of its own for
/// the error -6.
pub(super) fn failed(map: &Map, memdev: &Memdev) -> Vec<String> {
    const WORDS: [&str; 4] = [
        "Media not active",
        "CXL port topology ",
        " failed probe",
        " not found",
    ];
    let is_own = |name: &str| name == memdev.name || memdev.pci.as_deref() == Some(name);
    let all = map.log.iter().filter(|m| match &m.event {
        Event::ProbeFailed { device, .. } => *device == memdev.name,
        Event::Said { device } => is_own(device) && WORDS.iter().any(|w| m.text.contains(w)),
        _ => false,
    });
    all.map(|m| m.stamped()).collect()
}

/// Devices with a driver whose endpoint has none: their decoders do not show, and no region gets them.
fn without_endpoint(map: &Map, memdev: &Memdev) -> Option<Problem> {
    let name = memdev.name.as_str();
    let endpoint = memdev.endpoint.as_ref().filter(|_| memdev.bound)?;
    let lines = dax::lines(
        map,
        |e| matches!(e, Event::ProbeFailed { device, .. } if device == endpoint),
    );
    if lines.is_empty() || map.shows_decoders(memdev) {
        return None;
    }
    Some(
        Problem::new(Kind::MemdevUnbound, Severity::Warning, name)
            .because(format!(
                "the probe of {endpoint}, the port of {name}, failed: no decoder of {name} shows, and none of its memory \
                 gets into a region; what it decodes, as firmware set it up, cannot be known"
            ))
            .seen(lines)
            .seen(failed(map, memdev)),
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
    let size = sizes.total();
    let names: Vec<String> = all
        .iter()
        .map(|m| match &m.pci {
            Some(pci) => format!("{} at {pci}", m.name),
            None => m.name.clone(),
        })
        .collect();
    let failed = all.iter().flat_map(|m| failed(map, m)).collect::<Vec<_>>();
    let lacks = lacks_root(map).filter(|_| failed.is_empty());
    let why = match (failed.is_empty(), &lacks) {
        (false, _) => "its probe failed",
        (true, Some((_, why))) => why.as_str(),
        (true, None) => "why cannot be known from what could be read",
    };
    let problem = Problem::new(Kind::MemdevUnbound, Severity::Warning, first.name.as_str());
    let devices = match all.len() {
        1 => "a device".to_string(),
        n => format!("{n} devices"),
    };
    if !shows_members(map) {
        return Some(problem.because(format!(
            "{devices} ({}) {} no driver, says the list; in which regions {} is not in what was given",
            listed(&names),
            if all.len() == 1 { "has" } else { "have" },
            if all.len() == 1 { "it is" } else { "they are" },
        )));
    }
    let what = match size {
        // Before its media is ready a device does not say how large it is.
        0 => format!("the memory of {devices}"),
        _ => format!("{} of {devices}", human(size)),
    };
    let problem = problem.because(format!(
        "{what} ({}) {}; {why}",
        listed(&names),
        match all.len() {
            1 => "is in no region and has no driver",
            _ => "are in no region and have no driver",
        },
    ));
    if let Some((module, _)) = lacks {
        return Some(problem.fix(load(map, module)));
    }
    // A probe that failed will fail again.
    if !failed.is_empty() {
        return Some(problem.seen(failed));
    }
    let words: Vec<&str> = all.iter().map(|m| m.name.as_str()).collect();
    Some(problem.fix([format!("cxl enable-memdev {}", words.join(" "))]))
}
