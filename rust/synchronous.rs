// SPDX-License-Identifier: GPL-2.0

//! Registering a platform driver whose devices are bound before the registration returns.
//!
//! C header: [`include/linux/device/driver.h`](srctree/include/linux/device/driver.h)

use core::marker::PhantomData;
use kernel::{
    bindings,
    driver::{
        DriverLayout,
        RegistrationOps, //
    },
    prelude::*,
    types::Opaque,
    ThisModule, //
};

/// As the registration `T`, with `PROBE_FORCE_SYNCHRONOUS`: also a module that is loaded with
/// `async_probe` has bound the devices that are there when it is loaded.
pub struct Synchronous<T>(PhantomData<T>);

// SAFETY: The same as that of `T`, which keeps the requirements.
unsafe impl<T> DriverLayout for Synchronous<T>
where
    T: DriverLayout<DriverType = bindings::platform_driver>,
{
    type DriverType = bindings::platform_driver;
    type DriverData<'bound> = T::DriverData<'bound>;
    const DEVICE_DRIVER_OFFSET: usize = T::DEVICE_DRIVER_OFFSET;
}

// SAFETY: Registration and unregistration are those of `T`.
unsafe impl<T> RegistrationOps for Synchronous<T>
where
    T: RegistrationOps<DriverType = bindings::platform_driver>,
{
    unsafe fn register(
        drv: &Opaque<Self::DriverType>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        // SAFETY: The driver is valid and not registered yet, so its fields may be set. `T` does
        // not touch this one.
        unsafe { (*drv.get()).driver.probe_type = bindings::probe_type_PROBE_FORCE_SYNCHRONOUS };
        // SAFETY: By the safety requirements of this function.
        unsafe { T::register(drv, name, module) }
    }

    unsafe fn unregister(drv: &Opaque<Self::DriverType>) {
        // SAFETY: By the safety requirements of this function.
        unsafe { T::unregister(drv) };
    }
}
