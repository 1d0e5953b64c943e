// SPDX-License-Identifier: GPL-2.0

//! Dax regions and dax devices.
//!
//! C header: [`drivers/dax/bus.h`](srctree/drivers/dax/bus.h)

use crate::{
    bindings as dax,
    ownership::Range, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    device,
    error::from_err_ptr,
    prelude::*, //
};

/// What the start and the size of a dax region must be multiples of: the size that one entry of a
/// page middle directory maps.
pub const ALIGN: u64 = dax::PMD_SIZE;

/// What a new dax region is to be.
pub struct RegionParams {
    /// The `N` of its devices `daxN.M`.
    pub id: c_int,
    /// Its addresses; a multiple of [`ALIGN`] at a multiple of [`ALIGN`].
    pub range: Range,
    /// The NUMA node its memory belongs to once it is online.
    pub target_node: c_int,
    /// Whether its devices go to the kmem driver, which makes them System RAM.
    pub kmem: bool,
}

/// A device that is being probed and whose driver data belongs to the DAX core.
///
/// `alloc_dax_region()` stores a pointer of its own in the driver data of the parent, and sysfs
/// attributes read it until devres has removed them. A driver that stored anything there itself,
/// or took it out again, would corrupt that. So this can be had only from the registrations beside
/// this file, [`HmemDriver`] and [`DaxRegionDriver`], which leave the driver data alone from the
/// first callback to the last.
///
/// [`HmemDriver`]: crate::hmem_driver::HmemDriver
/// [`DaxRegionDriver`]: crate::cxl_dax_region::DaxRegionDriver
///
/// # Invariants
///
/// The device is in its probe callback, and its driver never touches its driver data.
pub struct Parent<'a>(&'a device::Device, PhantomData<fn(&'a ()) -> &'a ()>);

impl<'a> Parent<'a> {
    /// Wraps a device that is being probed.
    ///
    /// # Safety
    ///
    /// `dev` is in the probe callback of a driver that never touches its driver data, and stays
    /// there for `'a`.
    pub(crate) unsafe fn new(dev: &'a device::Device) -> Self {
        // INVARIANT: By the safety requirements.
        Self(dev, PhantomData)
    }

    /// The device.
    pub fn device(&self) -> &'a device::Device {
        self.0
    }
}

/// A dax region of a device that is being probed.
///
/// It belongs to devres of its parent, which releases it when the parent is unbound or its probe
/// fails.
pub struct Region<'a>(NonNull<dax::dax_region>, PhantomData<&'a ()>);

impl<'a> Region<'a> {
    /// Claims `params.range` for `parent`, to the exclusion of every other dax region.
    ///
    /// This is the last word about who owns the range. The C function says why it failed only in
    /// the log; here the causes are told apart: `EINVAL` for a range that is not aligned, `EBUSY`
    /// where `conflict` finds another owner, `ENOMEM` for all others.
    pub fn alloc(
        parent: &'a Parent<'_>,
        params: &RegionParams,
        conflict: impl FnOnce() -> bool,
    ) -> Result<Self> {
        if params.range.align_inward(ALIGN).inner != Some(params.range) {
            return Err(EINVAL);
        }
        let mut range = bindings::range {
            start: params.range.start(),
            end: params.range.end(),
        };
        let flags = if params.kmem {
            dax::IORESOURCE_DAX_KMEM
        } else {
            0
        };
        let align = c_uint::try_from(ALIGN).map_err(|_| EINVAL)?;
        // CAST: `device::Device` is a transparent wrapper of `struct device`.
        let dev = core::ptr::from_ref(parent.device()).cast_mut().cast();

        // SAFETY: By the invariant of `Parent` the device is in its probe callback, as devres
        // needs, and its driver data is the DAX core's. `range` is only read during the call.
        let region = unsafe {
            dax::alloc_dax_region(dev, params.id, &mut range, params.target_node, align, flags)
        };
        match NonNull::new(region) {
            Some(region) => Ok(Self(region, PhantomData)),
            None if conflict() => Err(EBUSY),
            None => Err(ENOMEM),
        }
    }

    /// Creates the first device of the region, with `size` bytes of it.
    ///
    /// With a size of zero the administrator divides the region later. With `memmap_on_memory` the
    /// page structures may lie in the memory itself.
    pub fn create_device(&self, size: u64, memmap_on_memory: bool) -> Result {
        let mut data = dax::dev_dax_data {
            dax_region: self.0.as_ptr(),
            pgmap: core::ptr::null_mut(),
            size,
            id: -1,
            memmap_on_memory,
        };
        // SAFETY: The region is valid until its parent, which is being probed, is unbound. `data`
        // is only read during the call.
        from_err_ptr(unsafe { dax::devm_create_dev_dax(&mut data) })?;
        Ok(())
    }
}
