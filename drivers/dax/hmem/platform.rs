// SPDX-License-Identifier: GPL-2.0

//! The driver of `hmem_platform.N`, the device that stands for all Soft Reserved memory.

use crate::{
    arbiter::Arbiter,
    attribute::Attribute,
    decoded::Decoded,
    hmem_device::Memory,
    hmem_resources::{
        fallback_node,
        for_each_resource,
        is_possible_node,
        platform_number,
        target_node, //
    },
    hmem_shared,
    iomem,
    iomem_tree::{
        Kind,
        Tree, //
    },
    ownership::{
        range::{
            for_each_gap,
            intersecting,
            sort,
            sort_disjoint, //
        },
        Range, //
    },
    report::LedgerFile,
    soft_reserved::{
        wait_together,
        SoftReservedRange, //
    },
    synchronous::Synchronous, //
};
use kernel::{
    device::{
        self,
        Core, //
    },
    platform,
    prelude::*,
    sync::{
        atomic::Acquire,
        Arc, //
    }, //
};

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
    arbiter: Arc<Arbiter>,
    // Each of these may be missing, for lack of memory: ownership is decided all the same.
    /// Where user space can wait until ownership is settled.
    attribute: Option<Pin<KBox<Attribute<Arbiter>>>>,
    /// Where the ledger is read.
    ledger: Option<LedgerFile>,
}

impl Drop for Binding {
    fn drop(&mut self) {
        // First no more readers, then no more decisions.
        self.ledger = None;
        self.attribute = None;
        Arbiter::stop(&self.arbiter);
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
///
/// Fails with `ENODEV` for a device that is no `hmem_platform`, and with `ENOMEM`.
fn bind(pdev: &platform::Device<Core<'_>>) -> Result<Binding> {
    let own = platform_number(pdev).ok_or(ENODEV)? == 0;
    let shared = hmem_shared::shared().ok_or(ENODEV)?;
    // An earlier binding may still be closing; its devices are to be gone. Otherwise there is nothing
    // to wait for: the decision of another platform device may wait for this probe.
    if shared.closings.load(Acquire) > 0 {
        shared.decisions.flush();
    }

    let ranges = find_ranges(pdev, own)?;
    let decoded = Decoded::read(pdev.as_ref(), own)?;
    let arbiter = Arc::pin_init(
        Arbiter::new(pdev.as_ref().into(), shared, decoded),
        GFP_KERNEL,
    )?;
    let warn = |what| move |e: &Error| dev_warn!(pdev.as_ref(), "no {}: {:?}\n", what, *e);

    let binding = Binding {
        attribute: Attribute::new(pdev.as_ref().into(), arbiter.clone())
            .inspect_err(warn("attribute `ownership`"))
            .ok(),
        // A test harness has none.
        ledger: own
            .then(|| LedgerFile::open(pdev.as_ref(), &arbiter))
            .transpose()
            .inspect_err(warn("ledger"))
            .unwrap_or(None),
        arbiter,
    };
    Arbiter::start(&binding.arbiter, ranges);
    Ok(binding)
}

/// The ranges that have been found so far.
struct Found<'a> {
    host: &'a device::Device,
    /// The CXL windows in the iomem tree, ascending and disjoint.
    windows: &'a [Range],
    ranges: KVVec<Memory>,
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
        Ok(self.ranges.push(memory, GFP_KERNEL)?)
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
            known.push(memory.range, GFP_KERNEL)?;
        }
        let known = sort_disjoint(&mut known);

        for range in reserved {
            for_each_gap(range, known, |range| {
                self.add(Memory {
                    range,
                    target_node: target_node(range.start()),
                })
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
fn find_ranges(pdev: &platform::Device<Core<'_>>, own: bool) -> Result<KVVec<SoftReservedRange>> {
    let tree = Tree::new()?;
    let mut listed = KVec::new();
    let mut reserved = KVec::new();
    let mut windows = KVec::new();

    for_each_resource(pdev, |memory| Ok(listed.push(memory, GFP_KERNEL)?))?;
    iomem::for_each_soft_reserved(&Range::ALL, |range| Ok(reserved.push(range, GFP_KERNEL)?))?;
    for window in tree.iter().filter(|e| e.kind == Kind::Window) {
        windows.push(window.range, GFP_KERNEL)?;
    }
    let reserved = sort_disjoint(&mut reserved);

    let mut found = Found {
        host: pdev.as_ref(),
        windows: sort_disjoint(&mut windows),
        ranges: KVVec::with_capacity(listed.len(), GFP_KERNEL)?,
        reserved: 0,
    };
    for memory in &listed {
        found.add_reserved(memory, reserved)?;
    }
    if own {
        found.add_unlisted(&listed, reserved)?;
    }
    // Neighbours stand side by side, so that they can share a device.
    sort(&mut found.ranges, |memory| memory.range);

    let mut all = KVVec::with_capacity(found.ranges.len(), GFP_KERNEL)?;
    for (at, memory) in found.ranges.iter().enumerate() {
        let in_window = found.is_in_window(&memory.range);
        all.push(SoftReservedRange::new(at, *memory, in_window), GFP_KERNEL)?;
    }
    wait_together(&mut all, found.windows)?;
    Ok(all)
}
