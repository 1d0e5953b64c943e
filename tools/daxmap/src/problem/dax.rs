// SPDX-License-Identifier: GPL-2.0

//! Why memory with an owner is not used: what became of its dax device.

use super::{remedy, Kind, Problem, Severity};
use crate::dax::{DaxDevice, Parent};
use crate::log::Event;
use crate::map::Map;
use crate::own::{Owner, Piece};
use crate::range::{subtract, Range};

/// Log messages of which `is` says that they matter.
pub(super) fn lines(map: &Map, is: impl Fn(&Event) -> bool) -> Vec<String> {
    map.log
        .iter()
        .filter(|m| is(&m.event))
        .map(|m| m.stamped())
        .collect()
}

/// The `lost` bytes of an owned piece that are neither online nor offline.
pub(super) fn unused(map: &Map, piece: &Piece, lost: u64) -> Vec<Problem> {
    let device = piece
        .device
        .as_ref()
        .and_then(|name| map.dax.iter().find(|d| d.name == *name));
    let Some(dax) = device else {
        let mut problem = without_device(map, piece);
        problem.range = Some(piece.range);
        problem.bytes = lost;
        return vec![problem];
    };
    if dax.driver.is_none() && dax.size == Some(0) {
        return vec![unsized_device(map, dax, piece).at(piece.range, lost)];
    }
    if dax.driver.is_none() {
        return vec![unbound(map, dax).at(piece.range, lost)];
    }
    if dax.state.as_deref() == Some("unplugged") {
        return vec![unplugged(map, dax).at(piece.range, lost)];
    }
    let mut out = Vec::new();
    let free = subtract(piece.range, &dax.ranges);
    let room = free.iter().fold(0u64, |sum, r| sum.saturating_add(r.len()));
    let room = room.min(lost);
    // Room of its dax region that no device has is no matter of memory blocks.
    if let (Parent::Hmem(hmem), Some(first)) = (&dax.parent, free.first()) {
        let device = map.hmem.iter().find(|h| h.name == *hmem);
        if device
            .and_then(|h| h.available)
            .is_some_and(|left| left >= room)
        {
            out.push(unallocated(map, hmem, room).at(*first, room));
        }
    }
    let rest = lost - out.first().map_or(0, |p| p.bytes);
    if rest > 0 {
        out.push(remainder(map, piece, dax, rest).at(piece.range, rest));
    }
    out
}

/// Memory that somebody took out by hand: without it kmem would have left it online or offline.
fn unplugged(map: &Map, dax: &DaxDevice) -> Problem {
    let name = dax.name.as_str();
    Problem::new(Kind::Unplugged, Severity::Warning, name)
        .because(format!(
            "its memory was unplugged; {name} is still bound to kmem"
        ))
        .seen([format!("/sys/bus/dax/devices/{name}/state")])
        .fix(remedy::plug(name, map.memory.auto_online.as_deref()))
}

/// A dax device of size zero: the seed of a region that an administrator is to divide.
fn unsized_device(map: &Map, dax: &DaxDevice, piece: &Piece) -> Problem {
    let room = match &dax.parent {
        Parent::Hmem(hmem) => map.hmem.iter().find(|h| h.name == *hmem),
        _ => None,
    }
    .and_then(|h| h.available)
    .unwrap_or(piece.range.len());
    let name = dax.name.as_str();
    Problem::new(Kind::Unallocated, Severity::Warning, name)
        .because(format!(
            "{name} has size 0 and its dax region is free: dax_hmem.region_idle=1 leaves the division to the administrator"
        ))
        .fix(["# to use all of it as System RAM:".to_string()])
        .fix(remedy::use_seed(name, room))
}

/// A dax device that no driver has, with the cause that the log gives.
fn unbound(map: &Map, dax: &DaxDevice) -> Problem {
    let name = dax.name.as_str();
    let mine = lines(map, |e| about(e, name));
    let reserve = map.log.iter().rev().find_map(|m| match &m.event {
        Event::ReserveFailed { device, range } if device == name => Some(*range),
        _ => None,
    });
    let loss = |kind| Problem::new(kind, Severity::Loss, name);
    if let Some(range) = reserve {
        return cannot_reserve(map, dax, range).seen(mine);
    }
    let failure = map.log.iter().rev().find_map(|m| match &m.event {
        Event::Rejected { device, why } if device == name => Some(why.clone()),
        Event::AddFailed { device, .. } if device == name => Some("memory add failed".into()),
        Event::ProbeFailed { device, errno, .. } if device == name => {
            Some(format!("error -{errno}"))
        }
        _ => None,
    });
    if let Some(block) = map.memory.block_size.filter(|&b| !holds_a_block(dax, b)) {
        return Problem::new(Kind::Trimmed, Severity::Warning, name)
            .because(format!(
                "kmem works in whole memory blocks of {} MiB, and {name} holds none",
                block >> 20
            ))
            .seen(mine)
            .fix([format!(
                "# it can be used as a file: echo {name} > /sys/bus/dax/drivers/device_dax/bind"
            )]);
    }
    if dax.target_node.is_none() {
        return loss(Kind::KmemFailed)
            .because(format!("{name} has no target node (kmem refuses such a device): neither SRAT nor the CXL window gives one"))
            .seen(mine)
            .fix([
                "# without a node it can be used as a file only:".to_string(),
                format!("daxctl reconfigure-device --mode=devdax {name}"),
            ])
            .fix(remedy::use_rust_modules());
    }
    if let Some(why) = failure {
        return loss(Kind::KmemFailed)
            .because(format!("kmem did not take {name}: {why}"))
            .seen(mine)
            .fix(["# once the cause is gone:".to_string()])
            .fix([format!("# {}", remedy::bind_kmem_only(name))]);
    }
    if map.module("kmem").is_some_and(|m| !m.is_active()) {
        return Problem::new(Kind::ModuleNotLoaded, Severity::Loss, "kmem")
            .because(format!(
                "kmem is not loaded, so nothing makes {name} System RAM"
            ))
            .fix(remedy::load(map, "kmem"));
    }
    loss(Kind::NoDriver)
        .because(format!(
            "{name} has no driver, and the log does not say why"
        ))
        .fix(remedy::bind_kmem(name))
}

fn holds_a_block(dax: &DaxDevice, block: u64) -> bool {
    dax.ranges.iter().any(|r| r.aligned_inside(block).is_some())
}

fn about(event: &Event, name: &str) -> bool {
    match event {
        Event::ProbeFailed { device, .. }
        | Event::ReserveFailed { device, .. }
        | Event::AddFailed { device, .. }
        | Event::Truncated { device, .. }
        | Event::Rejected { device, .. }
        | Event::Stuck { device, .. } => device == name,
        _ => false,
    }
}

/// kmem reserves the range in the resource tree, where nothing may cross another's edge.
fn cannot_reserve(map: &Map, dax: &DaxDevice, said: Range) -> Problem {
    // kmem names what it aligned; sizes are those of the device.
    let range = match &dax.ranges[..] {
        [one] => *one,
        _ => said,
    };
    let problem = Problem::new(Kind::KmemCannotReserve, Severity::Loss, dax.name.as_str());
    let crossed = crossed(map, &range);
    if crossed.is_empty() {
        return problem
            .because(format!(
                "kmem could not reserve {said} for {} (error -16): something else holds a part of it",
                dax.name
            ))
            .fix(["# look: cat /proc/iomem"]);
    }
    let names: Vec<String> = crossed.iter().map(|(n, r)| format!("{n} ({r})")).collect();
    let edges: Vec<Range> = crossed.iter().map(|(_, r)| *r).collect();
    let problem = problem.because(format!(
        "kmem could not reserve {said} for {} (error -16): the range crosses the edge of {}",
        dax.name,
        super::listed(&names)
    ));
    let persistent = map.regions.iter().find(|region| {
        region.mode.as_deref() == Some("pmem") && region.range.is_some_and(|r| r.overlaps(&range))
    });
    match &dax.parent {
        // A piece of it as System RAM would overwrite what is kept there.
        Parent::Hmem(_) if persistent.is_some() => problem.fix(remedy::use_rust_modules()),
        Parent::Hmem(_) if dax.ranges.len() != 1 => problem.fix(remedy::use_rust_modules()),
        Parent::Hmem(hmem) => {
            let pieces = cut_at(map, &range, edges);
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

/// The pieces that kmem can reserve, and those that it must not have.
fn cut_at(map: &Map, range: &Range, mut edges: Vec<Range>) -> Vec<remedy::Cut> {
    let held = held_by_others(map, range);
    let dead: Vec<Range> = map.dead_in(range).iter().map(|d| d.range).collect();
    edges.extend(held.iter().chain(&dead));
    let mut out: Vec<remedy::Cut> = Vec::new();
    for piece in range.split_at(&edges) {
        let block = map.memory.block_size.unwrap_or(128 << 20);
        let out_of_use = if dead.iter().any(|d| d.contains(&piece)) {
            Some("nothing decodes it")
        } else if held.iter().any(|h| h.contains(&piece)) {
            Some("another driver holds it")
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

/// An owner without a dax device: an idle region, or a dax region that nobody divided.
fn without_device(map: &Map, piece: &Piece) -> Problem {
    match &piece.owner {
        Owner::Cxl { region } => super::region::idle(map, region),
        Owner::Hmem { device } => unallocated(map, device, piece.range.len()),
        _ => Problem::new(Kind::Unexplained, Severity::Loss, "dax")
            .because("it has an owner, but no dax device, and nothing that could be read says why"),
    }
}

/// Room of an hmem device's dax region that no dax device has.
fn unallocated(map: &Map, device: &str, room: u64) -> Problem {
    let hmem = map.hmem.iter().find(|h| h.name == *device);
    let number = device.trim_start_matches("hmem.").to_string();
    let id = hmem
        .and_then(|h| h.region_id)
        .map_or(number, |id| id.to_string());
    Problem::new(Kind::Unallocated, Severity::Warning, device)
        .because(format!(
            "{} of {device}'s dax region has no dax device: it was divided, or \
             dax_hmem.region_idle=1 leaves the division to the administrator",
            crate::size::human(room)
        ))
        .fix([format!("daxctl create-device -r {id}")])
}

/// A device with a driver of which a part is not in use: cut to whole memory blocks.
fn remainder(map: &Map, piece: &Piece, dax: &DaxDevice, lost: u64) -> Problem {
    let name = dax.name.as_str();
    let block = map.memory.block_size.unwrap_or(128 << 20);
    let cut: u64 = dax
        .ranges
        .iter()
        .flat_map(|r| match r.aligned_inside(block) {
            Some(inside) => r.minus(&inside),
            None => vec![*r],
        })
        .filter_map(|r| r.overlap(&piece.range))
        .fold(0, |sum, r| sum.saturating_add(r.len()));
    let outside: u64 = subtract(piece.range, &dax.ranges)
        .iter()
        .fold(0, |sum, r| sum.saturating_add(r.len()));
    let said = lines(map, |e| about(e, name));
    if lost <= cut.saturating_add(outside) {
        return Problem::new(Kind::Trimmed, Severity::Warning, name)
            .because(format!(
                "kmem works in whole memory blocks of {} MiB; the rest of {name} is cut off",
                block >> 20
            ))
            .seen(said)
            .fix([format!(
                "# nothing to run: only what firmware aligns to {} MiB is used whole as System RAM",
                block >> 20
            )]);
    }
    Problem::new(Kind::Unexplained, Severity::Loss, name)
        .because(format!(
            "{name} is bound to {}, but not all of it is in memory blocks",
            dax.driver.as_deref().unwrap_or("a driver")
        ))
        .seen(said)
        .fix([format!("# look: daxctl list --devices {name}")])
}
