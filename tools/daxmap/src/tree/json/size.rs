// SPDX-License-Identifier: GPL-2.0

//! Numbers and sizes as `cxl list` and `daxctl list` print them.

use serde_json::Value;

use crate::range::parse_number;

/// Regions, decoders and devices are multiples of 256 MiB.
pub(super) const CAPACITY: u64 = 256 << 20;

/// A number that is exact.
pub(super) fn number(value: &Value) -> Option<u64> {
    if let Some(n) = value.as_u64() {
        return Some(n);
    }
    parse_number(value.as_str()?.trim())
}

/// A size: exact, or between two bounds because the tools rounded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Exact(u64),
    Between(u64, u64),
}

/// A size that is a multiple of `unit`: of what the tools rounded, the one multiple that it can be.
pub(super) fn size(value: &Value, unit: u64) -> Option<Size> {
    if let Some(n) = number(value) {
        return Some(Size::Exact(n));
    }
    let (least, most) = human(value.as_str()?)?;
    let first = least.div_ceil(unit).checked_mul(unit)?;
    let second = first.saturating_add(unit);
    Some(match first <= most && second > most {
        true => Size::Exact(first),
        false => Size::Between(least, most),
    })
}

/// `256.00 GiB (274.88 GB)`: the bounds of what the tools rounded to hundredths, in both units.
fn human(text: &str) -> Option<(u64, u64)> {
    let cleaned = text.replace(['(', ')'], " ");
    let words: Vec<&str> = cleaned.split_whitespace().collect();
    let mut bounds: Option<(u64, u64)> = None;
    for pair in words.chunks_exact(2) {
        let (least, most) = rounded(pair[0], pair[1])?;
        let (a, b) = bounds.unwrap_or((0, u64::MAX));
        bounds = Some((a.max(least), b.min(most)));
    }
    bounds.filter(|(least, most)| least <= most)
}

/// The bounds of one number with its unit.
fn rounded(number: &str, unit: &str) -> Option<(u64, u64)> {
    let power = ["K", "M", "G", "T", "P"]
        .iter()
        .position(|p| unit.starts_with(p))?;
    let power = u32::try_from(power).ok()? + 1;
    let base: u64 = match unit.get(1..)? {
        "iB" => 1024,
        "B" => 1000,
        _ => return None,
    };
    let bytes = u128::from(base.checked_pow(power)?);
    let (int, frac) = number.split_once('.').unwrap_or((number, "0"));
    let frac = format!("{frac:0<2}");
    let hundredths = u128::from(int.parse::<u64>().ok()?)
        .checked_mul(100)?
        .checked_add(u128::from(frac.get(..2)?.parse::<u64>().ok()?))?;
    // Half of a hundredth to each side.
    let twice = hundredths.checked_mul(2)?;
    let at = |n: u128| u64::try_from(n.checked_mul(bytes)? / 200).ok();
    Some((at(twice.saturating_sub(1))?, at(twice + 1)?))
}

/// A size that is a power of two.
pub(super) fn power_of_two(value: &Value) -> Option<u64> {
    number(value).or_else(|| {
        let (least, most) = human(value.as_str()?)?;
        least.checked_next_power_of_two().filter(|n| *n <= most)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_in_every_form() {
        for (value, exact) in [
            (serde_json::json!(268435456u64), 256 << 20),
            (serde_json::json!("0x10000000"), 256 << 20),
            (serde_json::json!("256.00 MiB (268.44 MB)"), 256 << 20),
            (serde_json::json!("1.50 GiB (1.61 GB)"), 3 << 29),
            (serde_json::json!("85.25 GiB (91.54 GB)"), 341 << 28),
        ] {
            assert_eq!(size(&value, CAPACITY), Some(Size::Exact(exact)), "{value}");
        }
        for text in ["many GiB", "12 YiB", "1.00 GiB (2.00 GB)", ""] {
            assert_eq!(size(&serde_json::json!(text), CAPACITY), None, "{text}");
        }
    }

    #[test]
    fn what_was_rounded_too_much_is_not_exact() {
        let value = serde_json::json!("1.33 TiB (1.47 TB)");
        let Some(Size::Between(least, most)) = size(&value, 3 * CAPACITY) else {
            panic!();
        };
        let real = 0x155_8000_0000;
        assert!((least..=most).contains(&real) && most - least < 4 << 30);
    }

    #[test]
    fn an_alignment() {
        for (text, exact) in [
            ("2.00 MiB (2.10 MB)", Some(2 << 20)),
            ("4096", Some(4096)),
            ("3.00 MiB (3.15 MB)", None),
        ] {
            assert_eq!(power_of_two(&serde_json::json!(text)), exact, "{text}");
        }
    }
}
