// SPDX-License-Identifier: GPL-2.0

//! Memory that HMEM has and another driver asked for: it may be an accelerator's own.

use super::{dax, Kind, Problem, Severity};
use crate::log::Event;
use crate::map::Map;
use crate::own::Owner;
use crate::range::Range;

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
