// SPDX-License-Identifier: GPL-2.0

//! The parts of a forecast: who would have each byte, why, and what comes of it.

use super::layout::{Layout, RegionAt};
use super::{failed, seen, Decider, Device, Holder, Part, Verdict, Why, Word};
use crate::problem::Kind;
use crate::range::{covered_bytes, Range};

/// What comes of persistent memory that is made System RAM.
pub const OVERWRITTEN: &str = "it is persistent memory: what is kept there would be overwritten";

/// Puts decisions and devices together: each byte of a listed range, of what firmware marked and
/// nobody listed, and of a region comes in exactly one part.
pub(super) fn of(
    layout: &Layout,
    verdicts: &[Verdict],
    devices: &[Device],
    lost: &[String],
    decider: Decider,
) -> Vec<Part> {
    let failed: &[(Range, Why)] = match decider {
        Decider::C => &layout.failed,
        Decider::Rust(_) => &layout.not_added,
    };
    let seen: &[(Range, Holder)] = match decider {
        Decider::C => &layout.seen,
        Decider::Rust(_) => &[],
    };
    let mut whole: Vec<Range> = layout.reserved.clone();
    let volatile = |r: &&RegionAt| r.is_committed && !r.is_pmem;
    for region in layout.regions.iter().filter(volatile) {
        whole.extend(crate::range::subtract(region.range, &layout.reserved));
    }
    whole.sort_unstable();
    let mut edges: Vec<Range> = devices.iter().map(|d| d.range).collect();
    edges.extend(verdicts.iter().map(|v| v.range));
    edges.extend(verdicts.iter().flat_map(|v| &v.lost).map(|(r, _)| *r));
    edges.extend(layout.ram.iter().chain(&layout.dead).copied());
    edges.extend(layout.regions.iter().map(|r| r.range));
    edges.extend(layout.foreign.iter().map(|(r, _)| *r));
    edges.extend(layout.persistent.iter().map(|(r, _)| *r));
    edges.extend(failed.iter().map(|(r, _)| *r));
    edges.extend(seen.iter().map(|(r, _)| *r));

    let mut out: Vec<Part> = Vec::new();
    for range in whole.iter().flat_map(|r| r.split_at(&edges)) {
        let part = seen::apply(layout, seen, part(layout, verdicts, devices, lost, range));
        let part = failed::apply(failed, part);
        let part = of_other(layout, part);
        match out.last_mut() {
            Some(last) if last.range.touches(&part.range) && is_same(last, &part) => {
                last.range.end = part.range.end;
                last.ram_bytes += part.ram_bytes;
                last.file_bytes += part.file_bytes;
                last.dead_bytes += part.dead_bytes;
            }
            _ => out.push(part),
        }
    }
    out
}

fn is_same(a: &Part, b: &Part) -> bool {
    let same_why = a.why == b.why && a.hindrance == b.hindrance;
    a.holder == b.holder && same_why && a.node == b.node && a.foreign == b.foreign
}

/// What another driver has stays with it, unless somebody takes it from there.
fn of_other(layout: &Layout, mut part: Part) -> Part {
    let mut others = layout.foreign.iter();
    let is_here = |r: &Range| r.contains(&part.range);
    if layout.persistent.iter().any(|(r, _)| is_here(r)) && part.used_bytes() > 0 {
        part.dead_bytes = part.ram_bytes.saturating_add(part.file_bytes);
        part.hindrance = Some(Why::of(Kind::Persistent, OVERWRITTEN));
        return part;
    }
    let Some((_, name)) = others.find(|(r, _)| is_here(r)) else {
        return part;
    };
    part.foreign = Some(name.clone());
    if part.used_bytes() > 0 {
        part.hindrance = Some(Why::known(
            Word::ForeignResource,
            format!("it is the memory of {name}, whose driver cannot have it then"),
        ));
    } else {
        part.hindrance = None;
        part.why = Why::known(Word::ForeignResource, format!("{name} has it"));
        part.holder = Holder::Driver(name.clone());
    }
    part
}

fn part(
    layout: &Layout,
    verdicts: &[Verdict],
    devices: &[Device],
    lost: &[String],
    range: Range,
) -> Part {
    let verdict = verdicts.iter().find(|v| v.range.contains(&range));
    let device = devices.iter().find(|d| d.range.contains(&range));
    let region = layout
        .regions
        .iter()
        .find(|r| r.is_committed && r.range.contains(&range));
    let at = device.map_or(range.start, |d| d.range.start);
    let node = match verdict {
        // A device that is all of a listed range has the node that it is listed with.
        Some(v) if at == v.range.start => v.node.or(layout.node_at(at)),
        _ => layout.node_at(at),
    };
    let decided = |v: Option<&Verdict>| match (v, region) {
        (Some(v), _) => v.why.clone(),
        (None, Some(r)) if layout.is_unlisted && layout.is_reserved(&range) => Why::new(
            "not-listed",
            format!(
                "device_hmem.disable keeps dax_hmem away, and {} has it",
                r.name
            ),
        ),
        (None, Some(r)) => Why::new(
            "region",
            format!("{} is committed, outside of Soft Reserved memory", r.name),
        ),
        (None, None) if layout.is_unlisted => Why::new(
            "not-listed",
            "device_hmem.disable keeps the kernel from listing it for dax_hmem",
        ),
        (None, None) => Why::new("not-listed", "the kernel does not list it for dax_hmem"),
    };
    if layout.ram.iter().any(|r| r.contains(&range)) {
        return Part {
            range,
            holder: Holder::SystemRam,
            why: Why::known(Word::InUseAlready, "in use as System RAM already"),
            hindrance: None,
            node,
            ram_bytes: range.len(),
            file_bytes: 0,
            dead_bytes: 0,
            foreign: None,
        };
    }
    if let Some(device) = device {
        let ram: Vec<Range> = device.ram.into_iter().collect();
        let ram_bytes = covered_bytes(&range, &ram);
        let file_bytes = if device.is_file { range.len() } else { 0 };
        let is_dead = layout.dead.iter().any(|d| d.contains(&range));
        let hindrance = match is_dead {
            true => Some(Why::known(
                Word::Undecoded,
                "nothing decodes it: what is made System RAM there is no memory",
            )),
            false => device.hindrance.clone().filter(|_| ram_bytes < range.len()),
        };
        return Part {
            range,
            holder: device.holder.clone(),
            why: decided(verdict),
            hindrance,
            node,
            ram_bytes,
            file_bytes,
            dead_bytes: if is_dead {
                ram_bytes.saturating_add(file_bytes)
            } else {
                0
            },
            foreign: None,
        };
    }
    let cut = verdict.and_then(|v| v.lost.iter().find(|(r, _)| r.contains(&range)));
    let hindrance = cut.map(|(_, why)| why.clone()).or_else(|| {
        let region = region?;
        Some(match region.is_pmem {
            true => Why::of(Kind::Persistent, format!("{} is persistent", region.name)),
            false if lost.contains(&region.name) => Why::of(
                Kind::RegionIdle,
                format!(
                    "{} stays idle: HMEM has a part of it, and dax_cxl serves a region whole or not at all",
                    region.name
                ),
            ),
            false if region.is_foreign => Why::known(
                Word::KeptByRegion,
                format!(
                    "{} has another driver than dax_cxl, or is of a mode that dax_cxl does not know",
                    region.name
                ),
            ),
            false if !region.is_offered() => Why::of(
                Kind::RegionIdle,
                format!(
                    "{} makes no dax region, because a part of it is System RAM since boot",
                    region.name
                ),
            ),
            false => match &layout.refused {
                Some(_) => Why::of(Kind::ModuleNotLoaded, "dax_cxl is not loaded without dax_hmem"),
                None => Why::known(Word::WithoutDaxCxl, "the kernel has no dax_cxl"),
            },
        })
    });
    Part {
        range,
        holder: match region {
            Some(region) if cut.is_none() => Holder::Cxl(region.name.clone()),
            _ => Holder::Nobody,
        },
        why: decided(verdict),
        hindrance,
        node: None,
        ram_bytes: 0,
        file_bytes: 0,
        dead_bytes: 0,
        foreign: None,
    }
}
