// SPDX-License-Identifier: GPL-2.0

//! Sizes and addresses as people write them: `512M`, `0x1000`, `window0+256M`.

use std::fmt;
use std::str::FromStr;

use serde::de;
use serde::Deserialize;
use serde::Deserializer;

/// One mebibyte.
pub const MIB: u64 = 1 << 20;

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is not a size; write for example 512M, 4G, 1023K or 0x1000");
        let text = text.trim();
        if let Some(hex) = text.strip_prefix("0x") {
            return u64::from_str_radix(hex, 16).map(Size).map_err(|_| bad());
        }
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match &text[digits.len()..] {
            "" => 0,
            "K" | "KiB" => 10,
            "M" | "MiB" => 20,
            "G" | "GiB" => 30,
            "T" | "TiB" => 40,
            _ => return Err(bad()),
        };
        let number: u64 = digits.parse().map_err(|_| bad())?;
        number
            .checked_mul(1 << shift)
            .map(Size)
            .ok_or_else(|| format!("`{text}` is more than 64 bits can hold"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(30, "G"), (20, "M"), (10, "K")] {
            if self.0 != 0 && self.0 % (1 << shift) == 0 {
                return write!(f, "{}{unit}", self.0 >> shift);
            }
        }
        write!(f, "{}", self.0)
    }
}

/// Where something lies: an offset into a CXL window, or a physical address.
///
/// The address of a window is known only to QEMU, so scenarios never state it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// `window<index>+<offset>`.
    Window {
        /// Which window, in the order of the file.
        index: usize,
        /// Bytes from its start.
        offset: u64,
    },
    /// A physical address.
    Absolute(u64),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(rest) = text.trim().strip_prefix("window") else {
            return Size::from_str(text)
                .map(|size| Self::Absolute(size.0))
                .map_err(|_| {
                    format!("`{text}` is not an address; write window0+256M or 0x30000000")
                });
        };
        let (index, offset) = rest.split_once('+').unwrap_or((rest, "0"));
        let index = index
            .parse()
            .map_err(|_| format!("`{text}`: the number of the window is missing"))?;
        let Size(offset) = offset.parse()?;
        Ok(Self::Window { index, offset })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrText).and_then(|text| {
            text.parse()
                .map_err(|reason: String| de::Error::custom(reason))
        })
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrText).and_then(|text| {
            text.parse()
                .map_err(|reason: String| de::Error::custom(reason))
        })
    }
}

/// Accepts a TOML integer or string.
struct NumberOrText;

impl de::Visitor<'_> for NumberOrText {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a string such as \"512M\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
        u64::try_from(number)
            .map(|number| number.to_string())
            .map_err(|_| E::custom(format!("{number} is negative")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!("512M".parse(), Ok(Size(512 * MIB)));
        assert_eq!("0x1000".parse(), Ok(Size(4096)));
        assert_eq!("7".parse(), Ok(Size(7)));
        assert!("".parse::<Size>().is_err());
        assert!("M".parse::<Size>().is_err());
        assert!("-1".parse::<Size>().is_err());
        assert!("5X".parse::<Size>().is_err());
        assert!("16777216T".parse::<Size>().is_err());
        assert_eq!(Size(513 * MIB).to_string(), "513M");
        assert_eq!(Size(1).to_string(), "1");
    }

    #[test]
    fn addresses() {
        assert_eq!(
            "window1+256M".parse(),
            Ok(Address::Window {
                index: 1,
                offset: 256 * MIB
            })
        );
        assert_eq!("0x30000000".parse(), Ok(Address::Absolute(0x3000_0000)));
        assert!("window+1".parse::<Address>().is_err());
        assert!("windo0".parse::<Address>().is_err());
    }
}
