// SPDX-License-Identifier: GPL-2.0

//! Looking at the regions and decoders on the CXL bus.
//!
//! A committed region of volatile memory that dax_cxl may serve has a child device `dax_regionN`,
//! one of persistent memory a child `pmem_regionN`. Either exists only while the region is
//! committed and its driver is bound, and its addresses never change.
//!
//! C headers: [`drivers/cxl/cxl.h`](srctree/drivers/cxl/cxl.h),
//! [`include/linux/device/bus.h`](srctree/include/linux/device/bus.h)

use crate::{
    bindings as dax,
    iomem_tree::Tree,
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
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// What a device on the CXL bus shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A region, committed or not: `regionN`.
    Region {
        /// Tells it from others.
        key: RegionKey,
        /// Whose memory it is by its kind.
        memory: Memory,
        /// Whether it has been committed, and not been reset since.
        decodes: bool,
    },
    /// The dax side of a committed region of volatile memory: `dax_regionN`.
    Dax,
    /// The nvdimm side of a committed region of persistent memory: `pmem_regionN`.
    Pmem,
    /// A decoder of a memory device.
    Decoder {
        /// Whether it decodes its addresses at this moment.
        committed: bool,
        /// The region that it belongs to, with which it is reset.
        region: Option<RegionKey>,
        /// Whether the platform translates its addresses: they are those of the memory device, and
        /// where they are on the host only the region tells.
        translated: bool,
        /// How many memory devices decode the addresses together.
        ways: u32,
    },
}

/// Tells a region from all others that are there at the same time. It is the place of its structure,
/// which another may have once this one is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionKey(usize);

/// Which drivers may use the memory of a region. An accelerator's is not told by its kind: what the
/// device keeps coherent itself may be a memory expander's as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Volatile memory: dax_cxl, or the driver of an accelerator.
    Volatile,
    /// Persistent memory: nvdimm.
    Persistent,
    /// Memory of a mode that dax_cxl does not know.
    Foreign,
}

/// A device on the CXL bus, as it shows at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// What it is.
    pub kind: Kind,
    /// The `N` of the region's name; 0 for a decoder.
    pub region: c_int,
    /// Its host physical addresses; [`None`] if it has none yet.
    pub range: Option<Range>,
    /// Whether a driver is bound to it. May change at any moment.
    pub bound: bool,
    /// Whether its driver is just being unbound.
    pub unbinding: bool,
}

impl Sighting {
    /// The addresses of the region in the iomem tree, with its extended linear cache.
    pub fn region_range(&self) -> Option<Range> {
        Tree::new().ok()?.region(self.region)
    }
}

/// Calls `f` for each region and each decoder on the bus until it fails.
///
/// The addresses of [`Kind::Dax`] and [`Kind::Pmem`] are exact. Those of the others may change
/// meanwhile, so they are good for a hint only; see [`is_committed`]. A region with an extended
/// linear cache shows the addresses behind the cache only.
pub fn for_each<F>(mut f: F) -> Result
where
    F: FnMut(&Sighting) -> Result,
{
    for_each_device(Bus::Cxl, |dev| {
        // SAFETY: The bus holds a reference to the device for this call.
        match unsafe { sight(dev) } {
            Some(seen) => f(&seen),
            None => Ok(()),
        }
    })
}

/// Calls `f` for the dax side of each region, with the number and the addresses of the region and
/// whether a driver is bound, until it fails.
pub fn for_each_dax_region(mut f: impl FnMut(c_int, &Range, bool) -> Result) -> Result {
    for_each(|seen| match (seen.kind, &seen.range) {
        (Kind::Dax, Some(range)) => f(seen.region, range, seen.bound),
        _ => Ok(()),
    })
}

/// Has the dax side of each region that `wanted` names and that has no driver probed once more.
///
/// Returns when that is done, whatever came out. Must not be called under a lock that a driver of
/// the bus takes in its probe.
pub fn reprobe(wanted: impl Fn(&Sighting) -> bool) {
    let walked = for_each_device(Bus::Cxl, |dev| {
        // SAFETY: The bus holds a reference to the device for this call.
        let seen = unsafe { sight(dev) };
        if seen.is_some_and(|s| s.kind == Kind::Dax && !s.bound && wanted(&s)) {
            // SAFETY: As above. That no driver takes it is no error here.
            let _ = unsafe { bindings::device_attach(dev) };
        }
        Ok(())
    });
    // The callback does not fail.
    debug_assert!(walked.is_ok());
}

/// Whether this region decodes, or has yet to be reset; [`None`] if it is not on the bus. One that is
/// being deleted is taken off before its driver is unbound and its decoders are reset.
pub fn is_decoding(region: RegionKey) -> Option<bool> {
    let mut found = None;
    let walked = for_each(|seen| {
        match seen.kind {
            Kind::Region { key, decodes, .. } if key == region => found = Some(decodes),
            _ => {}
        }
        Ok(())
    });
    walked.ok().and(found)
}

/// Whether a committed region decodes all of `range`, whoever serves it.
///
/// Takes the lock under which regions are committed and reset, for reading.
pub fn is_committed(range: &Range) -> bool {
    let res = bindings::resource {
        start: range.start(),
        end: range.end(),
        flags: bindings::IORESOURCE_MEM as usize,
        ..Default::default()
    };
    // SAFETY: The resource is only read, and only during the call. It does its own locking.
    unsafe { dax::cxl_region_contains_resource(&res) }
}

/// A bus that these modules look at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bus {
    Cxl,
    Pci,
}

impl Bus {
    /// That of CXL is valid as long as cxl_core is loaded, which these modules keep it by linking to
    /// it; that of PCI is static.
    pub(crate) fn as_raw(self) -> *const bindings::bus_type {
        match self {
            Self::Cxl => &raw const dax::cxl_bus_type,
            Self::Pci => &raw const bindings::pci_bus_type,
        }
    }
}

/// Calls `f` for each device on `bus` until it fails.
pub(crate) fn for_each_device<F>(bus: Bus, mut f: F) -> Result
where
    F: FnMut(*mut bindings::device) -> Result,
{
    /// # Safety
    ///
    /// `arg` points to an `F` that nobody else uses.
    unsafe extern "C" fn visit<F>(dev: *mut bindings::device, arg: *mut c_void) -> c_int
    where
        F: FnMut(*mut bindings::device) -> Result,
    {
        // SAFETY: By the safety requirements of this function.
        let f = unsafe { &mut *arg.cast::<F>() };
        from_result(|| f(dev).map(|()| 0))
    }

    // SAFETY: The bus type is valid, see `Bus::as_raw()`. `visit` gets `f` only while this call lasts.
    to_result(unsafe {
        bindings::bus_for_each_dev(
            bus.as_raw(),
            ptr::null_mut(),
            ptr::from_mut(&mut f).cast(),
            Some(visit::<F>),
        )
    })
}

/// Reads what `dev` shows; [`None`] if it is neither region nor decoder of a memory device.
///
/// # Safety
///
/// `dev` is a valid device on the CXL bus to which the caller has a reference.
pub(crate) unsafe fn sight(dev: *mut bindings::device) -> Option<Sighting> {
    // SAFETY: By the safety requirements of this function; each device is embedded in the
    // structure that its type stands for.
    let (kind, (start, end)) = unsafe {
        if dax::is_cxl_region(dev) {
            let region = container_of!(dev, dax::cxl_region, dev);
            let memory = match (*region).mode {
                dax::cxl_partition_mode_CXL_PARTMODE_RAM => Memory::Volatile,
                dax::cxl_partition_mode_CXL_PARTMODE_PMEM => Memory::Persistent,
                _ => Memory::Foreign,
            };
            let key = RegionKey(region.addr());
            let state = Atomic::from_ptr(&raw mut (*region).params.state).load(Relaxed);
            let decodes = state >= dax::cxl_config_state_CXL_CONFIG_RESET_PENDING;
            (
                Kind::Region {
                    key,
                    memory,
                    decodes,
                },
                read(&raw mut (*region).hpa_range),
            )
        } else if dax::is_endpoint_decoder(dev) {
            let decoder = container_of!(dev, dax::cxl_endpoint_decoder, cxld.dev);
            let flags = Atomic::from_ptr(&raw mut (*decoder).cxld.flags).load(Relaxed);
            let region = Atomic::from_ptr((&raw mut (*decoder).cxld.region).cast::<usize>());
            let region = region.load(Relaxed);
            let ways = Atomic::from_ptr(&raw mut (*decoder).cxld.interleave_ways).load(Relaxed);
            (
                Kind::Decoder {
                    committed: flags & dax::CXL_DECODER_F_ENABLE != 0,
                    region: (region != 0).then_some(RegionKey(region)),
                    translated: flags & dax::CXL_DECODER_F_NORMALIZED_ADDRESSING != 0,
                    ways: u32::try_from(ways).unwrap_or(1),
                },
                read(&raw mut (*decoder).cxld.hpa_range),
            )
        } else if dax::is_cxl_pmem_region(dev) {
            let pmem = container_of!(dev, dax::cxl_pmem_region, dev);
            (Kind::Pmem, read(&raw mut (*pmem).hpa_range))
        } else if is_dax_region(dev) {
            let dax_region = container_of!(dev, dax::cxl_dax_region, dev);
            (Kind::Dax, read(&raw mut (*dax_region).hpa_range))
        } else {
            return None;
        }
    };
    let region = match kind {
        Kind::Decoder { .. } => 0,
        // SAFETY: A device that has been added has a name, which lives as long as the device.
        _ => region_number(unsafe { CStr::from_char_ptr(bindings::dev_name(dev)) }.to_bytes())?,
    };
    Some(Sighting {
        kind,
        region,
        // One without addresses shows 0 to 2^64 - 1, or an end below its start.
        range: Range::new(start, end).filter(|r| r.size().is_some()),
        // SAFETY: By the safety requirements of this function. The answer is a hint, so nobody
        // has to hold the lock of the device.
        bound: unsafe { bindings::device_is_bound(dev) },
        // SAFETY: As above. The driver core sets this before it tells anybody.
        unbinding: unsafe { Atomic::from_ptr(&raw mut (*dev).links.status).load(Relaxed) }
            == bindings::dl_dev_state_DL_DEV_UNBINDING,
    })
}

/// Reads addresses that somebody may be writing to, under a lock that is private to cxl_core. A
/// mixture of old and new is as good a hint as either.
///
/// # Safety
///
/// `range` points to a valid range.
unsafe fn read(range: *mut bindings::range) -> (u64, u64) {
    // SAFETY: By the safety requirements of this function, and both fields are aligned words.
    unsafe {
        (
            Atomic::from_ptr(&raw mut (*range).start).load(Relaxed),
            Atomic::from_ptr(&raw mut (*range).end).load(Relaxed),
        )
    }
}

/// Whether `dev` is the dax side of a region. cxl_core exports no function that tells.
///
/// # Safety
///
/// As for [`sight`].
unsafe fn is_dax_region(dev: *mut bindings::device) -> bool {
    // SAFETY: By the safety requirements of this function; types are static and have names.
    unsafe {
        (*dev)
            .type_
            .as_ref()
            .is_some_and(|t| !t.name.is_null() && CStr::from_char_ptr(t.name) == c"cxl_dax_region")
    }
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
