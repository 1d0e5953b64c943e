// SPDX-License-Identifier: GPL-2.0

//! What the driver core does for regions on the CXL bus: whose driver goes before theirs, and
//! trying drivers again.
//!
//! C headers: [`drivers/cxl/cxl.h`](srctree/drivers/cxl/cxl.h),
//! [`include/linux/device.h`](srctree/include/linux/device.h)

use crate::{
    bindings as dax,
    cxl_bus::{
        for_each_device,
        Kind,
        Sighting, //
    },
    ownership::Range, //
};
use core::ptr;
use kernel::{
    bindings,
    device,
    prelude::*, //
};

/// The lock of a device, held. While it is, no driver is bound to the device or unbound from it.
///
/// # Invariants
///
/// `0` points to a valid device whose lock the current thread holds, taken by [`Locked::new`].
struct Locked(*mut bindings::device);

impl Locked {
    /// # Safety
    ///
    /// `dev` is a valid device and stays so while the result lives. The caller may sleep and does
    /// not hold the lock.
    unsafe fn new(dev: *mut bindings::device) -> Self {
        // SAFETY: By the safety requirements of this function; the lock of a valid device is
        // initialised.
        unsafe { bindings::mutex_lock(&raw mut (*dev).mutex) };
        // INVARIANT: Just taken.
        Self(dev)
    }

    /// How far the driver of the device is, as far as its dependents are concerned.
    fn driver_status(&self) -> bindings::dl_dev_state {
        // SAFETY: By the type invariant the device is valid, and its lock keeps others from
        // writing to this.
        unsafe { (*self.0).links.status }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the lock is ours.
        unsafe { bindings::mutex_unlock(&raw mut (*self.0).mutex) };
    }
}

/// Makes the driver core unbind `consumer` before any region that shares a byte with `range`.
///
/// Whoever tears a region down or disables it thereby takes the memory from `consumer` first, in
/// the order in which the region's own dax device would go. Calls `linked` for each region on
/// which `consumer` depends then, until it fails. To be called while `consumer` is being probed,
/// or is bound; the dependency ends when it is unbound. One that exists already is kept.
///
/// Takes the lock of each such region. Nobody may call this who is waited for under that lock.
///
/// Fails with `EBUSY` if such a region is being unbound at this moment: it does not wait for
/// `consumer` any more. Fails with `ENOMEM` where the driver core makes no link.
pub fn depend_on_regions<F>(consumer: &device::Device, range: &Range, mut linked: F) -> Result
where
    F: FnMut(&Sighting) -> Result,
{
    // CAST: `device::Device` is a transparent wrapper of `struct device`.
    let consumer = ptr::from_ref(consumer)
        .cast_mut()
        .cast::<bindings::device>();

    for_each_device(|dev, seen| {
        if seen.kind != Kind::Region || !seen.range.is_some_and(|r| r.intersects(range)) {
            return Ok(());
        }
        // SAFETY: The bus holds a reference to the device for this call.
        let locked = unsafe { Locked::new(dev) };
        match locked.driver_status() {
            bindings::dl_dev_state_DL_DEV_DRIVER_BOUND => {}
            bindings::dl_dev_state_DL_DEV_UNBINDING => return Err(EBUSY),
            _ => return Ok(()),
        }
        // SAFETY: Both devices are valid: the bus holds a reference to the one, the caller to the
        // other. The link holds references of its own.
        let link =
            unsafe { bindings::device_link_add(consumer, dev, dax::DL_FLAG_AUTOREMOVE_CONSUMER) };
        if link.is_null() {
            return Err(ENOMEM);
        }
        linked(&seen)
    })
}

/// Has the dax side of each region that `wanted` names and that has no driver probed once more.
///
/// Returns when that is done, whatever came out. Must not be called under a lock that a driver of
/// the bus takes in its probe.
pub fn probe_again(wanted: impl Fn(&Sighting) -> bool) {
    let walked = for_each_device(|dev, seen| {
        if seen.kind == Kind::Dax && !seen.bound && wanted(&seen) {
            // SAFETY: The bus holds a reference to the device for this call. That no driver takes
            // it is no error here.
            let _ = unsafe { bindings::device_attach(dev) };
        }
        Ok(())
    });
    // The callback does not fail.
    debug_assert!(walked.is_ok());
}
