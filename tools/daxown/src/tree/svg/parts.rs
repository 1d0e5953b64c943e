// SPDX-License-Identifier: GPL-2.0

//! The parts of the picture that are not memory: heading, ruler, empty stretches, legend.

use daxmap::size::Total as _;
use daxmap::Map;
use svg::node::element::{Definitions, Group, Line, Path, Pattern, Rectangle, Style, Text};

use super::Stretch;
use crate::show::human;

/// Stretches where nothing lies.
pub fn gaps(axis: &[Stretch], top: f64, bottom: f64) -> Group {
    axis.iter().filter(|s| s.empty).fold(Group::new(), |g, s| {
        g.add(
            Rectangle::new()
                .set("x", s.x)
                .set("y", top - 6.0)
                .set("width", s.width)
                .set("height", bottom - top + 12.0)
                .set("fill", "url(#gap)"),
        )
    })
}

pub fn ruler(axis: &[Stretch], top: f64, bottom: f64) -> Group {
    let mut group = Group::new();
    let starts = axis.iter().map(|s| (s.x, format!("{:#x}", s.range.start)));
    let end = axis.last().and_then(|s| {
        let after = s.range.end.checked_add(1)?;
        Some((s.x + s.width, format!("{after:#x}")))
    });
    for (x, text) in starts.chain(end) {
        group = group
            .add(
                Line::new()
                    .set("x1", x)
                    .set("x2", x)
                    .set("y1", top - 6.0)
                    .set("y2", bottom + 6.0)
                    .set("stroke", "#b0bec5")
                    .set("stroke-dasharray", "2 3"),
            )
            .add(
                Text::new(text)
                    .set(
                        "transform",
                        format!("translate({:.1} {:.1}) rotate(35)", x - 2.0, bottom + 18.0),
                    )
                    .set("font-size", 11)
                    .set("font-family", "DejaVu Sans Mono, monospace")
                    .set("fill", "#37474f"),
            );
    }
    group
}

pub fn heading(map: &Map) -> Group {
    let kernel = map.release.as_deref().unwrap_or("unknown kernel");
    let drivers = crate::json::drivers(map.drivers);
    let total = map.reserved.iter().map(|r| r.range.len()).total();
    let pieces = map.reserved.iter().flat_map(|r| &r.pieces);
    let usable: Option<u64> = pieces
        .map(|p| p.usable_bytes())
        .try_fold(0u64, |s, b| Some(s.saturating_add(b?)));
    let usable = usable.map_or("unknown".into(), human);
    Group::new()
        .add(
            Text::new("Who owns which memory")
                .set("x", 12)
                .set("y", 28)
                .set("font-size", 18)
                .set("font-weight", "bold")
                .set("fill", "#263238"),
        )
        .add(
            Text::new(format!(
                "Linux {kernel}, dax_hmem: {drivers}; Soft Reserved {}, usable {usable}; widths are not to scale",
                human(total)
            ))
            .set("x", 12)
            .set("y", 48)
            .set("font-size", 12)
            .set("fill", "#546e7a"),
        )
}

pub fn legend(y: f64) -> Group {
    let items = [
        ("#90caf9", "owner CXL"),
        ("#a5d6a7", "owner HMEM"),
        ("#ffcdd2", "owner nobody"),
        ("#fff3cd", "owner unknown"),
        ("url(#lost)", "not all usable"),
        ("#43a047", "online or served as a file"),
    ];
    let mut group = Group::new();
    let mut x = 12.0;
    for (fill, text) in items {
        group = group
            .add(
                Rectangle::new()
                    .set("x", x)
                    .set("y", y - 10.0)
                    .set("width", 14)
                    .set("height", 12)
                    .set("fill", fill)
                    .set("stroke", "#90a4ae"),
            )
            .add(
                Text::new(text)
                    .set("x", x + 20.0)
                    .set("y", y)
                    .set("font-size", 11)
                    .set("fill", "#455a64"),
            );
        x += 40.0 + 6.6 * text.len() as f64;
    }
    group
}

pub fn definitions() -> Definitions {
    let hatch = |id: &str, stroke: &str, width: f64| {
        Pattern::new()
            .set("id", id)
            .set("width", 8)
            .set("height", 8)
            .set("patternUnits", "userSpaceOnUse")
            .set("patternTransform", "rotate(45)")
            .add(
                Path::new()
                    .set("d", "M 0 0 V 8")
                    .set("stroke", stroke)
                    .set("stroke-width", width),
            )
    };
    Definitions::new()
        .add(hatch("lost", "#ef9a9a", 3.0))
        .add(hatch("gap", "#eceff1", 6.0))
        .add(Style::new("text { white-space: pre }"))
}
