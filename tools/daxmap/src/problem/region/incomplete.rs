// SPDX-License-Identifier: GPL-2.0

//! Regions that lack a member: which it is, whether it is there, and what the kernel said.

use crate::cxl::{EndpointDecoder, Memdev, Region};
use crate::log::Event;
use crate::map::Map;
use crate::problem::{dax, listed, remedy, Kind, Problem, Severity};
use crate::range::Range;
use crate::unsound::Fault;

/// `None` where the loss of the memory in use already says it.
pub(super) fn problem(map: &Map, region: &Region) -> Option<Problem> {
    let range = region.range?;
    let told = |u: &crate::unsound::Unsound| {
        u.range.overlaps(&range) && matches!(u.fault, Fault::Dead { .. })
    };
    if map.unsound.iter().any(told) {
        return None;
    }
    let name = region.name.as_str();
    let positions: Vec<String> = region.missing().iter().map(u64::to_string).collect();
    let lacks = format!(
        "{name} lacks its member at position {}",
        positions.join(", ")
    );
    let problem = Problem::new(Kind::RegionIncomplete, Severity::Warning, name);
    // Committed for these addresses, and in no region: the members that were refused.
    let here: Vec<&EndpointDecoder> = map
        .endpoints
        .iter()
        .filter(|e| e.range == Some(range) && e.region.is_none())
        .collect();
    if !here.is_empty() {
        let names: Vec<String> = here
            .iter()
            .map(|e| format!("{} ({})", e.memdev, e.name))
            .collect();
        let refused = refusal(map, name);
        let why = match refused.is_empty() {
            true => "why it is not in the region cannot be known from what could be read",
            false => "the kernel refused it",
        };
        return Some(
            problem
                .because(format!(
                    "{lacks}: {} is there with its decoder committed, but {why}; {}",
                    listed(&names),
                    routed(map, &range)
                ))
                .seen(refused),
        );
    }
    let hidden: Vec<&Memdev> = hidden(map, &range);
    if !hidden.is_empty() {
        let names: Vec<String> = hidden.iter().map(|m| m.name.clone()).collect();
        let what = match (names.len(), hidden.iter().all(|m| m.bound)) {
            (1, true) => "shows no decoder",
            (1, false) => "has no driver",
            (_, true) => "show no decoder",
            (_, false) => "have no driver",
        };
        let them = if names.len() == 1 {
            "it"
        } else {
            "one of them"
        };
        return Some(problem.because(format!(
            "{lacks}; {} {what}, so whether {them} maps its addresses still, as firmware had it, cannot be \
             known",
            listed(&names)
        )));
    }
    let blank: Vec<String> = blank(map, &range).iter().map(|m| m.name.clone()).collect();
    if !blank.is_empty() {
        let (is, it) = match blank.len() {
            1 => ("is", "it was detached or reset"),
            _ => ("are", "they were detached or reset"),
        };
        let anew = remedy::create_region(map, &range, false);
        return Some(
            problem
                .because(format!(
                    "{lacks}; {} {is} there and map{} nothing: {it}, or the region was never made whole",
                    listed(&blank),
                    if blank.len() == 1 { "s" } else { "" },
                ))
                .fix([format!("# {name} is of no use as it is: it has to be deleted and made anew")])
                .fix(anew)
                .seen(refusal(map, name)),
        );
    }
    if !map.in_source.sysfs && map.memdevs.is_empty() {
        return Some(problem.because(format!(
            "{lacks}, as far as what was given tells; which devices are there is not in it"
        )));
    }
    Some(
        problem
            .because(format!(
                "{lacks}, and no device is there that could be it: the card is gone, or was reset"
            ))
            .seen(dax::lines(map, |e| matches!(e, Event::CardGone { .. })))
            .seen(refusal(map, name)),
    )
}

/// Devices behind the window that show their decoders, none of them committed.
pub(in crate::problem) fn blank<'a>(map: &'a Map, range: &Range) -> Vec<&'a Memdev> {
    let mut windows = map.windows.iter();
    let Some(window) = windows.find(|w| w.range.is_some_and(|r| r.overlaps(range))) else {
        return Vec::new();
    };
    map.behind(window)
        .filter(|m| m.bound && map.shows_decoders(m) && !map.maps_by_decoders(m))
        .collect()
}

fn hidden<'a>(map: &'a Map, range: &Range) -> Vec<&'a Memdev> {
    let mut windows = map.windows.iter();
    let Some(window) = windows.find(|w| w.range.is_some_and(|r| r.overlaps(range))) else {
        return Vec::new();
    };
    map.behind(window)
        .filter(|m| !map.shows_decoders(m))
        .collect()
}

/// Whether the addresses are routed although there is no whole region.
fn routed(map: &Map, range: &Range) -> &'static str {
    let whole = map
        .sets()
        .iter()
        .any(|s| s.range == *range && u64::try_from(s.members.len()).is_ok_and(|n| n >= s.ways));
    match whole {
        true => "all decoders that firmware committed are there, so the addresses are routed",
        false => "not all decoders of the set are committed",
    }
}

/// The kernel's refusal of a member, with what it said before about the region.
pub(in crate::problem) fn refusal(map: &Map, region: &str) -> Vec<String> {
    let at = map
        .log
        .iter()
        .position(|m| matches!(&m.event, Event::AttachFailed { region: r, .. } if r == region));
    let Some(at) = at else {
        return Vec::new();
    };
    let before = map.log[..at].iter().rev();
    let mut out: Vec<String> = before
        .take_while(|m| m.text.contains(region))
        .take(2)
        .map(|m| m.stamped())
        .collect();
    out.reverse();
    out.push(map.log[at].stamped());
    out
}
