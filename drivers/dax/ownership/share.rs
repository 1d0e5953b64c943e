// SPDX-License-Identifier: GPL-2.0

//! What one memory device decodes of an interleave set that the kernel made no region of.

use super::Range;

/// The part of one memory device in an interleave set: each decodes the same addresses, and has every
/// so many bytes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The addresses of the set.
    pub range: Range,
    /// How many devices the set has.
    pub ways: u32,
    /// Whether the memory is persistent: what it holds outlives whoever decodes it.
    pub persistent: bool,
}

impl Share {
    /// Whether the devices that have these shares, each one of them, decode all of the addresses: one
    /// that is missing takes a part of every stripe along.
    pub fn is_complete(&self, all: impl Iterator<Item = Self>) -> bool {
        all.filter(|share| share == self).count() >= self.ways as usize
    }
}
