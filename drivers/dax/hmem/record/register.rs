// SPDX-License-Identifier: GPL-2.0

//! Registering what HMEM serves of a range: the pieces, and a device for each.

use super::{
    Record,
    Served, //
};
use crate::{
    dax,
    hmem_device::{
        HmemDevice,
        Memory, //
    },
    iomem::{
        self,
        SoftReserved, //
    },
    ledger::Entry,
    lines::Lines,
    memregion::MemregionId,
    ownership::{
        for_each_piece,
        pieces::edges,
        range::{
            sort,
            sort_disjoint, //
        },
        Fate,
        Obstacle,
        Piece,
        Policy,
        Range,
        Taken, //
    },
    params,
    regions::Regions,
    trace::Step,
    words::{
        Standing,
        Why, //
    }, //
};
use kernel::{
    device,
    prelude::*, //
};

impl Record {
    /// Registers all of the range that HMEM can serve and does not serve yet.
    ///
    /// One piece that fails does not keep the others from being served.
    pub(super) fn register(&mut self, lines: &mut Lines<'_>, regions: &Regions) {
        let host = lines.host();

        if let Err(e) = self.try_register(lines, regions) {
            dev_warn!(
                host,
                "{}: not all of it is served: {:?}; bind {} anew to try again\n",
                self.memory.range,
                e,
                host.name()
            );
            let entry = Entry::new(self.memory.range, Standing::Failed, Why::Incomplete).error(e);
            self.ledger.append(Step::Failed, entry);
        }
    }

    fn try_register(&mut self, lines: &mut Lines<'_>, regions: &Regions) -> Result {
        let host = lines.host();
        let range = self.memory.range;
        let policy: Policy = params::POLICY.get();
        let mut obstacles = KVec::new();
        let mut cuts = KVec::new();

        regions.obstacles(&range, policy == Policy::Split, &mut obstacles)?;
        // Where CXL has a part, an entry for the whole would claim that part as well.
        let whole = obstacles.is_empty() && self.left.is_empty();
        for served in &self.served {
            push(&mut obstacles, served.range, Taken::Claimed)?;
        }
        for &left in &self.left {
            push(&mut obstacles, left, Taken::Claimed)?;
        }
        if regions.meet_ram(&range) {
            add_ram(host, &range, &mut obstacles, &mut cuts)?;
        }
        let obstacles = sort_disjoint(&mut obstacles);

        regions.cuts(&range, &mut cuts)?;
        sort(&mut cuts, |&cut| cut);

        let whole = whole && self.served.is_empty() && self.insert_entry(host, &range, true);
        for_each_piece(&range, obstacles, &cuts, dax::ALIGN, |piece| {
            self.settle_piece(lines, regions, &piece, whole);
            Ok(())
        })
    }

    /// Registers one piece, or says why it is not served.
    fn settle_piece(
        &mut self,
        lines: &mut Lines<'_>,
        regions: &Regions,
        piece: &Piece,
        whole: bool,
    ) {
        let host = lines.host();
        let range = &piece.range;
        let unit = dax::ALIGN >> 20;

        if let Some(entry) = Entry::not_served(*range, &piece.fate) {
            let failed = !matches!(piece.fate, Fate::Taken(_));
            let step = if failed { Step::Failed } else { Step::Decided };
            self.ledger.add(step, entry);
        }

        match piece.fate {
            Fate::Serve => {
                if !whole {
                    self.insert_entry(host, range, false);
                }
                if let Err(e) = self.serve(lines, range, regions) {
                    dev_warn!(
                        host,
                        "{}: nobody serves it: {:?}; bind {} anew to try again\n",
                        range,
                        e,
                        host.name()
                    );
                    let entry = Entry::new(*range, Standing::Failed, Why::NotRegistered).error(e);
                    self.ledger.add(Step::Failed, entry);
                }
            }
            Fate::Taken(Taken::SystemRam) => {
                dev_info!(host, "{}: in use as System RAM already\n", range);
            }
            Fate::Taken(Taken::Region(region)) => {
                dev_info!(host, "{}: owner CXL: region{} keeps it\n", range, region);
            }
            Fate::Taken(Taken::Claimed) => {}
            Fate::UnalignedHead => dev_warn!(
                host,
                "{}: {} KiB at the start cannot be served: below a {} MiB boundary\n",
                range,
                range.kib(),
                unit
            ),
            Fate::UnalignedTail => dev_warn!(
                host,
                "{}: {} KiB at the end cannot be served: above a {} MiB boundary\n",
                range,
                range.kib(),
                unit
            ),
            Fate::TooSmall => dev_warn!(
                host,
                "{}: {} KiB cannot be served: no aligned {} MiB inside\n",
                range,
                range.kib(),
                unit
            ),
        }
    }

    /// Registers an `hmem` device for a piece. A device that its driver does not take stays, so
    /// that it can be bound by hand; the driver said why.
    fn serve(&mut self, lines: &mut Lines<'_>, range: &Range, regions: &Regions) -> Result {
        let host = lines.host();

        // What can fail for lack of memory comes before the device, so that none has to go again.
        self.served.reserve(1, GFP_KERNEL)?;
        let id = MemregionId::alloc()?;
        let device = HmemDevice::register(
            host,
            id.get(),
            &Memory {
                range: *range,
                target_node: self.memory.target_node,
            },
        )?;
        let taken = device.is_bound();
        if taken {
            lines.served(*range, id.get());
            if let Some(verdict) = &self.verdict {
                let entry =
                    Entry::decided(*range, Standing::Hmem, &verdict.reason).served_by(id.get());
                self.ledger.add(Step::Served, entry);
            }
        } else {
            let entry = Entry::new(*range, Standing::Failed, Why::NotBound).served_by(id.get());
            self.ledger.add(Step::Failed, entry.error(ENODEV));
            dev_warn!(
                host,
                "{}: nobody serves it: {} was not bound, see above for the cause\n",
                range,
                device.device().name()
            );
        }

        let mut served = Served {
            range: *range,
            taken,
            below: KVec::new(),
            device,
            id,
        };
        served.depend(regions);
        Ok(self.served.push(served, GFP_KERNEL)?)
    }

    /// Shows `range` as "Soft Reserved" in the iomem tree. Returns whether that is done.
    ///
    /// That it cannot be shown keeps nobody from using it. A range that crosses the edge of a
    /// window cannot be shown in one; `again` tells that its pieces will be.
    pub(super) fn insert_entry(
        &mut self,
        host: &device::Device,
        range: &Range,
        again: bool,
    ) -> bool {
        let inserted = SoftReserved::insert(range)
            .and_then(|entry| Ok(self.entries.push(entry, GFP_KERNEL)?));
        match inserted {
            Ok(()) => true,
            Err(e) => {
                if !again {
                    dev_info!(host, "{}: not shown in /proc/iomem: {:?}\n", range, e);
                }
                false
            }
        }
    }
}

fn push(to: &mut KVec<Obstacle>, range: Range, taken: Taken) -> Result {
    Ok(to.push(Obstacle { range, taken }, GFP_KERNEL)?)
}

/// Adds what of `range` is System RAM already: what firmware gave is an obstacle, what a driver
/// made so is cut at its edges.
fn add_ram(
    host: &device::Device,
    range: &Range,
    obstacles: &mut KVec<Obstacle>,
    cuts: &mut KVec<u64>,
) -> Result {
    iomem::for_each_system_ram(range, |ram, managed| {
        if !managed {
            return push(obstacles, ram, Taken::SystemRam);
        }
        // It came online for an earlier owner that has gone, and whoever uses it keeps it online.
        // It is claimed again, apart from what is not online; kmem cannot reserve it a second time
        // and will say so.
        dev_info!(host, "{}: online as System RAM already, stays so\n", ram);
        for cut in edges(&ram) {
            cuts.push(cut, GFP_KERNEL)?;
        }
        Ok(())
    })
}
