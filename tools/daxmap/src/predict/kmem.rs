// SPDX-License-Identifier: GPL-2.0

//! What kmem makes of a dax device: whole memory blocks, if the resource tree takes them.
//!
//! `dev_dax_kmem_probe()` cuts the device to memory blocks and then reserves it. A range that
//! crosses the edge of any resource, or lies in one that is in use, is refused whole (error -16).

use super::{Layout, Why};
use crate::names::listed;
use crate::problem::Kind;
use crate::range::Range;
use crate::size::human;

/// What becomes System RAM, and what is cut off; or why nothing does.
pub(super) fn take(layout: &Layout, device: &Range) -> Result<(Range, Option<Why>), Why> {
    if let Some(why) = &layout.without_kmem {
        return Err(why.clone());
    }
    let block = layout.block_size;
    let Some(ram) = device.aligned_inside(block) else {
        return Err(Why::of(
            Kind::Trimmed,
            format!(
                "kmem works in whole memory blocks of {}, and it holds none",
                human(block)
            ),
        ));
    };
    let mut in_the_way = layout
        .resources
        .iter()
        .filter(|(_, r)| r.overlaps(&ram) && !r.contains(&ram));
    if let Some((name, range)) = in_the_way.next() {
        return Err(Why::of(
            Kind::KmemCannotReserve,
            format!("kmem cannot reserve it: it crosses the edge of {name} ({range})"),
        ));
    }
    if layout.ram.iter().any(|r| r.overlaps(&ram)) {
        return Err(Why::of(
            Kind::KmemCannotReserve,
            "kmem cannot reserve it: a part is System RAM already",
        ));
    }
    let cut = (ram != *device).then(|| {
        let sides = [
            (ram.start - device.start, "start"),
            (device.end - ram.end, "end"),
        ];
        let sides = sides.iter().filter(|(bytes, _)| *bytes > 0);
        let sides: Vec<String> = sides
            .map(|(bytes, side)| format!("{} at its {side}", human(*bytes)))
            .collect();
        Why::of(
            Kind::Trimmed,
            format!(
                "{} {} no whole memory block of {}",
                listed(&sides),
                if sides.len() == 1 { "is" } else { "are" },
                human(block)
            ),
        )
    });
    Ok((ram, cut))
}
