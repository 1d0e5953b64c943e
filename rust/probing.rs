// SPDX-License-Identifier: GPL-2.0

//! Waiting for the driver core, and loading modules by name.
//!
//! C headers: [`include/linux/device/driver.h`](srctree/include/linux/device/driver.h),
//! [`include/linux/kmod.h`](srctree/include/linux/kmod.h)

use kernel::{
    bindings,
    prelude::*, //
};

/// Waits until no device is being probed any more, asynchronous and deferred probes included.
///
/// May take as long as the slowest probe of the system. Must not be called from a probe or from an
/// asynchronous function call, which it would wait for.
pub fn wait_until_settled() {
    // SAFETY: The callers are work items of queues that no probe waits for.
    unsafe { bindings::wait_for_device_probe() };
}

/// Asks user space to load the module `name` and waits for that.
///
/// That it cannot be had is no failure: then whatever it drives is absent.
pub fn request_module(name: &'static CStr) {
    // SAFETY: Both strings are NUL-terminated, and the format takes just the one string.
    let ret = unsafe { bindings::__request_module(true, c"%s".as_char_ptr(), name.as_char_ptr()) };
    if ret != 0 {
        pr_debug!("module {} is not to be had: {}\n", name, ret);
    }
}
