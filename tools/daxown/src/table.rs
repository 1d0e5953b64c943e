// SPDX-License-Identifier: GPL-2.0

//! A plain table: columns as wide as their cells, and one column of prose that fills the rest.

use comfy_table::{presets, Cell, CellAlignment, ColumnConstraint, ContentArrangement};

use unicode_width::UnicodeWidthStr;

use crate::show::Look;

/// Rows below column names.
pub struct Table<'a> {
    look: &'a Look,
    columns: Vec<(String, CellAlignment, bool)>,
    rows: Vec<Vec<String>>,
    /// Columns that a narrow terminal can do without, the first to go first.
    spare: Vec<&'static str>,
}

impl<'a> Table<'a> {
    pub fn new(look: &'a Look) -> Table<'a> {
        Table {
            look,
            columns: Vec::new(),
            rows: Vec::new(),
            spare: Vec::new(),
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

    /// Names columns that are left out, one after the other, where there is no room for all.
    pub fn spare(&mut self, names: &[&'static str]) {
        self.spare = names.to_vec();
    }

    /// Leaves out what there is no room for.
    fn fit(&mut self) {
        /// What prose can be broken down to.
        const PROSE: usize = 14;
        let Some(width) = self.look.width else { return };
        for name in std::mem::take(&mut self.spare) {
            let wide = |(i, (name, _, is_prose)): (usize, &(String, CellAlignment, bool))| {
                let cells = self.rows.iter().filter_map(|r| r.get(i));
                let most = cells.map(|c| c.width()).chain([name.width()]).max();
                let most = most.unwrap_or(0) + 2;
                match is_prose {
                    true => most.min(PROSE + 2),
                    false => most,
                }
            };
            let needed: usize = self.columns.iter().enumerate().map(wide).sum();
            if needed <= width + 2 {
                return;
            }
            let Some(at) = self.columns.iter().position(|(n, ..)| n == name) else {
                continue;
            };
            self.columns.remove(at);
            for row in &mut self.rows {
                row.remove(at);
            }
        }
    }

    /// The table as text, without trailing spaces.
    pub fn text(&mut self) -> String {
        self.fit();
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
