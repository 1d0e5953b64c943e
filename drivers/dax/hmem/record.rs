// SPDX-License-Identifier: GPL-2.0

//! One Soft Reserved range: its state, and what HMEM has registered for it.

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
    ledger::{
        Entry,
        Ledger, //
    },
    memregion::MemregionId,
    ownership::{
        decide,
        for_each_piece,
        pieces::edges,
        range::{
            sort,
            sort_disjoint, //
        },
        Coverage,
        Extent,
        Fate,
        Mode,
        Obstacle,
        Piece,
        Policy,
        Range,
        Reason,
        Taken,
        World, //
    },
    params,
    regions::{
        depend,
        Regions, //
    },
    trace::Step, //
};
use kernel::{
    device,
    fmt,
    prelude::*, //
};

/// Who owns a range, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Not decided: CXL may still assemble regions.
    Deferred,
    /// CXL owns it. As long as it is not `settled`, the regions may turn out to go away again
    /// before device probing settles; then it is decided anew.
    Cxl {
        /// Whether the decision was made, or confirmed, after device probing had settled.
        settled: bool,
    },
    /// HMEM owns it, less what other owners have.
    Hmem,
    /// It could not be decided, for lack of memory. Binding the platform device anew tries again.
    Failed,
}

/// What came out of a look at a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    /// Nothing: it is still to be decided.
    Not,
    /// Nothing new.
    Before,
    /// That it is CXL's.
    Cxl,
    /// That it is HMEM's.
    Hmem,
}

/// A device that serves a piece of a range.
///
/// Fields are dropped in order: the device goes before its number is free for others.
struct Served {
    range: Range,
    /// Whether its driver took it when it was registered.
    taken: bool,
    /// The regions below it, which take the device along when they go.
    below: KVec<Extent>,
    device: HmemDevice,
    id: MemregionId,
}

/// A Soft Reserved range.
///
/// Fields are dropped in order: the devices go before the entries of the iomem tree that contain
/// what the devices have reserved.
pub(crate) struct Record {
    memory: Memory,
    /// Whether a CXL window intersects it.
    in_window: bool,
    state: State,
    served: KVec<Served>,
    entries: KVec<SoftReserved>,
    /// What regions took along when they were torn down. It stays free for CXL.
    left: KVec<Range>,
    /// Why HMEM owns it.
    why: Option<Reason>,
    ledger: Ledger,
}

impl Record {
    /// A range that nobody has decided about.
    pub(crate) fn new(memory: Memory) -> Self {
        Self {
            memory,
            in_window: cfg!(CONFIG_DEV_DAX_CXL) && iomem::intersects_cxl_window(&memory.range),
            state: State::Deferred,
            served: KVec::new(),
            entries: KVec::new(),
            left: KVec::new(),
            why: None,
            ledger: Ledger::new(memory),
        }
    }

    /// The addresses.
    pub(crate) fn range(&self) -> &Range {
        &self.memory.range
    }

    /// Whether CXL owns the range, given these regions.
    pub(crate) fn is_cxls(&self, regions: &Regions) -> bool {
        let covered = matches!(
            regions.committed().cover(&self.memory.range),
            Coverage::Full { .. }
        );
        covered && self.in_window && matches!(self.state, State::Deferred | State::Cxl { .. })
    }

    /// Writes the ledger of the range as it stands at this moment.
    pub(crate) fn write_ledger(&mut self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for served in &self.served {
            self.ledger
                .note_bound(served.id.get(), served.device.is_bound());
        }
        self.ledger.write(f)
    }

    /// The number of the first `hmem` device that has a byte of `range`.
    pub(crate) fn holder_of(&self, range: &Range) -> Option<c_int> {
        self.served
            .iter()
            .find(|s| s.range.intersects(range) && s.device.is_bound())
            .map(|s| s.id.get())
    }

    /// Defers the decision if it depends on CXL. Returns whether it does.
    pub(crate) fn defer(&mut self, host: &device::Device) -> bool {
        if self.in_window {
            dev_info!(host, "{}: undecided, waiting for CXL\n", self.memory.range);
            self.note_deferred();
        }
        self.in_window
    }

    fn note_deferred(&mut self) {
        let entry = Entry::decided(self.memory.range, c"deferred", &Reason::AwaitingCxl);
        self.ledger.replace(Step::Deferred, entry);
    }

    /// Decides, unless it has been decided for good.
    pub(crate) fn decide(
        &mut self,
        host: &device::Device,
        regions: &Regions,
        settled: bool,
    ) -> Decided {
        if matches!(
            self.state,
            State::Hmem | State::Failed | State::Cxl { settled: true }
        ) {
            return Decided::Before;
        }
        let range = self.memory.range;
        let verdict = decide(
            &range,
            &World {
                in_window: self.in_window,
                regions: regions.committed(),
                settled,
            },
        );
        match verdict.mode {
            Mode::Defer => {
                if self.state != State::Deferred {
                    dev_info!(host, "{}: its CXL region is gone again, undecided\n", range);
                    self.note_deferred();
                }
                self.state = State::Deferred;
                Decided::Not
            }
            Mode::Drop => {
                let news = self.state == State::Deferred;
                if news {
                    dev_info!(host, "{}: owner CXL: {}\n", range, verdict.reason);
                    let entry = Entry::decided(range, c"cxl", &verdict.reason);
                    self.ledger.replace(Step::Decided, entry);
                }
                self.state = State::Cxl { settled };
                if news {
                    Decided::Cxl
                } else {
                    Decided::Before
                }
            }
            Mode::Register => {
                dev_info!(host, "{}: owner HMEM: {}\n", range, verdict.reason);
                self.state = State::Hmem;
                self.why = Some(verdict.reason);
                let entry = Entry::decided(range, c"hmem", &verdict.reason);
                self.ledger.decide(entry);
                self.register(host, regions);
                Decided::Hmem
            }
        }
    }

    /// Gives up on a range that cannot be decided.
    pub(crate) fn fail(&mut self, host: &device::Device, error: Error) {
        if matches!(self.state, State::Deferred | State::Cxl { settled: false }) {
            self.state = State::Failed;
            dev_warn!(
                host,
                "{}: nobody serves it: {:?} while looking for CXL regions; bind {} anew\n",
                self.memory.range,
                error,
                host.name()
            );
            let entry = Entry::new(self.memory.range, c"failed", c"undecidable").error(error);
            self.ledger.replace(Step::Failed, entry);
        }
    }

    /// Follows the regions below what HMEM serves: lets go of devices whose region has gone, which
    /// the driver core has unbound by then, and makes devices depend on regions that are new.
    ///
    /// `departed` are the regions that have been torn down or disabled since this was last called.
    /// They may be back by now.
    pub(crate) fn follow(&mut self, host: &device::Device, regions: &Regions, departed: &[Extent]) {
        if self.state == (State::Cxl { settled: true }) {
            self.note_coverage(regions);
        }
        if self.state != State::Hmem {
            return;
        }
        if self.release(host, regions, departed) {
            self.register(host, regions);
        }
        let committed = regions.committed();
        self.ledger.follow(|range| match committed.cover(range) {
            Coverage::Full { region, .. } => Some(region),
            Coverage::Part { .. } | Coverage::None => None,
        });
        for served in &mut self.served {
            served.depend(regions);
        }
    }

    /// Notes that the administrator has let go of what CXL owns, or has assembled it again.
    fn note_coverage(&mut self, regions: &Regions) {
        let range = self.memory.range;

        match regions.committed().cover(&range) {
            Coverage::Full { region, others } if self.ledger.is(c"free") => {
                let entry = Entry::decided(range, c"cxl", &Reason::Covered { region, others });
                self.ledger.replace(Step::Decided, entry);
            }
            Coverage::Part { .. } | Coverage::None if self.ledger.is(c"cxl") => {
                let entry = Entry::new(range, c"free", c"region-torn-down");
                self.ledger.replace(Step::Released, entry);
            }
            _ => {}
        }
    }

    /// Announces that all devices go, because the platform device is unbound.
    pub(crate) fn close(&mut self) {
        for served in &self.served {
            let entry = Entry::new(served.range, c"free", c"unbound");
            self.ledger.release(&served.range, entry);
        }
    }

    /// Registers all of the range that HMEM can serve and does not serve yet.
    ///
    /// One piece that fails does not keep the others from being served.
    fn register(&mut self, host: &device::Device, regions: &Regions) {
        if let Err(e) = self.try_register(host, regions) {
            dev_warn!(
                host,
                "{}: not all of it is served: {:?}; bind {} anew to try again\n",
                self.memory.range,
                e,
                host.name()
            );
            let entry = Entry::new(self.memory.range, c"failed", c"incomplete").error(e);
            self.ledger.add(Step::Failed, entry);
        }
    }

    fn try_register(&mut self, host: &device::Device, regions: &Regions) -> Result {
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
        iomem::for_each_system_ram(&range, |ram, managed| {
            if !managed {
                return push(&mut obstacles, ram, Taken::SystemRam);
            }
            // It came online for an earlier owner that has gone, and whoever uses it keeps it
            // online. It is claimed again, apart from what is not online; kmem cannot reserve it
            // a second time and will say so.
            dev_info!(host, "{}: online as System RAM already, stays so\n", ram);
            for cut in edges(&ram) {
                cuts.push(cut, GFP_KERNEL)?;
            }
            Ok(())
        })?;
        let obstacles = sort_disjoint(&mut obstacles);

        regions.cuts(&range, &mut cuts)?;
        iomem::for_each_cxl_window(&range, |window| {
            for cut in edges(&window) {
                cuts.push(cut, GFP_KERNEL)?;
            }
            Ok(())
        })?;
        sort(&mut cuts, |&cut| cut);

        let whole = whole && self.served.is_empty() && self.insert_entry(host, &range, true);
        for_each_piece(&range, obstacles, &cuts, dax::ALIGN, |piece| {
            self.settle_piece(host, regions, &piece, whole);
            Ok(())
        })
    }

    /// Registers one piece, or says why it is not served.
    fn settle_piece(
        &mut self,
        host: &device::Device,
        regions: &Regions,
        piece: &Piece,
        whole: bool,
    ) {
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
                if let Err(e) = self.serve(host, range, regions) {
                    dev_warn!(
                        host,
                        "{}: nobody serves it: {:?}; bind {} anew to try again\n",
                        range,
                        e,
                        host.name()
                    );
                    let entry = Entry::new(*range, c"failed", c"not-registered").error(e);
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
    fn serve(&mut self, host: &device::Device, range: &Range, regions: &Regions) -> Result {
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
            dev_info!(host, "{}: {} serves it\n", range, device.device().name());
            if let Some(why) = &self.why {
                let entry = Entry::decided(*range, c"hmem", why).served_by(id.get());
                self.ledger.add(Step::Served, entry);
            }
        } else {
            let entry = Entry::new(*range, c"failed", c"not-bound").served_by(id.get());
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
    fn insert_entry(&mut self, host: &device::Device, range: &Range, again: bool) -> bool {
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

    /// Lets go of devices below which a region has gone, and of those that CXL may have kept from
    /// being bound. Returns whether a part of their memory may be served all the same.
    fn release(&mut self, host: &device::Device, regions: &Regions, departed: &[Extent]) -> bool {
        let mut again = false;
        let mut remembered = true;
        let range = self.memory.range;
        let served_before = self.served.len();

        for region in departed.iter().filter(|e| e.range.intersects(&range)) {
            remembered &= self.leave(host, &region.range);
        }
        let ledger = &mut self.ledger;
        self.served.retain(|served| {
            let gone = departed.iter().find(|e| e.range.intersects(&served.range));
            if let Some(gone) = gone {
                dev_info!(
                    host,
                    "{}: {} goes, region{} below it was torn down or disabled\n",
                    served.range,
                    served.device.device().name(),
                    gone.region
                );
                if let Some(hole) = gone.range.intersection(&served.range) {
                    let entry = Entry::new(hole, c"free", c"region-torn-down");
                    ledger.release(&served.range, entry.region(gone.region));
                }
                again |= !gone.range.contains(&served.range);
                return false;
            }
            if served.taken || !regions.meet(&served.range) {
                return true;
            }
            dev_info!(
                host,
                "{}: {} goes, a CXL region kept it from being bound\n",
                served.range,
                served.device.device().name()
            );
            let entry = Entry::new(served.range, c"free", c"region-came");
            ledger.release(&served.range, entry);
            again = true;
            false
        });
        if self.served.len() == served_before {
            return false;
        }

        // CXL finds no room for another region where an entry stands, so the entries now cover
        // what is still served and nothing else.
        self.entries.clear();
        for i in 0..self.served.len() {
            if let Some(range) = self.served.get(i).map(|s| s.range) {
                self.insert_entry(host, &range, false);
            }
        }
        again && remembered
    }

    /// Remembers that a region has taken `range` along. Returns whether there was memory for it.
    fn leave(&mut self, host: &device::Device, range: &Range) -> bool {
        if self.left.iter().any(|left| left.contains(range)) {
            return true;
        }
        // Were there no memory to remember this, the range would be served again by `register()`,
        // which is wrong only where the region has stopped decoding.
        self.left
            .push(*range, GFP_KERNEL)
            .inspect_err(|_| dev_warn!(host, "{}: no memory to remember that it left\n", range))
            .is_ok()
    }
}

impl Served {
    /// Makes the device depend on regions below it that are new.
    fn depend(&mut self, regions: &Regions) {
        let new = regions.below(&self.range).any(|e| !self.below.contains(e));
        if !new || !self.device.is_bound() {
            return;
        }
        // A region that is being torn down at this moment will be said to have departed.
        if let Ok(below) = depend(self.device.device(), &self.range) {
            self.below = below;
        }
    }
}

fn push(to: &mut KVec<Obstacle>, range: Range, taken: Taken) -> Result {
    Ok(to.push(Obstacle { range, taken }, GFP_KERNEL)?)
}
