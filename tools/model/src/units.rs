// SPDX-License-Identifier: GPL-2.0

//! Sets of address units.
//!
//! The universe of the model has at most eight units of memory. One unit is what a dax region must
//! be aligned to, so that alignment plays no part here; the tests of the ownership logic see to it.

use ownership::Range;
use std::fmt;

/// A set of units.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Units(u8);

impl Units {
    /// No unit.
    pub const NONE: Self = Self(0);

    /// The units from `start` up to `end`, exclusive.
    pub const fn new(start: u8, end: u8) -> Self {
        let mut bits = 0;
        let mut unit = start;
        while unit < end {
            bits |= 1 << unit;
            unit += 1;
        }
        Self(bits)
    }

    /// The units of a range of the ownership logic.
    pub fn of(range: &Range) -> Self {
        // The model makes no range beyond unit 7.
        Self::new(range.start() as u8, range.end() as u8 + 1)
    }

    /// The range from the lowest unit to the highest; [`None`] without a unit.
    pub fn range(self) -> Option<Range> {
        let end = 7u32.checked_sub(self.0.leading_zeros())?;
        Range::new(u64::from(self.0.trailing_zeros()), u64::from(end))
    }

    /// The ranges of adjacent units, ascending.
    pub fn runs(self) -> impl Iterator<Item = Range> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let start = rest.0.trailing_zeros().min(8) as u8;
            let length = (rest.0.checked_shr(start.into())?).trailing_ones() as u8;
            let run = Self::new(start, start + length);
            rest = rest.without(run);
            run.range()
        })
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of `self` and those of `other`.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of `self` that are in `other` too.
    pub const fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those of `self` that are not in `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the two share a unit.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all of `other` is in `self`.
    pub const fn contains(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }
}

impl FromIterator<Units> for Units {
    fn from_iter<I: IntoIterator<Item = Units>>(iter: I) -> Self {
        iter.into_iter().fold(Self::NONE, Self::and)
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        for unit in 0..8 {
            if self.0 & (1 << unit) != 0 {
                write!(f, "{unit}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
