// SPDX-License-Identifier: GPL-2.0

//! Shows ownership to people.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::CellAlignment;
use comfy_table::Table;

use super::ownership::name;
use super::Ownership;
use crate::machine::Layout;
use crate::scenario::Size;
use crate::scenario::MIB;

/// One line for each part of each range.
pub fn table(ownership: &Ownership, layout: &Layout) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header([
        "range", "address", "where", "size", "owner", "device", "online", "why",
    ]);
    for range in &ownership.ranges {
        for (index, part) in range.parts.iter().enumerate() {
            let first = index == 0;
            let once = |text: &str| {
                if first {
                    text.to_owned()
                } else {
                    String::new()
                }
            };
            table.add_row([
                once(&range.name),
                format!("{:#x}-{:#x}", part.start, part.end),
                layout.show(part.start),
                Size(part.size()).to_string(),
                name(part.owner).to_owned(),
                part.device.clone(),
                format!("{} of {} MiB", part.online / MIB, mib(part.size())),
                once(&range.reason),
            ]);
        }
    }
    for index in [3, 6] {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// MiB, with a fraction only where there is one.
fn mib(bytes: u64) -> String {
    if bytes % MIB == 0 {
        (bytes / MIB).to_string()
    } else {
        format!("{:.3}", bytes as f64 / MIB as f64)
    }
}
