// SPDX-License-Identifier: GPL-2.0

//! `daxown list`.

mod devices;
mod fit;
mod rows;

use daxmap::size::Total as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{bail, Result};
use clap::ValueEnum;
use comfy_table::{presets, Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table};
use daxmap::{Map, Tree};

use crate::cli::{Global, ListArgs, RowKind};
use crate::fleet;
use crate::json::{self, ListDoc, Machine, RowDoc};
use crate::show::{self, Look};
pub use devices::{of as devices, DeviceDoc};
use fit::{cut, fitting, is_prose, room};
pub use rows::Row;

/// Columns of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Column {
    Kind,
    Name,
    Range,
    Start,
    End,
    Size,
    Owner,
    Device,
    Node,
    Online,
    Offline,
    Usable,
    State,
    Reason,
    Window,
    Source,
    Members,
}

/// A column that was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Pick {
    column: Column,
    /// Beside the usual ones.
    is_added: bool,
}

impl std::str::FromStr for Pick {
    type Err = String;

    fn from_str(text: &str) -> Result<Pick, String> {
        let name = text.strip_prefix('+').unwrap_or(text);
        let column = Column::from_str(name, true).map_err(|_| {
            let all = Column::value_variants().iter();
            let names: Vec<String> = all.map(|c| heading(*c).to_lowercase()).collect();
            format!(
                "there is no column {name:?}; there are {}",
                names.join(", ")
            )
        })?;
        Ok(Pick {
            column,
            is_added: name != text,
        })
    }
}

pub fn run(global: &Global, args: &ListArgs) -> Result<ExitCode> {
    let (captures, what): (Vec<String>, Vec<String>) = args
        .what
        .iter()
        .cloned()
        .partition(|w| fleet::is_capture(w));
    let captures: Vec<PathBuf> = captures.into_iter().map(PathBuf::from).collect();
    let several = fleet::sources(global, &captures);
    let args = &ListArgs {
        what,
        ..args.clone()
    };
    if several.len() > 1 {
        return match args.picks() {
            false => fleet::list(global, &several),
            true if args.kind == Some(RowKind::Device) => {
                bail!("--kind device is for one machine at a time")
            }
            true => fleet::select(
                global,
                &several,
                |map| rows::select(map, args),
                |rows, look| match rows.is_empty() {
                    true => "Nothing matches.\n".into(),
                    false => table(rows, args, look),
                },
            ),
        };
    }
    let tree = Tree::open(global.with(several).path()?)?;
    let map = Map::read(&tree);
    let rows = rows::select(&map, args)?;
    let mut found = devices(&tree, &map);
    if !args.what.is_empty() {
        found.retain(|d| {
            let mine = |w: &String| *w == d.name || d.pci.as_ref() == Some(w) || d.dax.contains(w);
            args.what.iter().any(mine)
        });
    }
    let look = Look::new(global);
    // A memory device in no region has no row among addresses.
    let of_devices = rows.is_empty() && args.kind.is_none() && !args.what.is_empty();
    let of_devices = of_devices && !found.is_empty();
    let text = if global.json {
        json::text(&ListDoc {
            schema: "daxown-list-1".into(),
            machine: Machine::of(&map),
            rows: rows.into_iter().map(|r| r.doc).collect(),
            devices: found,
            gaps: json::gaps(&map),
        })?
    } else if args.kind == Some(RowKind::Device) || of_devices {
        devices::render(&map, &found, args.noheadings, &look)
    } else {
        render(&map, &rows, args, &look)
    };
    crate::print(&text)?;
    show::warn_of_gaps(&map);
    Ok(ExitCode::SUCCESS)
}

fn render(map: &Map, rows: &[Row], args: &ListArgs, look: &Look) -> String {
    if rows.is_empty() {
        return match args.noheadings {
            true => String::new(),
            false => nothing(map, look),
        };
    }
    table(rows, args, look)
}

fn table(rows: &[Row], args: &ListArgs, look: &Look) -> String {
    // One mark is enough for all of a list.
    let usual = args.columns.is_empty() || args.columns.iter().any(|p| p.is_added);
    let (mut columns, mut fits) = (Vec::new(), true);
    if usual {
        let added: Vec<Column> = args.columns.iter().map(|p| p.column).collect();
        (columns, fits) = fitting(rows, &added, look);
    }
    for pick in &args.columns {
        if !columns.contains(&pick.column) {
            columns.push(pick.column);
        }
    }
    // Prose comes last: it takes what room is left.
    if let Some(at) = columns
        .iter()
        .position(|c| *c == Column::Reason)
        .filter(|_| usual)
    {
        columns.remove(at);
        columns.push(Column::Reason);
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    match look.width.filter(|_| fits) {
        Some(width) => table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(width).unwrap_or(u16::MAX)),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    // Of several machines each row begins with its own, whose name may be a long path.
    let of_several = rows.iter().any(|r| r.machine.is_some());
    if !args.noheadings {
        let machine = of_several.then(|| look.bold("MACHINE"));
        let names = columns.iter().map(|c| look.bold(&heading(*c)));
        table.set_header(machine.into_iter().chain(names));
    }
    // A line a row: `explain` has all of it.
    let room = room(rows, &columns, look).filter(|_| usual && fits);
    for row in rows {
        let machine = row.machine.as_ref().map(Cell::new);
        let cells = columns.iter().map(|c| match (c, room) {
            (Column::Reason, Some(room)) => Cell::new(cut(&row.doc.reason.text, room)),
            _ => cell(row, *c, look),
        });
        table.add_row(machine.into_iter().chain(cells));
    }
    let first = usize::from(of_several);
    let last = (columns.len() + first).saturating_sub(1);
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if i == last { 0 } else { 2 }));
        // Only prose may be broken into lines.
        let picked = i.checked_sub(first).and_then(|i| columns.get(i));
        if picked.is_some_and(|c| !is_prose(*c)) && usual {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let mut out = table.trim_fmt();
    out.push('\n');
    if !args.noheadings && usual {
        out.push_str(&totals(rows, look));
    }
    out
}

fn nothing(map: &Map, look: &Look) -> String {
    let text = match map.reserved.is_empty() && map.regions.is_empty() {
        true => match show::unread(map) {
            Some(why) => format!("{}.", show::capital(&why)),
            None => format!(
                "No Soft Reserved memory and no CXL regions {}.",
                show::here(map)
            ),
        },
        false => "Nothing matches.".into(),
    };
    show::sentence(&text, look)
}

fn heading(column: Column) -> String {
    let name = column
        .to_possible_value()
        .map(|v| v.get_name().to_uppercase());
    name.unwrap_or_default()
}

fn cell(row: &Row, column: Column, look: &Look) -> Cell {
    let doc = &row.doc;
    let range = |f: fn(&json::RangeDoc) -> String| doc.range.as_ref().map_or("-".into(), f);
    let optional = |v: Option<String>| v.unwrap_or_else(|| "-".into());
    let text = match column {
        Column::Kind => doc.kind.clone(),
        Column::Name => doc.name.clone().unwrap_or_else(|| "Soft Reserved".into()),
        Column::Range => range(|r| format!("{}-{}", r.start, r.end)),
        Column::Start => range(|r| r.start.clone()),
        Column::End => range(|r| r.end.clone()),
        Column::Size => optional(
            doc.range
                .as_ref()
                .map(|r| r.size)
                .or(doc.size)
                .map(|size| look.size(size)),
        ),
        Column::Owner => look.paint(show::owner_style(&row.owner), &show::owner(&row.owner)),
        Column::Device => optional(doc.device.clone()),
        Column::Node => optional(doc.node.map(|n| n.to_string())),
        Column::Online => look.maybe_size(doc.used.online),
        Column::Offline => look.maybe_size(doc.used.offline),
        Column::Usable => look.maybe_size(doc.used.usable),
        Column::State => look.paint(show::state_style(&doc.state), &doc.state),
        Column::Reason => doc.reason.text.clone(),
        Column::Window => list(&doc.windows),
        Column::Source => list(&doc.sources),
        Column::Members => members(doc),
    };
    let right = matches!(
        column,
        Column::Size | Column::Online | Column::Offline | Column::Usable | Column::Node
    );
    Cell::new(text).set_alignment(match right {
        true => CellAlignment::Right,
        false => CellAlignment::Left,
    })
}

fn list(items: &[String]) -> String {
    match items.is_empty() {
        true => "-".into(),
        false => items.join(", "),
    }
}

fn members(doc: &RowDoc) -> String {
    let names: Vec<String> = doc
        .members
        .iter()
        .map(|m| match (&m.memdev, &m.serial) {
            (Some(memdev), Some(serial)) => format!("{memdev} (serial {serial})"),
            (Some(memdev), None) => memdev.clone(),
            _ => "missing".into(),
        })
        .collect();
    list(&names)
}

/// What counts for most people, in one line.
fn totals(rows: &[Row], look: &Look) -> String {
    let reserved: Vec<&RowDoc> = rows
        .iter()
        .map(|r| &r.doc)
        .filter(|d| d.kind == "reserved")
        .collect();
    if reserved.is_empty() {
        return String::new();
    }
    let total = sum(reserved
        .iter()
        .filter_map(|d| d.range.as_ref())
        .map(|r| r.size));
    // Of what is not known, at least what is in use is.
    let used = |d: &&RowDoc| {
        let used = d.used.online.unwrap_or(0).saturating_add(d.used.file);
        d.used.usable.unwrap_or(used.saturating_sub(d.used.unsound))
    };
    let usable = sum(reserved.iter().map(used));
    let unknown = reserved.iter().any(|d| d.used.usable.is_none());
    let mut line = format!(
        "Soft Reserved: {}, usable {}{}",
        look.size(total),
        if unknown { "at least " } else { "" },
        look.size(usable)
    );
    if usable < total && !unknown {
        line.push_str(&format!(
            ", {}; `daxown doctor` says why",
            look.paint(
                show::state_style("lost"),
                &format!("not usable {}", look.size(total - usable))
            )
        ));
    }
    format!("\n{}", show::sentence(&line, look))
}

fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.total()
}
