// SPDX-License-Identifier: GPL-2.0

//! What of the machine's memory neither HMEM nor CXL may have.

use crate::{
    decoded::Decoded,
    ownership::{
        range::{
            for_each_gap,
            sort_disjoint, //
        },
        Obstacle,
        Range,
        Taken, //
    },
    regions::Regions, //
};
use kernel::prelude::*;

/// Obstacles, ascending and disjoint. Where two reasons hold for a byte, the one that was added
/// first keeps it.
#[derive(Default)]
pub(crate) struct Taking(KVec<Obstacle>);

impl Taking {
    /// What holds at this moment: regions of other drivers, what nothing decodes any more, and what
    /// the administrator excludes. Fails with `ENOMEM`.
    pub(crate) fn new(regions: &Regions, decoded: &Decoded) -> Result<Self> {
        let mut this = Self::default();

        for &foreign in &regions.foreign {
            this.add(foreign)?;
        }
        decoded.for_each_undecoded(&regions.decoding, |range| {
            // System RAM that is still there was in use when its region went.
            for ram in regions.tree.managed_ram(&range) {
                this.add(Obstacle {
                    range: ram,
                    taken: Taken::Stuck,
                })?;
            }
            this.add(Obstacle {
                range,
                taken: Taken::Undecoded,
            })
        })?;
        for &waiting in &regions.waiting {
            this.add(waiting)?;
        }
        // This comes last: what is stuck stays stuck, and what CXL has, or is to have, is CXL's, whatever
        // HMEM is kept from.
        let mut held = KVec::new();
        held.extend_from_slice(&regions.held, GFP_KERNEL)?;
        let held = sort_disjoint(&mut held);
        for range in &regions.excluded {
            for_each_gap(range, held, |range| {
                this.add(Obstacle {
                    range,
                    taken: Taken::Excluded,
                })
            })?;
        }
        Ok(this)
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Obstacle] {
        &self.0
    }

    /// Whether all of `range` is excluded.
    pub(super) fn excludes(&self, range: &Range) -> bool {
        let mut excluded = self.0.iter().filter(|o| o.taken == Taken::Excluded);
        excluded.any(|o| o.range.contains(range))
    }

    /// Adds what of `obstacle` nothing else has.
    pub(super) fn add(&mut self, obstacle: Obstacle) -> Result {
        let known = self.0.len();
        let mut gaps = KVec::new();

        for_each_gap(&obstacle.range, &self.0, |range| {
            Ok::<(), Error>(gaps.push(range, GFP_KERNEL)?)
        })?;
        for range in gaps {
            self.0.push(
                Obstacle {
                    range,
                    taken: obstacle.taken,
                },
                GFP_KERNEL,
            )?;
        }
        if self.0.len() > known {
            // Disjoint already, so nothing is cut off.
            sort_disjoint(&mut self.0);
        }
        Ok(())
    }

    /// Those that share a byte with `range`, to which more may be added. Fails with `ENOMEM`.
    pub(super) fn within(&self, range: &Range) -> Result<Self> {
        let mut this = Self::default();

        for &obstacle in self.0.iter().filter(|o| o.range.intersects(range)) {
            this.0.push(obstacle, GFP_KERNEL)?;
        }
        Ok(this)
    }
}
