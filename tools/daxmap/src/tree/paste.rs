// SPDX-License-Identifier: GPL-2.0

//! A tree made of what somebody pasted: a kernel log, `/proc/iomem`, the JSON of `cxl list` and
//! `daxctl list`, alone or one behind another, as they stand in a mail or a bug report.

mod journal;
mod line;
mod text;

use super::archive::Archive;
use super::{json, Lists};
use crate::iomem;
use crate::log;
pub(super) use text::text;

/// What each kind of text becomes.
const LOG: &str = "dev/kmsg";
const IOMEM: &str = "proc/iomem";

/// A tree of the texts; `None` if none of them holds anything that is understood.
pub(super) fn tree(texts: &[String]) -> Option<(Archive, Lists)> {
    let (mut lines, mut resources) = (String::new(), Vec::new());
    let mut archive = Archive::empty();
    let (mut understood, mut lists) = (false, Lists::default());
    for text in texts {
        let (documents, rest) = json::documents(&line::lines(text).join("\n"));
        for document in &documents {
            if let Some(line) = journal::of_json(&document.value) {
                lines.push_str(&format!("{line}\n"));
            } else if json::is_empty(&document.value) {
                lists.empty = true;
            } else if json::put(&mut archive, document) {
                understood = true;
                lists.cut |= document.is_cut;
            }
        }
        let rest = rest.lines().map(str::to_string).collect();
        for line in journal::from_fields(rest) {
            match iomem::parse_line(&line) {
                Some(_) => resources.push(line),
                None => lines.push_str(&format!("{line}\n")),
            }
        }
    }
    if !resources.is_empty() {
        archive.put(IOMEM, dedented(&resources).into_bytes());
        understood = true;
    }
    if log::is_log(&lines) {
        understood = true;
        let lines = log::this_boot(&lines);
        told_by_log(&mut archive, &lines);
        archive.put(LOG, lines.into_bytes());
    }
    (understood || lists.empty).then_some((archive, lists))
}

/// A log as one of the last boot, without what a terminal or an editor put into it.
pub(super) fn log(bytes: &[u8]) -> String {
    let text = text::text(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned());
    log::this_boot(&text)
}

/// The lines of a resource tree without the indent that all of them have.
fn dedented(lines: &[String]) -> String {
    let indent = |l: &String| l.len() - l.trim_start_matches(' ').len();
    let least = lines.iter().map(indent).min().unwrap_or(0);
    let parts = lines.iter().filter_map(|l| l.get(least..));
    parts.flat_map(|l| [l, "\n"]).collect()
}

/// What else a log says of the machine: its command line and kernel release.
fn told_by_log(archive: &mut Archive, lines: &str) {
    let behind = |what: &str| {
        let line = lines.lines().find_map(|l| l.split_once(what));
        line.map(|(_, rest)| rest.trim().to_string())
    };
    if let Some(words) = behind("ommand line: ") {
        archive.put("proc/cmdline", format!("{words}\n").into_bytes());
    }
    if let Some(release) =
        behind("Linux version ").and_then(|l| l.split_whitespace().next().map(str::to_string))
    {
        archive.put(
            "proc/sys/kernel/osrelease",
            format!("{release}\n").into_bytes(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Store;

    fn file(archive: &Archive, path: &str) -> String {
        let bytes = archive.bytes(path, u64::MAX).unwrap_or_default();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_mail_with_log_and_iomem() {
        let mail = "Hi,\r\n> [    0.000000] Linux version 7.3.4 (x@y)\r\n\
                    > [    0.000000] Command line: quiet efi=nosoftreserve\r\n\
                    >   490000000-58fffffff : CXL Window 0\r\n\
                    >     490000000-4afffffff : region0\r\n";
        let (archive, lists) = tree(&[mail.to_string()]).unwrap();
        assert!(lists.is_whole());
        assert_eq!(
            file(&archive, IOMEM),
            "490000000-58fffffff : CXL Window 0\n  490000000-4afffffff : region0\n"
        );
        assert_eq!(file(&archive, "proc/cmdline"), "quiet efi=nosoftreserve\n");
        assert_eq!(file(&archive, "proc/sys/kernel/osrelease"), "7.3.4\n");
        assert!(file(&archive, LOG).contains("Linux version"));
    }

    #[test]
    fn what_is_nothing_is_refused() {
        assert!(tree(&["hello\nworld\n".to_string()]).is_none());
        assert!(tree(&["[1, 2, 3]".to_string()]).is_none());
        assert!(tree(&[]).is_none());
        assert!(tree(&["{}".to_string()]).is_none());
    }

    #[test]
    fn lists_that_are_short_are_told() {
        for (text, cut, empty) in [
            ("[\n]", false, true),
            ("$ cxl list\n[ ]\n$", false, true),
            ("[{\"memdevs\":[]},{\"regions\":[]}]", false, true),
            (
                "[{\"memdev\":\"mem0\",\"ram_size\":1},{\"memdev\":\"mem1\"",
                true,
                false,
            ),
            ("[{\"memdev\":\"mem0\",\"ram_size\":1}]", false, false),
        ] {
            let (_, lists) = tree(&[text.to_string()]).unwrap();
            assert_eq!(lists, Lists { cut, empty }, "{text}");
        }
    }
}
