// SPDX-License-Identifier: GPL-2.0

//! Searches kernel logs for what no guest may print.

use std::sync::LazyLock;

use regex::RegexSet;

use crate::scenario::Allowed;

/// Each is the mark of a report by the kernel or one of its checkers.
const MARKS: &[&str] = &[
    r"\bWARNING:",
    r"\bBUG:",
    r"\bOops\b",
    r"Kernel panic",
    r"\bKASAN:",
    r"\bKCSAN:",
    r"\bUBSAN:",
    r"\bODEBUG:",
    r"\bDEBUG_LOCKS_WARN_ON\b",
    r"possible circular locking",
    r"possible recursive locking",
    r"possible irq lock inversion",
    r"inconsistent lock state",
    r"suspicious RCU usage",
    r"Invalid wait context",
    r"bad unlock balance",
    r"held lock freed",
    r"still has locks held",
    r"lock held when returning to user space",
    r"sleeping function called from invalid context",
    r"scheduling while atomic",
    r"unreferenced object",
    r"new suspected memory leaks",
    r"INFO: task .* blocked for more than",
    r"rcu: INFO: .* (stall|detected)",
    r"soft lockup",
    r"hard LOCKUP",
    r"general protection fault",
    r"unable to handle",
    r"refcount_t:",
    r"list_(add|del) corruption",
    r"Slab (corrupt|.*Poison)",
    r"Object already free",
    r"\bCall Trace:",
    r"cut here \]",
    r"rust_kernel: panicked",
    r"panicked at ",
    r"kobject.*(tried to init|without the parent|is being added twice)",
    r"sysfs: cannot create duplicate filename",
    r"Bad page state",
    r"nobody cared",
    r"Tainted: .*\b[BDLWM]\b",
];

static SET: LazyLock<RegexSet> =
    LazyLock::new(|| RegexSet::new(MARKS).unwrap_or_else(|error| panic!("MARKS: {error}")));

/// How far a line may be from another of the same report.
const NEAR: usize = 80;

/// The lines of `log` that carry a mark, except allowed ones, each once.
pub fn kernel_reports(log: &str, allowed: &[&Allowed]) -> Vec<String> {
    let lines: Vec<&str> = log.lines().map(str::trim_end).collect();
    let mut found: Vec<String> = Vec::new();
    for (at, line) in lines.iter().copied().enumerate() {
        let text = without_time(line);
        let near = &lines[at.saturating_sub(NEAR)..lines.len().min(at + NEAR)];
        let is_allowed = |allowed: &Allowed| {
            allowed.pattern.is_match(text)
                && allowed
                    .near
                    .as_ref()
                    .is_none_or(|mark| near.iter().any(|line| mark.is_match(line)))
        };
        if SET.is_match(text)
            && !allowed.iter().any(|allowed| is_allowed(allowed))
            && !found.iter().any(|known| without_time(known) == text)
        {
            found.push(line.to_owned());
        }
    }
    found
}

/// A line of the log without its time stamp.
pub fn without_time(line: &str) -> &str {
    line.strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
        .filter(|(time, _)| time.trim().parse::<f64>().is_ok())
        .map_or(line, |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn reports_are_found_once() {
        let log = "[    1.000000] fine\n\
                   [    2.000000] WARNING: CPU: 0 PID: 1 at x.c:1\n\
                   [    2.000001] WARNING: CPU: 0 PID: 1 at x.c:1\n\
                   [    3.000000] kmemleak: 2 new suspected memory leaks (see x)\n";
        assert_eq!(kernel_reports(log, &[]).len(), 2);
        let mut allowed = allow("at x.c:1");
        assert_eq!(kernel_reports(log, &[&allowed]).len(), 1);
        allowed.near = Some(Regex::new("fine").expect("regex"));
        assert_eq!(kernel_reports(log, &[&allowed]).len(), 1);
        allowed.near = Some(Regex::new("pciehp").expect("regex"));
        assert_eq!(kernel_reports(log, &[&allowed]).len(), 2);
    }

    #[test]
    fn what_is_far_is_not_near() {
        let far = "[    3.0] nothing\n".repeat(NEAR);
        let log = format!("[    1.0] WARNING: at x.c:1\n{far}[    4.0] pciehp\n");
        let mut allowed = allow("at x.c:1");
        allowed.near = Some(Regex::new("pciehp").expect("regex"));
        assert_eq!(kernel_reports(&log, &[&allowed]).len(), 1);
    }

    fn allow(pattern: &str) -> Allowed {
        Allowed {
            pattern: Regex::new(pattern).expect("regex"),
            near: None,
            reason: "a test".into(),
            only: None,
        }
    }

    #[test]
    fn an_ordinary_log_is_silent() {
        let log = "[    0.000000] Linux version 7.3.4\n\
                   [    4.6] kmem dax1.0: mapping0: could not reserve region\n\
                   debug: none\n";
        assert!(kernel_reports(log, &[]).is_empty());
    }
}
