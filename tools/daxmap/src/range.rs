// SPDX-License-Identifier: GPL-2.0

//! Physical address ranges with inclusive ends, as the kernel prints them.
//!
//! A range may end at `u64::MAX`, so its length need not fit a `u64`: [`Range::len`] saturates.

use crate::size::Total as _;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `start..=end` in physical address space; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// First byte.
    pub start: u64,
    /// Last byte.
    pub end: u64,
}

impl Range {
    /// `None` if `end` lies before `start`.
    pub fn new(start: u64, end: u64) -> Option<Range> {
        (start <= end).then_some(Range { start, end })
    }

    /// `None` if `size` is zero or the range would pass the top of the address space.
    pub fn with_size(start: u64, size: u64) -> Option<Range> {
        let end = start.checked_add(size.checked_sub(1)?)?;
        Some(Range { start, end })
    }

    /// Bytes in the range; the whole address space counts as `u64::MAX`.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> u64 {
        (self.end - self.start).saturating_add(1)
    }

    /// Whether `other` lies wholly inside.
    pub fn contains(&self, other: &Range) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether the byte at `address` lies inside.
    pub fn has(&self, address: u64) -> bool {
        self.start <= address && address <= self.end
    }

    /// The part both have, if any.
    pub fn overlap(&self, other: &Range) -> Option<Range> {
        Range::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// Whether they share a byte.
    pub fn overlaps(&self, other: &Range) -> bool {
        self.overlap(other).is_some()
    }

    /// Whether `other` begins at the very next byte.
    pub fn touches(&self, other: &Range) -> bool {
        self.end.checked_add(1) == Some(other.start)
    }

    /// What remains of the range when `cut` is taken out of it.
    pub fn minus(&self, cut: &Range) -> Vec<Range> {
        if !self.overlaps(cut) {
            return vec![*self];
        }
        let before = cut
            .start
            .checked_sub(1)
            .and_then(|e| Range::new(self.start, e));
        let after = cut.end.checked_add(1).and_then(|s| Range::new(s, self.end));
        before.into_iter().chain(after).collect()
    }

    /// The largest part whose start and length are multiples of `align`, if any.
    pub fn aligned_inside(&self, align: u64) -> Option<Range> {
        if align == 0 {
            return None;
        }
        let start = self.start.checked_next_multiple_of(align)?;
        // The exclusive end may be 2^64, which is a multiple of any power of two.
        let end = match self.end.checked_add(1) {
            Some(e) => (e - e % align).checked_sub(1)?,
            None if align.is_power_of_two() => u64::MAX,
            None => (u64::MAX - u64::MAX % align).checked_sub(1)?,
        };
        Range::new(start, end)
    }

    /// The smallest range around it whose start and length are multiples of `align`, if there is one.
    pub fn aligned_outside(&self, align: u64) -> Option<Range> {
        let start = self.start - self.start.checked_rem(align)?;
        let last = self.end - self.end % align;
        Range::new(start, last.saturating_add(align - 1))
    }

    /// Cuts the range at every edge of `edges` that lies inside it.
    pub fn split_at(&self, edges: &[Range]) -> Vec<Range> {
        let mut starts: Vec<u64> = edges
            .iter()
            .flat_map(|r| [Some(r.start), r.end.checked_add(1)])
            .flatten()
            .filter(|&s| s > self.start && s <= self.end)
            .chain([self.start])
            .collect();
        starts.sort_unstable();
        starts.dedup();
        let mut ends: Vec<u64> = starts[1..].iter().map(|s| s - 1).collect();
        ends.push(self.end);
        starts
            .into_iter()
            .zip(ends)
            .map(|(start, end)| Range { start, end })
            .collect()
    }

    /// Parses `490000000-4afffffff`, with or without `0x`.
    pub fn parse(text: &str) -> Option<Range> {
        let (start, end) = text.split_once('-')?;
        Range::new(parse_hex(start)?, parse_hex(end)?)
    }
}

/// A hexadecimal number with or without `0x`; signs are refused.
pub fn parse_hex(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

/// A number as sysfs prints it: decimal, or hexadecimal after `0x`.
pub fn parse_number(text: &str) -> Option<u64> {
    let text = text.trim();
    if text.starts_with("0x") || text.starts_with("0X") {
        return parse_hex(text);
    }
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Sorts and joins ranges that touch or overlap.
pub fn merge(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut out: Vec<Range> = Vec::new();
    for r in ranges {
        match out.last_mut() {
            Some(last) if last.overlaps(&r) || last.touches(&r) => last.end = last.end.max(r.end),
            _ => out.push(r),
        }
    }
    out
}

/// What of `from` no range of `cuts` covers.
pub fn subtract(from: Range, cuts: &[Range]) -> Vec<Range> {
    cuts.iter().fold(vec![from], |left, cut| {
        left.iter().flat_map(|r| r.minus(cut)).collect()
    })
}

/// Bytes of `of` that any range of `by` covers; overlaps count once.
pub fn covered_bytes(of: &Range, by: &[Range]) -> u64 {
    let parts: Vec<Range> = by.iter().filter_map(|r| r.overlap(of)).collect();
    merge(parts).iter().map(|r| r.len()).total()
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}-{:#x}", self.start, self.end)
    }
}

/// Addresses are strings in JSON: its numbers lose precision above 2^53.
#[derive(Serialize, Deserialize)]
struct Wire {
    start: String,
    end: String,
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire {
            start: format!("{:#x}", self.start),
            end: format!("{:#x}", self.end),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Range, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        parse_hex(&wire.start)
            .zip(parse_hex(&wire.end))
            .and_then(|(start, end)| Range::new(start, end))
            .ok_or_else(|| D::Error::custom("not a range of hexadecimal addresses"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn r(start: u64, end: u64) -> Range {
        Range::new(start, end).unwrap()
    }

    #[test]
    fn ends_at_the_top() {
        let top = Range::with_size(u64::MAX - 0xfff, 0x1000).unwrap();
        assert_eq!(top.end, u64::MAX);
        assert_eq!(top.len(), 0x1000);
        assert_eq!(Range::with_size(u64::MAX - 0xfff, 0x1001), None);
        assert_eq!(r(0, u64::MAX).len(), u64::MAX);
        assert!(!top.touches(&r(0, 1)));
        assert_eq!(r(0, u64::MAX).minus(&top), vec![r(0, u64::MAX - 0x1000)]);
        assert_eq!(
            r(u64::MAX - 0x2ff, u64::MAX).aligned_inside(0x200),
            Some(r(u64::MAX - 0x1ff, u64::MAX))
        );
    }

    #[test]
    fn zero_size_is_no_range() {
        assert_eq!(Range::with_size(0x1000, 0), None);
        assert_eq!(Range::new(2, 1), None);
    }

    #[test]
    fn split_keeps_every_byte() {
        let parts = r(0x1000, 0x4fff).split_at(&[r(0, 0x1fff), r(0x3000, 0x9000)]);
        assert_eq!(
            parts,
            [r(0x1000, 0x1fff), r(0x2000, 0x2fff), r(0x3000, 0x4fff)]
        );
        assert_eq!(r(5, 5).split_at(&[r(5, 5)]), [r(5, 5)]);
        assert_eq!(
            r(0, u64::MAX).split_at(&[r(7, u64::MAX)]),
            [r(0, 6), r(7, u64::MAX)]
        );
    }

    #[test]
    fn aligned_inside_may_be_empty() {
        assert_eq!(r(0x1, 0x1fffff).aligned_inside(0x200000), None);
        assert_eq!(
            r(0x100000, 0x4fffff).aligned_inside(0x200000),
            Some(r(0x200000, 0x3fffff))
        );
        assert_eq!(r(0, 10).aligned_inside(0), None);
    }

    #[test]
    fn aligned_outside_reaches_the_next_edges() {
        assert_eq!(
            r(0x300000, 0x30ffff).aligned_outside(0x200000),
            Some(r(0x200000, 0x3fffff))
        );
        assert_eq!(
            r(0x200000, 0x3fffff).aligned_outside(0x200000),
            Some(r(0x200000, 0x3fffff))
        );
        assert_eq!(r(5, u64::MAX).aligned_outside(0x1000), Some(r(0, u64::MAX)));
        assert_eq!(r(0, 10).aligned_outside(0), None);
    }

    #[test]
    fn merge_joins_touching_and_nested() {
        assert_eq!(
            merge(vec![r(8, 9), r(0, 3), r(4, 5), r(1, 2)]),
            [r(0, 5), r(8, 9)]
        );
        assert_eq!(merge(vec![r(0, u64::MAX), r(3, 4)]), [r(0, u64::MAX)]);
    }

    #[test]
    fn numbers_with_signs_or_junk_are_refused() {
        assert_eq!(parse_hex("+1"), None);
        assert_eq!(parse_hex("0x"), None);
        assert_eq!(parse_hex("1ffffffffffffffff"), None);
        assert_eq!(parse_number("0x10"), Some(16));
        assert_eq!(parse_number("-1"), None);
        assert_eq!(parse_number(" 12\n"), Some(12));
    }

    #[test]
    fn covered_counts_once() {
        assert_eq!(covered_bytes(&r(0, 9), &[r(0, 4), r(3, 6), r(20, 30)]), 7);
    }

    #[test]
    fn json_round_trip() {
        let json = serde_json::to_string(&r(0, u64::MAX)).unwrap();
        assert_eq!(json, r#"{"start":"0x0","end":"0xffffffffffffffff"}"#);
        assert_eq!(
            serde_json::from_str::<Range>(&json).unwrap(),
            r(0, u64::MAX)
        );
        assert!(serde_json::from_str::<Range>(r#"{"start":"0x2","end":"0x1"}"#).is_err());
    }
}
