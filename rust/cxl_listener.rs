// SPDX-License-Identifier: GPL-2.0

//! Listening to the coming and going of regions on the CXL bus.
//!
//! C headers: [`drivers/cxl/cxl.h`](srctree/drivers/cxl/cxl.h),
//! [`include/linux/device/bus.h`](srctree/include/linux/device/bus.h)

use crate::{
    bindings as dax,
    cxl_bus::{
        kind_of,
        sight,
        Kind,
        Sighting, //
    },
};
use core::sync::atomic::{
    AtomicBool,
    Ordering, //
};
use kernel::{
    bindings,
    container_of,
    error::to_result,
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// What a [`Listener`] tells.
pub trait RegionEvents: Send + Sync {
    /// The answer of [`for_each_region`] may have changed: a region became usable or stopped being
    /// so, or its driver was bound or unbound. In the last case `gone` is that region: it was torn
    /// down or disabled, and may be back already when somebody looks.
    ///
    /// [`for_each_region`]: crate::cxl_bus::for_each_region
    ///
    /// May sleep. Runs inside the locks that CXL holds while it adds and removes devices, and
    /// inside the lock of the bus's notifier chain. That lock is of one class for all buses, so
    /// the callback must not take a lock under which devices of any bus come or go.
    fn regions_changed(this: &Arc<Self>, gone: Option<&Sighting>);
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
            | (bindings::bus_notifier_event_BUS_NOTIFY_BOUND_DRIVER, Kind::Region) => {
                T::regions_changed(&this.events, None);
            }
            (bindings::bus_notifier_event_BUS_NOTIFY_UNBOUND_DRIVER, Kind::Region) => {
                // SAFETY: As above. The region keeps its addresses until it is reset, which comes
                // after this.
                let gone = unsafe { sight(data.cast()) };
                T::regions_changed(&this.events, gone.as_ref());
            }
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
