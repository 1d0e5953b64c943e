// SPDX-License-Identifier: GPL-2.0

//! Looking at the regions on the CXL bus.
//!
//! C headers: [`drivers/cxl/cxl.h`](srctree/drivers/cxl/cxl.h),
//! [`include/linux/device/bus.h`](srctree/include/linux/device/bus.h)

use crate::{
    bindings as dax,
    ownership::Range, //
};
use core::ptr;
use kernel::{
    bindings,
    container_of,
    error::{
        from_result,
        to_result, //
    },
    prelude::*, //
};

/// What a device on the CXL bus says about a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A region, whether committed or not: `regionN`.
    Region,
    /// The dax side of a committed region of volatile memory: `dax_regionN`.
    Dax,
    /// The nvdimm side of a committed region of persistent memory: `pmem_regionN`.
    Pmem,
}

/// A region, as one of its devices shows it.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// Which device shows it.
    pub kind: Kind,
    /// The `N` of its name.
    pub region: c_int,
    /// Its host physical addresses; [`None`] for a region that has none yet.
    pub range: Option<Range>,
    /// Whether a driver is bound to it. May change at any moment.
    pub bound: bool,
}

/// Calls `f` for each region device on the bus until it fails.
///
/// The addresses of [`Kind::Dax`] and [`Kind::Pmem`] are exact. Those of [`Kind::Region`] may
/// change under a region that is not committed, so they are good for a hint only.
pub fn for_each_region<F>(mut f: F) -> Result
where
    F: FnMut(Sighting) -> Result,
{
    for_each_device(|_, seen| f(seen))
}

/// As [`for_each_region`], with the device, which is valid for the call.
pub(crate) fn for_each_device<F>(mut f: F) -> Result
where
    F: FnMut(*mut bindings::device, Sighting) -> Result,
{
    /// # Safety
    ///
    /// `dev` is a valid device on the CXL bus, and `arg` points to an `F` that nobody else uses.
    unsafe extern "C" fn visit<F>(dev: *mut bindings::device, arg: *mut c_void) -> c_int
    where
        F: FnMut(*mut bindings::device, Sighting) -> Result,
    {
        // SAFETY: By the safety requirements of this function; the bus holds a reference to the
        // device for this call.
        let (f, seen) = unsafe { (&mut *arg.cast::<F>(), sight(dev)) };

        from_result(|| {
            if let Some(seen) = seen {
                f(dev, seen)?;
            }
            Ok(0)
        })
    }

    // SAFETY: The bus type is valid as long as cxl_core is loaded, which this module keeps it by
    // linking to it. `visit` gets `f` only while this call lasts.
    to_result(unsafe {
        bindings::bus_for_each_dev(
            &raw const dax::cxl_bus_type,
            ptr::null_mut(),
            ptr::from_mut(&mut f).cast(),
            Some(visit::<F>),
        )
    })
}

/// What `dev` is, if it is one of those that show a region.
///
/// `to_cxl_dax_region()` and its like warn about devices of any other type, and the types
/// themselves are not exported, so the bus's own match function is asked which drivers it is for.
///
/// # Safety
///
/// `dev` is a valid device on the CXL bus.
pub(crate) unsafe fn kind_of(dev: *mut bindings::device) -> Option<Kind> {
    // SAFETY: The bus type is static and constant.
    let matches = unsafe { dax::cxl_bus_type.match_ }?;
    let mut driver = dax::cxl_driver::default();

    [
        (dax::CXL_DEVICE_DAX_REGION, Kind::Dax),
        (dax::CXL_DEVICE_REGION, Kind::Region),
        (dax::CXL_DEVICE_PMEM_REGION, Kind::Pmem),
    ]
    .into_iter()
    .find_map(|(id, kind)| {
        driver.id = id as c_int;
        // SAFETY: `dev` is on this bus, and of the driver the function reads nothing but the id.
        (unsafe { matches(dev, &driver.drv) } != 0).then_some(kind)
    })
}

/// Reads what `dev` shows of a region.
///
/// # Safety
///
/// `dev` is a valid device on the CXL bus to which the caller has a reference.
pub(crate) unsafe fn sight(dev: *mut bindings::device) -> Option<Sighting> {
    // Most devices on the bus are no regions, and their names tell so at the least cost.
    //
    // SAFETY: A device that has been added has a name, which lives as long as the device. A name
    // is not empty, so it has two bytes with its NUL.
    let name = unsafe {
        let name = bindings::dev_name(dev).cast::<[u8; 2]>();
        if !matches!(&*name, b"re" | b"da" | b"pm") {
            return None;
        }
        CStr::from_char_ptr(name.cast())
    };
    let region = region_number(name.to_bytes())?;
    // SAFETY: By the safety requirements of this function.
    let kind = unsafe { kind_of(dev)? };

    // SAFETY: A device of this type is embedded in the structure in question.
    let (start, end) = unsafe {
        match kind {
            // Both are written before the device is added and not after.
            Kind::Dax => {
                let range = (*container_of!(dev, dax::cxl_dax_region, dev)).hpa_range;
                (range.start, range.end)
            }
            Kind::Pmem => {
                let range = (*container_of!(dev, dax::cxl_pmem_region, dev)).hpa_range;
                (range.start, range.end)
            }
            // Somebody may be writing to these two under a lock that is private to cxl_core. A
            // mixture of old and new is as good a hint as either.
            Kind::Region => {
                let range = &raw const (*container_of!(dev, dax::cxl_region, dev)).hpa_range;
                (
                    (&raw const (*range).start).read_volatile(),
                    (&raw const (*range).end).read_volatile(),
                )
            }
        }
    };

    Some(Sighting {
        kind,
        region,
        // A region without addresses shows 0 to 2^64 - 1, or an end below its start.
        range: Range::new(start, end).filter(|r| r.size().is_some()),
        // SAFETY: By the safety requirements of this function.
        bound: unsafe { bindings::device_is_bound(dev) },
    })
}

/// The `N` of a device name that ends with `regionN`.
///
/// The number is also in the region's structure, but that may go before a device that shows it.
fn region_number(name: &[u8]) -> Option<c_int> {
    let at = name
        .iter()
        .rposition(|c| !c.is_ascii_digit())?
        .checked_add(1)?;
    let (prefix, digits) = name.split_at_checked(at)?;
    if !prefix.ends_with(b"region") {
        return None;
    }
    core::str::from_utf8(digits).ok()?.parse().ok()
}
