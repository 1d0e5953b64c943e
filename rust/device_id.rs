// SPDX-License-Identifier: GPL-2.0

//! Numbers by which PCI devices are known again, also after the module has been reloaded.
//!
//! C headers: [`include/linux/kobject.h`](srctree/include/linux/kobject.h),
//! [`include/linux/kernfs.h`](srctree/include/linux/kernfs.h)

use crate::cxl_bus::{
    for_each_device,
    Bus, //
};
use core::ptr;
use kernel::{
    bindings,
    device,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        rcu, //
    }, //
};

/// Tells devices apart for as long as the machine is up: another device in the same place has
/// another number. 0 for one that is being removed.
pub fn device_id(device: &device::Device) -> u64 {
    // CAST: `device::Device` is a transparent wrapper of `struct device`.
    let dev: *mut bindings::device = ptr::from_ref(device).cast_mut().cast();
    let _guard = rcu::read_lock();
    // SAFETY: The device is valid. Its directory in sysfs, of which the number is, is taken from it
    // before it is freed, and freed after a grace period only.
    unsafe {
        let directory = Atomic::from_ptr((&raw mut (*dev).kobj.sd).cast::<usize>()).load(Relaxed);
        let directory: *const bindings::kernfs_node = ptr::with_exposed_provenance(directory);
        directory.as_ref().map_or(0, |d| d.id)
    }
}

/// The PCI device with this [`device_id`], if it is there.
pub fn find_device(id: u64) -> Option<ARef<device::Device>> {
    let mut found = None;

    let walked = for_each_device(Bus::Pci, |dev| {
        // SAFETY: The bus holds a reference to the device for this call.
        let device: ARef<device::Device> = unsafe { device::Device::get_device(dev) };
        if id != 0 && device_id(&device) == id {
            found = Some(device);
        }
        Ok(())
    });
    walked.ok().and(found)
}
