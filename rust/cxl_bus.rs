// SPDX-License-Identifier: GPL-2.0

//! Looking at the regions on the CXL bus, and listening to their coming and going.
//!
//! C headers: [`drivers/cxl/cxl.h`](srctree/drivers/cxl/cxl.h),
//! [`include/linux/device/bus.h`](srctree/include/linux/device/bus.h)

use crate::{
    bindings as dax,
    ownership::Range, //
};
use core::{
    ptr,
    sync::atomic::{
        AtomicBool,
        Ordering, //
    },
};
use kernel::{
    bindings,
    container_of,
    device,
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// What a device on the CXL bus says about a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A region, whether committed or not: `regionN`.
    Region,
    /// The dax side of a committed region of volatile memory: `dax_regionN`.
    Dax,
    /// The nvdimm side of a committed region of persistent memory: `pmem_regionN`.
    Pmem,
}

/// A region, as one of its devices shows it.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// Which device shows it.
    pub kind: Kind,
    /// The `N` of its name.
    pub region: c_int,
    /// Its host physical addresses; [`None`] for a region that has none yet.
    pub range: Option<Range>,
    /// Whether a driver is bound to it. May change at any moment.
    pub bound: bool,
}

/// Calls `f` for each region device on the bus until it fails.
///
/// The addresses of [`Kind::Dax`] and [`Kind::Pmem`] are exact. Those of [`Kind::Region`] may
/// change under a region that is not committed, so they are good for a hint only.
pub fn for_each_region<F>(mut f: F) -> Result
where
    F: FnMut(Sighting) -> Result,
{
    for_each_device(|_, seen| f(seen))
}

/// As [`for_each_region`], with the device, which is valid for the call.
fn for_each_device<F>(mut f: F) -> Result
where
    F: FnMut(*mut bindings::device, Sighting) -> Result,
{
    /// # Safety
    ///
    /// `dev` is a valid device on the CXL bus, and `arg` points to an `F` that nobody else uses.
    unsafe extern "C" fn visit<F>(dev: *mut bindings::device, arg: *mut c_void) -> c_int
    where
        F: FnMut(*mut bindings::device, Sighting) -> Result,
    {
        // SAFETY: By the safety requirements of this function; the bus holds a reference to the
        // device for this call.
        let (f, seen) = unsafe { (&mut *arg.cast::<F>(), sight(dev)) };

        from_result(|| {
            if let Some(seen) = seen {
                f(dev, seen)?;
            }
            Ok(0)
        })
    }

    // SAFETY: The bus type is valid as long as cxl_core is loaded, which this module keeps it by
    // linking to it. `visit` gets `f` only while this call lasts.
    to_result(unsafe {
        bindings::bus_for_each_dev(
            &raw const dax::cxl_bus_type,
            ptr::null_mut(),
            ptr::from_mut(&mut f).cast(),
            Some(visit::<F>),
        )
    })
}

/// Whether `dev` is of the type that drivers with this `id` are matched with.
///
/// `to_cxl_dax_region()` and its like warn about devices of any other type, and the types
/// themselves are not exported, so the bus's own match function is asked.
///
/// # Safety
///
/// `dev` is a valid device on the CXL bus.
unsafe fn is_type(dev: *mut bindings::device, id: u32) -> bool {
    let driver = dax::cxl_driver {
        id: id as c_int,
        ..Default::default()
    };
    // SAFETY: The bus type is static and constant.
    let Some(matches) = (unsafe { dax::cxl_bus_type.match_ }) else {
        return false;
    };
    // SAFETY: `dev` is on this bus, and of the driver the function reads nothing but the id.
    unsafe { matches(dev, &driver.drv) != 0 }
}

/// What `dev` is, if it is one of those that show a region.
///
/// # Safety
///
/// `dev` is a valid device on the CXL bus.
unsafe fn kind_of(dev: *mut bindings::device) -> Option<Kind> {
    // SAFETY: By the safety requirements of this function.
    unsafe {
        if is_type(dev, dax::CXL_DEVICE_DAX_REGION) {
            Some(Kind::Dax)
        } else if is_type(dev, dax::CXL_DEVICE_REGION) {
            Some(Kind::Region)
        } else if is_type(dev, dax::CXL_DEVICE_PMEM_REGION) {
            Some(Kind::Pmem)
        } else {
            None
        }
    }
}

/// Reads what `dev` shows of a region.
///
/// # Safety
///
/// `dev` is a valid device on the CXL bus to which the caller has a reference.
unsafe fn sight(dev: *mut bindings::device) -> Option<Sighting> {
    // SAFETY: By the safety requirements of this function.
    let kind = unsafe { kind_of(dev)? };

    // SAFETY: A device of this type is embedded in the structure in question.
    let (start, end) = unsafe {
        match kind {
            // Both are written before the device is added and not after.
            Kind::Dax => {
                let range = (*container_of!(dev, dax::cxl_dax_region, dev)).hpa_range;
                (range.start, range.end)
            }
            Kind::Pmem => {
                let range = (*container_of!(dev, dax::cxl_pmem_region, dev)).hpa_range;
                (range.start, range.end)
            }
            // Somebody may be writing to these two under a lock that is private to cxl_core. A
            // mixture of old and new is as good a hint as either.
            Kind::Region => {
                let range = &raw const (*container_of!(dev, dax::cxl_region, dev)).hpa_range;
                (
                    (&raw const (*range).start).read_volatile(),
                    (&raw const (*range).end).read_volatile(),
                )
            }
        }
    };
    // SAFETY: A device that has been added has a name, which lives as long as the device.
    let name = unsafe { CStr::from_char_ptr(bindings::dev_name(dev)) };

    Some(Sighting {
        kind,
        region: trailing_number(name.to_bytes())?,
        // A region without addresses shows 0 to 2^64 - 1, or an end below its start.
        range: Range::new(start, end).filter(|r| r.size().is_some()),
        // SAFETY: By the safety requirements of this function.
        bound: unsafe { bindings::device_is_bound(dev) },
    })
}

/// The decimal number that a device name ends with.
///
/// The number is also in the region's structure, but that may go before a device that shows it.
fn trailing_number(name: &[u8]) -> Option<c_int> {
    let at = name.iter().rposition(|c| !c.is_ascii_digit())?;
    let digits = name.get(at.checked_add(1)?..)?;
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// Makes the driver core unbind `consumer` before any region that shares a byte with `range`.
///
/// Whoever tears a region down or disables it thereby takes the memory from `consumer` first, in
/// the order in which the region's own dax device would go. Returns how many regions there are.
/// To be called while `consumer` is being probed, or is bound; the dependency ends when it is
/// unbound. A dependency that exists already is kept.
///
/// Fails with `ENOMEM` where the driver core makes no link.
pub fn depend_on_regions(consumer: &device::Device, range: &Range) -> Result<usize> {
    let mut count = 0usize;
    // CAST: `device::Device` is a transparent wrapper of `struct device`.
    let consumer = ptr::from_ref(consumer)
        .cast_mut()
        .cast::<bindings::device>();

    for_each_device(|dev, seen| {
        let below = seen.kind == Kind::Region
            && seen.bound
            && seen.range.is_some_and(|r| r.intersects(range));
        if !below {
            return Ok(());
        }
        // SAFETY: Both devices are valid: the bus holds a reference to the one, the caller to the
        // other. The link holds references of its own.
        let link =
            unsafe { bindings::device_link_add(consumer, dev, dax::DL_FLAG_AUTOREMOVE_CONSUMER) };
        if link.is_null() {
            return Err(ENOMEM);
        }
        count = count.saturating_add(1);
        Ok(())
    })?;
    Ok(count)
}

/// What a [`Listener`] tells.
pub trait RegionEvents: Send + Sync {
    /// The answer of [`for_each_region`] may have changed: a region became usable or stopped being
    /// so, or its driver was bound or unbound.
    ///
    /// May sleep. Runs inside the locks that CXL holds while it adds and removes devices, and
    /// inside the lock of the bus's notifier chain. That lock is of one class for all buses, so
    /// the callback must not take a lock under which devices of any bus come or go.
    fn regions_changed(this: &Arc<Self>);
}

/// Forwards events of the CXL bus to a [`RegionEvents`], until it is dropped.
///
/// Dropping it waits for a callback that is running.
///
/// # Invariants
///
/// While `active` is set, `block` is on the notifier chain of the CXL bus.
#[pin_data(PinnedDrop)]
pub struct Listener<T: RegionEvents> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    events: Arc<T>,
    active: AtomicBool,
}

// SAFETY: The notifier chain does its own locking, and what is called is `Sync`.
unsafe impl<T: RegionEvents> Send for Listener<T> {}
// SAFETY: As above.
unsafe impl<T: RegionEvents> Sync for Listener<T> {}

impl<T: RegionEvents> Listener<T> {
    /// Starts to listen. Fails with `ENOMEM`, and with what `bus_register_notifier()` says.
    pub fn new(events: Arc<T>) -> Result<Pin<KBox<Self>>> {
        let this = KBox::pin_init(
            pin_init!(Self {
                block <- Opaque::ffi_init(|slot: *mut bindings::notifier_block| {
                    let block = bindings::notifier_block {
                        notifier_call: Some(Self::notify),
                        ..Default::default()
                    };
                    // SAFETY: `slot` is valid for writes.
                    unsafe { slot.write(block) };
                }),
                events,
                active: AtomicBool::new(false),
            }),
            GFP_KERNEL,
        )?;

        // SAFETY: The bus type is valid as long as cxl_core is loaded, which this module keeps it
        // by linking to it. The block is pinned until it is taken off the chain in `drop()`.
        to_result(unsafe {
            bindings::bus_register_notifier(&raw const dax::cxl_bus_type, this.block.get())
        })?;
        // INVARIANT: The block is on the chain now.
        this.active.store(true, Ordering::Relaxed);
        Ok(this)
    }

    /// # Safety
    ///
    /// `block` is that of a listener on the chain of the CXL bus, and `data` a valid device on it.
    unsafe extern "C" fn notify(
        block: *mut bindings::notifier_block,
        event: usize,
        data: *mut c_void,
    ) -> c_int {
        // SAFETY: `block` is embedded in a listener that stays valid while it is on the chain. The
        // bus passes a device that is valid for this call.
        let (this, kind) = unsafe {
            let this = container_of!(
                block.cast::<Opaque<bindings::notifier_block>>(),
                Self,
                block
            );
            (&*this, kind_of(data.cast()))
        };
        let Some(kind) = kind else {
            return bindings::NOTIFY_DONE as c_int;
        };

        match (u32::try_from(event).unwrap_or(u32::MAX), kind) {
            (
                bindings::bus_notifier_event_BUS_NOTIFY_ADD_DEVICE
                | bindings::bus_notifier_event_BUS_NOTIFY_REMOVED_DEVICE,
                Kind::Dax | Kind::Pmem,
            )
            | (
                bindings::bus_notifier_event_BUS_NOTIFY_BOUND_DRIVER
                | bindings::bus_notifier_event_BUS_NOTIFY_UNBOUND_DRIVER,
                Kind::Region,
            ) => T::regions_changed(&this.events),
            _ => {}
        }
        bindings::NOTIFY_DONE as c_int
    }
}

#[pinned_drop]
impl<T: RegionEvents> PinnedDrop for Listener<T> {
    fn drop(self: Pin<&mut Self>) {
        if !self.active.load(Ordering::Relaxed) {
            return;
        }
        // SAFETY: By the type invariant the block is on the chain of this bus. It is taken off
        // once, here, and no callback runs any more when the call returns.
        unsafe {
            bindings::bus_unregister_notifier(&raw const dax::cxl_bus_type, self.block.get());
        }
    }
}
