// SPDX-License-Identifier: GPL-2.0

//! Making `hmem` platform devices, and knowing which there are.
//!
//! C headers: [`include/linux/platform_device.h`](srctree/include/linux/platform_device.h),
//! [`include/linux/memregion.h`](srctree/include/linux/memregion.h)

use crate::{
    bindings as dax,
    hmem_shared::Shared,
    memregion::MemregionId,
    ownership::Range, //
};
use core::{
    mem::size_of,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    bindings,
    device,
    error::to_result,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    }, //
};

/// The memory that an `hmem` device stands for; `struct memregion_info` of its platform data.
#[derive(Clone, Copy)]
pub struct Memory {
    /// The addresses.
    pub range: Range,
    /// The NUMA node that the memory belongs to once it is online.
    pub target_node: c_int,
}

/// The `hmem` devices that are registered, and what CXL is about to stop decoding.
///
/// The lock is held for moments only, and nothing but the allocator is called under it, so a
/// driver may take it in its probe, and a notifier under the locks of CXL.
#[pin_data]
pub struct Devices {
    #[pin]
    state: Mutex<State>,
}

struct State {
    listed: KVec<Listed>,
    /// Where a region is being unbound, or has been since the last decision.
    going: KVec<Going>,
    /// Counts bindings of the platform device.
    binding: usize,
}

/// What CXL is about to stop decoding.
struct Going {
    range: Range,
    /// The region has lost its driver.
    gone: bool,
    /// Under which binding of the platform device it was noted.
    binding: usize,
}

/// A device and what it stands for. The reference keeps the device, not its registration.
struct Listed {
    device: ARef<device::Device>,
    id: c_int,
    memory: Memory,
}

impl Devices {
    /// None.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(
                State {
                    listed: KVec::new(),
                    going: KVec::new(),
                    binding: 0,
                },
                "dax_hmem::devices"
            ),
        })
    }

    /// The number and the memory of `device`.
    ///
    /// Fails with `ENODEV` for a device that this module has not registered: `driver_override`
    /// brings any. Fails with `EBUSY` if a CXL region below it is going.
    pub fn memory_of(&self, device: &device::Device) -> Result<(c_int, Memory)> {
        let state = self.state.lock();
        let listed = state
            .listed
            .iter()
            .find(|l| ptr::eq(&raw const *l.device, device))
            .ok_or(ENODEV)?;
        let memory = listed.memory.range;
        if state.going.iter().any(|g| g.range.intersects(&memory)) {
            return Err(EBUSY);
        }
        Ok((listed.id, listed.memory))
    }

    /// Notes that CXL is about to stop decoding `range`: from now on no device over it is bound.
    /// Fails with `ENOMEM`.
    pub fn begin_going(&self, range: Range) -> Result {
        let mut state = self.state.lock();
        let going = Going {
            range,
            gone: false,
            binding: state.binding,
        };
        Ok(state.going.push(going, GFP_KERNEL)?)
    }

    /// Begins another binding of the platform device.
    pub fn begin_binding(&self) {
        let mut state = self.state.lock();
        state.binding = state.binding.wrapping_add(1);
    }

    /// Lets devices be bound again over what was noted under earlier bindings.
    ///
    /// Nobody listened when the last of them had ended, so what became of it is not known. For when
    /// all that had begun then has come to rest.
    pub fn end_stale(&self) {
        let mut state = self.state.lock();
        let binding = state.binding;
        state.going.retain(|g| g.binding == binding);
    }

    /// Notes that the region over `range` has lost its driver.
    pub fn note_gone(&self, range: &Range) {
        let mut state = self.state.lock();
        for going in state.going.iter_mut().filter(|g| g.range.intersects(range)) {
            going.gone = true;
        }
    }

    /// Lets devices over `range` be bound again, because the decision has followed what is gone.
    pub fn end_going(&self, range: &Range) {
        self.state
            .lock()
            .going
            .retain(|g| !(g.gone && g.range.intersects(range)));
    }

    /// Lets devices over `range` be bound again, because a region decodes it.
    pub fn cancel_going(&self, range: &Range) {
        self.state
            .lock()
            .going
            .retain(|g| !g.range.intersects(range));
    }

    /// The device with the lowest number above `after` that has a byte of `range`.
    pub fn next_over(
        &self,
        range: &Range,
        after: Option<c_int>,
    ) -> Option<(c_int, ARef<device::Device>)> {
        let state = self.state.lock();
        let found = state
            .listed
            .iter()
            .filter(|l| l.memory.range.intersects(range) && Some(l.id) > after)
            .min_by_key(|l| l.id)?;
        Some((found.id, found.device.clone()))
    }

    /// The device of that number.
    pub fn get(&self, id: c_int) -> Option<ARef<device::Device>> {
        let state = self.state.lock();
        let found = state.listed.iter().find(|l| l.id == id)?;
        Some(found.device.clone())
    }

    fn list(&self, device: ARef<device::Device>, id: c_int, memory: Memory) -> Result {
        Ok(self
            .state
            .lock()
            .listed
            .push(Listed { device, id, memory }, GFP_KERNEL)?)
    }

    fn unlist(&self, id: c_int) {
        let mut state = self.state.lock();
        let at = state.listed.iter().position(|l| l.id == id);
        let gone = at.and_then(|at| state.listed.remove(at).ok());
        // With it may go the last reference, which is not for under the lock.
        drop(state);
        drop(gone);
    }
}

/// Unbinds `device` from its driver, if it has one, and waits for that.
pub fn release_driver(device: &device::Device) {
    // SAFETY: The device is valid, and it is no error if it has no driver.
    unsafe { bindings::device_release_driver(as_raw(device)) };
}

/// Whether a driver is bound to `device`; [`None`] while it is being bound or unbound.
///
/// The driver core wants the lock of the device held for the question, and holds it itself for as
/// long as memory comes online. So this asks for the lock and does not wait.
pub fn is_bound(device: &device::Device) -> Option<bool> {
    let dev = as_raw(device);

    // SAFETY: The device is valid, and its lock is initialised. It is released here if it was had.
    unsafe {
        if bindings::mutex_trylock(&raw mut (*dev).mutex) == 0 {
            return None;
        }
        let bound = bindings::device_is_bound(dev);
        bindings::mutex_unlock(&raw mut (*dev).mutex);
        Some(bound)
    }
}

fn as_raw(device: &device::Device) -> *mut bindings::device {
    // CAST: `device::Device` is a transparent wrapper of `struct device`.
    ptr::from_ref(device).cast_mut().cast()
}

/// A registered platform device `hmem.N`. Dropping it unregisters the device.
///
/// # Invariants
///
/// `pdev` points to a platform device that is registered and ours to unregister.
pub struct HmemDevice {
    pdev: NonNull<bindings::platform_device>,
    id: MemregionId,
    shared: Arc<Shared>,
}

// SAFETY: A platform device may be used and unregistered from any thread.
unsafe impl Send for HmemDevice {}
// SAFETY: What a shared reference offers is thread-safe.
unsafe impl Sync for HmemDevice {}

impl HmemDevice {
    /// Registers an `hmem` device below `parent` and lets its driver probe it before it returns.
    ///
    /// Fails with `ENOMEM` without memory, and with what `device_add()` says, `EEXIST` for a name
    /// in use among them. A failed probe is no failure here: see [`HmemDevice::is_bound`].
    pub fn register(
        parent: &device::Device,
        memory: &Memory,
        shared: &Arc<Shared>,
    ) -> Result<Self> {
        let id = MemregionId::alloc()?;
        // SAFETY: The name is NUL-terminated and copied.
        let pdev = unsafe { bindings::platform_device_alloc(c"hmem".as_char_ptr(), id.get()) };
        let pdev = NonNull::new(pdev).ok_or(ENOMEM)?;

        Self::add(pdev, &id, parent, memory, &shared.devices).inspect_err(|_| {
            // SAFETY: The device was allocated above and is not registered; the reference is ours.
            unsafe { bindings::platform_device_put(pdev.as_ptr()) };
        })?;
        // INVARIANT: Just registered.
        Ok(Self {
            pdev,
            id,
            shared: shared.clone(),
        })
    }

    /// Fills in and adds a device that [`HmemDevice::register`] has allocated.
    fn add(
        pdev: NonNull<bindings::platform_device>,
        id: &MemregionId,
        parent: &device::Device,
        memory: &Memory,
        devices: &Devices,
    ) -> Result {
        let info = dax::memregion_info {
            target_node: memory.target_node,
            range: bindings::range {
                start: memory.range.start(),
                end: memory.range.end(),
            },
        };
        // SAFETY: `pdev` is valid and not yet visible to anyone else. `info` is copied.
        to_result(unsafe {
            (*pdev.as_ptr()).dev.parent = as_raw(parent);
            bindings::platform_device_add_data(
                pdev.as_ptr(),
                ptr::from_ref(&info).cast(),
                size_of::<dax::memregion_info>(),
            )
        })?;
        #[cfg(CONFIG_NUMA)]
        // SAFETY: As above. `numa_nearest_node()` takes any number, and gives back one that it
        // does not know.
        unsafe {
            (*pdev.as_ptr()).dev.numa_node =
                dax::numa_nearest_node(memory.target_node, bindings::node_states_N_ONLINE);
        }
        // SAFETY: `pdev` is valid and initialised, and the caller has a reference to it.
        let device = unsafe { device::Device::get_device(&raw mut (*pdev.as_ptr()).dev) };
        devices.list(device, id.get(), *memory)?;
        // SAFETY: `pdev` is valid and not registered.
        to_result(unsafe { bindings::platform_device_add(pdev.as_ptr()) })
            .inspect_err(|_| devices.unlist(id.get()))
    }

    /// The device.
    pub fn device(&self) -> &device::Device {
        // SAFETY: By the type invariant the device is valid while `self` lives.
        unsafe { device::Device::from_raw(&raw mut (*self.pdev.as_ptr()).dev) }
    }

    /// The `N` of its name.
    pub fn id(&self) -> c_int {
        self.id.get()
    }

    /// Whether a driver is bound to it. Waits while it is being bound or unbound.
    pub fn is_bound(&self) -> bool {
        let dev = as_raw(self.device());

        // SAFETY: By the type invariant the device is valid, and its lock is initialised.
        unsafe {
            bindings::mutex_lock(&raw mut (*dev).mutex);
            let bound = bindings::device_is_bound(dev);
            bindings::mutex_unlock(&raw mut (*dev).mutex);
            bound
        }
    }
}

impl Drop for HmemDevice {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the device is registered and ours to unregister.
        unsafe { bindings::platform_device_unregister(self.pdev.as_ptr()) };
        // Only now: a region that goes meanwhile waits for the unbinding, too. The number is free
        // for others when this returns.
        self.shared.devices.unlist(self.id.get());
    }
}
