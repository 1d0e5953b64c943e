// SPDX-License-Identifier: GPL-2.0

//! What the kernel's own dax_hmem and dax_cxl of Linux 7.3 do, as measured in guests.
//!
//! - A range in a CXL window is CXL's if one committed region contains all of it, whoever made that
//!   region; two that do so together do not count.
//! - Every other range is HMEM's, whole. The hmem driver refuses one that is not aligned to 2 MiB.
//! - dax_cxl probes last: a region of which HMEM has a byte stays idle.

use super::{made, Decider, Forecast, Layout, Listed, RegionAt, Verdict, Why, Word};
use crate::names::listed_in_runs;
use crate::problem::Kind;
use crate::range::{covered_bytes, Range};

/// A huge page: what a dax region is a multiple of.
const ALIGN: u64 = 2 << 20;

pub(super) fn forecast(layout: &Layout) -> Forecast {
    let verdicts: Vec<(Verdict, Option<Range>)> =
        layout.listed.iter().map(|l| decide(layout, l)).collect();
    let hmem: Vec<Range> = verdicts.iter().filter_map(|(_, h)| *h).collect();
    let verdicts: Vec<Verdict> = verdicts.into_iter().map(|(v, _)| v).collect();
    made(layout, &verdicts, &hmem, Decider::C)
}

/// The decision about one range, and what HMEM registers of it.
fn decide(layout: &Layout, listed: &Listed) -> (Verdict, Option<Range>) {
    let range = listed.range;
    let mut verdict = Verdict {
        range,
        node: listed.node,
        why: Why::known(Word::NoRegion, "no committed CXL region in it"),
        lost: Vec::new(),
    };
    let committed = || layout.regions.iter().filter(|r| r.is_committed);
    if !layout.is_in_window(&range) {
        verdict.why = Why::known(Word::OutsideWindows, layout.outside());
    } else if let Some(region) = committed().find(|r| r.range.contains(&range)) {
        verdict.why = Why::known(Word::Covered, format!("{} covers the range", region.name));
        return (verdict, None);
    } else if committed().any(|r| r.range.overlaps(&range)) {
        verdict.why = partly(committed().filter(|r| r.range.overlaps(&range)), &range);
    }
    if range.aligned_inside(ALIGN) != Some(range) {
        let why = Why::of(
            Kind::Misaligned,
            "the hmem driver refuses a range that is not aligned to 2 MiB",
        );
        verdict.lost.push((range, why));
        return (verdict, None);
    }
    (verdict, Some(range))
}

/// What regions of which none covers `range` do to it.
fn partly<'a>(regions: impl Iterator<Item = &'a RegionAt>, range: &Range) -> Why {
    let (names, bounds): (Vec<&str>, Vec<Range>) =
        regions.map(|r| (r.name.as_str(), r.range)).unzip();
    let all = listed_in_runs(&names);
    let text = if covered_bytes(range, &bounds) == range.len() {
        format!("no single region covers it ({all} do together)")
    } else if names.len() == 1 {
        format!("{all} covers only a part of the range")
    } else {
        format!("{all} cover only a part of the range")
    };
    Why::known(Word::PartlyCovered, text)
}
