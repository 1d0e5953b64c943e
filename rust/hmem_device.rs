// SPDX-License-Identifier: GPL-2.0

//! Making `hmem` platform devices.
//!
//! C headers: [`include/linux/platform_device.h`](srctree/include/linux/platform_device.h),
//! [`include/linux/memregion.h`](srctree/include/linux/memregion.h)

use crate::{
    bindings as dax,
    ownership::Range, //
};
use core::{
    mem::size_of,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    bindings,
    device,
    error::to_result,
    prelude::*, //
};

/// The memory that an `hmem` device stands for; `struct memregion_info` of its platform data.
#[derive(Clone, Copy)]
pub struct Memory {
    /// The addresses.
    pub range: Range,
    /// The NUMA node that the memory belongs to once it is online.
    pub target_node: c_int,
}

/// A registered platform device `hmem.N`. Dropping it unregisters the device.
///
/// # Invariants
///
/// `0` points to a platform device that is registered and ours to unregister.
pub struct HmemDevice(NonNull<bindings::platform_device>);

// SAFETY: A platform device may be used and unregistered from any thread.
unsafe impl Send for HmemDevice {}
// SAFETY: What a shared reference offers is thread-safe.
unsafe impl Sync for HmemDevice {}

impl HmemDevice {
    /// Registers `hmem.<id>` below `parent` and lets its driver probe it before it returns.
    ///
    /// Fails with `ENOMEM` without memory, and with what `device_add()` says, `EEXIST` for a name
    /// in use among them. A failed probe is no failure here: see [`HmemDevice::is_bound`].
    pub fn register(parent: &device::Device, id: c_int, memory: &Memory) -> Result<Self> {
        // SAFETY: The name is NUL-terminated and copied.
        let pdev = unsafe { bindings::platform_device_alloc(c"hmem".as_char_ptr(), id) };
        let pdev = NonNull::new(pdev).ok_or(ENOMEM)?;

        Self::add(pdev, parent, memory).inspect_err(|_| {
            // SAFETY: The device was allocated above and is not registered; the only reference is
            // ours.
            unsafe { bindings::platform_device_put(pdev.as_ptr()) };
        })
    }

    /// Fills in and adds a device that [`HmemDevice::register`] has allocated.
    fn add(
        pdev: NonNull<bindings::platform_device>,
        parent: &device::Device,
        memory: &Memory,
    ) -> Result<Self> {
        let info = dax::memregion_info {
            target_node: memory.target_node,
            range: bindings::range {
                start: memory.range.start(),
                end: memory.range.end(),
            },
        };
        // SAFETY: `pdev` is valid and not yet visible to anyone else. `info` is copied.
        to_result(unsafe {
            // CAST: `device::Device` is a transparent wrapper of `struct device`.
            (*pdev.as_ptr()).dev.parent = ptr::from_ref(parent).cast_mut().cast();
            bindings::platform_device_add_data(
                pdev.as_ptr(),
                ptr::from_ref(&info).cast(),
                size_of::<dax::memregion_info>(),
            )
        })?;
        #[cfg(CONFIG_NUMA)]
        // SAFETY: As above. `numa_nearest_node()` takes any number, and gives back one that it
        // does not know.
        unsafe {
            (*pdev.as_ptr()).dev.numa_node =
                dax::numa_nearest_node(memory.target_node, bindings::node_states_N_ONLINE);
        }
        // SAFETY: `pdev` is valid and not registered.
        to_result(unsafe { bindings::platform_device_add(pdev.as_ptr()) })?;

        // INVARIANT: Just registered.
        Ok(Self(pdev))
    }

    /// The device.
    pub fn device(&self) -> &device::Device {
        // SAFETY: By the type invariant the device is valid while `self` lives.
        unsafe { device::Device::from_raw(&raw mut (*self.0.as_ptr()).dev) }
    }

    /// Whether a driver is bound to it at this moment.
    pub fn is_bound(&self) -> bool {
        // SAFETY: By the type invariant the device is valid.
        unsafe { bindings::device_is_bound(&raw mut (*self.0.as_ptr()).dev) }
    }
}

impl Drop for HmemDevice {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the device is registered and ours to unregister.
        unsafe { bindings::platform_device_unregister(self.0.as_ptr()) };
    }
}
