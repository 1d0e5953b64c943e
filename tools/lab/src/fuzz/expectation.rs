// SPDX-License-Identifier: GPL-2.0

//! What must come out of a layout, and how a scenario says it.

use std::fmt::Write;

use super::oracle::Owner;
use super::oracle::Span;
use crate::scenario::MIB;

/// What must become of the ranges.
pub struct Outcome {
    ranges: Vec<Expected>,
    /// DAX devices, with who has them.
    devices: Vec<(Owner, Span)>,
    /// Whether there may be other devices.
    pub unsure: bool,
}

/// What must become of one range.
pub struct Expected {
    /// In order, without holes.
    pub pieces: Vec<(Span, Owner)>,
    /// Bytes that must be online.
    pub online: u64,
}

impl Outcome {
    /// One that says nothing yet.
    pub fn new(ranges: &[Span]) -> Self {
        let nothing = || Expected {
            pieces: Vec::new(),
            online: 0,
        };
        Self {
            ranges: ranges.iter().map(|_| nothing()).collect(),
            devices: Vec::new(),
            unsure: false,
        }
    }

    /// The next piece of a range, of which these addresses are online.
    pub fn add(&mut self, range: usize, piece: Span, owner: Owner, online: Span) {
        let range = &mut self.ranges[range];
        range.online += online.size();
        range.pieces.push((piece, owner));
    }

    /// A DAX device.
    pub fn device(&mut self, owner: Owner, span: Span) {
        self.devices.push((owner, span));
    }

    /// What must become of each range.
    #[cfg(test)]
    pub fn ranges(&self) -> &[Expected] {
        &self.ranges
    }

    /// The HMEM devices.
    #[cfg(test)]
    pub fn hmem(&self) -> Vec<Span> {
        let hmem = self
            .devices
            .iter()
            .filter(|(owner, _)| *owner == Owner::Hmem);
        hmem.map(|(_, span)| *span).collect()
    }

    /// The tables of a scenario, where `groups` are the ranges that are one to the kernel and
    /// `state` is "" for the end or `at.NAME.` for a capture. Windows of `window` bytes lie side by
    /// side; each is a node, from 1 on.
    pub fn tables(&self, groups: &[(Span, Vec<usize>)], state: &str, window: u64) -> String {
        let mut text = String::new();
        if !self.unsure {
            let table = state.trim_end_matches('.');
            let dot = if table.is_empty() { "" } else { "." };
            let _ = writeln!(text, "\n[expect{dot}{table}]\ndax = [");
            for (owner, span) in &self.devices {
                let path = match owner {
                    Owner::Cxl => "*/region*/dax_region*/dax*",
                    _ => "platform/hmem_platform.0/hmem.*/dax*",
                };
                let index = span.start / window;
                let _ = writeln!(
                    text,
                    "  {{ path = \"{path}\", at = \"window{index}+{:#x}\", size = \"{:#x}\", \
                     target_node = {} }},",
                    span.start % window,
                    span.size(),
                    index + 1,
                );
            }
            text.push_str("]\n");
        }
        for (number, (whole, ranges)) in groups.iter().enumerate() {
            self.range(number, whole, ranges, state, &mut text);
        }
        text
    }

    fn range(&self, number: usize, whole: &Span, ranges: &[usize], state: &str, text: &mut String) {
        let ranges: Vec<&Expected> = ranges.iter().map(|&range| &self.ranges[range]).collect();
        let pieces = || ranges.iter().flat_map(|range| &range.pieces);
        let unowned: u64 = pieces()
            .filter(|(_, owner)| *owner == Owner::Nobody)
            .map(|(piece, _)| piece.size())
            .sum();
        let online: u64 = ranges.iter().map(|range| range.online).sum();
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "\n[expect.{state}range.r{number}]\nunowned = \"{unowned:#x}\""
        );
        // A CXL range of odd size is online whole, which cannot be told in MiB.
        if online % MIB == 0 {
            let _ = writeln!(text, "online = {}", online / MIB);
        }
        text.push_str("pieces = [\n");
        for (piece, owner) in pieces() {
            let owner = match owner {
                Owner::Cxl => "cxl",
                Owner::Hmem => "hmem",
                Owner::Nobody => "nobody",
            };
            let _ = writeln!(
                text,
                "  {{ at = \"{:#x}\", size = \"{:#x}\", owner = \"{owner}\" }},",
                piece.start - whole.start,
                piece.size(),
            );
        }
        text.push_str("]\n");
    }
}
