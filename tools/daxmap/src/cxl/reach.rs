// SPDX-License-Identifier: GPL-2.0

//! Which memory devices a window reaches: both name a host bridge.
//!
//! A window's decoder lists the ids of its targets, and `dportN` below `rootN` links each id to its
//! host bridge. The path of a memory device begins with the bridge that it is behind.

use super::{Memdev, Window};
use crate::scan::{index_of, Scan};

impl Window {
    /// Whether the window reaches a memory device; `None` if that cannot be told.
    pub fn reaches(&self, memdev: &Memdev) -> Option<bool> {
        let bridge = memdev.bridge.as_ref()?;
        if self.bridges.is_empty() {
            return None;
        }
        Some(self.bridges.contains(bridge))
    }
}

/// The host bridges of a root decoder in the order of its targets; empty unless all are known.
pub(super) fn bridges(scan: &Scan, dir: &str, real: &str) -> Vec<String> {
    let Some((root, _)) = real.rsplit_once('/') else {
        return Vec::new();
    };
    let list = scan
        .value(&format!("{dir}/target_list"))
        .unwrap_or_default();
    let ids = list.split(',').map(str::trim).filter(|id| !id.is_empty());
    let named: Option<Vec<String>> = ids
        .map(|id| scan.link_name(&format!("{root}/dport{id}")))
        .collect();
    named.unwrap_or_else(|| only_bridge(scan, root))
}

/// The one host bridge below a root port, where there is only one.
fn only_bridge(scan: &Scan, root: &str) -> Vec<String> {
    let ports = scan.list(root);
    let ports = ports.iter().filter(|n| index_of(n, "port").is_some());
    let mut bridges: Vec<String> = ports
        .filter_map(|port| scan.link_name(&format!("{root}/{port}/uport")))
        .collect();
    bridges.truncate(2);
    if bridges.len() != 1 {
        bridges.clear();
    }
    bridges
}

/// `pci0000:0c` in the real path of a memory device.
pub(super) fn bridge(real: &str) -> Option<String> {
    let part = real
        .split('/')
        .find(|p| p.starts_with("pci") && p.contains(':'))?;
    Some(part.to_string())
}

/// The PCI device that a memory device sits on.
pub(super) fn pci(real: &str) -> Option<String> {
    let parent = real.rsplit('/').nth(1)?;
    let is_pci = parent.matches(':').count() == 2 && parent.contains('.');
    is_pci.then(|| parent.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_by_path() {
        let real = "sys/devices/pci0000:0c/0000:0c:00.0/0000:0d:00.0/mem1";
        assert_eq!(bridge(real).as_deref(), Some("pci0000:0c"));
        assert_eq!(pci(real).as_deref(), Some("0000:0d:00.0"));
        assert_eq!(bridge("sys/devices/platform/cxl_mem.0/mem0"), None);
        assert_eq!(pci("sys/devices/platform/cxl_mem.0/mem0"), None);
    }
}
