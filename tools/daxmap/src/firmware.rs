// SPDX-License-Identifier: GPL-2.0

//! What firmware and the kernel command line declare as Soft Reserved.
//!
//! The kernel keeps Soft Reserved ranges out of `/proc/iomem` until a driver puts them there, so the
//! declaration has to be found elsewhere: the firmware map in sysfs (the map before command line
//! edits), the `memmap=` parameter, and the memory map in the kernel log (the map after them).

use serde::{Deserialize, Serialize};

use crate::range::{merge, Range};
use crate::scan::Scan;

/// Where a Soft Reserved range is known from, the most trusted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The memory map in the kernel log.
    KernelLog,
    /// `/sys/firmware/memmap`.
    FirmwareMap,
    /// `memmap=` on the kernel command line.
    CommandLine,
    /// A "Soft Reserved" resource.
    Iomem,
    /// The dax_hmem ledger.
    Ledger,
    /// Lines of dax_hmem in the kernel log.
    DriverLog,
    /// The dax devices below an hmem device; they exist for such memory only.
    HmemDevice,
}

/// The kernel's number for Soft Reserved in an e820 table.
const E820_SOFT_RESERVED: u64 = 0xefff_ffff;

/// The "Soft Reserved" entries of `/sys/firmware/memmap`.
pub(crate) fn memmap(scan: &Scan) -> Vec<Range> {
    merge(memmap_entries(scan))
}

/// The same, as firmware divides them.
pub(crate) fn memmap_entries(scan: &Scan) -> Vec<Range> {
    let dir = "sys/firmware/memmap";
    scan.list(dir)
        .iter()
        .filter_map(|entry| {
            let kind = scan.value(&format!("{dir}/{entry}/type"))?;
            if !kind.eq_ignore_ascii_case("soft reserved") {
                return None;
            }
            let start = scan.number(&format!("{dir}/{entry}/start"))?;
            let end = scan.number(&format!("{dir}/{entry}/end"))?;
            Range::new(start, end)
        })
        .collect()
}

/// Whether `/sys/firmware/memmap` can be read: it then holds all that firmware declares.
pub(crate) fn has_memmap(scan: &Scan) -> bool {
    let dir = "sys/firmware/memmap";
    let mut entries = scan.list(dir).into_iter();
    entries.any(|entry| scan.value(&format!("{dir}/{entry}/type")).is_some())
}

/// The `memmap=SIZE%ADDRESS[-FROM]+TYPE` parameters that make memory Soft Reserved.
pub fn command_line(cmdline: &str) -> Vec<Range> {
    merge(command_line_entries(cmdline))
}

/// The same, as they are given.
pub(crate) fn command_line_entries(cmdline: &str) -> Vec<Range> {
    cmdline
        .split_whitespace()
        .filter_map(|word| word.trim_matches('"').strip_prefix("memmap="))
        .flat_map(|value| value.split(','))
        .filter_map(soft_reserved)
        .collect()
}

fn soft_reserved(value: &str) -> Option<Range> {
    let (size, rest) = value.split_once('%')?;
    let (place, to) = rest.split_once('+')?;
    let address = place.split('-').next()?;
    if integer(to)? != E820_SOFT_RESERVED {
        return None;
    }
    Range::with_size(size_with_suffix(address)?, size_with_suffix(size)?)
}

/// As the kernel reads numbers: `0x` hexadecimal, a leading 0 octal, else decimal.
fn integer(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// A number with a K, M, G, T, P or E behind it.
fn size_with_suffix(text: &str) -> Option<u64> {
    let shift = match text.chars().last()?.to_ascii_uppercase() {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        'T' => 40,
        'P' => 50,
        // A hexadecimal number may end in the digit E.
        'E' if !text.starts_with("0x") => 60,
        _ => return integer(text),
    };
    integer(&text[..text.len() - 1])?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn r(start: u64, end: u64) -> Range {
        Range::new(start, end).unwrap()
    }

    #[test]
    fn reads_memmap_parameters() {
        assert_eq!(
            command_line("quiet memmap=512M%0x490000000+0xefffffff console=ttyS0"),
            [r(0x490000000, 0x4afffffff)]
        );
        assert_eq!(
            command_line("memmap=1G%0x490000000-1+0xefffffff,64K$0x1000"),
            [r(0x490000000, 0x4cfffffff)]
        );
        assert_eq!(command_line("memmap=1%16E+4026531839"), []);
    }

    #[test]
    fn neighbours_are_one_range() {
        assert_eq!(
            command_line("memmap=1M%0x100000+0xefffffff memmap=1M%2M+0xefffffff"),
            [r(0x100000, 0x2fffff)]
        );
    }

    #[test]
    fn other_types_and_junk_are_passed_over() {
        for text in [
            "memmap=1G%0x490000000+12",
            "memmap=%+",
            "memmap=0%0x1000+0xefffffff",
            "memmap=1G@4G",
            "memmap=99999999999999999999G%0+0xefffffff",
            "memmap=2M%0xffffffffffffffff+0xefffffff",
            "memmap=é%é+0xefffffff",
            "memmap=",
            "",
        ] {
            assert_eq!(command_line(text), [], "{text}");
        }
    }

    #[test]
    fn may_end_at_the_top() {
        assert_eq!(
            command_line("memmap=4K%0xfffffffffffff000+0xefffffff"),
            [r(0xfffffffffffff000, u64::MAX)]
        );
    }
}
