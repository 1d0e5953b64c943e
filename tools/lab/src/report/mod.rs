// SPDX-License-Identifier: GPL-2.0

//! Judges what a guest left: who owns what, what differs from the scenario, what the kernel
//! complained about; and shows it.

mod crosscheck;
mod differences;
pub mod iomem;
mod judge;
mod log;
mod ownership;
mod predicted;
mod table;
#[cfg(test)]
mod tests;
mod verbs;

pub use judge::judge;
pub use judge::Verdict;
pub use log::kernel_reports;
pub use ownership::name as owner_name;
pub use ownership::usable;
pub use ownership::Ownership;
pub use ownership::Part;
pub use ownership::RangeReport;
pub use table::table;

/// Matches `text` against a pattern in which `*` stands for any characters.
pub fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(text) = text.strip_prefix(head) else {
        return false;
    };
    (0..=text.len())
        .filter(|&at| text.is_char_boundary(at))
        .any(|at| glob(rest, &text[at..]))
}
