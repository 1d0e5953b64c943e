// SPDX-License-Identifier: GPL-2.0

//! Physical address ranges with inclusive ends, and checked arithmetic on them.
//!
//! The ends are inclusive, as in `struct range` and `struct resource`
//! (`include/linux/range.h`, `include/linux/ioport.h`), so that a range may end at `u64::MAX`.

/// A non-empty range of physical addresses, both ends inclusive, in bytes.
///
/// # Invariants
///
/// `start <= end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    start: u64,
    end: u64,
}

/// What aligning a range inwards leaves and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// The aligned inside, if there is any.
    pub inner: Option<Range>,
    /// The unaligned bytes below [`Trim::inner`], or the whole range where there is no inside.
    pub head: Option<Range>,
    /// The unaligned bytes above [`Trim::inner`].
    pub tail: Option<Range>,
}

impl Range {
    /// All addresses.
    pub const ALL: Self = Self {
        start: 0,
        end: u64::MAX,
    };

    /// Creates the range from `start` to `end`, both inclusive.
    ///
    /// Returns [`None`] if `end` lies below `start`.
    pub const fn new(start: u64, end: u64) -> Option<Self> {
        if start > end {
            return None;
        }
        // INVARIANT: `start <= end` was just checked.
        Some(Self { start, end })
    }

    /// Creates the range of `size` bytes at `start`.
    ///
    /// Returns [`None`] if `size` is zero or the last byte lies beyond `u64::MAX`.
    pub const fn from_start_size(start: u64, size: u64) -> Option<Self> {
        if size == 0 {
            return None;
        }
        match start.checked_add(size - 1) {
            Some(end) => Self::new(start, end),
            None => None,
        }
    }

    /// The first address.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The last address, inclusive.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// The number of bytes, or [`None`] for the one range that `u64` cannot count: all addresses.
    pub const fn size(&self) -> Option<u64> {
        (self.end - self.start).checked_add(1)
    }

    /// The size in KiB, rounded up; what people are told.
    pub const fn kib(&self) -> u64 {
        ((self.end - self.start) >> 10) + 1
    }

    /// The size in MiB, rounded down, except that all addresses count as one MiB less.
    pub const fn mib(&self) -> u64 {
        match self.size() {
            Some(size) => size >> 20,
            None => u64::MAX >> 20,
        }
    }

    /// Whether `address` lies inside.
    pub const fn contains_address(&self, address: u64) -> bool {
        self.start <= address && address <= self.end
    }

    /// Whether all of `other` lies inside.
    pub const fn contains(&self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether the two share a byte. Ranges that only touch do not.
    pub const fn intersects(&self, other: &Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    /// The bytes that both share.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// What of `self` lies below `address`.
    pub const fn below(&self, address: u64) -> Option<Self> {
        if address <= self.start {
            return None;
        }
        // `address > self.start >= 0`, so it has a predecessor.
        let last = address - 1;
        Self::new(self.start, if last < self.end { last } else { self.end })
    }

    /// What of `self` lies above `address`, which is not part of it.
    pub const fn above(&self, address: u64) -> Option<Self> {
        if address >= self.end {
            return None;
        }
        // `address < self.end <= u64::MAX`, so it has a successor.
        let first = address + 1;
        Self::new(
            if first > self.start {
                first
            } else {
                self.start
            },
            self.end,
        )
    }

    /// Shrinks to the largest range inside whose start and size are multiples of `align`.
    ///
    /// `align` must be a power of two; any other value, zero included, leaves nothing inside. No
    /// step overflows, also for ranges that end at `u64::MAX`.
    pub fn align_inward(&self, align: u64) -> Trim {
        let nothing = Trim {
            inner: None,
            head: Some(*self),
            tail: None,
        };
        if !align.is_power_of_two() {
            return nothing;
        }
        let mask = align - 1;
        let Some(start) = self.start.checked_add(mask).map(|s| s & !mask) else {
            return nothing;
        };
        // The last address of the last whole unit: the predecessor of `end + 1` rounded down.
        // Where `end + 1` would be 2^64 it is a multiple of every power of two.
        let end = match self.end.checked_add(1) {
            None => self.end,
            Some(next) => match (next & !mask).checked_sub(1) {
                None => return nothing,
                Some(end) => end,
            },
        };
        match Self::new(start, end) {
            None => nothing,
            Some(inner) => Trim {
                inner: Some(inner),
                head: self.below(start),
                tail: self.above(end),
            },
        }
    }
}

/// A record that stands for a range of addresses.
pub trait Ranged: Copy {
    /// Its addresses.
    fn range(&self) -> Range;
    /// The same record for `range` instead.
    fn with_range(self, range: Range) -> Self;
}

impl Ranged for Range {
    fn range(&self) -> Range {
        *self
    }

    fn with_range(self, range: Range) -> Self {
        range
    }
}

/// Those of `records` that share a byte with `range`. Takes two binary searches.
///
/// The records ascend and are disjoint, as [`sort_disjoint`] leaves them.
pub fn intersecting<'a, T: Ranged>(records: &'a [T], range: &Range) -> &'a [T] {
    let from = records.partition_point(|r| r.range().end() < range.start());
    let to = records.partition_point(|r| r.range().start() <= range.end());
    records.get(from..to).unwrap_or(&[])
}

/// Calls `emit` for each part of `range` that none of `records` has, ascending, until it fails.
///
/// The records ascend and are disjoint, as [`sort_disjoint`] leaves them.
pub fn for_each_gap<T: Ranged, E>(
    range: &Range,
    records: &[T],
    mut emit: impl FnMut(Range) -> Result<(), E>,
) -> Result<(), E> {
    let mut rest = *range;

    for record in intersecting(records, range) {
        if let Some(gap) = rest.below(record.range().start()) {
            emit(gap)?;
        }
        match rest.above(record.range().end()) {
            Some(above) => rest = above,
            None => return Ok(()),
        }
    }
    emit(rest)
}

/// Sorts `records` by address and makes them disjoint; where two overlap, the one that starts
/// lower keeps the bytes, so that the union stays the same. Returns those that remain.
pub fn sort_disjoint<T: Ranged>(records: &mut [T]) -> &mut [T] {
    sort(records, |r| r.range());

    let mut kept = 0;
    let mut last: Option<u64> = None;
    for i in 0..records.len() {
        let Some(mut record) = records.get(i).copied() else {
            break;
        };
        if let Some(last) = last {
            match record.range().above(last) {
                Some(rest) => record = record.with_range(rest),
                // Nested in what is already there.
                None => continue,
            }
        }
        last = Some(record.range().end());
        if let Some(slot) = records.get_mut(kept) {
            *slot = record;
            kept += 1;
        }
    }
    records.get_mut(..kept).unwrap_or(&mut [])
}

/// Sorts `items` by `key`, ascending; equal ones keep their order.
///
/// An insertion sort: what the callers collect arrives in order but for a few, and the sort of the
/// core library would outweigh the rest of the driver.
pub fn sort<T, K: PartialOrd>(items: &mut [T], key: impl Fn(&T) -> K) {
    for i in 1..items.len() {
        for j in (1..=i).rev() {
            match items.get(j - 1..=j) {
                Some([below, above]) if key(below) > key(above) => items.swap(j - 1, j),
                _ => break,
            }
        }
    }
}
