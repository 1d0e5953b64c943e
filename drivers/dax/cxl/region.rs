// SPDX-License-Identifier: GPL-2.0

//! The driver of `dax_regionN` devices: a dax region and a dax device for each.

use crate::{
    cxl_dax_region::DaxRegionDriver,
    dax,
    hmem_rival,
    ownership::Range, //
};
use kernel::prelude::*;

/// The driver.
pub(crate) struct DaxRegion;

impl DaxRegionDriver for DaxRegion {
    /// Claims the addresses of the region as a dax region and creates its first dax device.
    ///
    /// Fails with `ENOMEM` where HMEM has some of them, as in C, because that is what people look
    /// for; with `EINVAL` for a region that is not aligned; with `ENOMEM` without memory. Each is
    /// logged with its cause.
    fn probe(parent: &dax::Parent<'_>, region: c_int, range: Range) -> Result {
        let dev = parent.device();
        let mut rival = None;

        let dax_region = dax::Region::alloc(
            parent,
            &dax::RegionParams {
                id: region,
                range,
                target_node: hmem_rival::target_node(range.start()),
                kmem: true,
            },
            || {
                rival = hmem_rival::owner_of(&range);
                rival.is_some()
            },
        );
        let dax_region = match (dax_region, rival) {
            (Ok(dax_region), _) => dax_region,
            (Err(_), Some(id)) => {
                dev_info!(dev, "lost to hmem.{}, region{} stays idle\n", id, region);
                return Err(ENOMEM);
            }
            (Err(EINVAL), _) => {
                dev_warn!(
                    dev,
                    "region{} is not aligned to {} KiB\n",
                    region,
                    dax::ALIGN >> 10
                );
                return Err(EINVAL);
            }
            (Err(e), _) => {
                dev_warn!(
                    dev,
                    "no memory for the dax region of region{}, or somebody has a part of it\n",
                    region
                );
                return Err(e);
            }
        };
        dax_region
            .create_device(range.size().ok_or(EOVERFLOW)?, true)
            .inspect_err(|e| dev_warn!(dev, "no dax device for region{}: {:?}\n", region, e))
    }
}
