// SPDX-License-Identifier: GPL-2.0

//! Makes a stretch of address space small, without changing how what lies in it relates.
//!
//! The addresses at which something begins or ends keep their order, so that what is inside of,
//! beside or across something stays so. Those that CXL hardware sets become multiples of 256 MiB.
//! Each other one keeps its class: at the edge of a memory block, at a 2 MiB boundary inside one, or
//! as many bytes above such a boundary as it was. Whether a whole memory block, and a whole unit of
//! 2 MiB, fits between two neighbours does not change either.

use std::collections::{BTreeMap, BTreeSet};

/// An address, also the one behind the last.
pub(super) type At = u128;

/// What decoders and windows are multiples of.
pub(super) const UNIT: u64 = 256 << 20;
/// What the guest's kernel adds to and removes from a node.
pub(super) const BLOCK: u64 = 128 << 20;
/// A huge page.
const HUGE: u64 = 2 << 20;

/// `to` must come to lie a multiple of `unit` above `from`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) from: At,
    pub(super) to: At,
    pub(super) unit: u64,
}

/// Where something begins or ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Edges {
    /// All.
    pub(super) all: BTreeSet<At>,
    /// Those that hardware sets.
    pub(super) hard: BTreeSet<At>,
    /// What hardware asks of them.
    pub(super) steps: Vec<Step>,
    /// Bytes in a memory block of the machine.
    pub(super) block: u64,
}

impl Edges {
    /// The new place of each, counted from the first; as they are, if the guest can have them so and
    /// they are not more than `most` apart.
    pub(super) fn scaled(&self, most: u64) -> Option<BTreeMap<At, u64>> {
        self.as_they_are(most).or_else(|| self.smaller())
    }

    fn as_they_are(&self, most: u64) -> Option<BTreeMap<At, u64>> {
        let first = *self.all.first()?;
        if self.block != BLOCK {
            return None;
        }
        let mut out = BTreeMap::new();
        for &at in &self.all {
            let place = u64::try_from(at - first).ok().filter(|p| *p <= most)?;
            if self.hard.contains(&at) && place % UNIT != 0 {
                return None;
            }
            // Bytes below a memory block count from the first edge too.
            if first % At::from(BLOCK) != 0 {
                return None;
            }
            out.insert(at, place);
        }
        self.steps.iter().all(|s| is_met(s, &out)).then_some(out)
    }

    fn smaller(&self) -> Option<BTreeMap<At, u64>> {
        let mut out: BTreeMap<At, u64> = BTreeMap::new();
        let mut before: Option<(At, u64)> = None;
        for &at in &self.all {
            let place = match before {
                None if self.hard.contains(&at) => 0,
                None => residue(at, self.block),
                Some((a, p)) if self.hard.contains(&at) => self.hard(at, a, p, &out)?,
                Some((a, p)) => self.soft(at, a, p)?,
            };
            out.insert(at, place);
            before = Some((at, place));
        }
        Some(out)
    }

    /// The next place above `p` that hardware can have.
    fn hard(&self, at: At, a: At, p: u64, known: &BTreeMap<At, u64>) -> Option<u64> {
        let mut place = (p / UNIT).checked_add(1)?.checked_mul(UNIT)?;
        // Ways and targets are few: a common multiple comes soon, or there is none.
        for _ in 0..4096 {
            let mut with = BTreeMap::from([(at, place)]);
            let steps = self.steps.iter().filter(|s| s.to == at);
            let met = steps.clone().all(|s| {
                if let Some(from) = known.get(&s.from) {
                    with.insert(s.from, *from);
                }
                is_met(s, &with)
            });
            // A whole block between the two, as it was.
            let short = holds(a, at, self.block) && !holds(At::from(p), At::from(place), BLOCK);
            if met && !short {
                return Some(place);
            }
            place = place.checked_add(UNIT)?;
        }
        None
    }

    /// The next place above `p` of the class of `at`, whose neighbour below is `a`.
    fn soft(&self, at: At, a: At, p: u64) -> Option<u64> {
        let block = holds(a, at, self.block);
        let huge = holds(a, at, HUGE);
        let mut place = (p - p % BLOCK).checked_add(residue(at, self.block))?;
        while place <= p
            || block && !holds(At::from(p), At::from(place), BLOCK)
            || huge && !holds(At::from(p), At::from(place), HUGE)
        {
            place = place.checked_add(BLOCK)?;
        }
        let too_far = |place: u64| {
            !block && holds(At::from(p), At::from(place), BLOCK)
                || !huge && holds(At::from(p), At::from(place), HUGE)
        };
        if !too_far(place) {
            return Some(place);
        }
        // Both lay in one block of the machine, closer than the guest's smaller ones tell apart.
        let mut near = p - p % HUGE + (at % At::from(HUGE)) as u64;
        while near <= p || huge && !holds(At::from(p), At::from(near), HUGE) {
            near = near.checked_add(HUGE)?;
        }
        Some(near)
    }
}

fn is_met(step: &Step, places: &BTreeMap<At, u64>) -> bool {
    match (places.get(&step.from), places.get(&step.to)) {
        (Some(from), Some(to)) => to.checked_sub(*from).is_some_and(|d| d % step.unit == 0),
        _ => true,
    }
}

/// Whether a whole aligned unit lies from `a` up to `b`.
pub(super) fn holds(a: At, b: At, unit: u64) -> bool {
    let unit = At::from(unit);
    a.div_ceil(unit) * unit + unit <= b
}

/// What of an address a memory block of the guest can show: bytes above the block's start.
fn residue(at: At, block: u64) -> u64 {
    let huge = At::from(HUGE);
    let inside = (at % At::from(block.max(HUGE))) / huge;
    let (units, ours) = (At::from(block.max(HUGE)) / huge, At::from(BLOCK / HUGE));
    let coarse = match inside {
        0 => 0,
        n => (n * ours / units).clamp(1, ours - 1),
    };
    // Both are less than a block of the guest.
    (coarse * huge + at % huge) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const M: At = 1 << 20;
    const G: At = 1 << 30;

    fn edges(all: &[At], hard: &[At], block: u64) -> Edges {
        Edges {
            all: all.iter().chain(hard).copied().collect(),
            hard: hard.iter().copied().collect(),
            steps: Vec::new(),
            block,
        }
    }

    #[test]
    fn a_large_machine_becomes_small_and_keeps_its_order() {
        // A window of 256 GiB, a region of its lower half, a range over both.
        let edges = edges(&[512 * G + 3 * M], &[512 * G, 640 * G, 768 * G], 2 << 30);
        let places = edges.scaled(4 << 30).unwrap();
        let places: Vec<u64> = places.values().map(|p| p >> 20).collect();
        // The range still begins 3 MiB, an odd one, above the block: one unit and one MiB.
        assert_eq!(places, [0, 3, 256, 512]);
    }

    #[test]
    fn what_held_no_block_holds_none() {
        let edges = edges(&[G + 10 * M, G + 300 * M], &[0, 4 * G], 2 << 30);
        let places = edges.smaller().unwrap();
        let (a, b) = (places[&(G + 10 * M)], places[&(G + 300 * M)]);
        assert!(!holds(At::from(a), At::from(b), BLOCK), "{a:#x} {b:#x}");
        assert!(holds(At::from(a), At::from(b), HUGE));
        assert_eq!((a % HUGE, b % HUGE), (0, 0));
    }

    #[test]
    fn an_odd_megabyte_stays_odd() {
        let edges = edges(&[64 * G + 513 * M], &[64 * G, 128 * G], 128 << 20);
        let places = edges.scaled(1 << 30).unwrap();
        assert_eq!(places[&(64 * G + 513 * M)] % HUGE, 1 << 20);
    }

    #[test]
    fn a_small_machine_stays_as_it_is() {
        let edges = edges(&[4 * G + 513 * M], &[4 * G, 8 * G], 128 << 20);
        let places = edges.scaled(8 << 30).unwrap();
        let places: Vec<u64> = places.values().map(|p| p >> 20).collect();
        assert_eq!(places, [0, 513, 4096]);
    }

    proptest::proptest! {
        /// Whatever the machine: the order stays, hardware gets its multiples, and what lies between
        /// them keeps its class.
        #[test]
        fn relations_stay(
            hard in proptest::collection::btree_set(1u64..4096, 2..6),
            soft in proptest::collection::btree_set((1u64..524288, 0u64..4), 0..8),
            shift in 0u32..5,
        ) {
            let hard: Vec<At> = hard.iter().map(|n| At::from(*n) * At::from(UNIT)).collect();
            let first = *hard.iter().min().unwrap();
            let soft: Vec<At> = soft
                .iter()
                .map(|(units, rest)| At::from(*units) * At::from(HUGE) + At::from(*rest) * 4096)
                .filter(|at| *at > first && !hard.contains(at))
                .collect();
            let edges = edges(&soft, &hard, BLOCK << shift);
            let places = edges.smaller().unwrap();
            let mut before: Option<(At, u64)> = None;
            for (&at, &place) in &places {
                if hard.contains(&at) {
                    proptest::prop_assert_eq!(place % UNIT, 0);
                } else {
                    proptest::prop_assert_eq!(place % HUGE, (at % At::from(HUGE)) as u64);
                }
                if let Some((a, p)) = before {
                    proptest::prop_assert!(place > p);
                    let (was, is) = (holds(a, at, edges.block), holds(At::from(p), At::from(place), BLOCK));
                    // What hardware sets lies at the edges of the guest's smaller blocks.
                    let set = hard.contains(&at) || hard.contains(&a);
                    proptest::prop_assert!(was == is || set && is, "{a:#x} {at:#x}: {p:#x} {place:#x}");
                }
                before = Some((at, place));
            }
        }
    }

    #[test]
    fn interleaving_asks_for_multiples() {
        let mut edges = edges(&[], &[0, 96 * G, 128 * G], 2 << 30);
        edges.steps = vec![
            Step {
                from: 0,
                to: 96 * G,
                unit: 12 * UNIT,
            },
            Step {
                from: 0,
                to: 128 * G,
                unit: 2 * UNIT,
            },
        ];
        let places: Vec<u64> = edges.smaller().unwrap().into_values().collect();
        assert_eq!(places, [0, 12 * UNIT, 14 * UNIT]);
    }
}
