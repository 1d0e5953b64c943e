// SPDX-License-Identifier: GPL-2.0

//! Which columns a terminal has room for.

use unicode_width::UnicodeWidthStr;

use super::{cell, heading, Column, Row};
use crate::show::Look;

const DEFAULT: [Column; 10] = [
    Column::Name,
    Column::Range,
    Column::Size,
    Column::Owner,
    Column::Device,
    Column::Node,
    Column::Online,
    Column::Offline,
    Column::State,
    Column::Reason,
];

/// Columns whose cells may be broken into lines.
pub fn is_prose(column: Column) -> bool {
    matches!(
        column,
        Column::Reason | Column::Window | Column::Source | Column::Members
    )
}

/// The default columns that a narrow terminal has room for beside those that were added, and whether all
/// these have room. What tells rows apart stays.
pub fn fitting(rows: &[Row], added: &[Column], look: &Look) -> (Vec<Column>, bool) {
    const REASON: usize = 28;
    const LIST: usize = 16;
    const GIVE_UP: [Column; 8] = [
        Column::Offline,
        Column::Node,
        Column::Reason,
        Column::Device,
        Column::Online,
        Column::State,
        Column::Size,
        Column::Owner,
    ];
    let mut columns = DEFAULT.to_vec();
    let Some(width) = look.width else {
        return (columns, true);
    };
    let plain = Look {
        color: false,
        ..*look
    };
    let natural = |c: Column| {
        let cells = rows.iter().map(|r| cell(r, c, &plain).content().width());
        let most = cells.chain([heading(c).width()]).max().unwrap_or(0) + 2;
        match c {
            Column::Reason => REASON,
            _ if is_prose(c) => most.min(LIST),
            _ => most,
        }
    };
    let machines = rows.iter().filter_map(|r| r.machine.as_ref());
    let machine = machines.map(|m| m.width() + 2).max().unwrap_or(0).min(18);
    let needed = |columns: &[Column]| {
        let more = added.iter().filter(|c| !columns.contains(c));
        let all = columns.iter().chain(more);
        all.map(|c| natural(*c)).sum::<usize>() + machine
    };
    for column in GIVE_UP.iter().filter(|c| !added.contains(c)) {
        if needed(&columns) <= width {
            break;
        }
        // Where nothing was added, these stay as well.
        let is_kept = matches!(column, Column::State | Column::Size | Column::Owner);
        if !is_kept || !added.is_empty() {
            columns.retain(|c| c != column);
        }
    }
    let fits = added.is_empty() || needed(&columns) <= width;
    (columns, fits)
}
