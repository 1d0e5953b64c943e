// SPDX-License-Identifier: GPL-2.0

//! Ranges that kmem could not reserve: what is in the way, and where the device can be cut.

use super::{listed, remedy, Kind, Problem, Severity};
use crate::dax::{DaxDevice, Parent};
use crate::map::Map;
use crate::range::Range;

/// kmem reserves the range in the resource tree, where nothing may cross another's edge.
pub(super) fn cannot_reserve(map: &Map, dax: &DaxDevice, said: Range) -> Problem {
    // kmem names what it aligned; sizes are those of the device.
    let range = match &dax.ranges[..] {
        [one] => *one,
        _ => said,
    };
    let problem = Problem::new(Kind::KmemCannotReserve, Severity::Loss, dax.name.as_str());
    let crossed = crossed(map, &range);
    if crossed.is_empty() {
        return not_crossed(map, dax, &range, problem, said);
    }
    let names: Vec<String> = crossed.iter().map(|(n, r)| format!("{n} ({r})")).collect();
    let edges: Vec<Range> = crossed.iter().map(|(_, r)| *r).collect();
    let problem = problem.because(format!(
        "kmem could not reserve {said} for {} (error -16): the range crosses the edge of {}",
        dax.name,
        listed(&names)
    ));
    let persistent = map.regions.iter().find(|region| {
        region.mode.as_deref() == Some("pmem") && region.range.is_some_and(|r| r.overlaps(&range))
    });
    match &dax.parent {
        // A piece of it as System RAM would overwrite what is kept there.
        Parent::Hmem(_) if persistent.is_some() => problem.fix(remedy::use_rust_modules()),
        Parent::Hmem(_) if dax.ranges.len() != 1 => problem.fix(remedy::use_rust_modules()),
        Parent::Hmem(hmem) => {
            let align = dax.align.filter(|&a| a > 0).unwrap_or(2 << 20);
            let pieces = cut_at(map, &range, align, &edges);
            let problem = problem.fix(remedy::cut(map, dax, hmem, &pieces));
            // Its pieces would be the same.
            match pieces.iter().all(|p| p.out_of_use.is_some()) {
                true => problem,
                false => problem.fix(remedy::use_rust_modules()),
            }
        }
        _ => problem,
    }
}

/// The pieces that kmem can reserve, and those that it must not have. The size of a device is a multiple
/// of its alignment, so what must stay out takes the units around its edges with it.
fn cut_at(map: &Map, range: &Range, align: u64, edges: &[Range]) -> Vec<remedy::Cut> {
    let out = |r: &Range| r.aligned_outside(align)?.overlap(range);
    let held = held_by_others(map, range);
    let held: Vec<Range> = held.iter().filter_map(out).collect();
    let dead = map.dead_in(range);
    let dead: Vec<Range> = dead.iter().filter_map(|d| out(&d.range)).collect();
    let seams: Vec<Range> = edges
        .iter()
        .flat_map(|r| [(r.start, r.start), (r.end.saturating_add(1), r.end)])
        .filter(|(edge, _)| edge.checked_rem(align) != Some(0))
        .filter_map(|(_, at)| out(&Range { start: at, end: at }))
        .collect();
    let mut all: Vec<Range> = edges.iter().filter_map(out).collect();
    all.extend(held.iter().chain(&dead).chain(&seams));
    let mut out: Vec<remedy::Cut> = Vec::new();
    for piece in range.split_at(&all) {
        let block = map.memory.block_size.unwrap_or(128 << 20);
        let out_of_use = if dead.iter().any(|d| d.contains(&piece)) {
            Some("nothing decodes it")
        } else if held.iter().any(|h| h.contains(&piece)) {
            Some("another driver holds it")
        } else if seams.iter().any(|s| s.contains(&piece)) {
            Some("an edge lies within what a device can have")
        } else if piece.aligned_inside(block).is_none() {
            Some("it holds no whole memory block")
        } else {
            None
        };
        out.push(remedy::Cut {
            range: piece,
            out_of_use,
        });
    }
    out
}

/// Parts of a range that are neither a window's, a region's nor ours.
fn held_by_others(map: &Map, range: &Range) -> Vec<Range> {
    let ours = ["CXL Window", "region", "Soft Reserved", "dax"];
    let others = map
        .iomem
        .iter()
        .filter(|r| !ours.iter().any(|o| r.name.starts_with(o)));
    let mut out: Vec<Range> = others
        .filter(|r| !r.range.contains(range))
        .filter_map(|r| r.range.overlap(range))
        .collect();
    let accelerators = map
        .regions
        .iter()
        .filter(|r| map.accelerator_of(r).is_some());
    out.extend(accelerators.filter_map(|r| r.range?.overlap(range)));
    out
}

/// Resources whose edge lies inside `range`: regions, windows, and what else the tree shows.
fn crossed(map: &Map, range: &Range) -> Vec<(String, Range)> {
    let cuts = |r: &Range| r.overlaps(range) && !r.contains(range);
    let mut out: Vec<(String, Range)> = Vec::new();
    let regions = map.regions.iter().map(|r| (r.name.clone(), r.range));
    let windows = map
        .windows
        .iter()
        .map(|w| (w.name.clone().unwrap_or_else(|| w.decoder.clone()), w.range));
    for (name, r) in regions.chain(windows) {
        out.extend(r.filter(cuts).map(|r| (name, r)));
    }
    for r in map.iomem.iter().filter(|r| cuts(&r.range)) {
        let known = out.iter().any(|(_, k)| k.contains(&r.range));
        if !known && r.name != "Soft Reserved" && !r.name.starts_with("dax") {
            out.push((r.name.clone(), r.range));
        }
    }
    out.sort_by_key(|(_, r)| *r);
    out
}

/// Nothing there has an edge inside: something has all of it, or had a part of it then.
fn not_crossed(
    map: &Map,
    dax: &DaxDevice,
    range: &Range,
    problem: Problem,
    said: Range,
) -> Problem {
    let name = dax.name.as_str();
    let failed = format!("kmem could not reserve {said} for {name} (error -16)");
    let ours = ["CXL Window", "region", "Soft Reserved", "hmem", name];
    let here = map.iomem.iter().filter(|r| r.range.overlaps(range));
    let mut holders = here.filter(|r| !ours.iter().any(|o| r.name.starts_with(o)));
    match holders.next() {
        Some(holder) => problem
            .because(format!(
                "{failed}: {} ({}) holds it",
                holder.name, holder.range
            ))
            .seen(["/proc/iomem"]),
        None if map.iomem.is_empty() => problem
            .because(format!("{failed}: something else had a part of it"))
            .fix(["# look: cat /proc/iomem"]),
        None => problem
            .because(format!(
                "{failed}: something else had a part of it then; /proc/iomem shows nothing there now"
            ))
            .seen(["/proc/iomem"])
            .fix([match remedy::load_cxl(map) {
                Some(load) => format!("# first see what CXL's drivers know of it: {load}"),
                None => remedy::bind_kmem_only(name),
            }]),
    }
}
