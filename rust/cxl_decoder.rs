// SPDX-License-Identifier: GPL-2.0

//! The decoders of memory devices, and what stands behind them.
//!
//! C header: [`drivers/cxl/cxl.h`](srctree/drivers/cxl/cxl.h)

use crate::{
    bindings as dax,
    cxl_bus::{
        for_each_device,
        sight,
        Bus,
        Kind,
        RegionKey,
        Sighting, //
    },
    ownership::Share, //
};
use kernel::{
    bindings,
    container_of,
    device,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        }, //
    }, //
};

/// A decoder of a memory device.
pub struct Decoder {
    /// The memory device's own device and what is known of it; [`None`] while the endpoint comes or
    /// goes.
    pub behind: Option<Behind>,
    /// Whether it decodes at this moment.
    pub committed: bool,
    /// What it decodes, where it alone tells that: not where the platform translates its addresses, nor
    /// where its region was deleted without having been committed.
    pub share: Option<Share>,
    /// The region that it belongs to, with which it is reset.
    pub region: Option<RegionKey>,
}

impl Decoder {
    /// What `seen` tells of a decoder with this `behind`; [`None`] if it is no decoder.
    pub(crate) fn new(seen: &Sighting, behind: impl FnOnce() -> Option<Behind>) -> Option<Self> {
        let Kind::Decoder {
            committed,
            region,
            translated,
            ways,
        } = seen.kind
        else {
            return None;
        };
        let range = seen.range.filter(|_| committed && !translated);
        let behind = behind();
        let persistent = behind.as_ref().is_some_and(|b| b.persistent);
        Some(Self {
            behind,
            committed,
            share: range.map(|range| Share {
                range,
                ways,
                persistent,
            }),
            region,
        })
    }
}

/// What stands behind a decoder.
pub struct Behind {
    /// The PCI device; the platform device of a test harness.
    pub device: ARef<device::Device>,
    /// Whether the memory is for a purpose of its own driver, so that cxl_core makes no dax region of
    /// it.
    pub attached: bool,
    /// Whether what is decoded is persistent memory, or of a mode that is not known.
    pub persistent: bool,
}

/// Calls `f` for each decoder of a memory device until it fails.
pub fn for_each_decoder<F>(mut f: F) -> Result
where
    F: FnMut(Decoder) -> Result,
{
    for_each_device(Bus::Cxl, |dev| {
        // SAFETY: The bus holds a reference to the device for this call.
        let Some(seen) = (unsafe { sight(dev) }) else {
            return Ok(());
        };
        // SAFETY: As above; it is the decoder of an endpoint.
        match Decoder::new(&seen, || unsafe { behind(dev) }) {
            Some(decoder) => f(decoder),
            None => Ok(()),
        }
    })
}

/// What stands behind the decoder of a memory device; [`None`] while the endpoint comes or goes.
///
/// # Safety
///
/// As for [`sight`]; `dev` is the decoder of an endpoint.
unsafe fn behind(dev: *mut bindings::device) -> Option<Behind> {
    // SAFETY: A decoder keeps its port: `cxl_decoder_init()` takes a reference, until the decoder is
    // freed. The lock is released here.
    unsafe {
        let port = (*dev).parent;
        if bindings::mutex_trylock(&raw mut (*port).mutex) == 0 {
            return None;
        }
        let found = bindings::device_is_bound(port).then(|| behind_locked(dev));
        bindings::mutex_unlock(&raw mut (*port).mutex);
        found.flatten()
    }
}

/// What stands behind the decoder of a memory device.
///
/// # Safety
///
/// `dev` is the decoder of an endpoint, whose port's lock is held, and whose driver is bound.
pub(crate) unsafe fn behind_locked(dev: *mut bindings::device) -> Option<Behind> {
    // SAFETY: By the safety requirements of this function the memory device above the port stays, and
    // with it the device that this is a part of, which therefore may be referenced, and its state.
    // `attach` of a memory device is set before it is added and stays.
    unsafe {
        let memdev = (*container_of!((*dev).parent, dax::cxl_port, dev)).uport_dev;
        let memdev = container_of!(memdev, dax::cxl_memdev, dev);
        let parent = (*memdev).dev.parent;
        (!parent.is_null()).then(|| Behind {
            device: device::Device::get_device(parent),
            attached: !(*memdev).attach.is_null(),
            persistent: is_persistent(dev, (*memdev).cxlds),
        })
    }
}

/// Whether a decoder maps a partition of its memory device that is not volatile.
///
/// # Safety
///
/// As for [`behind_locked`]; `state` is that of the memory device.
unsafe fn is_persistent(dev: *mut bindings::device, state: *const dax::cxl_dev_state) -> bool {
    // SAFETY: By the safety requirements of this function. The partitions and their modes are set
    // before the memory device is added, and stay; that of a decoder is an aligned word.
    unsafe {
        let decoder = container_of!(dev, dax::cxl_endpoint_decoder, cxld.dev);
        let at = Atomic::from_ptr(&raw mut (*decoder).part).load(Relaxed);
        let partitions = (&raw const (*state).part).cast::<dax::cxl_dpa_partition>();
        match usize::try_from(at) {
            Ok(at) if at < (*state).nr_partitions as usize => {
                (*partitions.add(at)).mode != dax::cxl_partition_mode_CXL_PARTMODE_RAM
            }
            _ => false,
        }
    }
}
