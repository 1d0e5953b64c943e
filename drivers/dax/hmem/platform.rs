// SPDX-License-Identifier: GPL-2.0

//! The driver of `hmem_platform.N`, the device that stands for all Soft Reserved memory.

use crate::{
    attribute::Attribute,
    clock::now_ns,
    hmem_device::Memory,
    hmem_queues,
    hmem_resources::{
        fallback_node,
        for_each_resource,
        is_platforms_own,
        is_possible_node,
        target_node, //
    },
    host::{
        Host,
        LedgerFile, //
    },
    iomem,
    ownership::{
        for_each_piece,
        range::{
            intersecting,
            sort_disjoint, //
        },
        Fate,
        Obstacle,
        Range,
        Taken, //
    },
    record::Record,
    synchronous::Synchronous, //
};
use kernel::{
    debugfs,
    device::{
        self,
        Core, //
    },
    platform,
    prelude::*,
    sync::Arc, //
};

#[cfg(CONFIG_DEV_DAX_CXL)]
use crate::cxl_listener::Listener;

/// The driver.
pub(crate) struct HmemPlatform;

/// How it is registered. Its devices are no parents of dax regions, so that their driver data is
/// the driver's own. They are bound before the module is loaded, so that whoever loads dax_cxl
/// next finds the decision queued.
pub(crate) type Adapter = Synchronous<platform::Adapter<HmemPlatform>>;

/// The driver bound to a device. Dropping it ends the decision and removes all `hmem` devices.
///
/// This may happen at any moment: while the decision is queued, while it waits, while it runs, and
/// when binding fails half-way.
pub(crate) struct Binding {
    host: Arc<Host>,
    // Each of these may be missing, for lack of memory: ownership is decided all the same.
    /// Where user space can wait until ownership is settled.
    attribute: Option<Pin<KBox<Attribute<Host>>>>,
    /// Where the ledger is read.
    ledger: Option<Pin<KBox<debugfs::File<LedgerFile>>>>,
    /// Who tells about CXL regions that come and go.
    #[cfg(CONFIG_DEV_DAX_CXL)]
    listener: Option<Pin<KBox<Listener<Host>>>>,
}

impl Drop for Binding {
    fn drop(&mut self) {
        // First no more readers and no more news, and a callback that runs is waited for; then no
        // more decisions.
        drop(self.ledger.take());
        drop(self.attribute.take());
        #[cfg(CONFIG_DEV_DAX_CXL)]
        drop(self.listener.take());
        self.host.stop();
    }
}

impl platform::Driver for HmemPlatform {
    type IdInfo = ();
    type Data<'bound> = Binding;

    fn probe<'bound>(
        pdev: &'bound platform::Device<Core<'_>>,
        _id_info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
        bind(pdev)
    }
}

/// Finds the ranges and starts the decision. What fails after that fails for its range only; if
/// this device cannot be bound all the same, dropping the result ends what was started.
fn bind(pdev: &platform::Device<Core<'_>>) -> Result<Binding> {
    let ranges = find_ranges(pdev)?;
    let queues = hmem_queues::queues().ok_or(ENODEV)?;
    let host = Arc::pin_init(Host::new(pdev.as_ref().into(), queues), GFP_KERNEL)?;

    let binding = Binding {
        attribute: Attribute::new(pdev.as_ref().into(), host.clone())
            .inspect_err(|e| dev_warn!(pdev.as_ref(), "no attribute `ownership`: {:?}\n", e))
            .ok(),
        ledger: show_ledger(pdev, &host),
        #[cfg(CONFIG_DEV_DAX_CXL)]
        listener: Listener::new(host.clone())
            .inspect_err(|e| dev_warn!(pdev.as_ref(), "deaf to CXL regions: {:?}\n", e))
            .ok(),
        host,
    };
    Host::start(&binding.host, ranges);
    Ok(binding)
}

/// Shows the ledger in debugfs. Only that of the platform's own device: a test harness has none.
fn show_ledger(
    pdev: &platform::Device<Core<'_>>,
    host: &Arc<Host>,
) -> Option<Pin<KBox<debugfs::File<LedgerFile>>>> {
    if !is_platforms_own(pdev) {
        return None;
    }
    let dir = debugfs::Dir::new(c"dax_hmem");
    KBox::pin_init(
        dir.read_only_file(c"ledger", LedgerFile(host.clone())),
        GFP_KERNEL,
    )
    .ok()
}

/// The ranges that have been found so far.
struct Found<'a> {
    host: &'a device::Device,
    /// The CXL windows in the iomem tree, ascending and disjoint.
    windows: &'a [Range],
    seen_ns: u64,
    records: KVVec<Record>,
    /// How many bytes of what is in the records firmware marked Soft Reserved.
    reserved: u128,
}

impl Found<'_> {
    /// Adds a range.
    fn add(&mut self, mut memory: Memory) -> Result {
        if !is_possible_node(memory.target_node) {
            let node = fallback_node(memory.range.start());
            dev_info!(
                self.host,
                "{}: firmware gives it node {}, which cannot be; node {} gets it\n",
                memory.range,
                memory.target_node,
                node
            );
            memory.target_node = node;
        }
        let record = Record::new(memory, self.is_in_window(&memory.range), self.seen_ns);
        Ok(self.records.push(record, GFP_KERNEL)?)
    }

    /// Whether a CXL window intersects `range`: one that the iomem tree has, or one that only a
    /// test harness answers for.
    fn is_in_window(&self, range: &Range) -> bool {
        cfg!(CONFIG_DEV_DAX_CXL)
            && (!intersecting(self.windows, range).is_empty()
                || iomem::intersects_cxl_window(range))
    }

    /// Adds what of `memory` is in `reserved`, the Soft Reserved ranges of firmware.
    fn add_reserved(&mut self, memory: &Memory, reserved: &[Range]) -> Result {
        let found = intersecting(reserved, &memory.range);

        for range in found.iter().filter_map(|r| r.intersection(&memory.range)) {
            self.reserved += bytes(&range);
            self.add(Memory { range, ..*memory })?;
        }
        // A test harness has ranges that the list does not know, and answers for them.
        if found.is_empty() && iomem::is_soft_reserved(&memory.range) {
            self.add(*memory)?;
        }
        Ok(())
    }

    /// Adds what is in `reserved` and in none of the ranges in `listed`.
    fn add_unlisted(&mut self, listed: &[Memory], reserved: &[Range]) -> Result {
        // As a rule there is nothing. Neither list has a byte twice, so counting them tells.
        if reserved.iter().map(bytes).sum::<u128>() == self.reserved {
            return Ok(());
        }
        let mut known = KVec::with_capacity(listed.len(), GFP_KERNEL)?;
        for memory in listed {
            known.push(
                Obstacle {
                    range: memory.range,
                    taken: Taken::Claimed,
                },
                GFP_KERNEL,
            )?;
        }
        let known = sort_disjoint(&mut known);

        for range in reserved {
            for_each_piece(range, known, &[], 1, |piece| {
                if piece.fate == Fate::Serve {
                    self.add(Memory {
                        range: piece.range,
                        target_node: target_node(piece.range.start()),
                    })?;
                }
                Ok::<(), Error>(())
            })?;
        }
        Ok(())
    }
}

/// The size in bytes, of all addresses too.
fn bytes(range: &Range) -> u128 {
    u128::from(range.end() - range.start()) + 1
}

/// The Soft Reserved ranges that `pdev` stands for.
///
/// They are those the platform has set aside for the device, as far as firmware marked them Soft
/// Reserved, and what else firmware marked so: where two firmware tables overlap, the platform
/// keeps only the entry that it saw first, and the rest of the other one would be lost.
fn find_ranges(pdev: &platform::Device<Core<'_>>) -> Result<KVVec<Record>> {
    let mut listed = KVec::new();
    let mut reserved = KVec::new();
    let mut windows = KVec::new();

    for_each_resource(pdev, |memory| Ok(listed.push(memory, GFP_KERNEL)?))?;
    iomem::for_each_soft_reserved(&Range::ALL, |range| Ok(reserved.push(range, GFP_KERNEL)?))?;
    iomem::for_each_cxl_window(&Range::ALL, |range| Ok(windows.push(range, GFP_KERNEL)?))?;
    let reserved = sort_disjoint(&mut reserved);

    let mut found = Found {
        host: pdev.as_ref(),
        windows: sort_disjoint(&mut windows),
        seen_ns: now_ns(),
        records: KVVec::with_capacity(listed.len(), GFP_KERNEL)?,
        reserved: 0,
    };
    for memory in &listed {
        found.add_reserved(memory, reserved)?;
    }
    if is_platforms_own(pdev) {
        found.add_unlisted(&listed, reserved)?;
    }
    Ok(found.records)
}
