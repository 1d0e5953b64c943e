// SPDX-License-Identifier: GPL-2.0

//! Why DKMS could not build the modules for this kernel: `dkms status` has no word for it, its log
//! has.

use serde::Serialize;

use crate::scan::{shorten, Scan};

/// Where DKMS keeps what it knows of the package.
pub(crate) const DIR: &str = "var/lib/dkms/dax-hmem-rust";

/// A build that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedBuild {
    /// The version of the package.
    pub version: String,
    /// What went wrong, in a line.
    pub reason: String,
    /// The command that mends it, if the log names one.
    pub remedy: Option<String>,
    /// The log.
    pub log: String,
}

/// The log of the last build of a version that is still in DKMS's build folder: a build that succeeds
/// leaves none there.
pub(crate) fn log_of(version: &str) -> String {
    format!("{DIR}/{version}/build/make.log")
}

/// The build that failed for this release, of the newest version there is.
pub(crate) fn read(scan: &Scan, release: Option<&str>) -> Option<FailedBuild> {
    let release = release?;
    let versions = scan.list(DIR);
    let mut failed = versions.iter().filter_map(|version| {
        let log = log_of(version);
        // An older kernel may have failed, and this one have succeeded since.
        let text = scan.exists(&log).then(|| scan.text(&log)).flatten()?;
        let (reason, remedy) = reason(&text, release)?;
        Some(FailedBuild {
            version: shorten(version),
            reason,
            remedy,
            log: format!("/{log}"),
        })
    });
    failed.next()
}

/// Whether a line of the log tells what it is about or what went wrong.
pub(crate) fn is_telling(line: &str) -> bool {
    line.starts_with("DKMS make.log")
        || line.starts_with("DKMS (")
        || line.starts_with("rust-headers: ")
        || line.starts_with("    apt ")
        || is_error(line)
}

fn is_error(line: &str) -> bool {
    line.starts_with("error") || line.starts_with("dax_hmem: ") || line.contains(" error: ")
}

/// What went wrong in a log that is about this release: what rust-headers said last, or the first error
/// of a compiler.
fn reason(log: &str, release: &str) -> Option<(String, Option<String>)> {
    let head = log.lines().next()?;
    let about = head.split_whitespace();
    if !about
        .map(|word| word.trim_end_matches(','))
        .any(|word| word == release)
    {
        return None;
    }
    let lines: Vec<&str> = log.lines().collect();
    if let Some(error) = lines.iter().find(|line| is_error(line)) {
        return Some((shorten(error), None));
    }
    let at = lines
        .iter()
        .rposition(|line| line.starts_with("rust-headers: "));
    let Some(at) = at else {
        return Some(("the log does not say why".to_owned(), None));
    };
    let said = lines[at].trim_start_matches("rust-headers: ");
    let command = lines
        .get(at + 1)
        .filter(|line| line.starts_with("    apt "));
    // Whole: half a sentence, or half a command, helps nobody.
    Some((
        said.trim().to_owned(),
        command.map(|line| line.trim().to_owned()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "DKMS (dkms-3.2.2) make.log for dax-hmem-rust/0.1 for kernel 7.3.4+deb13-amd64 (x86_64)\n";

    #[test]
    fn a_refusal_has_its_command() {
        let log = format!(
            "{HEAD}Running the pre_build script\nrust-headers: the source is not installed.\n    \
             apt install linux-source-7.3\n"
        );
        let (why, what) = reason(&log, "7.3.4+deb13-amd64").unwrap();
        assert_eq!(why, "the source is not installed.");
        assert_eq!(what.as_deref(), Some("apt install linux-source-7.3"));
        assert_eq!(reason(&log, "7.3.4"), None);
    }

    #[test]
    fn a_compiler_has_its_say() {
        let log =
            format!("{HEAD}rust-headers: done\nerror[E0063]: missing fields\nmake: Error 1\n");
        let (why, what) = reason(&log, "7.3.4+deb13-amd64").unwrap();
        assert_eq!(why, "error[E0063]: missing fields");
        assert_eq!(what, None);
    }
}
