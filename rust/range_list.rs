// SPDX-License-Identifier: GPL-2.0

//! A module parameter that is a list of address ranges.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h)

use crate::ownership::Range;
use core::fmt::Write;
use kernel::{
    bindings,
    error::from_result,
    fmt,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    }, //
};

/// How many ranges a list can have.
const MOST: usize = 16;

/// A list of ranges that sysfs shows and may write. Declared with [`crate::range_list!`].
///
/// Readers see a list as it was written, never a mixture: `version` is odd while it is being
/// written and different after that. Writers are kept apart by the lock of the parameters.
pub struct RangeList {
    version: Atomic<usize>,
    count: Atomic<usize>,
    ranges: [[Atomic<u64>; 2]; MOST],
}

impl Default for RangeList {
    fn default() -> Self {
        Self::new()
    }
}

impl RangeList {
    /// An empty list.
    pub const fn new() -> Self {
        Self {
            version: Atomic::new(0),
            count: Atomic::new(0),
            ranges: [const { [const { Atomic::new(0) }; 2] }; MOST],
        }
    }

    /// Calls `f` for each range of the list, in the order in which they were written, until it
    /// fails.
    pub fn for_each(&self, mut f: impl FnMut(Range) -> Result) -> Result {
        let (ranges, count) = self.read();

        for range in ranges.iter().take(count).flatten() {
            f(*range)?;
        }
        Ok(())
    }

    fn read(&self) -> ([Option<Range>; MOST], usize) {
        loop {
            let version = self.version.load(Acquire);
            let mut ranges = [None; MOST];

            for (to, [start, end]) in ranges.iter_mut().zip(&self.ranges) {
                *to = Range::new(start.load(Acquire), end.load(Acquire));
            }
            let count = self.count.load(Acquire);
            // Every load above acquires, so this one comes after them.
            if version % 2 == 0 && self.version.load(Relaxed) == version {
                return (ranges, count);
            }
            core::hint::spin_loop();
        }
    }

    fn write(&self, ranges: &[Range]) {
        let version = self.version.load(Relaxed);

        self.version.store(version.wrapping_add(1), Relaxed);
        for (range, [start, end]) in ranges.iter().zip(&self.ranges) {
            // Each store releases the one before it, that of the odd version among them.
            start.store(range.start(), Release);
            end.store(range.end(), Release);
        }
        self.count.store(ranges.len(), Release);
        self.version.store(version.wrapping_add(2), Release);
    }

    /// The C operations.
    pub const OPS: bindings::kernel_param_ops = bindings::kernel_param_ops {
        flags: 0,
        set: Some(Self::set),
        get: Some(Self::show),
        free: None,
    };

    /// # Safety
    ///
    /// `kp` is that of a `range_list!`, and `val` is NUL-terminated.
    unsafe extern "C" fn set(val: *const c_char, kp: *const bindings::kernel_param) -> c_int {
        // SAFETY: The argument of such a `kp` points to a static `RangeList`, and the text is
        // NUL-terminated.
        let (this, text) = unsafe {
            (
                &*(*kp).__bindgen_anon_1.arg.cast::<Self>(),
                CStr::from_char_ptr(val),
            )
        };
        from_result(|| {
            let mut ranges = [const { None }; MOST];
            let mut list = [Range::ALL; MOST];
            let mut count = 0usize;

            for word in text.to_bytes().trim_ascii().split(|&c| c == b',') {
                if word.is_empty() && count == 0 {
                    continue;
                }
                let parsed = parse(word);
                let slot = ranges.get_mut(count).ok_or(ENOSPC).inspect_err(|_| {
                    pr_err!("a list of ranges can have {} of them\n", MOST);
                })?;
                *slot = Some(parsed.ok_or(EINVAL).inspect_err(|_| {
                    pr_err!(
                        "{}: not a range; give START-END, both inclusive, such as \
                         0x100000000-0x13fffffff\n",
                        core::str::from_utf8(word).unwrap_or("(not text)")
                    );
                })?);
                count += 1;
            }
            for (to, from) in list.iter_mut().zip(ranges.iter().flatten()) {
                *to = *from;
            }
            this.write(list.get(..count).unwrap_or(&[]));
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// `kp` is that of a `range_list!`, and `buffer` has room for a page.
    unsafe extern "C" fn show(buffer: *mut c_char, kp: *const bindings::kernel_param) -> c_int {
        // SAFETY: The argument of such a `kp` points to a static `RangeList`. The buffer has room
        // for a page, which nobody else uses.
        let (this, page) = unsafe {
            (
                &*(*kp).__bindgen_anon_1.arg.cast::<Self>(),
                core::slice::from_raw_parts_mut(buffer.cast::<u8>(), 4096),
            )
        };
        let mut text = Text { page, len: 0 };
        let mut between = "";

        // A list takes up to 38 bytes a range, far less than a page, so nothing fails.
        let _ = this.for_each(|range| {
            let _ = write!(text, "{}{:#x}-{:#x}", between, range.start(), range.end());
            between = ",";
            Ok(())
        });
        let _ = text.write_str("\n");
        c_int::try_from(text.len).unwrap_or(0)
    }
}

/// Reads a range `START-END`.
fn parse(word: &[u8]) -> Option<Range> {
    let (start, end) = core::str::from_utf8(word).ok()?.trim().split_once('-')?;
    let number = |text: &str| {
        let text = text.trim();
        match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    };
    Range::new(number(start)?, number(end)?)
}

/// Text in a page.
struct Text<'a> {
    page: &'a mut [u8],
    len: usize,
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let end = self.len.checked_add(s.len()).ok_or(fmt::Error)?;
        let place = self.page.get_mut(self.len..end).ok_or(fmt::Error)?;
        // Not copy_from_slice(): compiled for size it is a function that ends in a panic which
        // objtool does not know, and warns about.
        for (to, from) in place.iter_mut().zip(s.bytes()) {
            *to = from;
        }
        self.len = end;
        Ok(())
    }
}

/// Declares a [`RangeList`] and its module parameter: its name, its permissions in sysfs, and the
/// description that `modinfo` shows.
#[macro_export]
macro_rules! range_list {
    (
        $(#[$doc:meta])*
        static $ident:ident: RangeList, $name:literal ($perm:literal): $description:literal;
    ) => {
        $(#[$doc])*
        pub(crate) static $ident: $crate::range_list::RangeList =
            $crate::range_list::RangeList::new();

        $crate::param_entry! {
            $ident, $crate::range_list::RangeList::OPS, $name ("charp", $perm): $description
        }
    };
}
