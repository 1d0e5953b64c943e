// SPDX-License-Identifier: GPL-2.0

//! Pages of Documentation with a part that a command of the lab writes: what stands between two
//! markers that name the command.

use std::fs;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;

/// Writes `body` between the markers of `lab <command>` in `Documentation/<command>.md`.
pub fn renew(repo: &Path, command: &str, body: &str) -> Result<()> {
    let path = repo.join(format!("Documentation/{command}.md"));
    let page =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let page = between_markers(&page, command, body).with_context(|| path.display().to_string())?;
    fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
}

/// `page` with `body` between the markers.
fn between_markers(page: &str, command: &str, body: &str) -> Result<String> {
    let begin = format!("<!-- written by make {command}, from here -->");
    let end = format!("<!-- written by make {command}, up to here -->");
    let missing = || format!("the page lacks its markers `{begin}` and `{end}`");
    let (before, rest) = page.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    Ok(format!(
        "{before}{begin}\n\n{}\n\n{end}{after}",
        body.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let begin = "<!-- written by make bench, from here -->";
        let end = "<!-- written by make bench, up to here -->";
        let page = format!("# Bench\n\n{begin}\nold\n{end}\n\nEnd.\n");
        let renewed = between_markers(&page, "bench", "new\n").expect("markers");
        assert_eq!(
            renewed,
            format!("# Bench\n\n{begin}\n\nnew\n\n{end}\n\nEnd.\n")
        );
        assert_eq!(
            between_markers(&renewed, "bench", "new").expect("markers"),
            renewed
        );
        assert!(between_markers("no markers", "bench", "new").is_err());
        assert!(between_markers(&page, "compare", "new").is_err());
    }
}
