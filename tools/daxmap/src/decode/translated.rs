// SPDX-License-Identifier: GPL-2.0

//! Decoders with addresses of the device's own, which the host bridge translates.
//!
//! On such a platform (AMD Zen 5) a decoder of a device says from where in the device's own address space it
//! maps, mostly from 0, and the host bridge makes system addresses of that
//! (Documentation/driver-api/cxl/conventions/cxl-atl.rst). A kernel that cannot ask firmware for the translation
//! puts such a decoder into no region. That its addresses may lie in a window as well is chance.

use crate::cxl::{EndpointDecoder, Memdev};
use crate::map::Map;
use crate::range::Range;
use crate::size::Total as _;

impl Map {
    /// Whether the addresses of a committed decoder are the device's own for sure: they begin at 0, where no window
    /// is, or below every window that reaches the device without lying in one. A window at 0 is in front of the
    /// low memory hole, and the decoders behind it reach beyond its end (cxl-lmh.rst, beside that file).
    pub fn is_translated(&self, e: &EndpointDecoder) -> bool {
        let mut all = self.windows.iter().filter_map(|w| w.range);
        if all.clone().any(|w| w.start == 0) {
            return false;
        }
        let at_zero = |o: &EndpointDecoder| {
            o.memdev == e.memdev && is_alone(self, o) && o.range.is_some_and(|r| r.start == 0)
        };
        let Some(range) = e.range.filter(|_| is_alone(self, e)) else {
            return false;
        };
        if self.endpoints.iter().any(at_zero) {
            return true;
        }
        let memdev = self.memdevs.iter().find(|m| m.name == e.memdev);
        let reaching = self
            .windows
            .iter()
            .filter(|w| memdev.is_none_or(|m| w.reaches(m) != Some(false)));
        let mut near = reaching.filter_map(|w| w.range).peekable();
        // What no window has at all may as well be memory that firmware's table of windows lacks.
        near.peek().is_some()
            && all.any(|w| w.overlaps(&range))
            && near.all(|w| range.start < w.start)
    }

    /// Capacity of a memory device behind decoders in no region, at addresses that are not the host's or may not
    /// be: it is somewhere in the windows that reach the device.
    pub fn translated_bytes(&self, memdev: &Memdev) -> u64 {
        let own = self.endpoints.iter().filter(|e| e.memdev == memdev.name);
        let elsewhere = |range: Range| {
            let mut windows = self.windows.iter().filter_map(|w| w.range);
            !windows.any(|w| w.overlaps(&range))
        };
        let may_be = |e: &EndpointDecoder| {
            is_alone(self, e) && e.range.is_some_and(elsewhere) || self.is_translated(e)
        };
        own.filter(|e| may_be(e)).map(|e| e.dpa_bytes).total()
    }
}

/// Committed, and in no region.
fn is_alone(map: &Map, e: &EndpointDecoder) -> bool {
    map.is_committed(e) && e.region.is_none()
}
