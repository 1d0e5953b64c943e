// SPDX-License-Identifier: GPL-2.0

//! The clock of the ledger.
//!
//! C header: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h)

use kernel::bindings;

/// Nanoseconds since boot, not counting suspend.
pub fn now_ns() -> u64 {
    // SAFETY: `ktime_get()` may be called at any time once the kernel runs modules.
    let now = unsafe { bindings::ktime_get() };
    u64::try_from(now).unwrap_or(0)
}
