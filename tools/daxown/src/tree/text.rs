// SPDX-License-Identifier: GPL-2.0

//! The tree for a terminal: addresses at the left edge, then the nesting, then a bar of what is used.

use anstyle::{AnsiColor, Style};
use daxmap::Map;
use unicode_width::UnicodeWidthStr;

use super::nodes::{Kind, Node};
use crate::show::{self, Look};

const BAR: usize = 16;
/// Columns from which on a reason is worth being cut.
const PROSE: usize = 32;
/// Without a terminal: as wide as reports are, or as it takes.
const DEFAULT_WIDTH: usize = 110;

/// Widths of what stands at the left edge.
struct Columns {
    /// Of an address.
    digits: usize,
    /// Of a size.
    size: usize,
}

/// One line before it is fitted to the width.
struct Line<'a> {
    branch: String,
    node: &'a Node,
}

pub fn draw(map: &Map, nodes: &[Node], look: &Look) -> String {
    if nodes.is_empty() {
        return match show::unread(map).filter(|_| !map.in_source.sysfs) {
            Some(why) => format!("{}.\n", show::capital(&why)),
            None => "No memory map could be read.\n".into(),
        };
    }
    let mut lines = Vec::new();
    walk(nodes, "", true, &mut lines);
    let digits = nodes
        .iter()
        .map(|n| format!("{:#x}", n.range.end).len())
        .max()
        .unwrap_or(8);
    let sizes = lines.iter().map(|l| look.size(l.node.range.len()).len());
    let columns = Columns {
        digits,
        size: sizes.max().unwrap_or(0),
    };
    // What does not fit goes in this order: the bar, the end address.
    let needed = lines
        .iter()
        .map(|l| head(l, look))
        .map(|parts| wide(&parts));
    let needed = needed.max().unwrap_or(0);
    let widest = |with_end: bool, with_bar: bool| {
        let address = if with_end { 2 * digits + 1 } else { digits };
        let bar = if with_bar { BAR + 3 } else { 0 };
        address + columns.size + 4 + needed + bar
    };
    let width = look
        .width
        .unwrap_or_else(|| DEFAULT_WIDTH.max(widest(true, true)));
    let has_room = |with_end, with_bar| widest(with_end, with_bar) <= width;
    let can_end = width >= 72 + 2 * digits;
    let can_bar = width >= 84;
    let mut ways = [(true, true), (true, false), (false, true)].into_iter();
    let (with_end, with_bar) = ways
        .find(|&(end, bar)| (!end || can_end) && (!bar || can_bar) && has_room(end, bar))
        .unwrap_or((false, false));
    let mut out = String::new();
    for line in &lines {
        out.push_str(render(line, look, width, &columns, with_end, with_bar).trim_end());
        out.push('\n');
    }
    if map.reserved.is_empty() {
        out.push_str(&match show::unread(map) {
            Some(why) => format!("\n{}.\n", show::capital(&why)),
            None => format!("\nNo Soft Reserved memory {}.\n", show::here(map)),
        });
    } else if with_bar {
        out.push_str(&format!("\n{}\n", legend(look)));
    }
    out
}

fn walk<'a>(nodes: &'a [Node], stem: &str, top: bool, out: &mut Vec<Line<'a>>) {
    for (i, node) in nodes.iter().enumerate() {
        let last = i + 1 == nodes.len();
        let (branch, below) = match (top, last) {
            (true, _) => (String::new(), String::new()),
            (false, true) => (format!("{stem}└─ "), format!("{stem}   ")),
            (false, false) => (format!("{stem}├─ "), format!("{stem}│  ")),
        };
        out.push(Line { branch, node });
        walk(&node.children, &below, false, out);
    }
}

fn render(
    line: &Line,
    look: &Look,
    width: usize,
    columns: &Columns,
    with_end: bool,
    with_bar: bool,
) -> String {
    let node = line.node;
    let Columns { digits, size } = *columns;
    let address = match with_end {
        true => format!(
            "{:#0digits$x}-{:#0digits$x}",
            node.range.start, node.range.end
        ),
        false => format!("{:#0digits$x}", node.range.start),
    };
    let left = format!(
        "{}  {:>size$}  ",
        look.dim(&address),
        look.size(node.range.len())
    );
    let left_width = address.len() + 2 + size + 2;
    let (bar, bar_width) = match with_bar {
        true => (bar(node, look), BAR + 3),
        false => (String::new(), 0),
    };
    let room = width.saturating_sub(left_width + bar_width);
    let body = body(line, look, room);
    let fill = room.saturating_sub(body.1);
    format!("{left}{}{}{bar}", body.0, " ".repeat(fill))
}

type Parts = Vec<(Style, String)>;

fn wide(parts: &Parts) -> usize {
    parts.iter().map(|(_, text)| text.width()).sum()
}

/// Branch, name, owner, state, and what of it is usable.
fn head(line: &Line, look: &Look) -> Parts {
    let node = line.node;
    let mut parts: Vec<(Style, String)> = vec![
        (Style::new().dimmed(), line.branch.clone()),
        (style(node), node.name.clone()),
    ];
    if let Some(owner) = &node.owner {
        parts.push((Style::new(), " → ".into()));
        parts.push((show::owner_style(owner).bold(), show::owner(owner)));
    }
    if let Some(state) = &node.state {
        parts.push((Style::new(), "  ".into()));
        parts.push((show::state_style(state), state.clone()));
    }
    if let Some(usable) = node.usable {
        if usable < node.range.len() {
            let text = show::part_of(usable, node.range.len(), look);
            parts.push((Style::new(), format!("  {text} usable")));
        }
    }
    parts
}

/// The same with the detail, in at most `room` columns; with the width used.
fn body(line: &Line, look: &Look, room: usize) -> (String, usize) {
    let node = line.node;
    let mut parts = head(line, look);
    // Half of a number says something else.
    if wide(&parts) > room && parts.last().is_some_and(|(_, t)| t.ends_with(" usable")) {
        parts.pop();
    }
    let left = room.saturating_sub(wide(&parts));
    // The first words of a reason say nothing, and `list` has the whole.
    let is_cut = node.kind == Kind::Reserved && node.detail.width() + 2 > left;
    if !node.detail.is_empty() && (!is_cut || left >= PROSE) {
        parts.push((Style::new().dimmed(), format!("  {}", node.detail)));
    }
    let mut out = String::new();
    let mut used = 0;
    for (style, text) in parts {
        let text = cut(&text, room.saturating_sub(used));
        used += text.width();
        out.push_str(&look.paint(style, &text));
    }
    (out, used)
}

fn style(node: &Node) -> Style {
    match node.kind {
        Kind::Window => Style::new()
            .fg_color(Some(AnsiColor::Magenta.into()))
            .bold(),
        Kind::Reserved => Style::new().bold(),
        Kind::Region => Style::new().fg_color(Some(AnsiColor::Blue.into())),
        Kind::Dax => Style::new().fg_color(Some(AnsiColor::Cyan.into())),
        Kind::Other | Kind::Ram => Style::new().dimmed(),
    }
}

/// How much of the node is used, as a bar.
fn bar(node: &Node, look: &Look) -> String {
    let Some(usable) = node.usable else {
        return match node.kind {
            Kind::Reserved => format!("  {:^BAR$}", "?"),
            _ => String::new(),
        };
    };
    let total = u128::from(node.range.len().max(1));
    let eighths = usize::try_from(u128::from(usable) * (BAR as u128) / total).unwrap_or(BAR);
    // A little used and a little lost must both be seen.
    let full = match (usable, eighths) {
        (0, _) => 0,
        (u, BAR) if u128::from(u) < total => BAR - 1,
        (_, n) => n.clamp(1, BAR),
    };
    let green = show::state_style("online");
    let red = show::state_style("lost");
    format!(
        "  {}{}",
        look.paint(green, &"█".repeat(full)),
        look.paint(red, &"░".repeat(BAR - full))
    )
}

fn legend(look: &Look) -> String {
    format!(
        "{} usable  {} not usable",
        look.paint(show::state_style("online"), "█"),
        look.paint(show::state_style("lost"), "░")
    )
}

/// At most `room` columns, with an ellipsis where something is missing.
fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_string();
    }
    let mut out = String::new();
    for c in text.chars() {
        if out.width() + 2 > room {
            break;
        }
        out.push(c);
    }
    if room > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_keeps_to_the_room() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("abcd", 1), "…");
        assert_eq!(cut("abcd", 0), "");
        assert_eq!(cut("→→→", 2), "→…");
    }
}
