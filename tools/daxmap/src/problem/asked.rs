// SPDX-License-Identifier: GPL-2.0

//! Memory that HMEM has and that may be an accelerator's own: another driver asked for it, or its window is
//! for accelerators.

use super::{dax, Kind, Problem, Severity};
use crate::cxl::Window;
use crate::log::Event;
use crate::map::Map;
use crate::modules::Drivers;
use crate::own::Owner;
use crate::range::Range;
use crate::unsound::takes_accelerators_only;

/// The kernel's own dax_hmem takes what firmware marks Soft Reserved, an accelerator's memory as well, and
/// the driver that comes later finds the addresses taken.
pub(super) fn diagnose(map: &Map) -> Vec<Problem> {
    let mut out: Vec<Problem> = Vec::new();
    for message in &map.log {
        let Event::RequestFailed { device, range } = &message.event else {
            continue;
        };
        let Some((holder, part)) = holder(map, range) else {
            continue;
        };
        if out
            .iter()
            .any(|p| p.subject == *device && p.range == Some(part))
        {
            continue;
        }
        let seen = dax::lines(
            map,
            |e| matches!(e, Event::RequestFailed { device: d, .. } if d == device),
        );
        out.push(
            Problem::new(Kind::Foreign, Severity::Warning, device.as_str())
                .at(part, 0)
                .because(format!(
                    "the driver of {device} asked for {range} and was refused, for {holder} has it: if it is the \
                     memory of {device}, nothing else should use it"
                ))
                .seen(seen)
                .fix([
                    format!("# if it is: take it offline, unbind {holder}, and load the driver of {device} again;"),
                    "# the parameter `exclude` of the Rust dax_hmem keeps it out at the next boot".into(),
                ]),
        );
    }
    let told: Vec<Range> = out.iter().filter_map(|p| p.range).collect();
    out.extend(for_accelerators(map, &told));
    out
}

/// HMEM serves memory of a window that takes accelerators only, and nothing shows whose it is: the driver of
/// an accelerator may not be there yet.
fn for_accelerators(map: &Map, told: &[Range]) -> Vec<Problem> {
    let mut out = Vec::new();
    let only = |w: &&Window| takes_accelerators_only(w);
    let pieces = || map.reserved.iter().flat_map(|r| &r.pieces);
    for window in map.windows.iter().filter(only) {
        let Some(range) = window.range else { continue };
        for piece in pieces() {
            let (Owner::Hmem { device }, Some(part)) = (&piece.owner, piece.range.overlap(&range))
            else {
                continue;
            };
            let is_decoded = map.sets().iter().any(|s| s.range.overlaps(&part));
            let has_region = map.committed_in(&part).next().is_some();
            let is_dead = !map.dead_in(&part).is_empty();
            if is_decoded || has_region || is_dead || told.iter().any(|r| r.overlaps(&part)) {
                continue;
            }
            let keep = match map.drivers {
                Drivers::Rust => format!(
                    "# if it is: `options dax_hmem exclude={part}` in /etc/modprobe.d keeps dax_hmem away, from the \
                     next boot on"
                ),
                _ => format!(
                    "# if it is: the Rust dax_hmem has a parameter that keeps it away (exclude={part})"
                ),
            };
            out.push(
                Problem::new(Kind::Foreign, Severity::Note, device.as_str())
                    .at(part, 0)
                    .because(format!(
                        "{} takes accelerators (CXL type 2) and no memory expanders, no memory device shows there, \
                         and {device} serves it: if it is the memory of an accelerator whose driver is not there \
                         yet, that driver cannot have it",
                        window.label()
                    ))
                    .seen([format!("/sys/bus/cxl/devices/{}/cap_type2", window.decoder)])
                    .fix([keep]),
            );
        }
    }
    out
}

/// The hmem device that has a part of a range, and that part.
fn holder<'a>(map: &'a Map, range: &Range) -> Option<(&'a str, Range)> {
    let mut pieces = map.reserved.iter().flat_map(|r| &r.pieces);
    pieces.find_map(|p| match &p.owner {
        Owner::Hmem { device } => Some((device.as_str(), p.range.overlap(range)?)),
        _ => None,
    })
}
