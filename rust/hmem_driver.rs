// SPDX-License-Identifier: GPL-2.0

//! Driving `hmem` platform devices.
//!
//! C headers: [`include/linux/platform_device.h`](srctree/include/linux/platform_device.h),
//! [`include/linux/memregion.h`](srctree/include/linux/memregion.h)

use crate::{
    dax::Parent,
    hmem_device::Memory,
    hmem_shared::shared, //
};
use core::{
    marker::PhantomData,
    mem::offset_of, //
};
use kernel::{
    bindings,
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

/// A driver of `hmem` devices.
///
/// Not [`kernel::platform::Driver`]: that one keeps the driver's data in the driver data of the
/// device, which belongs to the DAX core here, see [`Parent`]. What such a driver acquires belongs
/// to devres; it has no state and no unbind callback.
pub trait HmemDriver {
    /// Called when a device is to be bound, with the memory that it stands for.
    fn probe(parent: &Parent<'_>, id: c_int, memory: &Memory) -> Result;
}

/// The registration of an [`HmemDriver`], to be used with [`driver::Registration`].
///
/// Devices are probed while [`HmemDevice::register`] runs, never later, so that its caller knows
/// the outcome, and so that whoever waits for the caller finds the dax region claimed.
///
/// [`HmemDevice::register`]: crate::hmem_device::HmemDevice::register
pub struct HmemAdapter<T: HmemDriver>(PhantomData<T>);

// SAFETY:
// - `struct platform_driver` is a C type and embeds a `struct device_driver` at the given offset.
// - The driver has no private data: `register()` takes the callback out that would free some.
unsafe impl<T: HmemDriver> driver::DriverLayout for HmemAdapter<T> {
    type DriverType = bindings::platform_driver;
    type DriverData<'bound> = ();
    const DEVICE_DRIVER_OFFSET: usize = offset_of!(Self::DriverType, driver);
}

// SAFETY: `unregister()` is valid after each successful `register()`.
unsafe impl<T: HmemDriver> driver::RegistrationOps for HmemAdapter<T> {
    unsafe fn register(
        drv: &Opaque<Self::DriverType>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        let raw = drv.get();

        // SAFETY: `raw` is valid and not registered yet, so its fields may be set. The callback
        // that `driver::Registration` has set would free driver data that the DAX core owns.
        unsafe {
            (*raw).driver.p_cb.post_unbind_rust = None;
            (*raw).driver.name = name.as_char_ptr();
            (*raw).driver.probe_type = bindings::probe_type_PROBE_FORCE_SYNCHRONOUS;
            (*raw).probe = Some(Self::probe);
        }
        // SAFETY: `raw` is filled in and stays pinned until `unregister()`, by the safety
        // requirements of this function.
        to_result(unsafe {
            bindings::__platform_driver_register(raw, module.as_ptr(), name.as_char_ptr())
        })
    }

    unsafe fn unregister(drv: &Opaque<Self::DriverType>) {
        // SAFETY: By the safety requirements of this function the driver is registered.
        unsafe { bindings::platform_driver_unregister(drv.get()) };
    }
}

impl<T: HmemDriver> HmemAdapter<T> {
    extern "C" fn probe(pdev: *mut bindings::platform_device) -> c_int {
        from_result(|| {
            // SAFETY: The platform bus calls this with a valid device.
            let device = unsafe { device::Device::from_raw(&raw mut (*pdev).dev) };
            // The platform data says the same, but only of devices that are known to be ours.
            let (id, memory) = shared().ok_or(ENODEV)?.devices.memory_of(device)?;
            // SAFETY: The device is valid, and in its probe callback until this returns. This
            // driver never touches its driver data: `register()` saw to that.
            let parent = unsafe { Parent::new(device) };

            T::probe(&parent, id, &memory)?;
            Ok(0)
        })
    }
}
