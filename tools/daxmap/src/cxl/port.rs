// SPDX-License-Identifier: GPL-2.0

//! Decoders of host bridges and switches: a region needs one in each port between the window and a
//! device, and the kernel commits the decoders of a port in the order of their numbers.

use super::DEVICES;
use crate::range::Range;
use crate::scan::{index_of, Scan};

/// A decoder of a port that is neither a root nor a memory device's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortDecoder {
    /// Such as `decoder1.0`; not stable between boots.
    pub name: String,
    /// Its port, such as `port1`.
    pub port: String,
    /// It passes on no addresses.
    pub is_unused: bool,
    /// The addresses it passes on, or did last: it keeps them when its region goes.
    pub range: Option<Range>,
    /// The region it is attached to.
    pub region: Option<String>,
    /// Locked until the next reset.
    pub locked: bool,
}

/// The number of a decoder within its port.
pub(crate) fn number(name: &str) -> Option<u64> {
    name.rsplit_once('.')?.1.parse().ok()
}

pub(super) fn read(scan: &Scan, name: &str) -> Option<PortDecoder> {
    let dir = format!("{DEVICES}/{name}");
    let real = scan.real(&dir)?;
    let port = real.rsplit('/').nth(1)?;
    index_of(port, "port")?;
    let number = |what: &str| scan.number(&format!("{dir}/{what}"));
    let size = number("size");
    // As with a decoder of a device: of an unused one there is nothing to know.
    let start = size.filter(|&s| s != 0).and_then(|_| number("start"));
    Some(PortDecoder {
        name: name.to_string(),
        port: port.to_string(),
        is_unused: size == Some(0),
        range: start.zip(size).and_then(|(a, s)| Range::with_size(a, s)),
        region: scan.value(&format!("{dir}/region")),
        locked: number("locked").is_some_and(|n| n != 0),
    })
}

/// The ports in the path of a memory device's decoder, from the host bridge on.
pub(super) fn above(real: &str) -> Vec<String> {
    let parts = real.split('/').filter(|p| index_of(p, "port").is_some());
    parts.map(str::to_string).collect()
}
