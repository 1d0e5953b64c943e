// SPDX-License-Identifier: GPL-2.0

//! Endpoint decoders: which addresses a memory device answers to.
//!
//! An endpoint decoder that was never committed has size 0. One that is attached to a region shows
//! the region's addresses before they are committed; [`crate::decode`] tells these apart.

use serde::Serialize;

use super::{memdev_of, port, DEVICES};
use crate::range::Range;
use crate::scan::Scan;

/// A decoder of a memory device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndpointDecoder {
    /// Such as `decoder2.0`; not stable between boots.
    pub name: String,
    /// Its memory device.
    pub memdev: String,
    /// The addresses it maps, as a whole interleave set; `None` if unused or not readable.
    pub range: Option<Range>,
    /// Whether its size could be read.
    pub is_read: bool,
    /// Bytes of the device behind it.
    pub dpa_bytes: u64,
    /// `ram`, `pmem` or `none`.
    pub mode: Option<String>,
    /// The region it is attached to.
    pub region: Option<String>,
    /// Members of its interleave set.
    pub ways: u64,
    /// Bytes that each member has in a row.
    pub granularity: Option<u64>,
    /// Locked until the next reset of the device.
    pub locked: bool,
    /// `expander` or `accelerator`.
    pub target_type: Option<String>,
    /// The ports between the window and its device, from the host bridge on.
    #[serde(skip)]
    pub ports: Vec<String>,
}

impl EndpointDecoder {
    /// Free for a new region.
    pub fn is_free(&self) -> bool {
        let unused = self.is_read && self.range.is_none() && self.region.is_none();
        unused && !self.locked && self.dpa_bytes == 0
    }
}

pub(super) fn read(scan: &Scan, name: &str) -> Option<EndpointDecoder> {
    let memdev = memdev_of(scan, name)?;
    let dir = format!("{DEVICES}/{name}");
    let number = |what: &str| scan.number(&format!("{dir}/{what}"));
    let size = number("size");
    // Of an unused one there is nothing to know, and only root may ask.
    let start = size.filter(|&s| s != 0).and_then(|_| number("start"));
    Some(EndpointDecoder {
        name: name.to_string(),
        memdev,
        range: start.zip(size).and_then(|(a, s)| Range::with_size(a, s)),
        is_read: size == Some(0) || start.zip(size).is_some(),
        dpa_bytes: number("dpa_size").unwrap_or(0),
        mode: scan.value(&format!("{dir}/mode")),
        region: scan.value(&format!("{dir}/region")),
        ways: number("interleave_ways").unwrap_or(1).max(1),
        granularity: number("interleave_granularity"),
        locked: number("locked").is_some_and(|n| n != 0),
        target_type: scan.value(&format!("{dir}/target_type")),
        ports: port::above(&scan.real(&dir).unwrap_or_default()),
    })
}

/// Whether the decoders of all members of a region are locked. Firmware locks what it commits, and the kernel
/// resets none that is.
pub(crate) fn is_held(region: &super::Region, all: &[EndpointDecoder]) -> bool {
    let is_locked = |name: &String| all.iter().any(|e| e.name == *name && e.locked);
    let mut targets = region.targets.iter();
    !region.targets.is_empty() && targets.all(|t| t.decoder.as_ref().is_some_and(is_locked))
}
