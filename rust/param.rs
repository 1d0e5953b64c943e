// SPDX-License-Identifier: GPL-2.0

//! Module parameters that sysfs shows, and that it may write.
//!
//! Those of the `module!` macro are invisible in sysfs and are set at load time only.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h)

use core::marker::PhantomData;
use kernel::{
    bindings,
    error::from_result,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// A type that a [`Param`] can hold.
pub trait Value: Copy + 'static {
    /// The value that the bare name stands for, if it may stand alone.
    const BARE: Option<Self>;

    /// The value as it is stored.
    fn to_raw(self) -> u32;
    /// The value that was stored.
    fn from_raw(raw: u32) -> Self;
    /// Reads what was written, without the line end. Says why on failure.
    fn parse(text: &[u8]) -> Result<Self>;
    /// What sysfs shows, line end and NUL included.
    fn show(self) -> &'static CStr;
}

impl Value for bool {
    const BARE: Option<Self> = Some(true);

    fn to_raw(self) -> u32 {
        self.into()
    }

    fn from_raw(raw: u32) -> Self {
        raw != 0
    }

    fn parse(text: &[u8]) -> Result<Self> {
        kernel::str::kstrtobool_bytes(text)
    }

    fn show(self) -> &'static CStr {
        if self {
            c"Y\n"
        } else {
            c"N\n"
        }
    }
}

/// The structure of this module, for a static. `ModuleMetadata` tells it since Linux 7.3 only.
pub const fn this_module() -> *mut bindings::module {
    extern "C" {
        /// The build makes it for each module. Only its address is taken.
        static __this_module: u8;
    }
    (&raw const __this_module).cast_mut().cast()
}

/// The storage of a parameter. Declared with [`crate::kernel_param!`].
pub struct Param<T: Value>(Atomic<u32>, PhantomData<T>);

impl<T: Value> Param<T> {
    /// Creates the storage, with a default as [`Value::to_raw`] gives it.
    pub const fn new(default: u32) -> Self {
        Self(Atomic::new(default), PhantomData)
    }

    /// The value at this moment.
    pub fn get(&self) -> T {
        // Nothing else is published together with the value.
        T::from_raw(self.0.load(Relaxed))
    }

    /// The C operations for parameters of this type.
    pub const OPS: bindings::kernel_param_ops = bindings::kernel_param_ops {
        flags: if T::BARE.is_some() {
            bindings::KERNEL_PARAM_OPS_FL_NOARG
        } else {
            0
        },
        set: Some(Self::set),
        get: Some(Self::show),
        free: None,
    };

    /// # Safety
    ///
    /// `kp` is that of a `kernel_param!` of this type, and `val` is NUL-terminated or null.
    unsafe extern "C" fn set(val: *const c_char, kp: *const bindings::kernel_param) -> c_int {
        // SAFETY: The argument of such a `kp` points to a static `Param<T>`.
        let this = unsafe { Self::of(kp) };

        from_result(|| {
            let value = if val.is_null() {
                T::BARE.ok_or(EINVAL)?
            } else {
                // SAFETY: By the safety requirements of this function.
                let text = unsafe { CStr::from_char_ptr(val) };
                T::parse(text.to_bytes().trim_ascii_end())?
            };
            this.0.store(value.to_raw(), Relaxed);
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// `kp` is that of a `kernel_param!` of this type, and `buffer` has room for a page.
    unsafe extern "C" fn show(buffer: *mut c_char, kp: *const bindings::kernel_param) -> c_int {
        // SAFETY: The argument of such a `kp` points to a static `Param<T>`.
        let text = unsafe { Self::of(kp) }.get().show().to_bytes_with_nul();

        // SAFETY: By the safety requirements of this function; no value comes near the size of a
        // page.
        unsafe { core::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast(), text.len()) };
        // The length without the NUL; it is far below the limit.
        c_int::try_from(text.len().saturating_sub(1)).unwrap_or(0)
    }

    /// # Safety
    ///
    /// `kp` is valid, and its argument points to a static `Param<T>`.
    unsafe fn of<'a>(kp: *const bindings::kernel_param) -> &'a Self {
        // SAFETY: By the safety requirements of this function.
        unsafe { &*(*kp).__bindgen_anon_1.arg.cast::<Self>() }
    }
}

/// Makes a `kernel_param` shareable, for [`crate::kernel_param!`].
#[repr(transparent)]
pub struct Entry(pub bindings::kernel_param);

// SAFETY: Only the parameter code of the kernel uses it, which does its own locking.
unsafe impl Sync for Entry {}

/// A byte string of `.modinfo`, for [`crate::kernel_param!`].
pub const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    let from = text.as_bytes();
    let mut to = [0; N];
    let mut i = 0;
    while i < N {
        to[i] = from[i];
        i += 1;
    }
    to
}

/// Declares a module parameter: its name, type, default as stored, the type's name in C, its
/// permissions in sysfs, and the description that `modinfo` shows.
///
/// ```ignore
/// kernel_param! {
///     /// Documentation of the static.
///     static REGION_IDLE: bool = 0, "region_idle" ("bool", 0o644): "what it does";
/// }
/// ```
#[macro_export]
macro_rules! kernel_param {
    (
        $(#[$doc:meta])*
        static $ident:ident: $type:ty = $default:expr,
        $name:literal ($ctype:literal, $perm:literal): $description:literal;
    ) => {
        $(#[$doc])*
        pub(crate) static $ident: $crate::param::Param<$type> =
            $crate::param::Param::new($default);

        $crate::param_entry! {
            $ident, $crate::param::Param::<$type>::OPS, $name ($ctype, $perm): $description
        }
    };
}

/// Declares what the kernel and `modinfo` read of a parameter whose storage is the static `$ident`
/// and whose operations are `$ops`.
#[macro_export]
macro_rules! param_entry {
    (
        $ident:ident, $ops:expr, $name:literal ($ctype:literal, $perm:literal): $description:literal
    ) => {
        const _: () = {
            static OPS: ::kernel::bindings::kernel_param_ops = $ops;

            #[link_section = "__param"]
            #[used(compiler)]
            static ENTRY: $crate::param::Entry =
                $crate::param::Entry(::kernel::bindings::kernel_param {
                    name: ::kernel::str::as_char_ptr_in_const_context(
                        match ::core::ffi::CStr::from_bytes_with_nul(
                            ::core::concat!($name, "\0").as_bytes(),
                        ) {
                            Ok(name) => name,
                            Err(_) => ::core::panic!("a NUL in the name of a parameter"),
                        },
                    ),
                    mod_: $crate::param::this_module(),
                    ops: &raw const OPS,
                    perm: $perm,
                    level: -1,
                    flags: 0,
                    __bindgen_anon_1: ::kernel::bindings::kernel_param__bindgen_ty_1 {
                        arg: (&raw const $ident).cast_mut().cast(),
                    },
                });

            const TYPE: &str = ::core::concat!("parmtype=", $name, ":", $ctype, "\0");
            #[link_section = ".modinfo"]
            #[used(compiler)]
            static TYPE_INFO: [u8; TYPE.len()] = $crate::param::bytes(TYPE);

            const TEXT: &str = ::core::concat!("parm=", $name, ":", $description, "\0");
            #[link_section = ".modinfo"]
            #[used(compiler)]
            static TEXT_INFO: [u8; TEXT.len()] = $crate::param::bytes(TEXT);
        };
    };
}
