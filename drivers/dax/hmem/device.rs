// SPDX-License-Identifier: GPL-2.0

//! The driver of `hmem.N` devices: a dax region and a dax device for each.

use crate::{
    cxl,
    dax,
    hmem_device::Memory,
    hmem_driver::HmemDriver,
    node,
    params, //
};
use kernel::prelude::*;

/// The driver.
pub(crate) struct Hmem;

impl HmemDriver for Hmem {
    /// Claims the memory of the device as a dax region and creates its first dax device.
    ///
    /// Fails with `EBUSY` where a CXL region has the range, with `EINVAL` for a range that is not
    /// aligned, with `ENOMEM` without memory. Each is logged with its cause.
    fn probe(parent: &dax::Parent<'_>, id: c_int, memory: &Memory) -> Result {
        let dev = parent.device();
        let range = memory.range;
        let idle: bool = params::REGION_IDLE.get();
        // kmem refuses what has none. As a file it can be used.
        let has_block = range
            .align_inward(node::memory_block_size())
            .inner
            .is_some();

        let region = dax::Region::alloc(
            parent,
            &dax::RegionParams {
                id,
                range,
                target_node: memory.target_node,
                kmem: !idle && has_block,
            },
            || cxl::serves(&range),
        )
        .inspect_err(|&e| match e {
            EINVAL => dev_warn!(
                dev,
                "{} is not a multiple of {} KiB at a multiple of it\n",
                range,
                dax::ALIGN >> 10
            ),
            EBUSY => dev_warn!(dev, "{}: a CXL region has it already\n", range),
            _ => dev_warn!(
                dev,
                "{}: no memory for a dax region, or it is taken\n",
                range
            ),
        })?;

        let size = if idle {
            0
        } else {
            range.size().ok_or(EOVERFLOW)?
        };
        region
            .create_device(size, false)
            .inspect_err(|e| dev_warn!(dev, "{}: no dax device: {:?}\n", range, e))
    }
}
