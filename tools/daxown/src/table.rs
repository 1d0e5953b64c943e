// SPDX-License-Identifier: GPL-2.0

//! A plain table: columns as wide as their cells, and one column of prose that fills the rest.

use comfy_table::{presets, Cell, CellAlignment, ColumnConstraint, ContentArrangement};

use crate::show::Look;

/// Rows below column names.
pub struct Table<'a> {
    look: &'a Look,
    columns: Vec<(String, CellAlignment, bool)>,
    rows: Vec<Vec<String>>,
}

impl<'a> Table<'a> {
    pub fn new(look: &'a Look) -> Table<'a> {
        Table {
            look,
            columns: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Adds a column that is never broken into lines.
    pub fn column(&mut self, name: &str, side: CellAlignment) {
        self.columns.push((name.to_string(), side, false));
    }

    /// Adds a column that may be broken into lines.
    pub fn prose(&mut self, name: &str) {
        self.columns
            .push((name.to_string(), CellAlignment::Left, true));
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text, without trailing spaces.
    pub fn text(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING);
        match self.look.width {
            Some(width) => table
                .set_content_arrangement(ContentArrangement::Dynamic)
                .set_width(u16::try_from(width).unwrap_or(u16::MAX)),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        table.set_header(self.columns.iter().map(|(name, ..)| self.look.bold(name)));
        for row in &self.rows {
            let cells = row.iter().zip(&self.columns);
            table.add_row(cells.map(|(cell, (_, side, _))| Cell::new(cell).set_alignment(*side)));
        }
        let last = self.columns.len().saturating_sub(1);
        for (i, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, if i == last { 0 } else { 2 }));
            if !self.columns.get(i).is_some_and(|(.., prose)| *prose) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        let text = table.trim_fmt();
        let lines = text.lines().flat_map(|l| [l.trim_end(), "\n"]);
        lines.collect()
    }
}
