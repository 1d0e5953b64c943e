// SPDX-License-Identifier: GPL-2.0

//! Machines of which it is known what has to be said, and what must not be.

use super::{daxown, fixture};

/// A machine that was made up, a verb and its exit status, what must be said, what must not.
pub type Judged = (
    &'static str,
    &'static str,
    i32,
    &'static [&'static str],
    &'static [&'static str],
);

/// What `daxown VERB` says of a machine, in one line, with its exit status.
fn said(machine: &str, verb: &str) -> (String, i32) {
    let words: Vec<&str> = verb.split(' ').collect();
    let run = daxown(&fixture(&format!("made/{machine}")), &words);
    (super::words(&run.stdout), run.status)
}

pub fn check(all: &[Judged]) {
    let mut wrong = Vec::new();
    for (machine, verb, status, has, lacks) in all {
        let (text, got) = said(machine, verb);
        let missing = has
            .iter()
            .filter(|w| !text.contains(**w))
            .map(|w| format!("lacks {w:?}"));
        let untrue = lacks
            .iter()
            .filter(|w| text.contains(**w))
            .map(|w| format!("says {w:?}"));
        let ended = (got != *status).then(|| format!("ends with {got}, not {status}"));
        let faults: Vec<String> = missing.chain(untrue).chain(ended).collect();
        if !faults.is_empty() {
            wrong.push(format!("{machine}, {verb}: {}\n{text}", faults.join(", ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
