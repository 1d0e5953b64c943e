// SPDX-License-Identifier: GPL-2.0

//! What a user can name: an address, a range, a dax device, a region, an hmem device, a window.

use anyhow::{bail, Result};
use daxmap::{Map, Range};

/// What kind of thing was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Address,
    Dax,
    Region,
    Hmem,
    Window,
    Memdev,
}

/// Something named, with the addresses it has.
pub struct Subject {
    pub sort: Sort,
    pub name: String,
    pub ranges: Vec<Range>,
}

impl Subject {
    pub fn find(map: &Map, what: &str) -> Result<Subject> {
        let name = what.trim().trim_start_matches("/dev/");
        let make = |sort, ranges: Vec<Range>| {
            Ok(Subject {
                sort,
                name: name.to_string(),
                ranges,
            })
        };
        if let Some(range) = address(name) {
            return make(Sort::Address, vec![range]);
        }
        if let Some(dax) = map.dax.iter().find(|d| d.name == name) {
            return make(Sort::Dax, dax.ranges.clone());
        }
        let spoken = map.spoken.iter().filter(|s| s.device == name);
        let spoken: Vec<Range> = spoken.map(|s| s.range).collect();
        if !spoken.is_empty() {
            return make(Sort::Dax, spoken);
        }
        if let Some(region) = map.region(name) {
            return make(Sort::Region, region.range.into_iter().collect());
        }
        if let Some(hmem) = map.hmem.iter().find(|h| h.name == name) {
            return make(Sort::Hmem, hmem.range.into_iter().collect());
        }
        let is_window = |w: &&daxmap::cxl::Window| {
            w.decoder == name
                || w.name
                    .as_deref()
                    .is_some_and(|n| n.eq_ignore_ascii_case(name))
        };
        if let Some(window) = map.windows.iter().find(is_window) {
            return make(Sort::Window, window.range.into_iter().collect());
        }
        if map.memdevs.iter().any(|m| m.name == name) {
            let of_member = |r: &&daxmap::cxl::Region| {
                r.targets.iter().any(|t| t.memdev.as_deref() == Some(name))
            };
            let regions = map.regions.iter().filter(of_member);
            return make(Sort::Memdev, regions.filter_map(|r| r.range).collect());
        }
        bail!("{}", unknown(map, name))
    }
}

/// `0x490000000`, `490000000` only with `0x`, `0x490000000-0x4afffffff`, `0x490000000+512M`.
fn address(text: &str) -> Option<Range> {
    if let Some((start, end)) = text.split_once('-') {
        let start = number(start)?;
        return Range::new(start, number(end)?);
    }
    if let Some((start, size)) = text.split_once('+') {
        return Range::with_size(number(start)?, number(size)?);
    }
    let at = number(text)?;
    Range::new(at, at)
}

/// Hexadecimal behind `0x`, else decimal; K, M, G, T multiply.
pub fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let upper = text.to_ascii_uppercase();
    let (digits, shift) = match upper.strip_suffix("IB").unwrap_or(&upper) {
        t if t.ends_with('K') => (&t[..t.len() - 1], 10),
        t if t.ends_with('M') => (&t[..t.len() - 1], 20),
        t if t.ends_with('G') => (&t[..t.len() - 1], 30),
        t if t.ends_with('T') => (&t[..t.len() - 1], 40),
        t => (t, 0),
    };
    daxmap::range::parse_number(digits)?.checked_mul(1 << shift)
}

fn unknown(map: &Map, name: &str) -> String {
    let mut names: Vec<&str> = map.dax.iter().map(|d| d.name.as_str()).collect();
    names.extend(map.spoken.iter().map(|s| s.device.as_str()));
    names.extend(map.regions.iter().map(|r| r.name.as_str()));
    names.extend(map.hmem.iter().map(|h| h.name.as_str()));
    let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    let known = match names.is_empty() {
        true if !map.in_source.sysfs => {
            "no dax device, region or hmem device is in what was given".to_string()
        }
        true => "this machine has no dax device, region or hmem device".to_string(),
        false => format!("there are {}", names.join(", ")),
    };
    format!(
        "{shown}: no such device or region, and no address; {known}; an address is written 0x490000000, \
         a range 0x490000000-0x4afffffff or 0x490000000+512M"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_all_forms() {
        let r = |a, b| Range::new(a, b);
        assert_eq!(address("0x490000000"), r(0x490000000, 0x490000000));
        assert_eq!(address("0x10-0x1f"), r(0x10, 0x1f));
        assert_eq!(address("0x0-0xffffffffffffffff"), r(0, u64::MAX));
        assert_eq!(
            address("18G+512M"),
            r(18 << 30, (18 << 30) + (512 << 20) - 1)
        );
        assert_eq!(address("4gib+1"), r(4 << 30, 4 << 30));
        for junk in [
            "",
            "-",
            "+",
            "0x",
            "1-0",
            "dax0.0",
            "region0",
            "K",
            "é",
            "99999999999T",
            "0x1+0",
        ] {
            assert_eq!(address(junk), None, "{junk}");
        }
    }
}
