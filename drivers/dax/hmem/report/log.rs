// SPDX-License-Identifier: GPL-2.0

//! The lines in the log that say who owns and who serves which range.
//!
//! Each range gets its own, unless there are many, see [`joined`](super::joined).

use super::joined::{
    Joined,
    Run, //
};
use crate::{
    clock::now_ns,
    dax,
    event::Event,
    node,
    ownership::{
        Fate,
        Range,
        Reason,
        Taken, //
    },
    params, //
};
use kernel::{
    device,
    prelude::*, //
};

/// What is said during one look at all ranges; the last of it when this is dropped.
pub(crate) struct Lines<'a> {
    host: &'a device::Device,
    now_ns: u64,
    owners: Joined<Reason>,
    /// With the number of the first device.
    devices: Joined<c_int>,
}

impl<'a> Lines<'a> {
    /// Begins a look at the ranges of `host`.
    pub(crate) fn new(host: &'a device::Device) -> Self {
        Self {
            host,
            now_ns: now_ns(),
            owners: Joined::new(),
            devices: Joined::new(),
        }
    }

    /// When the look began.
    pub(crate) const fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Says who owns `range`, and why.
    pub(crate) fn decided(&mut self, range: Range, why: Reason) {
        if let Some(run) = self.owners.add(range, why, |run, why| run.what == *why) {
            self.print_owner(&run);
        }
    }

    /// Says that `hmem.<id>` serves `range`.
    pub(crate) fn served(&mut self, range: Range, id: c_int) {
        let next = |run: &Run<c_int>, id: &c_int| run.what.checked_add(run.count) == Some(*id);

        if let Some(run) = self.devices.add(range, id, next) {
            self.print_device(&run);
        }
    }

    fn print_owner(&self, run: &Run<Reason>) {
        let owner = match run.what {
            Reason::Covered { .. } => "CXL",
            Reason::NothingLeft { .. } => "nobody",
            _ => "HMEM",
        };
        if run.count == 1 {
            dev_info!(self.host, "{}: owner {}: {}\n", run.range, owner, run.what);
        } else {
            dev_info!(
                self.host,
                "{}: owner {}: {}; {} ranges\n",
                run.range,
                owner,
                run.what,
                run.count
            );
        }
    }

    fn print_device(&self, run: &Run<c_int>) {
        let last = run.what.saturating_add(run.count).saturating_sub(1);

        if run.count == 1 {
            dev_info!(self.host, "{}: hmem.{} serves it\n", run.range, last);
        } else {
            dev_info!(
                self.host,
                "{}: hmem.{} to hmem.{} serve it\n",
                run.range,
                run.what,
                last
            );
        }
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        if let Some(run) = self.owners.end() {
            self.print_owner(&run);
        }
        if let Some(run) = self.devices.end() {
            self.print_device(&run);
        }
    }
}

/// Prints what has a line of its own.
pub(super) fn print(device: &device::Device, range: &Range, event: &Event) {
    match *event {
        // Joined, see `Teller::tell()` and `Teller::serves()`.
        Event::Decided(_) | Event::Deferred { again: false } | Event::Served { .. } => {}
        Event::Deferred { again: true } => {
            dev_info!(
                device,
                "{}: its CXL region is gone again, undecided\n",
                range
            );
        }
        Event::Taken {
            piece,
            taken,
            ref holder,
        } => match (taken, holder) {
            (Taken::Undecoded, _) => dev_info!(
                device,
                "{}: nothing decodes it any more, left to CXL\n",
                piece
            ),
            (Taken::Stuck, _) => dev_err!(
                device,
                "{}: System RAM in use that nothing decodes any more: its contents are lost; \
                 reboot\n",
                piece
            ),
            (Taken::Excluded, _) => dev_info!(device, "{}: excluded by parameter\n", piece),
            (Taken::Foreign(region), Some(holder)) => dev_info!(
                device,
                "{}: region{} of another driver has it, memory of {}\n",
                piece,
                region,
                holder
            ),
            (Taken::Foreign(region), None) => dev_info!(
                device,
                "{}: region{} of another driver has it\n",
                piece,
                region
            ),
            (Taken::Persistent(Some(region)), _) => dev_info!(
                device,
                "{}: persistent memory, left alone: region{} is not committed\n",
                piece,
                region
            ),
            (Taken::Persistent(None), _) => dev_info!(
                device,
                "{}: persistent memory, left alone: no CXL region has it\n",
                piece
            ),
            (Taken::Resource, Some(holder)) => {
                dev_warn!(device, "{}: not served: \"{}\" has it\n", piece, holder);
            }
            (Taken::Resource, None) => {
                dev_warn!(device, "{}: not served: another driver has it\n", piece);
            }
            (Taken::SystemRam, _) => {
                dev_info!(device, "{}: in use as System RAM already\n", piece);
            }
            (Taken::Region(region), _) => {
                dev_info!(device, "{}: owner CXL: region{} keeps it\n", piece, region);
            }
            (Taken::Claimed, _) => {}
        },
        Event::Unaligned { piece, fate } => {
            let (why, what) = match fate {
                Fate::UnalignedHead => ("at the start cannot be served: below a", "boundary"),
                Fate::UnalignedTail => ("at the end cannot be served: above a", "boundary"),
                _ => ("cannot be served: no aligned", "inside"),
            };
            dev_warn!(
                device,
                "{}: {} KiB {} {} MiB {}\n",
                piece,
                piece.kib(),
                why,
                dax::ALIGN >> 20,
                what
            );
        }
        Event::NotRegistered { piece, error } => retry(device, &piece, "nobody serves it", error),
        Event::Incomplete { error } => retry(device, range, "not all of it is served", error),
        Event::Undecidable { error } => {
            retry(device, range, "undecided, no CXL region was found", error);
        }
        // `goes()` says more of these.
        Event::Released { .. } | Event::Retried { .. } | Event::Closed { .. } => {}
    }
}

/// Says that a device is there and its driver did not take it.
pub(super) fn not_bound(device: &device::Device, range: &Range, id: c_int) {
    dev_warn!(
        device,
        "{}: nobody serves it: hmem.{} was not bound, see above for the cause\n",
        range,
        id
    );
}

fn retry(device: &device::Device, range: &Range, what: &str, error: Error) {
    dev_warn!(
        device,
        "{}: {}: {:?}; unbind and rebind {} to retry\n",
        range,
        what,
        error,
        device.name()
    );
}

/// Says that a device goes, and why.
pub(super) fn goes(device: &device::Device, range: &Range, id: c_int, region: Option<c_int>) {
    match region {
        Some(region @ 0..) => dev_info!(
            device,
            "{}: hmem.{} goes, region{} below it was torn down or disabled\n",
            range,
            id,
            region
        ),
        Some(_) => dev_info!(
            device,
            "{}: hmem.{} goes, a memory device below it decodes no more\n",
            range,
            id
        ),
        None => dev_info!(
            device,
            "{}: hmem.{} goes, it was not bound; retried without what CXL has\n",
            range,
            id
        ),
    }
}

/// Says what of `piece`, served as one device in `part`, is beside whole memory blocks.
pub(super) fn trimmed(device: &device::Device, piece: &Range, part: &Range) {
    if params::REGION_IDLE.get() {
        return;
    }
    let block = node::memory_block_size();
    let trim = piece.align_inward(block);
    let kib = |side: Option<Range>| side.map_or(0, |r| r.kib());

    match (trim.inner, kib(trim.head), kib(trim.tail)) {
        (Some(_), 0, 0) => {}
        (Some(_), head, tail) => dev_info!(
            device,
            "{}: {} KiB at the start and {} KiB at the end are not whole memory blocks of {} MiB \
             and stay unused as System RAM\n",
            part,
            head,
            tail,
            block >> 20
        ),
        (None, ..) => dev_info!(
            device,
            "{}: no whole memory block of {} MiB, served as a file\n",
            part,
            block >> 20
        ),
    }
}
