// SPDX-License-Identifier: GPL-2.0

//! Sizes: their sums, and as people read them.

/// Adds sizes up.
pub trait Total: Iterator<Item = u64> + Sized {
    /// The sum, or [`u64::MAX`] where it is larger: files of a machine, or of whoever sent a capture,
    /// may hold any number.
    fn total(self) -> u64 {
        self.fold(0, u64::saturating_add)
    }
}

impl<I: Iterator<Item = u64>> Total for I {}

/// `512 MiB`, `1.5 GiB`, `4 KiB`: exact where two digits behind the point can be.
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let unit = (63 - bytes.max(1).leading_zeros() as usize) / 10;
    let whole = 1u128 << (10 * unit);
    let hundredths = (u128::from(bytes) * 100 + whole / 2) / whole;
    let (int, frac) = (hundredths / 100, hundredths % 100);
    let number = match frac {
        0 => int.to_string(),
        f if f % 10 == 0 => format!("{int}.{}", f / 10),
        f => format!("{int}.{f:02}"),
    };
    // An odd number of the unit below says more than a rounded fraction: 1026 MiB, not 1 GiB.
    let below = whole >> 10;
    if unit > 0 && u128::from(bytes) % whole != 0 && below > 0 && u128::from(bytes) % below == 0 {
        let n = u128::from(bytes) / below;
        if n < 10_000 && hundredths * whole != u128::from(bytes) * 100 {
            return format!("{n} {}", UNITS[unit - 1]);
        }
    }
    format!("{number} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::{human, Total as _};

    #[test]
    fn a_total_of_impossible_sizes_is_the_largest() {
        assert_eq!([1, 2, 3].into_iter().total(), 6);
        assert_eq!([u64::MAX, 1].into_iter().total(), u64::MAX);
    }

    #[test]
    fn sizes_are_exact_where_they_can_be() {
        for (bytes, text) in [
            (0, "0 B"),
            (1, "1 B"),
            (4096, "4 KiB"),
            (512 << 20, "512 MiB"),
            (513 << 20, "513 MiB"),
            (1 << 30, "1 GiB"),
            (3 << 29, "1.5 GiB"),
            (1026 << 20, "1026 MiB"),
            ((4 << 30) + 1, "4 GiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
