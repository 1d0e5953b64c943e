// SPDX-License-Identifier: GPL-2.0

//! What the Rust dax_hmem does, by its own ownership logic (`drivers/dax/ownership`).
//!
//! What is added here is what the driver adds around that logic: which regions count, which of them
//! HMEM must not touch, and where a range is cut (`drivers/dax/hmem/cxl.rs`, `regions.rs` and
//! `soft_reserved/register.rs`).

use std::convert::Infallible;

use ownership::{
    decide, for_each_piece, pieces::edges, range::sort_disjoint, Extent, Extents, Fate, Mode,
    Obstacle, Policy, Reason, Taken, World,
};

use super::{
    parts, serve_regions, Device, Forecast, Holder, Layout, Listed, RegionAt, Verdict, Why,
};
use crate::range::{subtract, Range};

/// `dax::ALIGN` of the driver: a huge page.
const ALIGN: u64 = 2 << 20;

pub(super) fn forecast(layout: &Layout, policy: Policy) -> Forecast {
    let listed = found(layout);
    let mut committed: Vec<Extent> = layout
        .regions
        .iter()
        .filter(|r| layout.has_dax_cxl && r.is_committed && (r.is_pmem || r.is_offered()))
        .filter_map(extent)
        .collect();
    let regions = Extents::new(&mut committed);
    let mut foreign: Vec<Obstacle> = layout
        .regions
        .iter()
        .filter(|r| layout.has_dax_cxl && r.is_committed && r.is_foreign)
        .filter_map(extent)
        .map(|e| Obstacle {
            range: e.range,
            taken: Taken::Foreign(e.region),
        })
        .collect();
    let foreign = sort_disjoint(&mut foreign);
    // What is CXL's comes first: HMEM must not take a region for one range that CXL needs for another.
    let mut held: Vec<Extent> = regions
        .iter()
        .filter(|e| named(layout, e.region).is_some_and(|r| r.is_pmem))
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

    let mut verdicts = Vec::new();
    let mut hmem: Vec<Range> = Vec::new();
    for (listed, range, verdict) in &decided {
        let lost = match verdict.mode {
            Mode::Register => register(layout, range, foreign, &left_to_cxl, &mut hmem),
            Mode::Drop | Mode::Defer | Mode::Leave => Vec::new(),
        };
        verdicts.push(Verdict {
            range: listed.range,
            node: listed.node,
            why: why(layout, regions, range, verdict.reason),
            lost,
        });
    }
    let (regions, lost) = serve_regions(layout, &hmem);
    let mut devices: Vec<Device> = hmem
        .iter()
        .map(|range| Device::new(layout, *range, Holder::Hmem))
        .collect();
    devices.extend(regions);
    Forecast {
        parts: parts(layout, &verdicts, &devices, &lost),
        lost,
    }
}

/// What the platform lists, as far as firmware marked it Soft Reserved, and what else it marked so.
fn found(layout: &Layout) -> Vec<Listed> {
    let mut out: Vec<Listed> = Vec::new();
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

/// Cuts what HMEM owns into what it serves, which is added to `hmem`, and what nobody serves.
fn register(
    layout: &Layout,
    range: &ownership::Range,
    foreign: &[Obstacle],
    left_to_cxl: &[Extent],
    hmem: &mut Vec<Range>,
) -> Vec<(Range, Why)> {
    let mut obstacles: Vec<Obstacle> = left_to_cxl
        .iter()
        .map(|e| (e.range, Taken::Region(e.region)))
        .chain(
            layout
                .ram
                .iter()
                .filter_map(|r| Some((pure(r)?, Taken::SystemRam))),
        )
        .filter(|(r, _)| r.intersects(range))
        .map(|(range, taken)| Obstacle { range, taken })
        .chain(foreign.iter().copied())
        .collect();
    let windows = layout.windows.iter();
    let mut cuts: Vec<u64> = windows
        .chain(layout.regions.iter().map(|r| &r.range))
        .filter_map(pure)
        .flat_map(|r| edges(&r))
        .collect();
    cuts.sort_unstable();

    let mut lost = Vec::new();
    let obstacles = sort_disjoint(&mut obstacles);
    let Ok(()) = for_each_piece::<Infallible>(range, obstacles, &cuts, ALIGN, |piece| {
        let here = daxmap_range(&piece.range);
        match piece.fate {
            Fate::Serve => hmem.push(here),
            Fate::Taken(_) => {}
            Fate::UnalignedHead => lost.push((here, cut("unaligned-start", "start"))),
            Fate::UnalignedTail => lost.push((here, cut("unaligned-end", "end"))),
            Fate::TooSmall => lost.push((
                here,
                Why::new("too-small", "no part of it is aligned to 2 MiB"),
            )),
        }
        Ok(())
    });
    lost
}

fn cut(code: &'static str, side: &str) -> Why {
    let text = format!("cut off: the range does not {side} at a 2 MiB boundary");
    Why::new(code, text)
}

fn why(layout: &Layout, regions: Extents<'_>, range: &ownership::Range, reason: Reason) -> Why {
    let name = |number: i32| format!("region{number}");
    match reason {
        Reason::OutsideWindows if !layout.has_dax_cxl => {
            Why::new("without-dax-cxl", "the kernel has no dax_cxl")
        }
        Reason::OutsideWindows => Why::new("outside-windows", layout.outside()),
        Reason::AwaitingCxl => Why::new("awaiting-cxl", "undecided, waiting for CXL"),
        Reason::Covered { region, others } => Why::new(
            "covered",
            match others {
                false => format!("{} covers the range", name(region)),
                true => {
                    let found = regions.intersecting(range).iter();
                    let names: Vec<String> = found.map(|e| name(e.region)).collect();
                    format!("{} cover the range together", names.join(" and "))
                }
            },
        ),
        Reason::NoRegion => Why::new("no-region", "no committed CXL region in it"),
        Reason::PartlyCovered { region } => Why::new(
            "partly-covered",
            format!("{} covers only a part of the range", name(region)),
        ),
        Reason::NothingLeft {
            taken: Taken::Foreign(region),
        } => Why::new(
            "foreign-region",
            format!("{} of another driver has it", name(region)),
        ),
        Reason::NothingLeft { .. } => Why::new("taken", "others have all of it"),
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

fn pure(range: &Range) -> Option<ownership::Range> {
    ownership::Range::new(range.start, range.end)
}

fn daxmap_range(range: &ownership::Range) -> Range {
    Range {
        start: range.start(),
        end: range.end(),
    }
}
