// SPDX-License-Identifier: GPL-2.0

//! The table of a bench, for people: on the terminal, and in Markdown.

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::CellAlignment;
use comfy_table::Table;

use super::result::Bench;
use super::result::Figure;
use super::result::Topic;
use super::result::Unit;
use super::stats::Sample;

/// One table with everything.
pub fn terminal(bench: &Bench) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header(["", "C", "Rust", "Rust/C"]);
    for topic in topics(bench) {
        table.add_row([topic.title().to_owned()]);
        for figure in bench.of(topic) {
            table.add_row(row(&format!("  {}", figure.name), figure));
        }
    }
    align(&mut table);
    table.to_string()
}

/// A heading and a table for each topic.
pub fn markdown(bench: &Bench) -> String {
    let mut text = String::new();
    for topic in topics(bench) {
        let mut table = Table::new();
        table.load_preset(ASCII_MARKDOWN);
        table.set_header(["", "C", "Rust", "Rust/C"]);
        for figure in bench.of(topic) {
            table.add_row(row(&figure.name, figure));
        }
        align(&mut table);
        text.push_str(&format!("### {}\n\n{table}\n\n", topic.title()));
    }
    if !bench.code.is_empty() {
        let mut table = Table::new();
        table.load_preset(ASCII_MARKDOWN);
        table.set_header(["instructions of our dax_hmem.ko", "bytes"]);
        for (name, bytes) in &bench.code {
            table.add_row([name.clone(), grouped(*bytes as f64)]);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        text.push_str(&format!("{table}\n\n"));
    }
    text
}

fn topics(bench: &Bench) -> impl Iterator<Item = Topic> + '_ {
    Topic::ALL
        .into_iter()
        .filter(|&topic| bench.of(topic).next().is_some())
}

fn align(table: &mut Table) {
    for index in 1..=3 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn row(name: &str, figure: &Figure) -> [String; 4] {
    [
        name.to_owned(),
        shown(&figure.c, figure.unit),
        shown(&figure.rust, figure.unit),
        figure
            .ratio()
            .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
    ]
}

/// The median, and the spread where there is some.
fn shown(sample: &Sample, unit: Unit) -> String {
    let (Some(median), Some((least, most))) = (sample.median(), sample.spread()) else {
        return "not measured".to_owned();
    };
    let median = number(median, unit);
    let (least, most) = (number(least, unit), number(most, unit));
    if least == most {
        median
    } else {
        format!("{median} ({least} to {most})")
    }
}

fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => format!("{value:.2} s"),
        Unit::Exponent => format!("{value:.2}"),
        Unit::Instructions => grouped(value),
        Unit::Bytes => format!("{} B", grouped(value)),
    }
}

/// A whole number, digits in threes.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 && digits != "0" {
        text.insert(0, '-');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench() -> Bench {
        let mut bench = Bench::default();
        let figure = bench.figure(Topic::Time, "loading", Unit::Seconds);
        for value in [5.1, 5.0, 5.4] {
            figure.c.add(value);
        }
        figure.rust.add(0.51);
        let figure = bench.figure(Topic::Size, "text", Unit::Bytes);
        figure.rust.add(57_168.0);
        bench
    }

    #[test]
    fn markdown_has_median_spread_and_ratio() {
        let text = markdown(&bench());
        assert!(text.contains("### Time until"));
        let line = text
            .lines()
            .find(|line| line.contains("loading"))
            .expect("line");
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(
            cells,
            [
                "",
                "loading",
                "5.10 s (5.00 s to 5.40 s)",
                "0.51 s",
                "0.10",
                ""
            ]
        );
        assert!(text.contains("| not measured | 57,168 B |"));
        assert!(!text.contains("Instructions:"));
    }

    #[test]
    fn the_terminal_shows_the_same_figures() {
        let text = terminal(&bench());
        assert!(text.contains("5.10 s (5.00 s to 5.40 s)"));
        assert!(text.contains("57,168 B"));
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0.0), "0");
        assert_eq!(grouped(999.6), "1,000");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
        assert_eq!(grouped(-1_234.0), "-1,234");
        assert_eq!(grouped(-0.2), "0");
    }
}
