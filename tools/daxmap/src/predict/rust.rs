// SPDX-License-Identifier: GPL-2.0

//! What the Rust dax_hmem does, by its own ownership logic (`drivers/dax/ownership`).
//!
//! What is added here is what the driver adds around that logic: which regions count, which of them
//! HMEM must not touch, and where a range is cut (`drivers/dax/hmem/cxl.rs`, `regions.rs` and
//! `soft_reserved/register.rs`).

use ownership::{
    decide, range::sort_disjoint, Extent, Extents, Mode, Obstacle, Policy, Reason, Taken, World,
};

use super::register::{register, Own};
use super::{made, Decider, Forecast, Layout, Listed, RegionAt, Verdict, Why, Word};
use crate::names::listed_in_runs;
use crate::problem::Kind;
use crate::range::{subtract, Range};

pub(super) fn forecast(layout: &Layout, policy: Policy) -> Forecast {
    if let Some(parameter) = &layout.refused {
        return not_loaded(layout, parameter);
    }
    let listed = found(layout);
    let mut committed: Vec<Extent> = layout
        .regions
        .iter()
        .filter(|r| layout.has_dax_cxl && r.is_committed && (r.is_pmem || r.is_offered()))
        .filter_map(extent)
        .collect();
    let regions = Extents::new(&mut committed);
    let taken = |range: &Range, taken| {
        Some(Obstacle {
            range: pure(range)?,
            taken,
        })
    };
    let mut foreign: Vec<Obstacle> = layout
        .regions
        .iter()
        .filter(|r| layout.has_dax_cxl && (r.is_foreign || r.is_pmem) && !r.is_offered())
        // Persistent memory that waits for a device has contents; what is committed is CXL's.
        .filter(|r| r.is_committed == r.is_foreign)
        .filter_map(|r| match r.is_pmem {
            true => taken(&r.range, Taken::Persistent(Some(r.number))),
            false => taken(&r.range, Taken::Foreign(r.number)),
        })
        .collect();
    let persistent = layout.persistent.iter().filter(|_| layout.has_dax_cxl);
    foreign.extend(persistent.filter_map(|(r, region)| taken(r, Taken::Persistent(*region))));
    // A region of which HMEM may have nothing is dax_cxl's.
    let is_excluded = |range: &Range| layout.excluded.iter().any(|e| e.contains(range));
    let left: Vec<Range> = layout
        .regions
        .iter()
        .filter(|r| r.is_offered() && is_excluded(&r.range))
        .map(|r| r.range)
        .collect();
    let excluded = layout.excluded.iter().flat_map(|e| subtract(*e, &left));
    foreign.extend(excluded.filter_map(|r| taken(&r, Taken::Excluded)));
    let foreign = sort_disjoint(&mut foreign);
    // What is CXL's comes first: HMEM must not take a region for one range that CXL needs for another.
    let mut held: Vec<Extent> = regions
        .iter()
        .filter(|e| {
            let region = named(layout, e.region);
            region.is_some_and(|r| r.is_pmem || left.contains(&r.range))
        })
        .copied()
        .collect();
    let decided: Vec<(Listed, ownership::Range, ownership::Verdict)> = listed
        .into_iter()
        .filter_map(|l| {
            let range = pure(&l.range)?;
            let world = World {
                in_window: layout.is_in_window(&l.range),
                regions,
                taken: foreign,
                settled: true,
            };
            Some((l, range, decide(&range, &world)))
        })
        .collect();
    for (_, range, verdict) in &decided {
        if verdict.mode == Mode::Drop {
            held.extend(regions.intersecting(range));
        }
    }
    let left_to_cxl: Vec<Extent> = match policy {
        Policy::Split => regions.iter().copied().collect(),
        Policy::Whole => held,
    };

    let own: Vec<Own> = decided
        .iter()
        .filter(|(_, _, verdict)| verdict.mode == Mode::Register)
        .map(|(_, range, _)| Own {
            range: *range,
            obstacles: obstacles(layout, range, foreign, &left_to_cxl),
        })
        .collect();
    let (hmem, lost) = register(layout, &own);
    let verdicts: Vec<Verdict> = decided
        .iter()
        .map(|(listed, range, verdict)| Verdict {
            range: listed.range,
            node: listed.node,
            why: why(layout, regions, range, verdict.reason),
            lost: lost
                .iter()
                .filter(|(r, _)| listed.range.contains(r))
                .cloned()
                .collect(),
        })
        .collect();
    made(layout, &verdicts, &hmem, Decider::Rust(policy))
}

/// Without dax_hmem there is no dax_cxl either, which needs it.
fn not_loaded(layout: &Layout, parameter: &str) -> Forecast {
    let text = format!("dax_hmem refuses {parameter} and is not loaded");
    let verdict = |listed: Listed| Verdict {
        range: listed.range,
        node: listed.node,
        why: Why::of(Kind::ModuleNotLoaded, text.clone()),
        lost: Vec::new(),
    };
    let verdicts: Vec<Verdict> = found(layout).into_iter().map(verdict).collect();
    let mut layout = layout.clone();
    layout.has_dax_cxl = false;
    made(&layout, &verdicts, &[], Decider::Rust(layout.policy))
}

/// What of a range HMEM must leave to others.
fn obstacles(
    layout: &Layout,
    range: &ownership::Range,
    foreign: &[Obstacle],
    left_to_cxl: &[Extent],
) -> Vec<Obstacle> {
    let regions = left_to_cxl
        .iter()
        .map(|e| (e.range, Taken::Region(e.region)));
    let ram = layout.ram.iter().map(|r| (r, Taken::SystemRam));
    let others = layout.obstacles.iter().map(|r| (r, Taken::Resource));
    let rest = ram
        .chain(others)
        .filter_map(|(r, taken)| Some((pure(r)?, taken)));
    // Of two that overlap, the first has the bytes.
    let mut out: Vec<Obstacle> = foreign.to_vec();
    for (has, taken) in regions.chain(rest).filter(|(r, _)| r.intersects(range)) {
        let known: Vec<Range> = out.iter().map(|o| daxmap_range(&o.range)).collect();
        let free = subtract(daxmap_range(&has), &known);
        let free = free.iter().filter_map(pure);
        out.extend(free.map(|range| Obstacle { range, taken }));
    }
    out.sort_unstable_by_key(|o| o.range);
    out
}

/// What the platform lists, as far as firmware marked it Soft Reserved, and what else it marked so.
fn found(layout: &Layout) -> Vec<Listed> {
    let mut out: Vec<Listed> = Vec::new();
    // Without the platform's device dax_hmem has nothing to look at.
    if layout.is_unlisted || layout.is_unregistered {
        return out;
    }
    for listed in &layout.listed {
        let parts = layout.reserved.iter();
        out.extend(
            parts
                .filter_map(|r| r.overlap(&listed.range))
                .map(|range| Listed { range, ..*listed }),
        );
    }
    let known: Vec<Range> = layout.listed.iter().map(|l| l.range).collect();
    for range in layout.reserved.iter().flat_map(|r| subtract(*r, &known)) {
        out.push(Listed {
            range,
            node: layout.node_at(range.start),
        });
    }
    out.sort_by_key(|l| l.range);
    out
}

fn why(layout: &Layout, regions: Extents<'_>, range: &ownership::Range, reason: Reason) -> Why {
    let name = |number: i32| format!("region{number}");
    match reason {
        Reason::OutsideWindows if !layout.has_dax_cxl => {
            Why::known(Word::WithoutDaxCxl, "the kernel has no dax_cxl")
        }
        Reason::OutsideWindows => Why::known(Word::OutsideWindows, layout.outside()),
        Reason::AwaitingCxl => Why::known(Word::AwaitingCxl, "undecided, waiting for CXL"),
        Reason::Covered { region, others } => Why::known(
            Word::Covered,
            match others {
                false => format!("{} covers the range", name(region)),
                true => {
                    let found = regions.intersecting(range).iter();
                    let names: Vec<String> = found.map(|e| name(e.region)).collect();
                    format!("{} cover the range together", listed_in_runs(&names))
                }
            },
        ),
        Reason::NoRegion => Why::known(Word::NoRegion, "no committed CXL region in it"),
        Reason::PartlyCovered { region } => Why::known(
            Word::PartlyCovered,
            format!("{} covers only a part of the range", name(region)),
        ),
        Reason::NothingLeft {
            taken: Taken::Foreign(region),
        } => Why::known(
            Word::ForeignRegion,
            format!("{} of another driver has it", name(region)),
        ),
        Reason::NothingLeft {
            taken: Taken::Persistent(region),
        } => Why::known(
            Word::Persistent,
            match region {
                Some(region) => format!("persistent memory, and {} is not committed", name(region)),
                None => "persistent memory, and no region has it".into(),
            },
        ),
        Reason::NothingLeft {
            taken: Taken::Excluded,
        } => Why::known(Word::Excluded, "kept out by dax_hmem.exclude"),
        Reason::NothingLeft { .. } => Why::known(Word::Undecoded, "others have all of it"),
    }
}

fn named(layout: &Layout, number: i32) -> Option<&RegionAt> {
    layout.regions.iter().find(|r| r.number == number)
}

fn extent(region: &RegionAt) -> Option<Extent> {
    Some(Extent {
        range: pure(&region.range)?,
        region: region.number,
    })
}

pub(super) fn pure(range: &Range) -> Option<ownership::Range> {
    ownership::Range::new(range.start, range.end)
}

pub(super) fn daxmap_range(range: &ownership::Range) -> Range {
    Range {
        start: range.start(),
        end: range.end(),
    }
}
