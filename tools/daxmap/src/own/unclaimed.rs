// SPDX-License-Identifier: GPL-2.0

//! Why nobody has a part of a range.

use ownership::Why;

use super::claim::Claim;
use super::reason::{Evidence, Reason, ReasonCode};
use super::{Owner, State};
use crate::dax::Parent;
use crate::decode;
use crate::log::{self, Event};
use crate::map::Map;
use crate::modules::Drivers;
use crate::range::Range;

/// What the drivers align to: a huge page.
const ALIGN: u64 = 2 << 20;

/// The dax device and range of a failure to reserve that the log tells of there.
pub(crate) fn reserve_failed<'a>(map: &'a Map, range: &Range) -> Option<(&'a str, Range)> {
    map.log.iter().rev().find_map(|m| match &m.event {
        Event::ReserveFailed { device, range: r } if r.overlaps(range) => {
            Some((device.as_str(), *r))
        }
        _ => None,
    })
}

/// The ranges that lines of dax_hmem tell apart, where nothing but the log tells who has them.
pub(super) fn told(map: &Map) -> Vec<Range> {
    match map.in_source.sysfs {
        true => Vec::new(),
        false => map.log.iter().filter_map(log::spoken::by_hmem).collect(),
    }
}

/// Without sysfs: what dax_hmem said last of a range, which is no longer true for sure.
pub(crate) fn last_word(map: &Map, range: &Range) -> Option<String> {
    match map.in_source.sysfs {
        true => None,
        false => log::spoken::last_word(&map.log, range),
    }
}

fn from_log(map: &Map, range: &Range) -> String {
    match last_word(map, range) {
        Some(words) => format!("devices are not in what was given; the log says: {words}"),
        None => "devices are not in what was given".into(),
    }
}

/// A cause that lies in the hardware, or in a region there.
fn physical(map: &Map, range: &Range) -> Option<(ReasonCode, String)> {
    let dead = map.dead.iter().find(|d| d.range.contains(range));
    if let Some(dead) = dead {
        return Some(match &dead.why {
            decode::Why::NoDevice { window } => (
                ReasonCode::DeviceGone,
                format!("no memory device is behind {window}"),
            ),
            decode::Why::NoCapacity { .. } => (
                ReasonCode::Known(Why::Undecoded),
                "no decoder maps it, and no device can be behind it".into(),
            ),
            // A region can be made of it: who let it go, or left it, says more.
            decode::Why::RegionGone { .. } => return None,
            decode::Why::Reset { region } => (
                ReasonCode::Known(Why::Undecoded),
                format!("{region} has it, and its decoders are not committed"),
            ),
            decode::Why::Wiped { memdevs } => (
                ReasonCode::Known(Why::Undecoded),
                format!(
                    "a reset of the bus has wiped the decoders of {}",
                    memdevs.join(", ")
                ),
            ),
            decode::Why::MemberGone { have, ways, .. } => (
                ReasonCode::Known(Why::Undecoded),
                format!(
                    "{} of {ways} members of its interleave set are left",
                    have.len()
                ),
            ),
        });
    }
    let mut regions = map.committed_in(range).filter(|r| r.dax_region.is_none());
    let region = regions.find(|r| r.range.is_some_and(|x| !map.boot_ram_in(&x).is_empty()))?;
    Some((
        ReasonCode::BootRam,
        format!(
            "{} makes no dax region: a part of it is System RAM since boot",
            region.name
        ),
    ))
}

/// An hmem device whose place is not known: it may have been for any range.
fn unplaced_hmem(map: &Map) -> Option<&str> {
    let mut unplaced = map.hmem.iter().filter(|h| h.range.is_none());
    unplaced.next().map(|h| h.name.as_str())
}

/// What alignment alone explains: dax_hmem serves a range from the first to the last multiple of 2 MiB in
/// it. So what is left lies at an end of the range, beside what HMEM has; what lies elsewhere has another
/// cause, such as somebody else's resource.
fn cut_off(map: &Map, whole: &Range, range: &Range) -> Option<(Why, &'static str)> {
    if whole.aligned_inside(ALIGN).is_none() {
        return Some((Why::TooSmall, "no part of it is aligned to 2 MiB"));
    }
    let dax = map.dax.iter();
    let dax = dax.filter(|d| matches!(d.parent, Parent::Hmem(_)));
    let served = map.hmem.iter().filter(|h| h.driver.is_some());
    let mut had = dax
        .flat_map(|d| d.ranges.iter().copied())
        .chain(served.filter_map(|h| h.range));
    let is_beside = had.any(|r| r.touches(range) || range.touches(&r));
    if range.len() >= ALIGN || !is_beside {
        return None;
    }
    let after = range.end.wrapping_add(1);
    if range.end == whole.end && range.start % ALIGN == 0 {
        let text = "cut off: the range does not end at a 2 MiB boundary";
        return Some((Why::UnalignedEnd, text));
    }
    let text = "cut off: the range does not start at a 2 MiB boundary";
    (range.start == whole.start && after % ALIGN == 0).then_some((Why::UnalignedStart, text))
}

/// What the Rust dax_hmem left, where no ledger says why: it never leaves a range to CXL and forgets it.
fn without_record(map: &Map, whole: &Range, range: &Range) -> (ReasonCode, String, Option<State>) {
    let undecided = map.platform.ownership.as_deref() == Some("pending");
    if undecided && !map.windows_of(range).is_empty() {
        let text = "undecided, waiting for CXL".into();
        return (
            ReasonCode::Known(Why::AwaitingCxl),
            text,
            Some(State::Deferred),
        );
    }
    if let Some((why, text)) = cut_off(map, whole, range) {
        return (ReasonCode::Known(why), text.into(), Some(State::Failed));
    }
    let text = match map.ledger {
        Some(_) => "no driver has it, and the ledger of dax_hmem has no record of it",
        None => "no driver has it, and the ledger of dax_hmem, which says why, is not there",
    };
    (ReasonCode::NotReadable, text.into(), None)
}

/// What to say of a part that nothing claims.
pub(super) fn unclaimed(map: &Map, whole: &Range, range: Range) -> Claim {
    let make = |owner, code, text: String| Claim {
        range,
        owner,
        device: None,
        reason: Reason {
            code,
            text,
            evidence: Evidence::Derived,
        },
        node: None,
        state: None,
    };
    // A dax device whose place is not readable may sit here.
    let unplaced = map
        .dax
        .iter()
        .any(|d| d.ranges.is_empty() && d.size.is_some_and(|s| s > 0));
    let is_bare = map.dax.is_empty() && map.memory.blocks.is_empty() && map.iomem.is_empty();
    if map.in_source.sysfs && (unplaced || is_bare) {
        return make(
            Owner::Unknown,
            ReasonCode::NotReadable,
            "what could be read does not tell".into(),
        );
    }
    if !map.in_source.sysfs {
        let mut claim = make(
            Owner::Unknown,
            ReasonCode::NotReadable,
            from_log(map, &range),
        );
        if reserve_failed(map, &range).is_some() {
            claim.reason.evidence = Evidence::Log;
        }
        return claim;
    }
    if let Some((code, text)) = physical(map, &range) {
        return make(Owner::Nobody, code, text);
    }
    if map.drivers == Drivers::None {
        return make(
            Owner::Nobody,
            ReasonCode::ModuleNotLoaded,
            "dax_hmem is not loaded, and no CXL region has it".into(),
        );
    }
    if !map.platform.present {
        return make(
            Owner::Nobody,
            ReasonCode::NotListed,
            "the kernel registered no Soft Reserved range with hmem_platform".into(),
        );
    }
    if !map.platform.bound {
        return make(
            Owner::Nobody,
            ReasonCode::PlatformUnbound,
            "dax_hmem is not bound to hmem_platform.0".into(),
        );
    }
    if map.drivers == Drivers::Rust {
        let (code, text, state) = without_record(map, whole, &range);
        let mut claim = make(Owner::Nobody, code, text);
        claim.state = state;
        return claim;
    }
    if let Some(name) = unplaced_hmem(map) {
        return make(
            Owner::Nobody,
            ReasonCode::NoDevice,
            format!("dax_hmem made no device for it, unless {name}, which has no driver and shows no address"),
        );
    }
    // The kernel's own driver decides about a range as a whole.
    if !map.windows_of(whole).is_empty() {
        return make(
            Owner::Nobody,
            ReasonCode::LeftToCxl,
            "dax_hmem left it to CXL, and no committed region covers it".into(),
        );
    }
    make(
        Owner::Nobody,
        ReasonCode::NoDevice,
        "dax_hmem made no device for it".into(),
    )
}
