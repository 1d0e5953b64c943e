// SPDX-License-Identifier: GPL-2.0

//! Dax devices, and the `hmem` platform devices some of them sit on.

use serde::Serialize;

use crate::cxl::Region;
use crate::iomem::Iomem;
use crate::log::{self, Message};
use crate::map::Map;
use crate::range::Range;
use crate::scan::{index_of, Scan};

const DAX: &str = "sys/bus/dax/devices";
const PLATFORM: &str = "sys/bus/platform/devices";

/// What a dax device was made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "name")]
pub enum Parent {
    /// An hmem device, such as `hmem.0`.
    Hmem(String),
    /// A CXL region, such as `region0`.
    Region(String),
    /// Another one, such as a persistent memory namespace.
    Other(String),
}

/// A device on the dax bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DaxDevice {
    /// Such as `dax0.0`.
    pub name: String,
    /// What it was made from.
    pub parent: Parent,
    /// Its addresses; empty if they may not be read, or if it has no size yet.
    pub ranges: Vec<Range>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// `kmem` (System RAM), `device_dax` or `fsdev_dax` (a /dev file); `None` is unbound.
    pub driver: Option<String>,
    /// Node its memory gets when it becomes System RAM.
    pub target_node: Option<u32>,
    /// Alignment in bytes.
    pub align: Option<u64>,
    /// What kmem made of its memory: `online`, `unplugged`, ...; kernels before 7.2 do not say.
    pub state: Option<String>,
    /// Its memory blocks, where `daxctl list` counted them.
    pub blocks: Option<Blocks>,
}

/// How many memory blocks a device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Blocks {
    /// Those that are online.
    pub online: u64,
    /// All.
    pub total: u64,
}

impl Blocks {
    /// The part of a size that is online, for blocks of one size.
    pub fn part_of(&self, size: u64) -> u64 {
        let part = u128::from(size) * u128::from(self.online) / u128::from(self.total.max(1));
        u64::try_from(part).unwrap_or(u64::MAX).min(size)
    }
}

/// The drivers that serve a device as a `/dev` file: to programs, or to file systems (since 7.2).
pub const FILE_DRIVERS: [&str; 2] = ["device_dax", "fsdev_dax"];

impl DaxDevice {
    /// Whether it is served as a `/dev` file.
    pub fn is_file(&self) -> bool {
        let driver = self.driver.as_deref();
        driver.is_some_and(|d| FILE_DRIVERS.contains(&d))
    }

    /// Whether kmem has it.
    pub fn is_kmem(&self) -> bool {
        self.driver.as_deref() == Some("kmem")
    }
}

/// An `hmem.N` platform device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HmemDevice {
    /// Such as `hmem.0`.
    pub name: String,
    /// N; with stock drivers in order of address.
    pub id: u64,
    /// `hmem`, or `None` if its probe failed or it was unbound.
    pub driver: Option<String>,
    /// Node.
    pub node: Option<u32>,
    /// Its dax region's size; `None` if it has none.
    pub size: Option<u64>,
    /// The part of its dax region that no dax device has.
    pub available: Option<u64>,
    /// Number of its dax region, which daxctl knows it by.
    pub region_id: Option<u64>,
    /// Its addresses, as far as known.
    pub range: Option<Range>,
    /// Whether the addresses are concluded from order and size rather than read.
    pub range_derived: bool,
}

/// The `hmem_platform.0` device, through which dax_hmem learns of Soft Reserved memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HmemPlatform {
    /// Whether the kernel registered any range with it.
    pub present: bool,
    /// Whether dax_hmem is bound to it.
    pub bound: bool,
    /// The `ownership` attribute of the Rust module: `pending` or `settled`.
    pub ownership: Option<String>,
}

impl Map {
    /// The memory of a region: of dynamic capacity, what its device has added so far.
    pub fn added(&self, region: &Region) -> Vec<Range> {
        if !region.is_dynamic() {
            return region.range.into_iter().collect();
        }
        let parent = Parent::Region(region.name.clone());
        let own = self.dax.iter().filter(|d| d.parent == parent);
        own.flat_map(|d| d.ranges.iter().copied()).collect()
    }
}

pub(crate) fn devices(scan: &Scan, iomem: &Iomem) -> Vec<DaxDevice> {
    scan.list(DAX)
        .iter()
        .filter(|name| name.starts_with("dax"))
        .map(|name| device(scan, name, iomem))
        .collect()
}

/// Gives devices of a list, which has no addresses, those that a failure in the log names.
pub(crate) fn place_by_log(devices: &mut [DaxDevice], log: &[Message]) {
    let spoken = log::spoken::devices(log);
    for device in devices.iter_mut().filter(|d| d.ranges.is_empty()) {
        let mut own = spoken.iter().filter(|s| s.device == device.name);
        // Of one that was made anew the log may tell what it was before.
        let found = own.find(|s| device.size == Some(s.range.len()));
        device.ranges.extend(found.map(|s| s.range));
    }
}

fn device(scan: &Scan, name: &str, iomem: &Iomem) -> DaxDevice {
    let dir = format!("{DAX}/{name}");
    let size = scan.number(&format!("{dir}/size"));
    let mut ranges: Vec<Range> = scan
        .list(&dir)
        .iter()
        .filter(|n| index_of(n, "mapping").is_some())
        .filter_map(|n| {
            let start = scan.number(&format!("{dir}/{n}/start"))?;
            Range::new(start, scan.number(&format!("{dir}/{n}/end"))?)
        })
        .collect();
    if ranges.is_empty() {
        ranges.extend(
            scan.number(&format!("{dir}/resource"))
                .zip(size)
                .and_then(|(start, size)| Range::with_size(start, size)),
        );
    }
    if ranges.is_empty() {
        let named = iomem.resources.iter().filter(|r| r.name == name);
        ranges.extend(named.map(|r| r.range));
    }
    ranges.sort_unstable();
    DaxDevice {
        name: name.to_string(),
        parent: parent(&scan.real(&dir).unwrap_or_default()),
        ranges,
        size,
        driver: scan.link_name(&format!("{dir}/driver")),
        target_node: scan.node(&format!("{dir}/target_node")),
        align: scan.number(&format!("{dir}/align")),
        state: scan.value(&format!("{dir}/state")),
        blocks: scan
            .number(&format!("{dir}/online_memblocks"))
            .zip(scan.number(&format!("{dir}/total_memblocks")))
            .map(|(online, total)| Blocks { online, total }),
    }
}

/// The nearest ancestor that says where a dax device comes from.
fn parent(real: &str) -> Parent {
    let ancestors: Vec<&str> = real.split('/').rev().skip(1).collect();
    for name in &ancestors {
        if index_of(name, "hmem.").is_some() {
            return Parent::Hmem(name.to_string());
        }
        // Persistent memory has regions of its own, on another bus.
        let region = name.strip_prefix("dax_").unwrap_or_default();
        if index_of(region, "region").is_some() {
            return Parent::Region(region.to_string());
        }
    }
    Parent::Other(ancestors.first().copied().unwrap_or_default().to_string())
}

pub(crate) fn hmem(scan: &Scan, dax: &[DaxDevice]) -> Vec<HmemDevice> {
    scan.list(PLATFORM)
        .iter()
        .filter_map(|name| Some((name, index_of(name, "hmem.")?)))
        .map(|(name, id)| {
            let dir = format!("{PLATFORM}/{name}");
            let own: Vec<Range> = dax
                .iter()
                .filter(|d| d.parent == Parent::Hmem(name.clone()))
                .flat_map(|d| d.ranges.iter().copied())
                .collect();
            let size = scan.number(&format!("{dir}/dax_region/size"));
            // Dax devices may leave room in their region; only a full one shows its bounds.
            let bounds = own
                .iter()
                .map(|r| r.start)
                .min()
                .zip(own.iter().map(|r| r.end).max())
                .and_then(|(start, end)| Range::new(start, end))
                .filter(|r| size.is_none_or(|s| s == r.len()));
            HmemDevice {
                name: name.clone(),
                id,
                driver: scan.link_name(&format!("{dir}/driver")),
                node: scan.node(&format!("{dir}/numa_node")),
                size,
                available: scan.number(&format!("{dir}/dax_region/available_size")),
                region_id: scan.number(&format!("{dir}/dax_region/id")),
                range: bounds,
                range_derived: false,
            }
        })
        .collect()
}

pub(crate) fn platform(scan: &Scan) -> HmemPlatform {
    let dir = format!("{PLATFORM}/hmem_platform.0");
    HmemPlatform {
        present: scan.exists(&dir),
        bound: scan.link_name(&format!("{dir}/driver")).is_some(),
        ownership: scan.value(&format!("{dir}/ownership")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_by_path() {
        assert_eq!(
            parent("sys/devices/platform/hmem_platform.0/hmem.3/dax3.0"),
            Parent::Hmem("hmem.3".into())
        );
        assert_eq!(
            parent("sys/devices/platform/ACPI0017:00/root0/decoder0.0/region1/dax_region1/dax1.0"),
            Parent::Region("region1".into())
        );
        assert_eq!(
            parent("sys/devices/platform/e820_pmem/ndbus0/region1/dax1.0/dax1.0"),
            Parent::Other("dax1.0".into())
        );
        assert_eq!(
            parent("sys/devices/x/pfn0.1/dax0.0"),
            Parent::Other("pfn0.1".into())
        );
        assert_eq!(parent(""), Parent::Other(String::new()));
    }
}
