// SPDX-License-Identifier: GPL-2.0

//! What stands in the place of `cxl.rs` where the kernel has no dax_cxl: there are no regions, and
//! HMEM serves everything.

use crate::{
    arbiter::{
        Arbiter,
        Notes, //
    },
    iomem_tree::Name,
    ownership::{
        Extent,
        Range, //
    },
    regions::Regions, //
};
use kernel::{
    device,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    }, //
};

/// There are none.
pub(crate) fn request_drivers() {}

/// There is nothing to wait for.
pub(crate) fn flush() -> bool {
    false
}

/// It serves nothing.
pub(crate) fn serves(_range: &Range) -> bool {
    false
}

/// There are none.
pub(crate) fn device_behind(_range: &Range) -> Option<Name> {
    None
}

/// None is remembered.
pub(crate) fn device_id(_device: &device::Device) -> u64 {
    0
}

/// None is remembered.
pub(crate) fn find_device(_id: u64) -> Option<ARef<device::Device>> {
    None
}

/// There are none.
pub(crate) fn for_each_dax_region(_f: impl FnMut(c_int, &Range, bool) -> Result) -> Result {
    Ok(())
}

impl Regions {
    /// There are none. Fails with `ENOMEM`.
    pub(crate) fn collect(_notes: &Mutex<Notes>, _settled: bool) -> Result<Self> {
        Self::none()
    }

    /// There are none.
    pub(crate) fn reprobe(&self, _all: bool) {}
}

impl Arbiter {
    /// Nothing ends.
    pub(crate) fn end(&self, _regions: &Regions, _gone: &mut KVec<Extent>) -> bool {
        false
    }
}

/// There is nothing to follow.
pub(crate) struct Follower;

impl Follower {
    /// Follows nothing.
    pub(crate) fn new(_arbiter: &Arc<Arbiter>) -> Result<Self> {
        Ok(Self)
    }
}
