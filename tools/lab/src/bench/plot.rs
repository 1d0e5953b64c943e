// SPDX-License-Identifier: GPL-2.0

//! The plot: instructions by number of ranges, C and Rust, both axes logarithmic.

use anyhow::anyhow;
use anyhow::Result;
use plotters::prelude::*;

use super::result::Bench;
use super::result::Topic;

const SIZE: (u32, u32) = (960, 420);
const C_COLOR: RGBColor = RGBColor(0x5b, 0x6c, 0x7d);
const RUST_COLOR: RGBColor = RGBColor(0xb7, 0x41, 0x0e);

/// An SVG image, one panel for each kind of range.
pub fn svg(bench: &Bench) -> Result<String> {
    let mut text = String::new();
    draw(bench, &mut text).map_err(|error| anyhow!("cannot draw the plot: {error}"))?;
    Ok(text)
}

fn draw(bench: &Bench, text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let panels = area.split_evenly((1, 2));
    for (panel, (topic, title)) in panels.iter().zip([
        (Topic::Claimed, "ranges that CXL claims"),
        (Topic::Registered, "ranges that HMEM registers"),
    ]) {
        let c = bench.growth(topic, |figure| &figure.c);
        let rust = bench.growth(topic, |figure| &figure.rust);
        let all = || c.iter().chain(&rust);
        let least = all().map(|point| point.1).fold(f64::INFINITY, f64::min);
        let most = all().map(|point| point.1).fold(0.0, f64::max);
        if !(least > 0.0 && most.is_finite() && least <= most) {
            continue;
        }
        let mut chart = ChartBuilder::on(panel)
            .caption(title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(38)
            .y_label_area_size(64)
            .build_cartesian_2d(
                (0.8f64..1400.0).log_scale(),
                (least / 2.0..most * 2.0).log_scale(),
            )?;
        chart
            .configure_mesh()
            .x_desc("ranges")
            .y_desc("instructions")
            .x_label_formatter(&|n| format!("{n:.0}"))
            .y_label_formatter(&|count| short(*count))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for (name, color, points) in [
            ("C", C_COLOR, c.clone()),
            ("Rust", RUST_COLOR, rust.clone()),
        ] {
            chart
                .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2))
                });
            chart.draw_series(
                points
                    .into_iter()
                    .map(|point| Circle::new(point, 4, color.filled())),
            )?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .border_style(BLACK.mix(0.3))
            .background_style(WHITE)
            .draw()?;
    }
    area.present()?;
    Ok(())
}

/// 20000 as 20k.
fn short(count: f64) -> String {
    match count {
        c if c >= 1e9 => format!("{:.0}G", c / 1e9),
        c if c >= 1e6 => format!("{:.0}M", c / 1e6),
        c if c >= 1e3 => format!("{:.0}k", c / 1e3),
        c => format!("{c:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::result::Unit;
    use crate::bench::result::RESOLVE;

    #[test]
    fn both_sides_are_in_the_plot() {
        let mut bench = Bench::default();
        for n in [1, 16, 128, 1024] {
            let name = format!("{RESOLVE}, N = {n}");
            let figure = bench.figure(Topic::Claimed, &name, Unit::Instructions);
            figure.ranges = Some(n);
            figure.c.add(30_000.0 + 2_600.0 * n as f64);
            figure.rust.add(100_000.0 + 16_000.0 * n as f64);
        }
        let image = svg(&bench).expect("plot");
        assert!(image.starts_with("<svg") && image.trim_end().ends_with("</svg>"));
        assert_eq!(image.matches("<circle").count(), 8);
        for text in ["ranges that CXL claims", "Rust", "instructions"] {
            assert!(image.contains(text), "{text}");
        }
        assert!(!image.contains("NaN"));
        // The same figures give the same file, so that a bench changes what has changed.
        assert_eq!(svg(&bench).expect("plot"), image);
    }

    #[test]
    fn nothing_measured_is_an_empty_plot() {
        let image = svg(&Bench::default()).expect("plot");
        assert!(!image.contains("<circle"));
    }
}
