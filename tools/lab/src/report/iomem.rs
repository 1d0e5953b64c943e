// SPDX-License-Identifier: GPL-2.0

//! /proc/iomem, and its comparison with the excerpt a scenario expects.

use anyhow::Context;
use anyhow::Result;

use crate::machine::Layout;
use crate::scenario::Excerpt;
use crate::scenario::ExcerptLine;

/// One line of /proc/iomem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub depth: usize,
    pub start: u64,
    /// Last byte.
    pub end: u64,
    pub name: String,
}

/// Parses the file.
pub fn parse(text: &str) -> Result<Vec<Line>> {
    text.lines()
        .map(|line| parse_line(line).with_context(|| format!("not a line of iomem: `{line}`")))
        .collect()
}

fn parse_line(line: &str) -> Option<Line> {
    let body = line.trim_start_matches(' ');
    let (range, name) = body.split_once(" : ")?;
    let (start, end) = range.split_once('-')?;
    Some(Line {
        depth: (line.len() - body.len()) / 2,
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        name: name.to_owned(),
    })
}

/// Writes a line as scenarios do.
pub fn show(line: &Line, layout: &Layout) -> String {
    format!(
        "{}{}-{} : {}",
        "  ".repeat(line.depth),
        layout.show(line.start),
        layout.show(line.end),
        line.name
    )
}

/// The trees that hold any of `ranges` (first and last byte).
pub fn excerpt(lines: &[Line], ranges: &[(u64, u64)]) -> Vec<Line> {
    trees(lines)
        .filter(|tree| {
            let root = &tree[0];
            // RAM of the guest is no news, what lies on a range is.
            ranges
                .iter()
                .any(|range| root.start <= range.1 && range.0 <= root.end)
        })
        .flat_map(|tree| tree.iter().cloned())
        .collect()
}

fn trees(lines: &[Line]) -> impl Iterator<Item = &[Line]> {
    lines.chunk_by(|_, next| next.depth > 0)
}

/// Compares: each tree of the excerpt must be there, line by line and nothing else in it.
/// Returns what differs.
pub fn compare(lines: &[Line], excerpt: &Excerpt, layout: &Layout) -> Vec<String> {
    let mut faults = Vec::new();
    for wanted in excerpt.0.chunk_by(|_, next| next.depth > 0) {
        let matches = |line: &Line, wanted: &ExcerptLine| {
            line.depth == wanted.depth
                && line.start == layout.resolve_place(wanted.start)
                && line.end == layout.resolve_place(wanted.end)
                && super::glob(&wanted.name, &line.name)
        };
        let found = trees(lines).find(|tree| matches(&tree[0], &wanted[0]));
        let text = |wanted: &ExcerptLine| {
            format!(
                "{}{}-{} : {}",
                "  ".repeat(wanted.depth),
                layout.show(layout.resolve_place(wanted.start)),
                layout.show(layout.resolve_place(wanted.end)),
                wanted.name
            )
        };
        let Some(found) = found else {
            faults.push(format!("iomem has no `{}` at the top", text(&wanted[0])));
            continue;
        };
        for index in 0..wanted.len().max(found.len()) {
            match (wanted.get(index), found.get(index)) {
                (Some(wanted), Some(line)) if matches(line, wanted) => {}
                (Some(wanted), Some(line)) => {
                    faults.push(format!(
                        "iomem: expected `{}`, found `{}`",
                        text(wanted),
                        show(line, layout)
                    ));
                    break;
                }
                (Some(wanted), None) => {
                    faults.push(format!("iomem: `{}` is missing", text(wanted)));
                }
                (None, Some(line)) => {
                    faults.push(format!("iomem: unexpected `{}`", show(line, layout)));
                }
                (None, None) => {}
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::Drivers;
    use crate::scenario::Scenario;

    const IOMEM: &str = "\
00001000-0009fbff : System RAM
110000000-20fffffff : CXL Window 0
  110000000-12fffffff : Soft Reserved
    110000000-12fffffff : dax2.0
      110000000-12fffffff : System RAM (kmem)
240000000-a3fffffff : PCI Bus 0000:00
";

    fn differences(excerpt: &str) -> Vec<String> {
        let text =
            format!("description = \"x\"\n[[window]]\n[expect]\niomem = \"\"\"\n{excerpt}\"\"\"\n");
        let scenario = Scenario::parse(Path::new("t.toml"), &text).expect("valid");
        let expect = scenario.expect(Drivers::Rust).expect("rust");
        let layout = Layout {
            windows: vec![(0x1_1000_0000, 4 << 30)],
        };
        let lines = parse(IOMEM).expect("iomem");
        compare(&lines, expect.end.iomem.as_ref().expect("iomem"), &layout)
    }

    const WINDOW: &str = "W0+0x0-W0+0xffffffff : CXL Window 0\n";
    const RESERVED: &str = "  W0+0x0-W0+0x1fffffff : Soft Reserved\n";
    const REST: &str =
        "    W0+0x0-W0+0x1fffffff : dax*.0\n      W0+0x0-W0+0x1fffffff : System RAM (kmem)\n";

    #[test]
    fn the_whole_tree_must_be_as_expected() {
        let none: Vec<String> = Vec::new();
        assert_eq!(differences(&format!("{WINDOW}{RESERVED}{REST}")), none);
        assert_eq!(differences("0x1000-0x9fbff : System RAM\n"), none);
    }

    #[test]
    fn each_difference_is_told() {
        let missing = differences(&format!("{WINDOW}{RESERVED}"));
        assert_eq!(missing.len(), 2, "{missing:?}");
        assert!(missing[0].contains("unexpected"), "{missing:?}");
        // One level less deep is another tree.
        let flat =
            "  W0+0x0-W0+0x1fffffff : dax*.0\n    W0+0x0-W0+0x1fffffff : System RAM (kmem)\n";
        let flat = differences(&format!("{WINDOW}{flat}"));
        assert!(
            flat[0].contains("found `  W0+0x0-W0+0x1fffffff : Soft Reserved`"),
            "{flat:?}"
        );
        let longer = differences(&format!(
            "{WINDOW}{RESERVED}{REST}  W0+0x20000000-W0+0x2fffffff : dax9.0\n"
        ));
        assert_eq!(
            longer,
            ["iomem: `  W0+0x20000000-W0+0x2fffffff : dax9.0` is missing"]
        );
        let size = differences(&format!(
            "{WINDOW}  W0+0x0-W0+0x1ffffffe : Soft Reserved\n{REST}"
        ));
        assert_eq!(size.len(), 1);
    }

    #[test]
    fn a_tree_that_is_not_at_the_top_is_not_there() {
        let faults = differences("W0+0x0-W0+0x1fffffff : Soft Reserved\n");
        assert!(faults[0].contains("no `W0+0x0-W0+0x1fffffff : Soft Reserved` at the top"));
    }
}
