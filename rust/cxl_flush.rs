// SPDX-License-Identifier: GPL-2.0

//! Waiting for what cxl_core has put off.
//!
//! C source: [`drivers/cxl/core/port.c`](srctree/drivers/cxl/core/port.c); ABI:
//! [`/sys/bus/cxl/flush`](srctree/Documentation/ABI/testing/sysfs-bus-cxl)

use crate::bindings as dax;
use kernel::{
    bindings,
    container_of,
    prelude::*, //
};

/// Waits until the CXL bus has probed its devices once more, and unbound memory devices that have
/// lost their port, as far as either is queued.
///
/// cxl_acpi has the bus rescanned when its windows are there, because memory devices that were
/// probed earlier could not assemble anything. That is a work item, which
/// `wait_for_device_probe()` knows nothing of. The queue is private to cxl_core, and draining it,
/// which is exported, drops what others queue meanwhile. What flushes it is the attribute `flush`
/// of the bus. Without that attribute this returns at once.
///
/// The work takes the locks of devices on the bus and runs their probes, so the caller must hold
/// none of these locks and must not be something that one of these probes waits for. May sleep for
/// as long as the slowest of them.
pub fn flush() {
    // SAFETY: The bus type and what it points to are constants of cxl_core, which this module
    // keeps loaded by linking to it. Groups and attributes end with NULL, and every attribute in
    // the groups of a bus is embedded in a `struct bus_attribute`, as sysfs takes it to be.
    let store = unsafe {
        let mut store = None;
        for group in entries(dax::cxl_bus_type.bus_groups) {
            for attr in entries((*group).__bindgen_anon_2.attrs_const) {
                if CStr::from_char_ptr((*attr).name) == c"flush" {
                    store = (*container_of!(attr, bindings::bus_attribute, attr)).store;
                }
            }
        }
        store
    };
    let Some(store) = store else {
        pr_debug!("the CXL bus has no attribute `flush`\n");
        return;
    };
    let text = c"1";
    // SAFETY: The attribute of a bus takes its bus, and text with its length. It may sleep, as may
    // the callers of this.
    unsafe { store(&raw const dax::cxl_bus_type, text.as_char_ptr(), 1) };
}

/// The pointers in a list that ends with NULL; none if there is no list.
///
/// # Safety
///
/// `list` is NULL, or points to such a list that lives as long as the result.
unsafe fn entries<T>(list: *const *const T) -> impl Iterator<Item = *const T> {
    (0..).map_while(move |i| {
        if list.is_null() {
            return None;
        }
        // SAFETY: By the safety requirements; nobody asks for more after the end.
        let entry = unsafe { *list.add(i) };
        (!entry.is_null()).then_some(entry)
    })
}
