// SPDX-License-Identifier: GPL-2.0

//! Addresses in parameters of the kernel and of modules: `memmap=2M${window0+64M}`.
//!
//! A parameter takes a physical address where only QEMU knows where a window lies, so the file
//! writes it relative to the window, in braces. Other braces stay as they are.

use toml::Spanned;

use super::fault::Faults;
use super::Address;

/// How an address in a parameter begins.
const OPEN: &str = "{window";

/// Checks the addresses of a parameter; there are `windows` of them.
pub fn check(parameter: &Spanned<String>, windows: usize, faults: &mut Faults) {
    let mut wrong = None;
    let known = |address| match address {
        Address::Window { index, .. } if index < windows => Some(0),
        _ => None,
    };
    replace(parameter.get_ref(), |text| match text.parse() {
        Ok(address) => known(address).or_else(|| {
            wrong = Some(format!("there is no such window: {text}"));
            None
        }),
        Err(reason) => {
            wrong = Some(reason);
            None
        }
    });
    if let Some(wrong) = wrong {
        faults.at(parameter, wrong);
    }
}

/// The parameter with physical addresses.
pub fn with_addresses(parameter: &str, resolve: impl Fn(Address) -> u64) -> String {
    replace(parameter, |text| text.parse().ok().map(&resolve))
}

/// Puts a number in place of each `{window...}` that `number` knows.
fn replace(parameter: &str, mut number: impl FnMut(&str) -> Option<u64>) -> String {
    let mut done = String::new();
    let mut rest = parameter;
    while let Some(at) = rest.find(OPEN) {
        let (before, from) = rest.split_at(at);
        done.push_str(before);
        let Some(end) = from.find('}') else {
            rest = from;
            break;
        };
        match number(&from[1..end]) {
            Some(number) => done.push_str(&format!("{number:#x}")),
            None => done.push_str(&from[..=end]),
        }
        rest = &from[end + 1..];
    }
    done + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_replaced() {
        let place = |address| match address {
            Address::Window { index, offset } => 0x1000 * (index as u64 + 1) + offset,
            Address::Absolute(address) => address,
        };
        for (parameter, wanted) in [
            ("quiet", "quiet"),
            ("memmap=2M${window0+1K}", "memmap=2M$0x1400"),
            ("a={window1} b={window0+1}", "a=0x2000 b=0x1001"),
            ("a={x} {", "a={x} {"),
            ("a={window0+1", "a={window0+1"),
        ] {
            assert_eq!(with_addresses(parameter, place), wanted);
        }
    }
}
