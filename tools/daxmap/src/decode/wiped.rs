// SPDX-License-Identifier: GPL-2.0

//! Decoders that a reset of the bus wiped while they were in use: the kernel says so, and shows the addresses
//! that they had.

use super::{Dead, Set, Why};
use crate::log::Event;
use crate::map::Map;

impl Map {
    /// Memory devices whose decoders a bus reset has wiped.
    fn wiped(&self) -> Vec<&str> {
        let places = self.log.iter().filter_map(|m| match &m.event {
            Event::Wiped { pci } => Some(pci),
            _ => None,
        });
        let of = |pci: &String| {
            let mut all = self.memdevs.iter();
            all.find(|m| m.pci.as_ref() == Some(pci))
        };
        places.filter_map(of).map(|m| m.name.as_str()).collect()
    }

    /// The members of a set that were wiped.
    fn wiped_of(&self, set: &Set) -> Vec<String> {
        let wiped = self.wiped();
        let names = set.members.iter().map(|(_, memdev)| memdev);
        names
            .filter(|m| wiped.contains(&m.as_str()))
            .cloned()
            .collect()
    }

    /// Sets of a region that dax_cxl serves, with their members that were wiped: a region may have been made anew
    /// since, and nothing tells that.
    pub(crate) fn wiped_in_regions(&self) -> Vec<(Set, Vec<String>)> {
        self.wiped_sets(true)
    }

    fn wiped_sets(&self, is_served: bool) -> Vec<(Set, Vec<String>)> {
        let served = |s: &Set| {
            let mut regions = self.committed_in(&s.range);
            regions.any(|r| r.dax_driver.is_some())
        };
        let sets = self.sets().into_iter();
        sets.filter(|s| served(s) == is_served)
            .map(|s| (self.wiped_of(&s), s))
            .filter(|(wiped, _)| !wiped.is_empty())
            .map(|(wiped, s)| (s, wiped))
            .collect()
    }
}

/// What nothing maps since: only a region made anew could have changed that.
pub(super) fn find(map: &Map) -> Vec<Dead> {
    let sets = map.wiped_sets(false).into_iter();
    sets.map(|(set, memdevs)| Dead {
        range: set.range,
        why: Why::Wiped { memdevs },
    })
    .collect()
}
