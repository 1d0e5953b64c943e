// SPDX-License-Identifier: GPL-2.0

//! Documentation/bench.md: what stands between its two markers is written anew by each bench.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;

use super::plot;
use super::result::Bench;
use super::table;

const BEGIN: &str = "<!-- written by make bench, from here -->";
const END: &str = "<!-- written by make bench, up to here -->";

/// Writes page, plot and JSON.
pub fn write(repo: &Path, bench: &Bench) -> Result<()> {
    let dir = repo.join("Documentation");
    let path = dir.join("bench.md");
    let page =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let page = renew(&page, &body(bench)).with_context(|| path.display().to_string())?;
    let json = serde_json::to_string_pretty(bench)? + "\n";
    for (name, text) in [
        ("bench.md", page),
        ("bench.svg", plot::svg(bench)?),
        ("bench.json", json),
    ] {
        let path = dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn body(bench: &Bench) -> String {
    let mut text = format!("Linux {}, {}.\n\n", bench.kernel, bench.qemu);
    text.push_str("![instructions by number of ranges](bench.svg)\n\n");
    text.push_str(&table::markdown(bench));
    text
}

/// `page` with `body` between the markers.
fn renew(page: &str, body: &str) -> Result<String> {
    let missing = || format!("the page lacks its markers `{BEGIN}` and `{END}`");
    let (before, rest) = page.split_once(BEGIN).with_context(missing)?;
    let (_, after) = rest.split_once(END).with_context(missing)?;
    Ok(format!(
        "{before}{BEGIN}\n\n{}\n\n{END}{after}",
        body.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = format!("# Bench\n\n{BEGIN}\nold\n{END}\n\nEnd.\n");
        let renewed = renew(&page, "new\n").expect("markers");
        assert_eq!(
            renewed,
            format!("# Bench\n\n{BEGIN}\n\nnew\n\n{END}\n\nEnd.\n")
        );
        assert_eq!(renew(&renewed, "new").expect("markers"), renewed);
        assert!(renew("no markers", "new").is_err());
    }
}
