// SPDX-License-Identifier: GPL-2.0

//! Shows to people what the lab itself saw of each range, and whether that was expected.

use comfy_table::presets::NOTHING;
use comfy_table::CellAlignment;
use comfy_table::Table;

use super::RangeReport;
use super::Verdict;
use crate::machine::Layout;
use crate::scenario::Owner;
use crate::scenario::MIB;

/// One line for each range.
pub fn table(verdict: &Verdict, layout: &Layout) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(["range", "address", "owner", "online", "expected"]);
    let ranges = verdict.ownership.iter().flat_map(|all| &all.ranges);
    for range in ranges {
        let owners: Vec<&str> = range.owners().into_iter().map(shown).collect();
        table.add_row([
            range.name.clone(),
            format!("{}-{}", layout.show(range.start), layout.show(range.end)),
            owners.join(" and "),
            format!("{} of {} MiB", mib(range.online()), mib(range.size())),
            expected(verdict, range).to_owned(),
        ]);
    }
    if let Some(column) = table.column_mut(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let last = table.column_count().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { 2 }));
    }
    table.trim_fmt()
}

fn expected(verdict: &Verdict, range: &RangeReport) -> &'static str {
    let prefix = format!("{}: ", range.name);
    if verdict
        .faults
        .iter()
        .any(|fault| fault.starts_with(&prefix))
    {
        "NO"
    } else if verdict.expected {
        "yes"
    } else {
        "nothing is expected"
    }
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
