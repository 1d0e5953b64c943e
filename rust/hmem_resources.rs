// SPDX-License-Identifier: GPL-2.0

//! The memory ranges that the platform has set aside for an `hmem_platform` device.
//!
//! C header: [`include/linux/dax.h`](srctree/include/linux/dax.h)

use crate::{
    bindings as dax,
    hmem_device::Memory,
    iomem::range_of, //
};
use core::ptr;
use kernel::{
    bindings,
    device::Core,
    error::{
        from_result,
        to_result, //
    },
    platform,
    prelude::*, //
};

/// Calls `f` for each range of `host`, ascending, until it fails.
///
/// These are the ranges that ACPI HMAT and the memory map of firmware gave. They do not overlap.
/// `f` runs under the lock of the list and must not wait for anything that adds to it.
pub fn for_each_resource<F>(host: &platform::Device<Core<'_>>, mut f: F) -> Result
where
    F: FnMut(Memory) -> Result,
{
    /// # Safety
    ///
    /// The driver data of `host` points to an `F` that nobody else uses, and `res` is valid.
    unsafe extern "C" fn visit<F>(
        host: *mut bindings::device,
        target_node: c_int,
        res: *const bindings::resource,
    ) -> c_int
    where
        F: FnMut(Memory) -> Result,
    {
        // SAFETY: By the safety requirements of this function.
        let (f, res) = unsafe { (&mut *bindings::dev_get_drvdata(host).cast::<F>(), &*res) };
        from_result(|| {
            if let Some(range) = range_of(res) {
                f(Memory { range, target_node })?;
            }
            Ok(0)
        })
    }

    // CAST: `platform::Device` is a transparent wrapper of `struct platform_device`.
    let pdev = ptr::from_ref(host)
        .cast_mut()
        .cast::<bindings::platform_device>();

    // The walker hands nothing on to its callback but the device, so the closure travels in the
    // driver data.
    //
    // SAFETY: A `Device<Core>` is locked, and nobody looks at its driver data but its driver, that
    // is us, and not before it is restored. `visit` is called only during the walk.
    to_result(unsafe {
        let dev = &raw mut (*pdev).dev;
        let kept = bindings::dev_get_drvdata(dev);

        bindings::dev_set_drvdata(dev, ptr::from_mut(&mut f).cast());
        let ret = dax::walk_hmem_resources(dev, Some(visit::<F>));
        bindings::dev_set_drvdata(dev, kept);
        ret
    })
}

/// The `N` of `hmem_platform.N`: 0 for the device of the platform itself, others for those of a test
/// harness; [`None`] for any other device, which `driver_override` may bring.
pub fn platform_number(host: &platform::Device<Core<'_>>) -> Option<c_int> {
    // CAST: As above.
    let pdev = ptr::from_ref(host).cast::<bindings::platform_device>();

    // SAFETY: The device is valid. Its name is NUL-terminated, and neither it nor its number ever
    // changes.
    unsafe { (CStr::from_char_ptr((*pdev).name) == c"hmem_platform").then_some((*pdev).id) }
}

/// The NUMA node that firmware assigns to the memory at `address`, or `NUMA_NO_NODE`.
pub fn target_node(address: u64) -> c_int {
    // SAFETY: `phys_to_target_node()` takes any address.
    unsafe { bindings::phys_to_target_node(address) }
}

/// The node that memory hotplug would choose for the memory at `address`; always one that it
/// accepts.
pub fn fallback_node(address: u64) -> c_int {
    // SAFETY: `memory_add_physaddr_to_nid()` takes any address.
    unsafe { bindings::memory_add_physaddr_to_nid(address) }
}

/// Whether this machine can have a node of that number. Memory hotplug refuses, and warns about,
/// any other.
pub fn is_possible_node(node: c_int) -> bool {
    let Ok(node) = usize::try_from(node) else {
        return false;
    };
    // CAST: The number of bits in a `unsigned long` fits.
    const BITS: usize = c_ulong::BITS as usize;

    // SAFETY: The masks are static, and that of the possible nodes does not change after boot.
    let mask = unsafe { bindings::node_states[bindings::node_states_N_POSSIBLE as usize] };
    mask.bits
        .get(node / BITS)
        .is_some_and(|word| word >> (node % BITS) & 1 == 1)
}

/// The size in bytes of a memory block, the unit in which memory becomes System RAM; a power of
/// two.
pub fn memory_block_size() -> u64 {
    #[cfg(CONFIG_MEMORY_HOTPLUG)]
    {
        // SAFETY: `memory_block_size_bytes()` may be called at any time.
        let size = unsafe { dax::memory_block_size_bytes() };
        // CAST: From `unsigned long` to the `u64` that it fits into.
        size as u64
    }
    #[cfg(not(CONFIG_MEMORY_HOTPLUG))]
    {
        // Nothing becomes System RAM.
        dax::PMD_SIZE
    }
}
