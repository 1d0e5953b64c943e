// SPDX-License-Identifier: GPL-2.0

//! Which pieces of a range HMEM registers.

use crate::{
    host::{Record, PIECES},
    protocol::Protocol,
    queue::{Job, Seen},
    units::Units,
    universe::REGIONS,
};
use ownership::{
    for_each_piece,
    pieces::edges,
    range::{sort, sort_disjoint},
    Fate, Obstacle, Policy, Taken,
};
use std::convert::Infallible;

impl Protocol {
    /// The pieces of range `i` that are to be registered: `SoftReservedRange::plan()`, cut by
    /// the source of the modules.
    pub(crate) fn pieces(
        &self,
        window: bool,
        i: u8,
        record: &Record,
        seen: &[Seen; REGIONS],
        taking: &[Obstacle],
    ) -> Option<Job> {
        let universe = &self.universe;
        let range = universe.ranges[usize::from(i)].range()?;
        let all = universe.policy == Policy::Split;

        let mut obstacles = taking.to_vec();
        let mut cuts = Vec::new();
        for r in universe.region_numbers() {
            let Some(region) = universe.regions[r].range() else {
                continue;
            };
            if seen[r].covers && (all || seen[r].held) {
                obstacles.push(Obstacle {
                    range: region,
                    taken: Taken::Region(r as i32),
                });
            }
            if seen[r].stands {
                cuts.extend(edges(&region));
            }
        }
        for unit in 0..8 {
            let unit = Units::new(unit, unit + 1);
            let served = record.served.iter().flatten().any(|s| s.units.meets(unit));
            if served || record.left.meets(unit) {
                obstacles.extend(unit.range().map(|range| Obstacle {
                    range,
                    taken: Taken::Claimed,
                }));
            }
        }
        obstacles.retain(|o| o.range.intersects(&range));
        let obstacles = sort_disjoint(&mut obstacles);
        if window {
            cuts.extend(universe.window.range().iter().flat_map(edges));
        }
        cuts.retain(|&cut| range.contains_address(cut));
        sort(&mut cuts, |&cut| cut);

        let mut todo = [Units::NONE; PIECES];
        let mut free = todo.iter_mut();
        let Ok(()) = for_each_piece(&range, obstacles, &cuts, 1, |piece| {
            if piece.fate == Fate::Serve {
                if let Some(slot) = free.next() {
                    *slot = Units::of(&piece.range);
                }
            }
            Ok::<(), Infallible>(())
        });
        (!todo[0].is_empty()).then_some(Job { record: i, todo })
    }
}
