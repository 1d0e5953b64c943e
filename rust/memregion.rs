// SPDX-License-Identifier: GPL-2.0

//! Numbers of memory regions: the `N` of `hmem.N` and `regionN`.
//!
//! C header: [`include/linux/memregion.h`](srctree/include/linux/memregion.h)

use crate::bindings;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// A memory region number, held until this is dropped.
///
/// # Invariants
///
/// `0` is a number that `memregion_alloc()` returned and nobody has freed.
pub struct MemregionId(c_int);

impl MemregionId {
    /// Takes the lowest free number.
    ///
    /// Fails with `ENOMEM` without memory, and with `ENOSPC` when all numbers are taken. May sleep.
    pub fn alloc() -> Result<Self> {
        // SAFETY: `memregion_alloc()` may be called from any context that may sleep.
        let id = unsafe { bindings::memregion_alloc(kernel::bindings::GFP_KERNEL) };
        to_result(id)?;
        // INVARIANT: Not negative, hence a number that is now ours.
        Ok(Self(id))
    }

    /// The number.
    pub fn get(&self) -> c_int {
        self.0
    }
}

impl Drop for MemregionId {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the number is allocated and ours to free.
        unsafe { bindings::memregion_free(self.0) };
    }
}
