// SPDX-License-Identifier: GPL-2.0

//! `/proc/iomem`: the kernel's resource tree, two spaces of indent a level.
//!
//! To anyone but root the kernel shows the names with all addresses zero.

use serde::Serialize;

use crate::range::Range;
use crate::scan::{shorten, Scan};

/// One line of the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resource {
    /// Its addresses.
    pub range: Range,
    /// Its name, such as `CXL Window 0`, `region0`, `dax0.0`, `System RAM (kmem)`.
    pub name: String,
    /// Nesting depth, 0 at the top.
    pub depth: usize,
}

/// What a resource tree file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Iomem {
    /// The lines in order.
    pub resources: Vec<Resource>,
    /// All addresses were zero: not read by root.
    pub hidden: bool,
    /// What of this memory it lists all the same, each name once.
    pub hidden_names: Vec<String>,
    /// The first line that is none.
    pub odd: Option<String>,
}

/// Deeper than any real tree; bounds what a hostile one makes us print.
const MAX_DEPTH: usize = 32;

/// Reads it, and keeps count of what could not be read.
pub(crate) fn read(scan: &Scan) -> Iomem {
    let path = "proc/iomem";
    let iomem = parse(&scan.text(path).unwrap_or_default());
    if iomem.hidden {
        scan.gap(path, "the kernel shows addresses to root only", true);
    }
    if let Some(odd) = &iomem.odd {
        scan.gap(path, format!("odd line: {odd}"), false);
    }
    if scan.exists("sys/bus") {
        scan.expect(path);
    }
    iomem
}

/// Reads the text of `/proc/iomem`.
pub fn parse(text: &str) -> Iomem {
    let mut out = Iomem::default();
    let mut zeroes = 0;
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        match parse_line(line) {
            Some(r) => {
                if r.range.end == 0 {
                    zeroes += 1;
                }
                out.resources.push(r);
            }
            None => {
                out.odd.get_or_insert_with(|| shorten(line.trim()));
            }
        }
    }
    if zeroes > 1 && zeroes == out.resources.len() {
        out.hidden = true;
        let all = out.resources.iter().map(|r| r.name.clone());
        for name in all.filter(|name| is_concerned(name)) {
            if !out.hidden_names.contains(&name) {
                out.hidden_names.push(name);
            }
        }
        out.resources.clear();
    }
    out
}

pub(crate) fn parse_line(line: &str) -> Option<Resource> {
    let body = line.trim_start_matches(' ');
    let depth = (line.len() - body.len()) / 2;
    let (range, name) = body.split_once(" : ")?;
    Some(Resource {
        range: Range::parse(range)?,
        name: name.trim().chars().filter(|c| !c.is_control()).collect(),
        depth: depth.min(MAX_DEPTH),
    })
}

/// Whether a name is one of memory that these drivers have to do with.
fn is_concerned(name: &str) -> bool {
    const BEGINS: [&str; 4] = ["Soft Reserved", "CXL Window", "region", "dax"];
    is_kmem(name) || BEGINS.iter().any(|b| name.starts_with(b))
}

/// Whether a name is one of System RAM: `System RAM`, `System RAM (kmem)`.
pub fn is_system_ram(name: &str) -> bool {
    name.starts_with("System RAM")
}

/// Whether a name is one of System RAM that kmem added.
pub fn is_kmem(name: &str) -> bool {
    is_system_ram(name) && name.contains("kmem")
}

/// The lines that overlap any of `ranges`, with their ancestors, still in order.
pub fn excerpt(resources: &[Resource], ranges: &[Range]) -> Vec<Resource> {
    let mut keep = vec![false; resources.len()];
    for (i, r) in resources.iter().enumerate() {
        if !ranges.iter().any(|x| x.overlaps(&r.range)) {
            continue;
        }
        keep[i] = true;
        let mut depth = r.depth;
        for j in (0..i).rev() {
            if depth == 0 {
                break;
            }
            if resources[j].depth < depth {
                keep[j] = true;
                depth = resources[j].depth;
            }
        }
    }
    resources
        .iter()
        .zip(keep)
        .filter(|(_, k)| *k)
        .map(|(r, _)| r.clone())
        .collect()
}

/// Prints lines as `/proc/iomem` does.
pub fn render(resources: &[Resource]) -> String {
    let width = resources
        .iter()
        .map(|r| format!("{:x}", r.range.end).len())
        .max()
        .unwrap_or(0)
        .max(8);
    let mut out = String::new();
    for r in resources {
        out.push_str(&format!(
            "{:indent$}{:0width$x}-{:0width$x} : {}\n",
            "",
            r.range.start,
            r.range.end,
            r.name,
            indent = r.depth * 2,
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
00000000-00000fff : Reserved
490000000-58fffffff : CXL Window 0
  490000000-4afffffff : region0
    490000000-4afffffff : dax0.0
      490000000-4afffffff : System RAM (kmem)
fffffffff0000000-ffffffffffffffff : odd
";

    #[test]
    fn reads_the_tree() {
        let iomem = parse(TREE);
        assert_eq!(iomem.resources.len(), 6);
        assert_eq!(iomem.resources[4].depth, 3);
        assert!(is_system_ram(&iomem.resources[4].name));
        assert_eq!(iomem.resources[5].range.end, u64::MAX);
        assert!(!iomem.hidden);
    }

    #[test]
    fn zeroed_is_hidden() {
        let iomem = parse("00000000-00000000 : Reserved\n  00000000-00000000 : System RAM\n");
        assert!(iomem.hidden);
        assert!(iomem.resources.is_empty());
        let zero = "00000000-00000000 : ";
        let names = [
            "CXL Window 0",
            "  Soft Reserved",
            "  Soft Reserved",
            "Reserved",
        ];
        let text: String = names.map(|n| format!("{zero}{n}\n")).concat();
        assert_eq!(parse(&text).hidden_names, ["CXL Window 0", "Soft Reserved"]);
    }

    #[test]
    fn junk_lines_are_passed_over() {
        let iomem = parse("9-1 : backwards\n\u{0}\u{1}\nzz-yy : x\n1000-1fff : ok\n-5 : \n");
        assert_eq!(iomem.resources.len(), 1);
        assert!(iomem.odd.is_some());
        assert_eq!(parse(""), Iomem::default());
    }

    #[test]
    fn excerpt_keeps_ancestors_and_round_trips() {
        let iomem = parse(TREE);
        let part = Range::new(0x4a0000000, 0x4a0000fff).unwrap();
        let lines = excerpt(&iomem.resources, &[part]);
        assert_eq!(
            render(&lines),
            "490000000-58fffffff : CXL Window 0\n\
             \u{20} 490000000-4afffffff : region0\n\
             \u{20}   490000000-4afffffff : dax0.0\n\
             \u{20}     490000000-4afffffff : System RAM (kmem)\n"
        );
        assert!(excerpt(&iomem.resources, &[]).is_empty());
    }

    #[test]
    fn a_tree_that_starts_indented_has_no_ancestors() {
        let iomem = parse("    1000-1fff : a\n  3000-3fff : b\n");
        let lines = excerpt(&iomem.resources, &[Range::new(0x3000, 0x3000).unwrap()]);
        assert_eq!(lines.len(), 1);
    }
}
