// SPDX-License-Identifier: GPL-2.0

//! Decoders that are committed and in no region: why, and whether anybody can have the memory.

use crate::decode::Set;
use crate::log::Event;
use crate::map::Map;
use crate::problem::{create, dax, listed, Kind, Problem, Severity};
use crate::range::Range;

/// Committed decoders that are in no region.
pub(super) fn diagnose(map: &Map) -> Vec<Problem> {
    let sets = map.sets();
    let alone = sets.iter().filter(|s| {
        let with_region = map.regions.iter().any(|r| r.range == Some(s.range));
        // What is an accelerator's for sure is told where somebody else has it.
        s.region.is_none() && !with_region && !map.is_accelerators(s)
    });
    let translated = map.translated_sets();
    alone
        .chain(&translated)
        .map(|s| in_no_region(map, s, translated.contains(s)))
        .collect()
}

fn in_no_region(map: &Map, set: &Set, is_translated: bool) -> Problem {
    let names: Vec<String> = set
        .members
        .iter()
        .map(|(d, m)| format!("{m}'s {d}"))
        .collect();
    let is_member = |decoder: &String| set.members.iter().any(|(name, _)| name == decoder);
    let said = dax::lines(map, |e| match e {
        Event::NoWindow { decoder, range } => *range == set.range && is_member(decoder),
        Event::AttachFailed { decoder, .. } => is_member(decoder),
        _ => false,
    });
    let refused = map.log.iter().rev().find_map(|m| match &m.event {
        Event::AttachFailed {
            decoder,
            region,
            errno,
        } if is_member(decoder) => Some(format!(
            "the kernel refused to attach {decoder} to {region} (error -{errno})"
        )),
        _ => None,
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
        _ if is_translated => {
            "these are addresses of the devices' own, which the host bridge translates, and this kernel did not \
             translate them"
                .to_string()
        }
        (true, _) => {
            refused.unwrap_or_else(|| unassembled(map).to_string())
        }
        (false, true) => "no CXL window takes these addresses".to_string(),
        (false, false) => format!(
            "no CXL window takes all of these addresses: they reach beyond {}",
            listed(&crossed)
        ),
    };
    let subject = set.members.first().map_or("CXL", |(_, memdev)| memdev);
    let undeclared = match fits && !is_translated {
        true => undeclared(map, set),
        false => None,
    };
    let severity = match undeclared {
        Some(_) => Severity::Warning,
        None => Severity::Note,
    };
    let mut problem = Problem::new(Kind::DecoderUnassigned, severity, subject)
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
    if let Some(words) = undeclared {
        problem.cause.push_str(&words);
        problem = problem.seen(["/proc/iomem"]).fix([
            "# have firmware declare it for special purpose (EFI_MEMORY_SP): HMEM serves only what is declared",
        ]);
    }
    problem.range = Some(set.range);
    problem
}

/// Why the kernel assembles no region, as far as that is known.
fn unassembled(map: &Map) -> &'static str {
    if map.without_regions {
        return "this kernel knows no regions (CONFIG_CXL_REGION is off)";
    }
    match create::is_too_old(map) {
        true => "this kernel assembles no region of volatile memory (6.3 is the first that does)",
        false => "why cannot be known from what could be read",
    }
}

/// That nobody can ever have the memory of a set, where nothing declares or uses any of it.
fn undeclared(map: &Map, set: &Set) -> Option<String> {
    let is_persistent = map.endpoints.iter().any(|e| {
        let is_member = set.members.iter().any(|(name, _)| *name == e.name);
        is_member && e.mode.as_deref() == Some("pmem")
    });
    // An accelerator's driver may use its memory without a region.
    if is_persistent || set.accelerator || !map.has_memory_map || map.iomem.is_empty() {
        return None;
    }
    let here = |r: &Range| r.overlaps(&set.range);
    let is_declared = map.reserved.iter().any(|r| here(&r.range));
    let is_used = map.dax.iter().any(|d| d.ranges.iter().any(here))
        || !map.boot_ram_in(&set.range).is_empty()
        || map
            .regions
            .iter()
            .any(|r| r.range.as_ref().is_some_and(here));
    if is_declared || is_used || !map.in_source.sysfs {
        return None;
    }
    let mut lines = map.iomem.iter();
    let is_marked = lines.any(|r| r.name == "Reserved" && r.range.overlaps(&set.range));
    Some(match is_marked {
        true => "; the memory map has it as plain Reserved, not as Soft Reserved, so HMEM cannot serve it, and nobody \
                 has it"
            .to_string(),
        false => "; the memory map does not declare it, so HMEM cannot serve it, and nobody has it".to_string(),
    })
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
