// SPDX-License-Identifier: GPL-2.0

//! The CXL bus: its regions, and drivers for their dax side.
//!
//! A committed region of volatile memory has a child device `dax_regionN`, and one of persistent
//! memory a child `pmem_regionN`. Either exists only while the region is committed and its driver
//! is bound, and its addresses never change, so it can be read without the locks of CXL.
//!
//! C header: [`drivers/cxl/cxl.h`](srctree/drivers/cxl/cxl.h)

use crate::{
    bindings as dax,
    dax::Parent,
    ownership::Range, //
};
use core::{
    marker::PhantomData,
    mem::offset_of, //
};
use kernel::{
    bindings,
    container_of,
    device,
    driver,
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    types::Opaque,
    ThisModule, //
};

/// A driver of the dax side of CXL regions.
///
/// What such a driver acquires belongs to devres; it has no state and no unbind callback, because
/// the driver data of the device belongs to the DAX core, see [`Parent`].
pub trait DaxRegionDriver {
    /// Called when a region is to be bound, with its number and its addresses.
    fn probe(parent: &Parent<'_>, region: c_int, range: Range) -> Result;
}

/// The registration of a [`DaxRegionDriver`], to be used with [`driver::Registration`].
///
/// It cannot be bound and unbound through sysfs, and probes asynchronously.
pub struct DaxRegionAdapter<T: DaxRegionDriver>(PhantomData<T>);

// SAFETY:
// - `struct cxl_driver` is a C type and embeds a `struct device_driver` at the given offset.
// - The driver has no private data: `register()` takes the callback out that would free some.
unsafe impl<T: DaxRegionDriver> driver::DriverLayout for DaxRegionAdapter<T> {
    type DriverType = dax::cxl_driver;
    type DriverData<'bound> = ();
    const DEVICE_DRIVER_OFFSET: usize = offset_of!(Self::DriverType, drv);
}

// SAFETY: `unregister()` is valid after each successful `register()`.
unsafe impl<T: DaxRegionDriver> driver::RegistrationOps for DaxRegionAdapter<T> {
    unsafe fn register(
        drv: &Opaque<Self::DriverType>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        let raw = drv.get();

        // SAFETY: `raw` is valid and not registered yet, so its fields may be set. The callback
        // that `driver::Registration` has set would free driver data that the DAX core owns.
        unsafe {
            (*raw).drv.p_cb.post_unbind_rust = None;
            (*raw).name = name.as_char_ptr();
            (*raw).id = dax::CXL_DEVICE_DAX_REGION as c_int;
            (*raw).probe = Some(Self::probe);
            (*raw).drv.suppress_bind_attrs = true;
            (*raw).drv.probe_type = bindings::probe_type_PROBE_PREFER_ASYNCHRONOUS;
        }
        // SAFETY: `raw` is filled in and stays pinned until `unregister()`, by the safety
        // requirements of this function.
        to_result(unsafe { dax::__cxl_driver_register(raw, module.as_ptr(), name.as_char_ptr()) })
    }

    unsafe fn unregister(drv: &Opaque<Self::DriverType>) {
        // SAFETY: By the safety requirements of this function the driver is registered.
        unsafe { dax::cxl_driver_unregister(drv.get()) };
    }
}

impl<T: DaxRegionDriver> DaxRegionAdapter<T> {
    extern "C" fn probe(dev: *mut bindings::device) -> c_int {
        from_result(|| {
            // SAFETY: The CXL bus matches this driver with `cxl_dax_region` devices only, which
            // are embedded in a `struct cxl_dax_region` that holds a valid region while bound.
            let (region, range) = unsafe {
                let dax_region = container_of!(dev, dax::cxl_dax_region, dev);
                ((*(*dax_region).cxlr).id, (*dax_region).hpa_range)
            };
            let range = Range::new(range.start, range.end).ok_or(EINVAL)?;
            // SAFETY: The device is valid, and in its probe callback until this returns. This
            // driver never touches its driver data: `register()` saw to that.
            let parent = unsafe { Parent::new(device::Device::from_raw(dev)) };

            T::probe(&parent, region, range)?;
            Ok(0)
        })
    }
}
