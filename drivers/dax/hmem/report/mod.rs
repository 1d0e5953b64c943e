// SPDX-License-Identifier: GPL-2.0

//! Telling people what becomes of Soft Reserved memory.
//!
//! The core tells one [`Event`] for each outcome. Here it becomes a line in the log, an entry of
//! the ledger and a trace event. Nothing is decided by what was told.
//!
//! The ledger has a lock of its own, which is held for moments, so that reading it never waits for
//! memory that comes online.

use crate::{
    event::Event,
    hmem_device::{
        Devices,
        Memory, //
    },
    ownership::{
        range::for_each_gap,
        Range, //
    },
    trace::Step, //
};
use kernel::{
    device,
    fmt,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Mutex, //
    }, //
};

mod enter;
mod entry;
mod file;
mod joined;
mod ledger;
mod log;
mod text;

use entry::Entry;
pub(crate) use file::LedgerFile;
use ledger::Ledger;
use log::Lines;

/// What is told about the ranges of one `hmem_platform` device.
#[pin_data]
pub(crate) struct Report {
    device: ARef<device::Device>,
    #[pin]
    ledgers: Mutex<KVVec<Ledger>>,
}

impl Report {
    /// An empty one.
    pub(crate) fn new(device: ARef<device::Device>) -> impl PinInit<Self> {
        pin_init!(Self {
            device,
            ledgers <- new_mutex!(KVVec::new(), "dax_hmem::ledgers"),
        })
    }

    /// Begins one look at all ranges.
    pub(crate) fn begin(&self) -> Teller<'_> {
        Teller {
            report: self,
            lines: Lines::new(&self.device),
            undecided: 0,
        }
    }

    /// Tells at once that memory of a region that is going stays System RAM, because it is in use.
    pub(crate) fn stuck(&self, ram: &Range) {
        for ledger in self.ledgers.lock().iter_mut() {
            if let Some(piece) = ledger.range().intersection(ram) {
                let entry = Entry::in_use(piece);
                if !ledger.has(&entry) {
                    ledger.add(Step::Decided, entry);
                }
            }
        }
        dev_err!(
            self.device,
            "{}: System RAM is in use while its CXL region goes: its contents are lost when \
             nothing decodes it; reboot\n",
            ram
        );
    }

    /// Notes which devices are bound at this moment.
    fn note_bound(&self, devices: &Devices) {
        for ledger in self.ledgers.lock().iter_mut() {
            ledger.note_bound(devices);
        }
    }

    /// Writes the ledger as it stands at this moment.
    fn write_ledger(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ledgers = self.ledgers.lock();

        for ledger in ledgers.iter() {
            ledger.write(f)?;
        }
        crate::cxl::for_each_dax_region(|region, range, bound| {
            ledger::write_region(f, &ledgers, region, range, bound).map_err(|_| ENOSPC)
        })
        .map_err(|_| fmt::Error)
    }
}

/// The ledger of the range that stands `at` this place among all; [`None`] where there was no memory
/// for it.
fn ledger_of(ledgers: &mut [Ledger], at: usize) -> Option<&mut Ledger> {
    let place = ledgers.binary_search_by_key(&at, Ledger::at).ok()?;
    ledgers.get_mut(place)
}

/// One look at all ranges, while it lasts. The last lines of the log come at its end.
pub(crate) struct Teller<'a> {
    report: &'a Report,
    lines: Lines<'a>,
    /// How many ranges have been said to be undecided.
    undecided: usize,
}

impl<'a> Teller<'a> {
    /// The device whose ranges these are.
    pub(crate) fn device(&self) -> &'a device::Device {
        &self.report.device
    }

    /// Opens the ledger of the range that stands `at` this place among all.
    pub(crate) fn open(&mut self, at: usize, memory: Memory) {
        let ledger = Ledger::new(at, memory, self.lines.now_ns());
        let mut ledgers = self.report.ledgers.lock();

        if ledgers.push(ledger, GFP_KERNEL).is_err() {
            dev_warn!(
                self.report.device,
                "{}: no memory for its ledger\n",
                memory.range
            );
        }
    }

    /// Tells what has become of a range or of a piece of it.
    pub(crate) fn tell(&mut self, at: usize, event: Event) {
        let range = {
            let mut ledgers = self.report.ledgers.lock();
            let Some(ledger) = ledger_of(&mut ledgers, at) else {
                return;
            };
            // What is known already is not said twice.
            if !event.enter(ledger, self.lines.now_ns()) {
                return;
            }
            ledger.range()
        };
        self.log(range, &event);
    }

    /// Notes which of the pieces that regions took along are CXL's again, and which no longer;
    /// `cover` tells the region that covers a range.
    pub(crate) fn covered(&mut self, at: usize, cover: impl Fn(&Range) -> Option<c_int>) {
        if let Some(ledger) = ledger_of(&mut self.report.ledgers.lock(), at) {
            ledger.follow(cover);
        }
    }

    /// Notes that `decoding`, which ascends and is disjoint, is decoded: what is in use there has lost
    /// nothing, also if its region went.
    pub(crate) fn decoding(&mut self, at: usize, decoding: &[Range]) {
        if let Some(ledger) = ledger_of(&mut self.report.ledgers.lock(), at) {
            ledger.follow_stuck(|range| for_each_gap(range, decoding, |_| Err(())).is_ok());
        }
    }

    fn log(&mut self, range: Range, event: &Event) {
        match event {
            Event::Deferred { again: false } => {
                if self.undecided < joined::NAMED {
                    dev_info!(self.device(), "{}: undecided, waiting for CXL\n", range);
                }
                self.undecided = self.undecided.saturating_add(1);
            }
            Event::Decided(verdict) => self.lines.decided(range, verdict.reason),
            other => log::print(self.device(), &range, other),
        }
    }

    /// Says that `hmem.<id>` serves `range`, or that its driver did not take it.
    pub(crate) fn serves(&mut self, range: &Range, id: c_int, bound: bool) {
        if bound {
            self.lines.served(*range, id);
        } else {
            log::not_bound(self.device(), range, id);
        }
    }

    /// Says that a device goes because `region` below it went, or else to be tried again without
    /// what CXL has.
    pub(crate) fn goes(&self, range: &Range, id: c_int, region: Option<c_int>) {
        log::goes(self.device(), range, id, region);
    }

    /// Tells that what served `hole` went with CXL region `region`, in each range that has a part.
    pub(crate) fn released(&mut self, hole: &Range, region: c_int) {
        for ledger in self.report.ledgers.lock().iter_mut() {
            if let Some(piece) = ledger.range().intersection(hole) {
                let region = Some(region);
                let _ = Event::Released { piece, region }.enter(ledger, self.lines.now_ns());
            }
        }
    }

    /// Says what of `piece`, a device on its own in `part`, cannot become System RAM.
    pub(crate) fn trimmed(&self, piece: &Range, part: &Range) {
        log::trimmed(self.device(), piece, part);
    }

    /// Ends it, which is when the last lines of the log come.
    pub(crate) fn end(self) {}

    /// Says that memory is System RAM of an earlier owner that has gone. Its user keeps it online.
    /// It is claimed again; kmem cannot reserve it a second time and will say so.
    pub(crate) fn online_already(&self, ram: &Range) {
        dev_info!(
            self.device(),
            "{}: online as System RAM already, stays so\n",
            ram
        );
    }
}

impl Drop for Teller<'_> {
    fn drop(&mut self) {
        if self.undecided > joined::NAMED {
            dev_info!(
                self.report.device,
                "{} ranges in all are undecided, waiting for CXL\n",
                self.undecided
            );
        }
    }
}
