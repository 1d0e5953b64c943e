// SPDX-License-Identifier: GPL-2.0

//! CXL DAX: direct access to CXL regions of volatile memory.
//!
//! The module binds the dax side of each committed CXL region and makes a dax region and a dax
//! device of it.
//!
//! # Ordering
//!
//! The driver is not registered before dax_hmem has decided which Soft Reserved ranges are its
//! own. Whatever HMEM has taken by then is excluded by the DAX core: the probe here fails with the
//! message of the core, and the region stays committed and idle. Nothing is torn down. When HMEM
//! has let go of the memory and a later decision leaves it to CXL, dax_hmem has the region probed
//! again.

// `pub` there means what it would mean in a crate of its own, which cannot be shared out of tree.
#[allow(dead_code, unreachable_pub)]
#[path = "../../../rust/dax_cxl.rs"]
mod abstractions;

/// Of the ownership logic nothing but ranges: dax_cxl decides nothing.
#[allow(dead_code, unreachable_pub)]
#[path = "../ownership"]
mod ownership {
    pub mod range;
    pub use range::Range;
}

mod region;

use abstractions::*;

use crate::{
    cxl_dax_region::DaxRegionAdapter,
    region::DaxRegion,
    workqueue::OwnedQueue, //
};
use kernel::{
    driver::Registration,
    new_mutex,
    new_work,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    workqueue::{
        impl_has_work,
        Work,
        WorkItem, //
    },
    ThisModule, //
};

type Driver = Registration<DaxRegionAdapter<DaxRegion>>;

/// Registers the driver when HMEM has decided, and holds the registration.
#[pin_data]
struct Registrar {
    module: &'static ThisModule,
    /// The registration, if it is there. Taken by the work item only, and when both it and the
    /// module are gone.
    #[pin]
    driver: Mutex<Option<Pin<KBox<Driver>>>>,
    #[pin]
    work: Work<Registrar>,
}

impl_has_work! {
    impl HasWork<Self> for Registrar { self.work }
}

impl WorkItem for Registrar {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        hmem_rival::flush_decisions();

        let driver = KBox::try_pin_init(
            Registration::new(c"cxl_dax_region", this.module),
            GFP_KERNEL,
        );
        match driver {
            Ok(driver) => *this.driver.lock() = Some(driver),
            Err(e) => pr_err!("no driver for CXL regions: {:?}; load dax_cxl anew\n", e),
        }
    }
}

/// The module.
///
/// Fields are dropped in the order in which they stand: destroying the queue waits for the work
/// item, and then the registration goes, if there is one, with the last reference to the
/// registrar.
struct CxlDaxModule {
    _queue: OwnedQueue,
    _registrar: Arc<Registrar>,
}

impl kernel::Module for CxlDaxModule {
    fn init(module: &'static ThisModule) -> Result<Self> {
        // Not in this thread: the wait for HMEM can last as long as the slowest probe of the
        // system, and would hold up whoever loads the module.
        let queue = OwnedQueue::new_ordered(c"dax_cxl_wq")?;
        let registrar = Arc::pin_init(
            pin_init!(Registrar {
                module,
                driver <- new_mutex!(None, "dax_cxl::driver"),
                work <- new_work!("dax_cxl::register"),
            }),
            GFP_KERNEL,
        )?;

        // Fails only for a work item that is queued already.
        let _ = queue.enqueue::<_, 0>(registrar.clone());
        Ok(Self {
            _queue: queue,
            _registrar: registrar,
        })
    }
}

module! {
    type: CxlDaxModule,
    name: "dax_cxl",
    authors: ["The dax_hmem Rust authors"],
    description: "CXL DAX: direct access to CXL regions",
    license: "GPL",
    alias: ["cxl:t8*"],
    imports_ns: ["CXL"],
}
