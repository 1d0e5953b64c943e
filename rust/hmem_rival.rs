// SPDX-License-Identifier: GPL-2.0

//! What dax_cxl needs to know of dax_hmem.
//!
//! C header: [`drivers/dax/bus.h`](srctree/drivers/dax/bus.h)

use crate::{
    bindings as dax,
    ownership::Range, //
};
use core::ptr;
use kernel::{
    bindings,
    container_of,
    prelude::*, //
};

/// Waits until dax_hmem has decided which Soft Reserved ranges are its own.
///
/// May take as long as the slowest probe of the system.
pub fn flush_decisions() {
    // SAFETY: The symbol keeps dax_hmem loaded, and the function does its own locking.
    unsafe { dax::dax_hmem_flush_work() };
}

/// The `N` of an `hmem.N` that is bound and has a byte of `range`, if there is one.
pub fn owner_of(range: &Range) -> Option<c_int> {
    struct Search<'a> {
        range: &'a Range,
        found: Option<c_int>,
    }

    /// # Safety
    ///
    /// `dev` is a valid platform device, and `arg` points to a search that nobody else uses.
    unsafe extern "C" fn visit(dev: *mut bindings::device, arg: *mut c_void) -> c_int {
        // SAFETY: By the safety requirements of this function. The bus holds a reference to the
        // device, so its names, number and platform data stay. A device of this name is made by
        // dax_hmem, whichever is loaded, and has a `memregion_info`; `driver_override` may have brought
        // the driver others. While the lock of the device is held, its driver stays bound.
        unsafe {
            let search = &mut *arg.cast::<Search<'_>>();
            if bindings::mutex_trylock(&raw mut (*dev).mutex) == 0 {
                return 0;
            }
            let ours = bindings::device_is_bound(dev)
                && (*dev)
                    .driver
                    .as_ref()
                    .is_some_and(|d| CStr::from_char_ptr(d.name) == c"hmem");
            bindings::mutex_unlock(&raw mut (*dev).mutex);
            let pdev = container_of!(dev, bindings::platform_device, dev);
            if !ours || CStr::from_char_ptr((*pdev).name) != c"hmem" {
                return 0;
            }
            let Some(info) = (*dev).platform_data.cast::<dax::memregion_info>().as_ref() else {
                return 0;
            };
            let overlaps = Range::new(info.range.start, info.range.end)
                .is_some_and(|r| r.intersects(search.range));
            if !overlaps {
                return 0;
            }
            search.found = Some((*pdev).id);
            // Ends the walk.
            1
        }
    }

    let mut search = Search { range, found: None };
    // SAFETY: The platform bus is static. `visit` gets the search only while this call lasts.
    unsafe {
        bindings::bus_for_each_dev(
            &raw const bindings::platform_bus_type,
            ptr::null_mut(),
            ptr::from_mut(&mut search).cast(),
            Some(visit),
        );
    }
    search.found
}

/// The NUMA node for memory at `address`: the one that firmware assigns, else the one that memory
/// hotplug would choose.
pub fn target_node(address: u64) -> c_int {
    // SAFETY: Both functions take any address.
    unsafe {
        match bindings::phys_to_target_node(address) {
            bindings::NUMA_NO_NODE => bindings::memory_add_physaddr_to_nid(address),
            node => node,
        }
    }
}
