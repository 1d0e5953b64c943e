// SPDX-License-Identifier: GPL-2.0

//! Why memory with an owner is not used: what became of its dax device.

mod remainder;

use super::{remedy, Kind, Problem, Severity};
use crate::dax::{DaxDevice, Parent};
use crate::log::spoken::by_hmem;
use crate::log::{Event, Message};
use crate::map::Map;
use crate::modules::{Module, Presence};
use crate::own::{Owner, Piece};
use crate::range::{subtract, Range};
use crate::size::human;
use crate::size::Total as _;

/// Why HMEM's memory may have no device.
const IDLE: &str = "dax_hmem.region_idle=1 leaves the division to the administrator";

/// Log messages of which `is` says that they matter.
pub(super) fn lines(map: &Map, is: impl Fn(&Event) -> bool) -> Vec<String> {
    map.log
        .iter()
        .filter(|m| is(&m.event))
        .map(|m| m.stamped())
        .collect()
}

/// What dax_hmem said of a range.
pub(super) fn said_of(map: &Map, range: &Range) -> Vec<String> {
    let here = |m: &&Message| by_hmem(m).is_some_and(|r| r.overlaps(range));
    let lines = map.log.iter().filter(here);
    lines.map(Message::stamped).collect()
}

/// The same, with what was said of a dax device there.
pub(super) fn said_of_both(map: &Map, range: &Range, device: &str) -> Vec<String> {
    let here =
        |m: &&Message| about(&m.event, device) || by_hmem(m).is_some_and(|r| r.overlaps(range));
    let lines = map.log.iter().filter(here);
    lines.map(Message::stamped).collect()
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
    // Room of its dax region that no device has is no matter of memory blocks.
    if let Some((first, room)) = room(map, dax, &piece.range) {
        let room = room.min(lost);
        if let Parent::Region(region) = &dax.parent {
            if let Some(why) = dynamic(map, region).filter(|_| room > 0) {
                let problem = Problem::new(Kind::Unallocated, Severity::Note, region.as_str());
                return vec![problem.because(why)];
            }
        }
        if room > 0 {
            out.push(unallocated(map, &dax.parent, room).at(first, room));
        }
    }
    let rest = lost.saturating_sub(out.first().map_or(0, |p| p.bytes));
    if rest > 0 {
        out.push(remainder::remainder(map, piece, dax, rest).at(piece.range, rest));
    }
    out
}

/// What of a range no device of the same dax region has: the first of it, and how much.
fn room(map: &Map, dax: &DaxDevice, range: &Range) -> Option<(Range, u64)> {
    let own = map.dax.iter().filter(|d| d.parent == dax.parent);
    let is_known = |d: &DaxDevice| d.size == Some(0) || !d.ranges.is_empty();
    let taken: Vec<Range> = own.clone().flat_map(|d| d.ranges.iter().copied()).collect();
    let free = subtract(*range, &taken);
    let room = free.iter().map(|r| r.len()).total();
    let is_free = match &dax.parent {
        Parent::Hmem(name) => {
            let device = map.hmem.iter().find(|h| h.name == *name);
            device.and_then(|h| h.available).is_some_and(|a| a >= room)
        }
        Parent::Region(_) => own.clone().all(is_known),
        Parent::Other(_) => false,
    };
    free.first().map(|r| (*r, room)).filter(|_| is_free)
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
    let name = dax.name.as_str();
    let problem = Problem::new(Kind::Unallocated, Severity::Warning, name);
    let available = match &dax.parent {
        Parent::Hmem(hmem) => map.hmem.iter().find(|h| h.name == *hmem),
        _ => None,
    }
    .and_then(|h| h.available);
    if let Parent::Region(region) = &dax.parent {
        if let Some(why) = dynamic(map, region) {
            return problem.because(why);
        }
        let whole = map.region(region).and_then(|r| r.range);
        let free = whole.and_then(|r| room(map, dax, &r));
        let size = free.map_or(piece.range.len(), |(_, size)| size);
        return problem
            .because(format!(
                "{name} has size 0, and its room in {region} is free: somebody took it from the device, to divide it"
            ))
            .fix(["# to use all of it as System RAM:".to_string()])
            .fix(["modprobe kmem".to_string()])
            .fix([format!("echo {size} > /sys/bus/dax/devices/{name}/size")])
            .fix([remedy::bind_kmem_only(name)]);
    }
    let why = match map.host.region_idle {
        Some(true) => IDLE.to_string(),
        Some(false) => "somebody took it from the device, to divide it".to_string(),
        None => format!("{IDLE}, or somebody took it from the device"),
    };
    problem
        .because(format!(
            "{name} has size 0 and its dax region is free: {why}"
        ))
        .fix(["# to use all of it as System RAM:".to_string()])
        .fix(remedy::use_seed(
            name,
            available.unwrap_or(piece.range.len()),
        ))
}

/// Why a region of dynamic capacity has room: its device adds memory as it is told to.
fn dynamic(map: &Map, region: &str) -> Option<String> {
    let mode = map.region(region)?.mode.as_deref()?;
    let added = map
        .added(map.region(region)?)
        .iter()
        .map(|r| r.len())
        .total();
    mode.starts_with("dynamic").then(|| match added {
        0 => format!(
            "{region} has dynamic capacity ({mode}), and its device has added no memory there, or what it added \
             is not in use: who manages the device adds it"
        ),
        some => format!(
            "{region} has dynamic capacity ({mode}): its device has added {} of it so far, and who manages the device \
             adds the rest",
            human(some)
        ),
    })
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
    // What the log says of it came before kmem was unloaded.
    let has_block = map
        .memory
        .block_size
        .is_none_or(|b| !holds_no_block(dax, b));
    let is_gone = map.module("kmem").is_some_and(|m| match mine.is_empty() {
        true => !m.is_active(),
        false => m.presence == Presence::Installed,
    });
    if is_gone && has_block && dax.target_node.is_some() {
        return Problem::new(Kind::ModuleNotLoaded, Severity::Loss, "kmem")
            .because(format!(
                "kmem is not loaded, so nothing makes {name} System RAM"
            ))
            .seen(mine)
            .fix(remedy::load(map, "kmem"));
    }
    if let Some(range) = reserve {
        return super::reserve::cannot_reserve(map, dax, range).seen(mine);
    }
    let failure = failure(map, name);
    let mine = match failure {
        Some(_) => lines(map, |e| {
            about(e, name)
                || matches!(e, Event::Unaddressable { range } if dax.ranges.iter().any(|r| r.overlaps(range)))
        }),
        None => mine,
    };
    if let Some(block) = map.memory.block_size.filter(|&b| holds_no_block(dax, b)) {
        return Problem::new(Kind::Trimmed, Severity::Warning, name)
            .because(format!(
                "kmem works in whole memory blocks of {}, and {name} holds none",
                human(block)
            ))
            .seen(mine)
            .fix(has_device_dax(map).then(|| {
                format!(
                    "# it can be used as a file: echo {name} > /sys/bus/dax/drivers/device_dax/bind"
                )
            }));
    }
    if dax.target_node.is_none() {
        let file = match has_device_dax(map) {
            true => vec![
                "# without a node it can be used as a file only; nothing is lost by that, for no driver has it:"
                    .to_string(),
                format!("daxctl reconfigure-device --mode=devdax {name}"),
            ],
            false => vec![
                "# without a node it can be used as a file only, and this kernel has no device_dax"
                    .to_string(),
            ],
        };
        return loss(Kind::KmemFailed)
            .because(format!("{name} has no target node (kmem refuses such a device): neither SRAT nor the CXL window gives one"))
            .seen(mine)
            .fix(file)
            .fix(remedy::use_rust_modules());
    }
    if let Some(why) = failure {
        return loss(Kind::KmemFailed)
            .because(format!("kmem did not take {name}: {why}"))
            .seen(mine)
            .fix(["# once the cause is gone:".to_string()])
            .fix([format!("# {}", remedy::bind_kmem_only(name))]);
    }
    if dax.ranges.is_empty() {
        return loss(Kind::NoDriver)
            .because(format!(
                "{name} has no driver, and its addresses could not be read: why, and whether kmem can take it, \
                 is unknown"
            ))
            .fix([remedy::as_root(map)]);
    }
    loss(Kind::NoDriver)
        .because(format!(
            "{name} has no driver, and the log does not say why"
        ))
        .fix(remedy::bind_kmem(name))
}

/// Why kmem did not take a device. That its probe failed is the end of it, and not the cause.
fn failure(map: &Map, name: &str) -> Option<String> {
    let last =
        |of: &dyn Fn(&Event) -> Option<String>| map.log.iter().rev().find_map(|m| of(&m.event));
    let beyond = |range: &Range| {
        let said = |e: &Event| matches!(e, Event::Unaddressable { range: r } if r.overlaps(range));
        map.log.iter().any(|m| said(&m.event))
    };
    let cause = last(&|e| match e {
        Event::Rejected { device, why } if device == name => Some(why.clone()),
        Event::AddFailed { device, range } if device == name => Some(match beyond(range) {
            true => {
                "memory add failed: it lies beyond the addresses that the kernel can map".into()
            }
            false => "memory add failed".into(),
        }),
        _ => None,
    });
    cause.or_else(|| {
        last(&|e| match e {
            Event::ProbeFailed { device, errno, .. } if device == name => {
                Some(format!("error -{errno}"))
            }
            _ => None,
        })
    })
}

/// Whether it is known that a device holds no whole memory block; its addresses may not be readable.
fn holds_no_block(dax: &DaxDevice, block: u64) -> bool {
    match dax.ranges.is_empty() {
        true => dax.size.is_some_and(|size| size < block),
        false => !dax.ranges.iter().any(|r| r.aligned_inside(block).is_some()),
    }
}

pub(super) fn about(event: &Event, name: &str) -> bool {
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

/// An owner without a dax device: an idle region, or a dax region that nobody divided.
fn without_device(map: &Map, piece: &Piece) -> Problem {
    match &piece.owner {
        Owner::Cxl { region } if is_empty(map, region) => {
            unallocated(map, &Parent::Region(region.clone()), piece.range.len())
        }
        Owner::Cxl { region } => super::region::idle(map, region),
        Owner::Hmem { device } => {
            unallocated(map, &Parent::Hmem(device.clone()), piece.range.len())
        }
        _ => Problem::new(Kind::Unexplained, Severity::Loss, "dax")
            .because("it has an owner, but no dax device, and nothing that could be read says why"),
    }
}

/// Whether dax_cxl has a region, and no dax device is there any more.
fn is_empty(map: &Map, region: &str) -> bool {
    let served = map.region(region).is_some_and(|r| r.dax_driver.is_some());
    let parent = Parent::Region(region.to_string());
    served && !map.dax.iter().any(|d| d.parent == parent)
}

/// Room of a dax region that no dax device has.
fn unallocated(map: &Map, parent: &Parent, room: u64) -> Problem {
    const DIVIDED: &str = "it was divided";
    let (name, is_hmem) = match parent {
        Parent::Region(name) => (name, false),
        Parent::Hmem(name) | Parent::Other(name) => (name, true),
    };
    let why = match map.host.region_idle {
        Some(true) if is_hmem => IDLE.to_string(),
        None if is_hmem => format!("{DIVIDED}, or {IDLE}"),
        _ => DIVIDED.to_string(),
    };
    let problem = Problem::new(Kind::Unallocated, Severity::Warning, name.as_str());
    if let Some(why) = dynamic(map, name) {
        let problem = Problem::new(Kind::Unallocated, Severity::Note, name.as_str());
        return problem.because(why);
    }
    let number = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let hmem = map.hmem.iter().find(|h| h.name == *name);
    let id = hmem
        .and_then(|h| h.region_id)
        .map_or(number.to_string(), |id| id.to_string());
    problem
        .because(format!(
            "{} of {name}'s dax region has no dax device: {why}",
            human(room)
        ))
        .fix([format!("daxctl create-device -r {id}")])
}

/// Whether this kernel can serve memory as a file, as far as is known.
fn has_device_dax(map: &Map) -> bool {
    let is_absent = |m: &Module| m.presence == Presence::Absent;
    !map.module("device_dax").is_some_and(is_absent)
}
