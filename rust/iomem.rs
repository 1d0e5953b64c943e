// SPDX-License-Identifier: GPL-2.0

//! Queries of the iomem tree, and the "Soft Reserved" entries that dax_hmem adds to it.
//!
//! C header: [`include/linux/ioport.h`](srctree/include/linux/ioport.h)

use crate::{
    bindings as dax,
    ownership::Range, //
};
use core::ptr;
use kernel::{
    bindings,
    error::{
        from_result,
        to_result, //
    },
    fmt,
    prelude::*,
    types::Opaque, //
};

// CAST: From the `u32` of a C enumeration or macro to the `unsigned long` of the functions and
// structures that take it, which is never narrower.
const MEM: usize = bindings::IORESOURCE_MEM as usize;
const DESC_CXL: usize = bindings::IORES_DESC_CXL as usize;
const DESC_SOFT_RESERVED: usize = bindings::IORES_DESC_SOFT_RESERVED as usize;

/// The address range of a C resource; [`None`] for an empty one.
pub(crate) fn range_of(res: &bindings::resource) -> Option<Range> {
    Range::new(res.start, res.end)
}

/// Whether any byte of `range` lies in a CXL window.
///
/// The counterpart of `region_intersects(.., IORES_DESC_CXL) != REGION_DISJOINT`.
pub fn intersects_cxl_window(range: &Range) -> bool {
    // The one range whose size `size_t` cannot hold comes out one byte short, which no window
    // notices.
    let size = range.size().unwrap_or(u64::MAX);
    // SAFETY: `region_intersects()` takes any addresses and does its own locking.
    let answer =
        unsafe { bindings::region_intersects(range.start(), size as usize, MEM, DESC_CXL) };
    answer != bindings::REGION_DISJOINT as c_int
}

/// Whether firmware reserved `range`, or a part of it, for drivers to hand out.
///
/// The counterpart of `region_intersects_soft_reserve() == REGION_INTERSECTS`.
pub fn is_soft_reserved(range: &Range) -> bool {
    let size = range.size().unwrap_or(u64::MAX);
    // SAFETY: `region_intersects_soft_reserve()` takes any addresses and does its own locking.
    let answer = unsafe { dax::region_intersects_soft_reserve(range.start(), size as usize) };
    answer == bindings::REGION_INTERSECTS as c_int
}

/// Calls `f` for each Soft Reserved range inside `range`, ascending, until it fails.
///
/// These are the ranges as firmware gave them (`walk_soft_reserve_res()`), which the iomem tree
/// does not show.
pub fn for_each_soft_reserved<F>(range: &Range, mut f: F) -> Result
where
    F: FnMut(Range) -> Result,
{
    /// # Safety
    ///
    /// `res` points to a valid resource and `arg` to an `F` that nobody else uses.
    unsafe extern "C" fn found<F>(res: *mut bindings::resource, arg: *mut c_void) -> c_int
    where
        F: FnMut(Range) -> Result,
    {
        // SAFETY: By the safety requirements of this function.
        let (res, f) = unsafe { (&*res, &mut *arg.cast::<F>()) };

        from_result(|| range_of(res).map_or(Ok(()), f).map(|()| 0))
    }

    // SAFETY: `found` is called with `f` only while this call lasts, and with a valid resource.
    let ret = unsafe {
        dax::walk_soft_reserve_res(
            range.start(),
            range.end(),
            ptr::from_mut(&mut f).cast(),
            Some(found::<F>),
        )
    };
    match to_result(ret) {
        // The walker returns `-EINVAL` when it found nothing. No callback returns it.
        Err(e) if e == EINVAL => Ok(()),
        other => other,
    }
}

/// An entry "Soft Reserved" in the iomem tree, removed when this is dropped.
///
/// # Invariants
///
/// The resource is linked into the tree of `iomem_resource`.
pub struct SoftReserved(Pin<KBox<Opaque<bindings::resource>>>);

// SAFETY: `remove_resource()` may be called from any thread.
unsafe impl Send for SoftReserved {}
// SAFETY: Nothing can be done through a shared reference.
unsafe impl Sync for SoftReserved {}

impl SoftReserved {
    /// Inserts an entry for `range`. Entries that lie inside become its children.
    ///
    /// Fails with `EBUSY` where the range crosses the edge of another entry, with `ENOMEM` without
    /// memory.
    pub fn insert(range: &Range) -> Result<Self> {
        let res = bindings::resource {
            start: range.start(),
            end: range.end(),
            name: c"Soft Reserved".as_char_ptr(),
            flags: MEM,
            desc: DESC_SOFT_RESERVED,
            ..Default::default()
        };
        let res = KBox::pin(Opaque::new(res), GFP_KERNEL)?;

        // SAFETY: `iomem_resource` is the static root of the tree. `res` is valid, unlinked, and
        // pinned until it is removed in `drop()`; its name is static and part of this module,
        // which cannot go before the entry, because the holder of the entry runs this module.
        to_result(unsafe {
            bindings::insert_resource(&raw mut bindings::iomem_resource, res.get())
        })?;

        // INVARIANT: Just linked.
        Ok(Self(res))
    }
}

impl Drop for SoftReserved {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the entry is linked. What lies inside it moves up to its
        // parent. Fails only for entries that are not linked.
        unsafe { bindings::remove_resource(self.0.get()) };
    }
}

impl fmt::Display for Range {
    /// As `%pr` prints a memory resource.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[mem {:#010x}-{:#010x}]", self.start(), self.end())
    }
}
