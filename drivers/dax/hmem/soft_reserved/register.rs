// SPDX-License-Identifier: GPL-2.0

//! Registering what HMEM serves: the parts of all ranges, joined where two would lose what the seam
//! between them cuts off, and a device for each.

use super::{
    Served,
    SoftReservedRange,
    State,
    Taking, //
};
use crate::{
    cxl,
    dax,
    event::Event,
    hmem_device::{
        HmemDevice,
        Memory, //
    },
    hmem_shared::Shared,
    iomem::SoftReserved,
    node,
    ownership::{
        for_each_aligned,
        for_each_part,
        pieces::{
            edges,
            is_joined, //
        },
        range::sort,
        Fate,
        Obstacle,
        Policy,
        Range,
        Taken, //
    },
    params,
    regions::Regions,
    report::Teller, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A part of one range that HMEM is to serve, not aligned yet.
struct Part {
    /// The range, by its place among all.
    of: usize,
    memory: Memory,
    /// Whether it is the only one of its range, so that one entry of the iomem tree tells of both.
    whole: bool,
}

/// What is to be registered, and what it is found with.
struct Plan<'a> {
    regions: &'a Regions,
    taking: &'a Taking,
    /// What devices serve already. A device may serve a piece of more than one range.
    claimed: KVec<Range>,
    /// In the order of the ranges.
    parts: KVec<Part>,
    /// The edges that no device may cross.
    cuts: KVec<u64>,
}

/// Registers all that HMEM is to serve and does not serve yet. Returns whether there was any.
///
/// One piece that fails does not keep the others from being served. What is left when `stopping` is not
/// served any more: it would come online only to be stuck.
pub(crate) fn register(
    ranges: &mut [SoftReservedRange],
    teller: &mut Teller<'_>,
    regions: &Regions,
    taking: &Taking,
    shared: &Arc<Shared>,
    stopping: impl Fn() -> bool,
) -> bool {
    if !ranges.iter().any(|r| r.todo) {
        return false;
    }
    let block = unit();
    let mut plan = Plan {
        regions,
        taking,
        claimed: KVec::new(),
        parts: KVec::new(),
        cuts: KVec::new(),
    };
    let mut any = false;

    let known = ranges.iter().try_for_each(|range| {
        let mut served = range.served.iter();
        served.try_for_each(|s| plan.claimed.push(s.range, GFP_KERNEL))
    });
    for (of, range) in ranges.iter_mut().enumerate().filter(|(_, r)| r.todo) {
        range.todo = false;
        any |= range.state == State::Hmem;
        let planned = known
            .map_err(Error::from)
            .and_then(|()| range.plan(of, teller, &mut plan));
        if let Err(error) = planned {
            teller.tell(range.at, Event::Incomplete { error });
        }
    }
    let Plan {
        mut parts,
        mut cuts,
        ..
    } = plan;
    sort(&mut cuts, |&cut| cut);
    // A range that shares a device with its neighbour is shown with it.
    for i in 1..parts.len() {
        if let Some([below, above]) = parts.get_mut(i - 1..=i) {
            if joins(&below.memory, &above.memory, &cuts, block) {
                let both = [below.of, above.of];
                for part in parts.iter_mut().filter(|p| both.contains(&p.of)) {
                    part.whole = false;
                }
            }
        }
    }

    let mut next = 0;
    while let Some(first) = parts.get(next).filter(|_| !stopping()) {
        let mut joined = first.memory;
        let mut last = next;
        while let Some(part) = parts
            .get(last + 1)
            .filter(|p| joins(&joined, &p.memory, &cuts, block))
        {
            match Range::new(joined.range.start(), part.memory.range.end()) {
                Some(range) => joined.range = range,
                None => break,
            }
            last += 1;
        }
        let run = parts.get(next..=last).unwrap_or(&[]);
        register_run(ranges, teller, run, &joined, shared);
        next = last + 1;
    }
    any
}

/// Has ranges in no window wait for CXL together with a neighbour in one, of which they may share a device:
/// if they were served first, the memory block at the seam would be lost. The ranges ascend. Fails with
/// `ENOMEM`.
pub(crate) fn wait_together(ranges: &mut [SoftReservedRange], windows: &[Range]) -> Result {
    let block = unit();
    let mut cuts = KVec::new();
    for cut in windows.iter().flat_map(edges) {
        cuts.push(cut, GFP_KERNEL)?;
    }
    sort(&mut cuts, |&cut| cut);

    let end = |range: &SoftReservedRange, at| Memory {
        target_node: node::of(&range.memory, at),
        ..range.memory
    };
    // A neighbour may have a neighbour itself, on either side.
    let seams = 1..ranges.len();
    for i in Iterator::chain(seams.clone(), seams.rev()) {
        let Some([below, above]) = ranges.get_mut(i - 1..=i) else {
            continue;
        };
        if below.in_window == above.in_window {
            continue;
        }
        let lower = end(below, below.range().end());
        let upper = end(above, above.range().start());
        if joins(&lower, &upper, &cuts, block) {
            (below.in_window, above.in_window) = (true, true);
        }
    }
    Ok(())
}

/// What a device of whole units loses nothing at a seam with. What an administrator divides need not be
/// whole memory blocks.
fn unit() -> u64 {
    if params::REGION_IDLE.get() {
        dax::ALIGN
    } else {
        node::memory_block_size()
    }
}

/// Whether two parts are to be one device.
fn joins(below: &Memory, above: &Memory, cuts: &[u64], block: u64) -> bool {
    below.target_node == above.target_node && is_joined(&below.range, &above.range, cuts, block)
}

/// Registers one or more parts that adjoin each other as one device.
fn register_run(
    ranges: &mut [SoftReservedRange],
    teller: &mut Teller<'_>,
    run: &[Part],
    joined: &Memory,
    shared: &Arc<Shared>,
) {
    let whole = matches!(run, [part] if part.whole);
    let walked = for_each_aligned(&joined.range, dax::ALIGN, |piece| {
        let memory = Memory {
            range: piece.range,
            ..*joined
        };
        let outcome = match piece.fate {
            Fate::Serve => {
                let of = run.first().and_then(|part| ranges.get_mut(part.of));
                of.map(|range| range.serve(teller, &memory, whole, shared))
            }
            _ => None,
        };
        // Each range tells of its own bytes.
        for part in run {
            let Some(own) = part.memory.range.intersection(&piece.range) else {
                continue;
            };
            let Some(range) = ranges.get(part.of) else {
                continue;
            };
            let event = match &outcome {
                None => Event::Unaligned {
                    piece: own,
                    fate: piece.fate,
                },
                Some(Ok((id, bound))) => Event::Served {
                    piece: own,
                    id: *id,
                    bound: *bound,
                    verdict: range.verdict,
                },
                Some(Err(error)) => Event::NotRegistered {
                    piece: own,
                    error: *error,
                },
            };
            teller.tell(range.at, event);
        }
        if let Some(Ok((id, bound))) = outcome {
            teller.serves(&piece.range, id, bound);
            teller.trimmed(&piece.range, &joined.range);
        }
        Ok::<(), Error>(())
    });
    // The callback does not fail.
    debug_assert!(walked.is_ok());
}

impl SoftReservedRange {
    /// Adds the parts of the range that HMEM is to serve, and the cuts, and tells who has the rest.
    fn plan(&mut self, of: usize, teller: &mut Teller<'_>, plan: &mut Plan<'_>) -> Result {
        let regions = plan.regions;
        let range = self.memory.range;
        let split = params::POLICY.get() == Policy::Split;
        let mut obstacles = Taking::default();
        let standing = |range| Obstacle {
            range,
            taken: Taken::Claimed,
        };

        for &claimed in plan.claimed.iter().filter(|c| c.intersects(&range)) {
            obstacles.add(standing(claimed))?;
        }
        for &taken in plan.taking.within(&range)?.all() {
            obstacles.add(taken)?;
        }
        for &left in &self.left {
            obstacles.add(standing(left))?;
        }
        regions.for_each_obstacle(&range, split, |obstacle| obstacles.add(obstacle))?;

        let mut own_cuts = KVec::new();
        regions.cuts(&range, &mut own_cuts)?;
        node::for_each_change(&self.memory, |at| Ok(own_cuts.push(at, GFP_KERNEL)?))?;
        sort(&mut own_cuts, |&cut| cut);

        // Where others have a part, an entry for the whole would claim that part as well.
        let whole = obstacles.all().is_empty() && self.served.is_empty();
        for_each_part(&range, obstacles.all(), &own_cuts, |part| {
            match part.fate {
                Fate::Serve if self.state == State::Hmem => {
                    for ram in regions.tree.managed_ram(&part.range) {
                        teller.online_already(&ram);
                    }
                    plan.parts.push(
                        Part {
                            of,
                            memory: Memory {
                                range: part.range,
                                target_node: node::of(&self.memory, part.range.start()),
                            },
                            whole,
                        },
                        GFP_KERNEL,
                    )?;
                }
                Fate::Taken(Taken::Claimed) => {}
                Fate::Taken(taken) => {
                    let holder = match taken {
                        Taken::Resource => regions.holder(&part.range),
                        Taken::Foreign(_) | Taken::Persistent(_) => cxl::device_behind(&part.range),
                        _ => None,
                    };
                    teller.tell(
                        self.at,
                        Event::Taken {
                            piece: part.range,
                            taken,
                            holder,
                        },
                    );
                }
                _ => {}
            }
            Ok::<(), Error>(())
        })?;
        for &cut in &own_cuts {
            plan.cuts.push(cut, GFP_KERNEL)?;
        }
        // What a region keeps now stays CXL's when the region is disabled and enabled, and what
        // nothing decodes becomes CXL's when a region is made there. What another driver's region had
        // is not served without its owner's word.
        for obstacle in obstacles.all() {
            if let Taken::Region(_)
            | Taken::Undecoded
            | Taken::Stuck
            | Taken::Foreign(_)
            | Taken::Persistent(_) = obstacle.taken
            {
                self.leave(teller, &obstacle.range);
            }
        }
        Ok(())
    }

    /// Registers an `hmem` device for a piece. Returns its number and whether its driver took it; a
    /// device that it does not take stays, so that it can be bound by hand.
    fn serve(
        &mut self,
        teller: &mut Teller<'_>,
        memory: &Memory,
        whole: bool,
        shared: &Arc<Shared>,
    ) -> Result<(c_int, bool)> {
        let range = self.memory.range;
        let (entries, entered) = (self.entries.len(), self.entered);
        self.entered |= whole && !self.entered && self.insert_entry(teller, &range, true);
        if !self.entered {
            self.insert_entry(teller, &memory.range, false);
        }
        // What can fail for lack of memory comes before the device, so that none has to go again.
        let reserved = self.served.reserve(1, GFP_KERNEL).map_err(Error::from);
        let device =
            match reserved.and_then(|()| HmemDevice::register(teller.device(), memory, shared)) {
                Ok(device) => device,
                Err(e) => {
                    // Nothing stands behind the entry, and CXL finds no room where one stands.
                    self.entries.truncate(entries);
                    self.entered = entered;
                    return Err(e);
                }
            };
        let taken = device.is_bound();
        let id = device.id();

        self.served.push(
            Served {
                range: memory.range,
                taken,
                device,
            },
            GFP_KERNEL,
        )?;
        Ok((id, taken))
    }

    /// Shows `range` as "Soft Reserved" in the iomem tree. Returns whether that is done.
    ///
    /// That it cannot be shown keeps nobody from using it. A range that crosses the edge of a
    /// window cannot be shown in one; `again` tells that its pieces will be.
    pub(super) fn insert_entry(&mut self, teller: &Teller<'_>, range: &Range, again: bool) -> bool {
        let inserted = SoftReserved::insert(range)
            .and_then(|entry| Ok(self.entries.push(entry, GFP_KERNEL)?));
        match inserted {
            Ok(()) => true,
            Err(e) => {
                if !again {
                    dev_info!(
                        teller.device(),
                        "{}: not shown in /proc/iomem: {:?}\n",
                        range,
                        e
                    );
                }
                false
            }
        }
    }
}
