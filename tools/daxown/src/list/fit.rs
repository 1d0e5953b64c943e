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

/// What prose of `rows` has room for behind the other columns, where it comes last and is the only one that may
/// be broken.
pub fn room(rows: &[Row], columns: &[Column], look: &Look) -> Option<usize> {
    let width = look.width?;
    let mut prose = columns.iter().filter(|c| is_prose(**c));
    if prose.next() != Some(&Column::Reason) || prose.next().is_some() {
        return None;
    }
    let others = columns.iter().filter(|c| !is_prose(**c));
    let taken: usize = others.map(|c| natural(rows, *c, look)).sum();
    let machines = rows.iter().filter_map(|r| r.machine.as_ref());
    let machine = machines.map(|m| m.width() + 2).max().unwrap_or(0);
    width.checked_sub(taken + machine).filter(|&room| room > 0)
}

/// A text that is too long for one line, cut at a word, with a sign that there is more.
pub fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_string();
    }
    let mut out = String::new();
    for word in text.split_inclusive(' ') {
        if out.width() + word.trim_end().width() + 1 > room {
            break;
        }
        out.push_str(word);
    }
    // A word that is too long is cut as well.
    if out.is_empty() {
        out.extend(text.chars().take(room.saturating_sub(1)));
    }
    out.trim_end_matches([' ', ',', ';', '(']).to_string() + "…"
}

/// The width of a column that is not broken, with the space behind it.
fn natural(rows: &[Row], column: Column, look: &Look) -> usize {
    let plain = Look {
        color: false,
        ..*look
    };
    let cells = rows
        .iter()
        .map(|r| cell(r, column, &plain).content().width());
    cells.chain([heading(column).width()]).max().unwrap_or(0) + 2
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
    let natural = |c: Column| match c {
        Column::Reason => REASON,
        _ if is_prose(c) => natural(rows, c, look).min(LIST),
        _ => natural(rows, c, look),
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
