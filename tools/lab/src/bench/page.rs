// SPDX-License-Identifier: GPL-2.0

//! What a bench writes into Documentation: its part of the page, the plot, and all figures.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;

use super::plot;
use super::result::Bench;
use super::table;
use crate::page;

/// All figures, in the repository.
pub const FIGURES: &str = "Documentation/bench.json";

/// Writes page, plot and JSON.
pub fn write(repo: &Path, bench: &Bench) -> Result<()> {
    let json = serde_json::to_string_pretty(bench)? + "\n";
    for (name, text) in [("bench.svg", plot::svg(bench)?), ("bench.json", json)] {
        let path = repo.join("Documentation").join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    page::renew(repo, "bench", &body(bench))
}

fn body(bench: &Bench) -> String {
    let mut text = format!("Linux {}, {}.\n\n", bench.kernel, bench.qemu);
    text.push_str("![instructions by number of ranges](bench.svg)\n\n");
    text.push_str(&table::markdown(bench));
    text
}
