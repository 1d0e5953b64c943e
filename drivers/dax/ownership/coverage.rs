// SPDX-License-Identifier: GPL-2.0

//! Which part of a range committed CXL regions cover, alone or together.

use super::range::{
    intersecting,
    sort_disjoint,
    Range,
    Ranged, //
};

/// The host physical addresses of one committed CXL region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The addresses that the region decodes.
    pub range: Range,
    /// The number of the region: `N` of `regionN`.
    pub region: i32,
}

impl Ranged for Extent {
    fn range(&self) -> Range {
        self.range
    }

    fn with_range(self, range: Range) -> Self {
        Self { range, ..self }
    }
}

/// How much of a range the regions cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// No byte.
    None,
    /// Some bytes, not all. `region` is the lowest region that covers some.
    Part {
        /// The region with the lowest address among those that intersect.
        region: i32,
    },
    /// Every byte. `region` is the region that covers the first byte, `others` tells whether more
    /// than that one is needed.
    Full {
        /// The region that covers the first byte.
        region: i32,
        /// Whether it takes further regions to cover the rest.
        others: bool,
    },
}

impl Coverage {
    /// The coverage of two parts of one range together, `self` being the lower one.
    pub(super) fn and(self, above: Self) -> Self {
        let region = |c| match c {
            Self::Part { region } | Self::Full { region, .. } => Some(region),
            Self::None => None,
        };
        match (self, above) {
            (
                Self::Full { region, others },
                Self::Full {
                    region: next,
                    others: more,
                },
            ) => Self::Full {
                region,
                others: others || more || region != next,
            },
            _ => match region(self).or(region(above)) {
                Some(region) => Self::Part { region },
                None => Self::None,
            },
        }
    }
}

/// The committed regions of a machine, ascending and disjoint.
///
/// # Invariants
///
/// Each extent ends below the start of the next one.
#[derive(Clone, Copy, Debug)]
pub struct Extents<'a>(&'a [Extent]);

impl<'a> Extents<'a> {
    /// No region at all.
    pub const NONE: Extents<'static> = Extents(&[]);

    /// Sorts `extents` and makes them disjoint.
    ///
    /// CXL never assembles regions that overlap. If it did, each byte would count for the region
    /// with the lower start, and the union would stay the same.
    pub fn new(extents: &'a mut [Extent]) -> Self {
        // INVARIANT: What remains is ascending and disjoint.
        Self(sort_disjoint(extents))
    }

    /// Takes extents that are ascending and disjoint already; [`None`] if they are not.
    pub fn from_disjoint(extents: &'a [Extent]) -> Option<Self> {
        let disjoint = extents
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.range.end() < b.range.start()));
        // INVARIANT: Just checked.
        disjoint.then_some(Self(extents))
    }

    /// All of them, ascending.
    pub fn iter(&self) -> core::slice::Iter<'a, Extent> {
        self.0.iter()
    }

    /// Those that share a byte with `range`, ascending. Takes two binary searches.
    pub fn intersecting(&self, range: &Range) -> &'a [Extent] {
        intersecting(self.0, range)
    }

    /// Tells how much of `range` the regions cover together.
    pub fn cover(&self, range: &Range) -> Coverage {
        let found = self.intersecting(range);
        let Some(first) = found.first() else {
            return Coverage::None;
        };
        let region = first.region;
        let part = Coverage::Part { region };

        if first.range.start() > range.start() {
            return part;
        }
        let mut covered = first.range.end();
        for extent in found.iter().skip(1) {
            if covered.checked_add(1) != Some(extent.range.start()) {
                return part;
            }
            covered = extent.range.end();
        }
        if covered < range.end() {
            return part;
        }
        Coverage::Full {
            region,
            others: found.len() > 1,
        }
    }
}
