// SPDX-License-Identifier: GPL-2.0

//! What kmem makes of a dax device: whole memory blocks, if the resource tree takes them.
//!
//! `dev_dax_kmem_probe()` cuts the device to memory blocks and then reserves it. A range that
//! crosses the edge of any resource, or lies in one that is in use, is refused whole (error -16).

use super::{Layout, Why};
use crate::range::Range;

/// What becomes System RAM, and what is cut off; or why nothing does.
pub(super) fn take(layout: &Layout, device: &Range) -> Result<(Range, Option<Why>), Why> {
    if let Some(why) = &layout.without_kmem {
        return Err(why.clone());
    }
    let block = layout.block_size;
    let Some(ram) = device.aligned_inside(block) else {
        return Err(Why::new(
            "trimmed",
            format!(
                "kmem works in whole memory blocks of {} MiB, and it holds none",
                block >> 20
            ),
        ));
    };
    let mut in_the_way = layout
        .resources
        .iter()
        .filter(|(_, r)| r.overlaps(&ram) && !r.contains(&ram));
    if let Some((name, range)) = in_the_way.next() {
        return Err(Why::new(
            "kmem-cannot-reserve",
            format!("kmem cannot reserve it: it crosses the edge of {name} ({range})"),
        ));
    }
    if layout.ram.iter().any(|r| r.overlaps(&ram)) {
        return Err(Why::new(
            "kmem-cannot-reserve",
            "kmem cannot reserve it: a part is System RAM already",
        ));
    }
    let cut = (ram != *device).then(|| {
        Why::new(
            "trimmed",
            format!(
                "{} KiB at its start and {} KiB at its end are no whole memory block of {} MiB",
                (ram.start - device.start) >> 10,
                (device.end - ram.end) >> 10,
                block >> 20
            ),
        )
    });
    Ok((ram, cut))
}
