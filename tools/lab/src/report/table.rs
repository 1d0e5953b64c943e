// SPDX-License-Identifier: GPL-2.0

//! Shows ownership to people.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::CellAlignment;
use comfy_table::ContentArrangement;
use comfy_table::Table;

use super::Ownership;
use crate::machine::Layout;
use crate::scenario::Owner;
use crate::scenario::Size;
use crate::scenario::MIB;

/// One line for each part of each range.
pub fn table(ownership: &Ownership, layout: &Layout) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([
        "range", "address", "size", "owner", "device", "online", "why",
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
                format!("{}-{}", layout.show(part.start), layout.show(part.end)),
                Size(part.size()).to_string(),
                shown(part.owner).to_owned(),
                part.device.clone(),
                format!("{} of {} MiB", part.online / MIB, mib(part.size())),
                once(&range.reason),
            ]);
        }
    }
    for index in [2, 5] {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The owner as the field writes it.
fn shown(owner: Owner) -> &'static str {
    match owner {
        Owner::Cxl => "CXL",
        Owner::Hmem => "HMEM",
        Owner::Nobody => "nobody",
    }
}

/// MiB, with a fraction only where there is one.
fn mib(bytes: u64) -> String {
    if bytes % MIB == 0 {
        (bytes / MIB).to_string()
    } else {
        format!("{:.3}", bytes as f64 / MIB as f64)
    }
}
