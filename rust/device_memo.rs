// SPDX-License-Identifier: GPL-2.0

//! A list of numbers that a device keeps when its driver goes.
//!
//! It is a property of a software node of the device. The memory of such a node belongs to the
//! driver core, not to a module, and nothing removes it but the end of the device. `hmem_platform.0`
//! is built into the kernel, so there it lasts until the next boot.
//!
//! C header: [`include/linux/property.h`](srctree/include/linux/property.h)

use core::ptr;
use kernel::{
    bindings,
    device,
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*, //
};

/// Reads the list `name` of `device`; an empty one if there is none. Fails with `ENOMEM`.
pub fn read(device: &device::Device, name: &'static CStr) -> Result<KVec<u64>> {
    let dev = as_raw(device);
    let mut list = KVec::new();

    // SAFETY: The device and the name are valid. Without a buffer the number of values is returned.
    let count = unsafe {
        bindings::device_property_read_u64_array(dev, name.as_char_ptr(), ptr::null_mut(), 0)
    };
    let Ok(count @ 1..) = usize::try_from(count) else {
        return Ok(list);
    };
    list.resize(count, 0, GFP_KERNEL)?;
    // SAFETY: As above; the buffer has room for so many.
    to_result(unsafe {
        bindings::device_property_read_u64_array(dev, name.as_char_ptr(), list.as_mut_ptr(), count)
    })?;
    Ok(list)
}

/// Replaces the list `name` of `device`.
///
/// The memory of the old list is not given back, see below: this is for what changes a few times in
/// the life of a machine.
///
/// Fails with `ENOMEM`, and then the old one stays. Two calls for one device must not overlap.
pub fn write(device: &device::Device, name: &'static CStr, list: &[u64]) -> Result {
    let dev = as_raw(device);
    let mut properties = [
        bindings::property_entry {
            name: name.as_char_ptr(),
            length: size_of_val(list),
            type_: bindings::dev_prop_type_DEV_PROP_U64,
            ..Default::default()
        },
        // The end.
        bindings::property_entry::default(),
    ];
    properties[0].__bindgen_anon_1.pointer = list.as_ptr().cast();

    // SAFETY: The properties end with an empty one, and they and the list are copied.
    let new = unsafe {
        from_err_ptr(bindings::fwnode_create_software_node(
            properties.as_ptr(),
            ptr::null(),
        ))?
    };
    // SAFETY: The device and the node are valid. The node keeps the reference that it was created
    // with, and so does an older one: the driver core and sysfs follow `fwnode` without a lock, and
    // one of them may still be looking at that.
    unsafe { bindings::set_secondary_fwnode(dev, new) };
    Ok(())
}

fn as_raw(device: &device::Device) -> *mut bindings::device {
    // CAST: `device::Device` is a transparent wrapper of `struct device`.
    ptr::from_ref(device).cast_mut().cast()
}
