// SPDX-License-Identifier: GPL-2.0

//! A read-only attribute of a device that user space can wait on.
//!
//! C headers: [`include/linux/device.h`](srctree/include/linux/device.h),
//! [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h)

use core::ptr;
use kernel::{
    bindings,
    container_of,
    device,
    error::to_result,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    types::Opaque, //
};

/// What an [`Attribute`] shows.
pub trait Show: Send + Sync {
    /// The name of the file.
    const NAME: &'static CStr;

    /// The text, line end included. Must not take a lock under which the attribute is removed.
    fn show(&self) -> &'static CStr;
}

/// A file in the directory of a device, until it is dropped.
///
/// Dropping it waits for readers. They see it gone before what it shows is.
///
/// # Invariants
///
/// While `active` is set, the file is there.
#[pin_data(PinnedDrop)]
pub struct Attribute<T: Show> {
    #[pin]
    attr: Opaque<bindings::device_attribute>,
    device: ARef<device::Device>,
    source: Arc<T>,
    active: Atomic<bool>,
}

// SAFETY: sysfs does its own locking, and what is shown is `Sync`.
unsafe impl<T: Show> Send for Attribute<T> {}
// SAFETY: As above.
unsafe impl<T: Show> Sync for Attribute<T> {}

impl<T: Show> Attribute<T> {
    /// Creates the file. Fails with `ENOMEM`, and with `EEXIST` if there is one of that name.
    pub fn new(device: ARef<device::Device>, source: Arc<T>) -> Result<Pin<KBox<Self>>> {
        let this = KBox::pin_init(
            pin_init!(Self {
                attr <- Opaque::ffi_init(|slot: *mut bindings::device_attribute| {
                    let mut attr = bindings::device_attribute::default();
                    attr.attr.name = T::NAME.as_char_ptr();
                    attr.attr.mode = 0o444;
                    // The key that would tell attributes apart has to be static, which this
                    // structure is not. `show()` takes no lock that the removal is under.
                    #[cfg(CONFIG_DEBUG_LOCK_ALLOC)]
                    attr.attr.set_ignore_lockdep(true);
                    attr.__bindgen_anon_1.show = Some(Self::show);
                    // SAFETY: `slot` is valid for writes.
                    unsafe { slot.write(attr) };
                }),
                device,
                source,
                active: Atomic::new(false),
            }),
            GFP_KERNEL,
        )?;

        // SAFETY: The device is valid, and the attribute is pinned until it is removed in
        // `drop()`. Its name is static.
        to_result(unsafe { bindings::device_create_file(this.raw_device(), this.attr.get()) })?;
        // INVARIANT: The file is there now.
        this.active.store(true, Relaxed);
        Ok(this)
    }

    fn raw_device(&self) -> *mut bindings::device {
        // CAST: `device::Device` is a transparent wrapper of `struct device`.
        ptr::from_ref::<device::Device>(&self.device)
            .cast_mut()
            .cast()
    }

    /// # Safety
    ///
    /// `attr` is that of an `Attribute<T>` whose file is there, and `buf` has room for a page.
    unsafe extern "C" fn show(
        _dev: *mut bindings::device,
        attr: *mut bindings::device_attribute,
        buf: *mut c_char,
    ) -> isize {
        // SAFETY: By the safety requirements of this function.
        let this = unsafe {
            &*container_of!(
                attr.cast::<Opaque<bindings::device_attribute>>(),
                Self,
                attr
            )
        };
        let text = this.source.show().to_bytes_with_nul();

        // SAFETY: By the safety requirements of this function; no text comes near the size of a
        // page.
        unsafe { ptr::copy_nonoverlapping(text.as_ptr(), buf.cast(), text.len()) };
        // The length without the NUL; it is far below the limit.
        isize::try_from(text.len().saturating_sub(1)).unwrap_or(0)
    }
}

#[pinned_drop]
impl<T: Show> PinnedDrop for Attribute<T> {
    fn drop(self: Pin<&mut Self>) {
        if self.active.load(Relaxed) {
            // SAFETY: By the type invariant the file is there. It is removed once, here, and no
            // reader is left when the call returns.
            unsafe { bindings::device_remove_file(self.raw_device(), self.attr.get()) };
        }
    }
}

/// Wakes whoever polls the attribute `name` of `device`, and sends a "change" event with `env`.
pub fn announce(device: &device::Device, name: &'static CStr, env: &'static CStr) {
    // CAST: As above.
    let dev = ptr::from_ref(device).cast_mut().cast::<bindings::device>();
    let mut envp = [env.as_char_ptr().cast_mut(), ptr::null_mut()];

    // SAFETY: The device is valid; all strings are NUL-terminated and only read.
    unsafe {
        let kobj = &raw mut (*dev).kobj;
        bindings::sysfs_notify(kobj, ptr::null(), name.as_char_ptr());
        // That nobody listens, or that there is no memory, is no reason to do anything else: the
        // attribute says the same.
        bindings::kobject_uevent_env(
            kobj,
            bindings::kobject_action_KOBJ_CHANGE,
            envp.as_mut_ptr(),
        );
    }
}
