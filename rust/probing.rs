// SPDX-License-Identifier: GPL-2.0

//! Waiting for the driver core, and loading drivers by name.
//!
//! C headers: [`include/linux/device/bus.h`](srctree/include/linux/device/bus.h),
//! [`include/linux/device/driver.h`](srctree/include/linux/device/driver.h),
//! [`include/linux/kmod.h`](srctree/include/linux/kmod.h)

use core::ptr;
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Waits until no device is being probed any more, asynchronous and deferred probes included.
///
/// May take as long as the slowest probe of the system. Must not be called from a probe or from an
/// asynchronous function call, which it would wait for.
pub fn wait_until_settled() {
    // SAFETY: The callers are work items of queues that no probe waits for.
    unsafe { bindings::wait_for_device_probe() };
}

/// The bus that a driver is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    /// `platform_bus_type`
    Platform,
    /// `pci_bus_type`
    Pci,
}

impl Bus {
    fn as_raw(self) -> *const bindings::bus_type {
        match self {
            Self::Platform => &raw const bindings::platform_bus_type,
            Self::Pci => &raw const bindings::pci_bus_type,
        }
    }
}

/// Asks user space to load the module `name`, whose driver has the same name, and waits for that;
/// unless the driver is there already, as it is on most machines by then. Starting modprobe for
/// nothing takes as long as all the rest of loading a module.
///
/// That it cannot be had is no failure: then whatever it drives is absent.
pub fn request_driver(bus: Bus, name: &'static CStr) {
    if is_loaded(bus, name) {
        return;
    }
    // SAFETY: Both strings are NUL-terminated, and the format takes just the one string.
    let ret = unsafe { bindings::__request_module(true, c"%s".as_char_ptr(), name.as_char_ptr()) };
    if ret != 0 {
        pr_debug!("module {} is not to be had: {}\n", name, ret);
    }
}

/// True if `bus` has the driver `name` and its module, if it is in one, is loaded to the end.
///
/// While the module is being loaded the answer is "no": its driver may be registered and have no
/// device yet, and to request the module waits until it is loaded. One that is being unloaded is as
/// good as missing.
fn is_loaded(bus: Bus, name: &CStr) -> bool {
    /// # Safety
    ///
    /// `drv` is a registered driver, and `name` points to a `&CStr`.
    unsafe extern "C" fn visit(drv: *mut bindings::device_driver, name: *mut c_void) -> c_int {
        // SAFETY: By the safety requirements of this function; a registered driver has a name.
        let (name, of_driver) =
            unsafe { (*name.cast::<&CStr>(), CStr::from_char_ptr((*drv).name)) };
        if name != of_driver {
            return 0;
        }
        // SAFETY: As above. A module unregisters its drivers before it is freed, and that waits
        // for whoever looks at one.
        let live = unsafe {
            let module = (*drv).owner;
            module.is_null()
                || Atomic::from_ptr(&raw mut (*module).state).load(Relaxed)
                    == bindings::module_state_MODULE_STATE_LIVE
        };
        c_int::from(live)
    }

    let mut name = name;
    // SAFETY: The bus type is valid for good. `visit` is called for drivers of the bus, which stay
    // registered for the call, with the pointer given here.
    let found = unsafe {
        bindings::bus_for_each_drv(
            bus.as_raw(),
            ptr::null_mut(),
            (&raw mut name).cast(),
            Some(visit),
        )
    };
    found > 0
}
