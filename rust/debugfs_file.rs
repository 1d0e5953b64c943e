// SPDX-License-Identifier: GPL-2.0

//! A read-only text file in debugfs that does not care whether it is open when its module goes.
//!
//! Not `kernel::debugfs`: the file operations there are in the module and name no owner, so closing
//! a file that is still open when the module is gone ends in a page fault, see
//! `Documentation/upstream.md`. Those behind `debugfs_create_devm_seqfile()` are part of the
//! kernel; the module has nothing but the function that fills the file, and debugfs calls that only
//! while the file is there.
//!
//! C headers: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h),
//! [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use kernel::{
    device,
    fmt,
    prelude::*,
    sync::Arc, //
};

#[cfg(CONFIG_DEBUG_FS)]
use core::ptr;
#[cfg(CONFIG_DEBUG_FS)]
use kernel::{
    bindings,
    error::from_err_ptr,
    seq_file::SeqFile,
    seq_print,
    sync::atomic::{
        Acquire,
        Atomic,
        Release, //
    }, //
};

/// What a [`File`] shows.
pub trait Contents: Send + Sync {
    /// Writes the text. May sleep, and runs without any lock but that of the open file.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// A file in a directory of its own, until this is dropped.
///
/// Dropping it waits for a read that is under way. Those who have it open read nothing any more.
///
/// # Invariants
///
/// `dir` is a directory of debugfs that is ours to remove, and `SHOWN` points to what `contents`
/// refers to, which is a `T`, as long as there is a file of it.
pub struct File<T: Contents> {
    #[cfg(CONFIG_DEBUG_FS)]
    dir: *mut bindings::dentry,
    _contents: Arc<T>,
}

// SAFETY: debugfs may be used from any thread, and what is shown is `Send` and `Sync`.
unsafe impl<T: Contents> Send for File<T> {}
// SAFETY: Nothing can be done through a shared reference.
unsafe impl<T: Contents> Sync for File<T> {}

#[cfg(not(CONFIG_DEBUG_FS))]
impl<T: Contents> File<T> {
    /// Fails with `ENODEV`: the kernel has no debugfs.
    pub fn new(
        _device: &device::Device,
        _dir: &'static CStr,
        _name: &'static CStr,
        _contents: Arc<T>,
    ) -> Result<Self> {
        Err(ENODEV)
    }
}

/// What the one file of this module shows; NULL if there is none. The function that fills the file
/// is given the device only, whose driver data is not for this file.
#[cfg(CONFIG_DEBUG_FS)]
static SHOWN: Atomic<*mut c_void> = Atomic::new(ptr::null_mut());

#[cfg(CONFIG_DEBUG_FS)]
impl<T: Contents> File<T> {
    /// Creates the directory and the file, readable by root, for `device`, whose driver must drop
    /// this when it is unbound. A module can have one file at a time.
    ///
    /// Fails with `EBUSY` for a second one, and with what debugfs says.
    pub fn new(
        device: &device::Device,
        dir: &'static CStr,
        name: &'static CStr,
        contents: Arc<T>,
    ) -> Result<Self> {
        let shown = ptr::from_ref::<T>(&contents).cast_mut().cast();
        SHOWN
            .cmpxchg(ptr::null_mut(), shown, Release)
            .map_err(|_| EBUSY)?;
        // SAFETY: The name is NUL-terminated and copied.
        let dir = from_err_ptr(unsafe {
            bindings::debugfs_create_dir(dir.as_char_ptr(), ptr::null_mut())
        })
        .inspect_err(|_| SHOWN.store(ptr::null_mut(), Release))?;

        // SAFETY: The device and the directory are valid, and the name is copied. What the file
        // needs of the device is freed when its driver is unbound, which drops this before.
        unsafe {
            bindings::debugfs_create_devm_seqfile(
                // CAST: `device::Device` is a transparent wrapper of `struct device`.
                ptr::from_ref(device).cast_mut().cast(),
                name.as_char_ptr(),
                dir,
                Some(Self::show),
            );
        }
        // INVARIANT: The directory was just created, and `SHOWN` was just set.
        Ok(Self {
            dir,
            _contents: contents,
        })
    }

    /// # Safety
    ///
    /// `seq` is a valid `seq_file` of a file of this type that debugfs keeps from being removed.
    unsafe extern "C" fn show(seq: *mut bindings::seq_file, _: *mut c_void) -> c_int {
        // SAFETY: By the safety requirements of this function and the type invariant.
        let (seq, contents) =
            unsafe { (SeqFile::from_raw(seq), &*SHOWN.load(Acquire).cast::<T>()) };

        seq_print!(seq, "{}", Text(contents));
        0
    }
}

/// What is shown, as it is written.
#[cfg(CONFIG_DEBUG_FS)]
struct Text<'a, T: Contents>(&'a T);

#[cfg(CONFIG_DEBUG_FS)]
impl<T: Contents> fmt::Display for Text<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f)
    }
}

#[cfg(CONFIG_DEBUG_FS)]
impl<T: Contents> Drop for File<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the directory is ours; a read that is under way is waited
        // for.
        unsafe { bindings::debugfs_remove(self.dir) };
        // INVARIANT: There is no file any more.
        SHOWN.store(ptr::null_mut(), Release);
    }
}
