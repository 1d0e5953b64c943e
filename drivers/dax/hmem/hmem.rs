// SPDX-License-Identifier: GPL-2.0

//! HMEM DAX: direct access to Soft Reserved memory that CXL does not claim.
//!
//! The module binds two platform devices. `hmem_platform.0` stands for all memory that firmware
//! marked Soft Reserved; binding it starts the decision who owns which range, see [`platform`] and
//! [`arbiter`]. For each piece that falls to HMEM it registers a device `hmem.N`, which the other
//! driver, [`device`], turns into a dax region and a dax device.
//!
//! # Ordering
//!
//! dax_hmem queues the decision on one ordered workqueue; dax_cxl flushes that queue before it
//! registers its driver. So no CXL region becomes a dax region while a range is undecided. The dax
//! region itself, of which the DAX core lets none overlap another, is the last word.
//!
//! # Limitations
//!
//! - The memory of a range can be used in units of 2 MiB, and as System RAM in units of a memory
//!   block. What is left over at unaligned ends is named in the log.
//! - A range decided for HMEM before any CXL window is published stays with HMEM when CXL arrives.

// Without regions nobody follows them, without debugfs or report nobody reads what is told.
#![cfg_attr(
    not(all(CONFIG_DEV_DAX_CXL, CONFIG_DEBUG_FS, CONFIG_DAX_HMEM_REPORT)),
    allow(dead_code, unused_imports)
)]

// `pub` there means what it would mean in a crate of its own, which cannot be shared out of tree.
#[allow(unreachable_pub)]
#[path = "../../../rust/dax_hmem.rs"]
mod abstractions;
// The tools and the suites use the rest of the logic.
#[allow(dead_code, unreachable_pub, unused_imports)]
#[path = "../ownership/mod.rs"]
mod ownership;

mod arbiter;
#[cfg_attr(not(CONFIG_DEV_DAX_CXL), path = "no_cxl.rs")]
mod cxl;
mod decoded;
mod device;
mod event;
#[cfg(CONFIG_DEV_DAX_CXL)]
mod follower;
mod node;
mod params;
mod platform;
mod regions;
#[cfg_attr(not(CONFIG_DAX_HMEM_REPORT), path = "no_report.rs")]
mod report;
mod soft_reserved;
#[cfg(CONFIG_DEV_DAX_CXL)]
mod unbinding;

use abstractions::*;

use crate::{
    hmem_driver::HmemAdapter,
    hmem_shared::Published, //
};
use kernel::{
    driver::Registration,
    prelude::*,
    InPlaceModule,
    ThisModule, //
};

/// The module.
///
/// Fields are dropped in the order in which they stand: first the platform device is unbound,
/// which ends the decision and removes every `hmem.N` while its driver still stands, unless one is
/// just coming online; then that driver goes, which waits for such a device and unbinds it; then the
/// queues are drained, with the closing that removes the device, and destroyed. dax_cxl, which flushes one of them, is
/// gone by then: its use of a symbol keeps this module loaded.
#[pin_data]
struct HmemModule {
    #[pin]
    _platform: Registration<platform::Adapter>,
    #[pin]
    _devices: Registration<HmemAdapter<device::Hmem>>,
    _shared: Published,
}

impl InPlaceModule for HmemModule {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        // CXL publishes its windows when its drivers are loaded. Where there are none, nobody but
        // HMEM can own anything, which is what then comes out.
        cxl::request_drivers();

        // The platform driver comes last: registering it starts decisions, after which nothing
        // may fail any more.
        try_pin_init!(Self {
            _shared: Published::new()?,
            _devices <- Registration::new(c"hmem", module),
            _platform <- Registration::new(c"hmem_platform", module),
        })
    }
}

/// Waits until no decision is queued any more; dax_cxl calls this before it registers its driver,
/// by way of `dax_hmem_flush_work()` in `exports.c`.
///
/// C header: `include/dax_hmem_rust.h`
#[no_mangle]
pub extern "C" fn dax_hmem_rust_flush_work() {
    hmem_shared::flush_decisions();
}

module! {
    type: HmemModule,
    name: "dax_hmem",
    authors: ["The dax_hmem Rust authors"],
    description: "HMEM DAX: direct access to 'specific purpose' memory",
    license: "GPL v2",
    alias: ["platform:hmem*", "platform:hmem_platform*"],
    imports_ns: ["CXL"],
}
