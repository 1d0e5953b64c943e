// SPDX-License-Identifier: GPL-2.0

//! What the kernel's own drivers failed to make of memory at this boot. Where nothing says that it was for
//! once, a forecast that they will succeed the next time would be against what is seen.

use super::{Part, Why};
use crate::log::Event;
use crate::map::Map;
use crate::modules::{Drivers, Presence};
use crate::problem::{self, Kind, Problem};
use crate::range::Range;

/// The ranges, with what was the cause.
pub(super) fn read(map: &Map) -> Vec<(Range, Why)> {
    if matches!(map.drivers, Drivers::Rust | Drivers::None) {
        return not_added(map);
    }
    of(map, |p| is_lasting(map, p))
}

/// What kmem could not add: its own cause, such as addresses beyond what the kernel maps, holds with either drivers.
pub(super) fn not_added(map: &Map) -> Vec<(Range, Why)> {
    let said = |p: &Problem| {
        map.log.iter().any(|m| match (&m.event, &p.range) {
            (Event::AddFailed { range, .. }, Some(r)) => range.overlaps(r),
            _ => false,
        })
    };
    of(map, |p| p.kind == Kind::KmemFailed && said(p))
}

fn of(map: &Map, is_meant: impl Fn(&Problem) -> bool) -> Vec<(Range, Why)> {
    let found = problem::find(map).into_iter();
    let lasting = found.filter(is_meant);
    lasting
        .filter_map(|p| {
            Some((
                p.range?,
                Why::of(p.kind, format!("as at this boot: {}", p.cause)),
            ))
        })
        .collect()
}

/// Whether the next boot will not mend it by itself.
fn is_lasting(map: &Map, problem: &Problem) -> bool {
    let module = || map.module(&problem.subject).map(|m| m.presence);
    match problem.kind {
        Kind::KmemCannotReserve | Kind::KmemFailed => true,
        Kind::ModuleNotLoaded => module() == Some(Presence::Absent),
        // From 7.2 on they leave to CXL, at boot, what CXL has.
        Kind::LeftToCxl => map.kernel_is_before(7, 2),
        _ => false,
    }
}

/// What of a part becomes System RAM after all.
pub(super) fn apply(failed: &[(Range, Why)], mut part: Part) -> Part {
    let mut found = failed.iter().filter(|(r, _)| r.contains(&part.range));
    if let Some((_, why)) = found.next().filter(|_| part.ram_bytes > 0) {
        part.ram_bytes = 0;
        part.dead_bytes = 0;
        part.hindrance = Some(why.clone());
    }
    part
}
