// SPDX-License-Identifier: GPL-2.0

//! Watching regions and memory devices come and go.
//!
//! C headers: [`drivers/cxl/cxl.h`](srctree/drivers/cxl/cxl.h),
//! [`include/linux/device/bus.h`](srctree/include/linux/device/bus.h)

use crate::{
    cxl_bus::{
        is_committed,
        is_decoding,
        sight,
        Bus,
        Kind, //
    },
    cxl_decoder::{
        behind_locked,
        Decoder, //
    },
    ownership::{
        Range,
        Share, //
    }, //
};
use core::ptr;
use kernel::{
    bindings,
    container_of,
    device,
    error::to_result,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    types::Opaque, //
};

/// What a [`Watch`] tells.
///
/// All may sleep. All run inside the locks that CXL or PCI holds while it adds and removes devices,
/// and inside the lock of a bus's notifier chain. That lock is of one class for all buses, so no
/// callback may take a lock under which devices of any bus come or go.
pub trait Events: Send + Sync {
    /// A region has begun to decode `range`, and perhaps an extended linear cache beside it.
    fn decodes(this: &Arc<Self>, range: &Range);

    /// What the CXL bus shows of regions, or of what decodes without one, may have changed.
    fn changed(this: &Arc<Self>);

    /// A memory device of `device` decodes this, of which the kernel made no region. It has come, or its
    /// driver is being unbound, after which it does not show that any more.
    fn plugged(this: &Arc<Self>, device: &device::Device, share: &Share);

    /// `range` is about to be decoded no longer, or to lose its driver. Nothing has been undone
    /// when this is called, and nothing is before it returns.
    fn going(this: &Arc<Self>, range: &Range);

    /// Region `region` has lost its driver: it was torn down or disabled. It may be back when
    /// somebody looks. [`Events::going`] came before with the same range.
    fn gone(this: &Arc<Self>, region: c_int, range: &Range);

    /// A PCI device is being removed.
    fn unplugged(this: &Arc<Self>, device: &device::Device);
}

/// Forwards events of the CXL and the PCI bus to an [`Events`], until it is dropped.
///
/// Dropping it waits for a callback that is running.
pub struct Watch<T: Events> {
    _cxl: Pin<KBox<Chained<T>>>,
    _pci: Pin<KBox<Chained<T>>>,
}

impl<T: Events> Watch<T> {
    /// Starts to watch. Fails with `ENOMEM`, and with what `bus_register_notifier()` says.
    pub fn new(events: &Arc<T>) -> Result<Self> {
        Ok(Self {
            _cxl: Chained::new(events.clone(), Bus::Cxl)?,
            _pci: Chained::new(events.clone(), Bus::Pci)?,
        })
    }
}

/// A callback on the notifier chain of one bus.
///
/// # Invariants
///
/// While `active` is set, `block` is on the notifier chain of `bus`.
#[pin_data(PinnedDrop)]
struct Chained<T: Events> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    events: Arc<T>,
    bus: Bus,
    active: Atomic<bool>,
}

// SAFETY: The notifier chain does its own locking, and what is called is `Sync`.
unsafe impl<T: Events> Send for Chained<T> {}
// SAFETY: As above.
unsafe impl<T: Events> Sync for Chained<T> {}

impl<T: Events> Chained<T> {
    fn new(events: Arc<T>, bus: Bus) -> Result<Pin<KBox<Self>>> {
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
                bus,
                active: Atomic::new(false),
            }),
            GFP_KERNEL,
        )?;

        // SAFETY: The bus type is valid, see `Bus::as_raw()`. The block is pinned until it is taken
        // off the chain in `drop()`.
        to_result(unsafe { bindings::bus_register_notifier(bus.as_raw(), this.block.get()) })?;
        // INVARIANT: The block is on the chain now.
        this.active.store(true, Relaxed);
        Ok(this)
    }

    /// # Safety
    ///
    /// `block` is that of a `Chained<T>` on the chain of its bus, and `data` a valid device on that
    /// bus.
    unsafe extern "C" fn notify(
        block: *mut bindings::notifier_block,
        event: usize,
        data: *mut c_void,
    ) -> c_int {
        // SAFETY: `block` is embedded in a `Chained` that stays valid while it is on the chain.
        let this = unsafe {
            &*container_of!(
                block.cast::<Opaque<bindings::notifier_block>>(),
                Self,
                block
            )
        };
        let event = u32::try_from(event).unwrap_or(u32::MAX);
        let dev = data.cast::<bindings::device>();

        // SAFETY: The bus passes a device that is valid for this call.
        unsafe {
            match this.bus {
                Bus::Cxl => this.cxl_event(event, dev),
                Bus::Pci if event == bindings::bus_notifier_event_BUS_NOTIFY_DEL_DEVICE => {
                    T::unplugged(&this.events, device::Device::from_raw(dev));
                }
                Bus::Pci => {}
            }
        }
        bindings::NOTIFY_DONE as c_int
    }

    /// # Safety
    ///
    /// `dev` is a valid device on the CXL bus.
    unsafe fn cxl_event(&self, event: bindings::bus_notifier_event, dev: *mut bindings::device) {
        // SAFETY: By the safety requirements of this function.
        let Some(seen) = (unsafe { sight(dev) }) else {
            let (bound, unbinds) = (
                event == bindings::bus_notifier_event_BUS_NOTIFY_BOUND_DRIVER,
                event == bindings::bus_notifier_event_BUS_NOTIFY_UNBIND_DRIVER,
            );
            if bound || unbinds {
                // SAFETY: As above. The driver core holds the lock of the device, whose driver is
                // bound still, or by now.
                unsafe { self.port_changes(dev, unbinds) };
            }
            // With a port its decoders have come or gone. A memory device comes after its port, when
            // nobody holds the lock of that any more.
            if bound || event == bindings::bus_notifier_event_BUS_NOTIFY_UNBOUND_DRIVER {
                T::changed(&self.events);
            }
            return;
        };
        match (event, seen.kind, seen.range) {
            (
                bindings::bus_notifier_event_BUS_NOTIFY_ADD_DEVICE
                | bindings::bus_notifier_event_BUS_NOTIFY_REMOVED_DEVICE,
                Kind::Dax | Kind::Pmem,
                _,
            )
            // A region that was disabled before it is destroyed has no driver to lose.
            | (
                bindings::bus_notifier_event_BUS_NOTIFY_REMOVED_DEVICE,
                Kind::Region { .. },
                _,
            ) => T::changed(&self.events),
            (bindings::bus_notifier_event_BUS_NOTIFY_BOUND_DRIVER, Kind::Region { .. }, range) => {
                if let Some(range) = range {
                    T::decodes(&self.events, &range);
                }
                T::changed(&self.events);
            }
            (
                bindings::bus_notifier_event_BUS_NOTIFY_UNBIND_DRIVER,
                Kind::Region { .. },
                Some(range),
            ) => T::going(&self.events, &seen.region_range().unwrap_or(range)),
            // The region keeps its addresses until it is reset, which comes after this.
            (
                bindings::bus_notifier_event_BUS_NOTIFY_UNBOUND_DRIVER,
                Kind::Region { .. },
                Some(range),
            ) => T::gone(
                &self.events,
                seen.region,
                &seen.region_range().unwrap_or(range),
            ),
            _ => {}
        }
    }

    /// A port has been bound, or is about to be unbound. If it is that of a memory device, its
    /// decoders come and are removed with it. Those that belong to a committed region are reset before
    /// it loses its driver; those without one go on decoding.
    ///
    /// # Safety
    ///
    /// `dev` is a valid device on the CXL bus, its lock is held, and its driver is bound.
    unsafe fn port_changes(&self, dev: *mut bindings::device, unbinds: bool) {
        /// # Safety
        ///
        /// `dev` is valid, and `arg` points to a `(&Chained<T>, bool)`.
        unsafe extern "C" fn visit<T: Events>(
            dev: *mut bindings::device,
            arg: *mut c_void,
        ) -> c_int {
            // SAFETY: By the safety requirements of this function. `sight()` is for devices on the
            // CXL bus, and every other is passed over. The decoder of an endpoint is a child of its
            // port, which is the one in question.
            let ((this, unbinds), decoder) = unsafe {
                if (*dev).bus != Bus::Cxl.as_raw() {
                    return 0;
                }
                let behind = || behind_locked(dev);
                let decoder = sight(dev).and_then(|seen| Decoder::new(&seen, behind));
                (*arg.cast::<(&Chained<T>, bool)>(), decoder)
            };
            let Some((decoder, share)) = decoder.and_then(|d| d.share.map(|share| (d, share)))
            else {
                return 0;
            };
            // Those of a region that was never committed are not reset.
            if decoder.region.is_some() && is_committed(&share.range) {
                if unbinds {
                    T::going(&this.events, &share.range);
                }
            } else if decoder.region.is_none_or(|r| is_decoding(r) == Some(false)) {
                if let Some(behind) = decoder.behind {
                    T::plugged(&this.events, &behind.device, &share);
                }
            }
            0
        }

        let mut arg = (self, unbinds);
        // SAFETY: The port is valid, and it and its children stay while its lock is held.
        // `visit` gets a pointer that is valid while this lasts.
        unsafe {
            bindings::device_for_each_child(dev, ptr::from_mut(&mut arg).cast(), Some(visit::<T>))
        };
    }
}

#[pinned_drop]
impl<T: Events> PinnedDrop for Chained<T> {
    fn drop(self: Pin<&mut Self>) {
        if !self.active.load(Relaxed) {
            return;
        }
        // SAFETY: By the type invariant the block is on the chain of this bus. It is taken off
        // once, here, and no callback runs any more when the call returns.
        unsafe { bindings::bus_unregister_notifier(self.bus.as_raw(), self.block.get()) };
    }
}
