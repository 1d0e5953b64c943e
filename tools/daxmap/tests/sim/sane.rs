// SPDX-License-Identifier: GPL-2.0

//! What is mapped and in use on such a machine, and whether that is sane.

use super::{Machine, Region, Use, CAPACITY};
use daxmap::Range;

impl Machine {
    /// What devices answer to.
    pub fn mapped(&self) -> Vec<Range> {
        let regions = self.regions.iter();
        let regions = regions.filter(|r| r.committed && !r.accelerator && !r.gone);
        let regions = regions.map(|r| r.range);
        let plain = self.plain.iter().zip(&self.windows);
        let plain = plain.filter(|(is_plain, _)| **is_plain);
        regions
            .chain(self.mems.iter().filter_map(|m| m.hidden))
            .chain(plain.map(|(_, range)| *range))
            .collect()
    }

    /// Bytes in use with something behind them, and without.
    pub fn in_use(&self) -> (u64, u64) {
        let mapped = self.mapped();
        let used = self
            .dax
            .iter()
            .filter(|d| matches!(d.used, Use::Online | Use::File));
        used.filter_map(|d| d.range).fold((0, 0), |(good, bad), r| {
            let behind = daxmap::range::covered_bytes(&r, &mapped);
            (good + behind, bad + r.len() - behind)
        })
    }

    /// No byte of a device is mapped twice.
    pub fn is_sane(&self) -> bool {
        self.mems.iter().all(|m| {
            let regions = self
                .regions
                .iter()
                .filter(|r| r.mems.contains(&m.id) && r.committed && !r.gone);
            let used: u64 = regions.map(Region::each).sum();
            used + m.hidden.map_or(0, |r| r.len()) <= CAPACITY
        })
    }
}
