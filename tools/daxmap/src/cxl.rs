// SPDX-License-Identifier: GPL-2.0

//! The CXL bus in sysfs: windows (root decoders), regions with their targets, memory devices.

mod endpoint;
pub(crate) mod given;
pub(crate) mod port;
mod reach;

use crate::size::Total as _;
use serde::Serialize;

use crate::range::Range;
use crate::scan::{index_of, Scan};

pub(crate) use endpoint::is_held;
pub use endpoint::EndpointDecoder;
pub use port::PortDecoder;

const DEVICES: &str = "sys/bus/cxl/devices";

/// A CXL window: address space that the platform routes to CXL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Its root decoder, such as `decoder0.0`; empty if known from `/proc/iomem` only.
    pub decoder: String,
    /// Its name in `/proc/iomem`, such as `CXL Window 0`.
    pub name: Option<String>,
    /// Unknown to users that may not read it.
    pub range: Option<Range>,
    /// Size, which anyone may read.
    pub size: Option<u64>,
    /// Host bridges it interleaves over, in order, such as `pci0000:0c`; empty if not known.
    pub bridges: Vec<String>,
    /// How many host bridges it interleaves over.
    pub ways: Option<u64>,
    /// Whether it takes volatile memory; `None` if not known, as below.
    pub takes_ram: Option<bool>,
    /// Whether it takes accelerators.
    pub takes_type2: Option<bool>,
    /// Whether it takes memory expanders.
    pub takes_type3: Option<bool>,
    /// Whether firmware fixed it: a region made there is locked, and stays until the next reset.
    #[serde(skip)]
    pub is_fixed: bool,
    /// Whether the kernel has the file that makes a region of volatile memory in it.
    #[serde(skip)]
    pub makes_ram: Option<bool>,
}

impl Window {
    /// Its name in `/proc/iomem`, else its decoder.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.decoder)
    }
}

/// How far a region's setup has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegionState {
    /// Decoders committed and the region's driver bound.
    Committed,
    /// Decoders committed, but the region's driver is not bound.
    CommittedUnbound,
    /// Not committed: no decoder routes its addresses.
    Disabled,
    /// Not readable.
    Unknown,
}

/// A member of a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// Position in the interleave.
    pub position: u64,
    /// Endpoint decoder; `None` if the member is missing.
    pub decoder: Option<String>,
    /// Memory device, such as `mem0`; not stable between boots.
    pub memdev: Option<String>,
    /// Its serial number, which is.
    pub serial: Option<String>,
}

/// A CXL region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Region {
    /// Such as `region0`.
    pub name: String,
    /// Its addresses; none before a size is given.
    pub range: Option<Range>,
    /// `ram` or `pmem`.
    pub mode: Option<String>,
    /// Committed or not.
    pub state: RegionState,
    /// Root decoder of its window.
    pub window: Option<String>,
    /// Interleave ways.
    pub ways: Option<u64>,
    /// Interleave granularity in bytes.
    pub granularity: Option<u64>,
    /// Members in order.
    pub targets: Vec<Target>,
    /// Its device on the CXL bus for DAX, such as `dax_region0`.
    pub dax_region: Option<String>,
    /// The driver bound to that device; `None` is idle.
    pub dax_driver: Option<String>,
    /// Whether its decoders are locked until the next reset.
    pub locked: bool,
    /// Whether the kernel refused a member at this boot: its decoders are as firmware committed them.
    pub is_refused: bool,
    /// Whether the decoders of all its members are locked: nothing resets them before their devices are.
    #[serde(skip)]
    pub is_held: bool,
}

impl Region {
    /// Whether what is in it is to survive a reboot.
    pub fn is_persistent(&self) -> bool {
        self.mode.as_deref() == Some("pmem")
    }

    /// Whether its memory device adds and takes memory as it is told to.
    pub fn is_dynamic(&self) -> bool {
        self.mode
            .as_deref()
            .is_some_and(|m| m.starts_with("dynamic"))
    }

    /// Positions without a member.
    pub fn missing(&self) -> Vec<u64> {
        let gone = self.targets.iter().filter(|t| t.decoder.is_none());
        gone.map(|t| t.position).collect()
    }

    /// Not committed although every member is there: its decoders were reset, or never set.
    pub fn is_reset(&self) -> bool {
        let is_whole = !self.targets.is_empty() && self.missing().is_empty();
        self.state == RegionState::Disabled && is_whole && !self.is_refused && !self.is_held
    }

    /// Whether its decoders are committed.
    pub fn is_committed(&self) -> bool {
        matches!(
            self.state,
            RegionState::Committed | RegionState::CommittedUnbound
        )
    }
}

/// A CXL memory device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Memdev {
    /// Such as `mem0`.
    pub name: String,
    /// Serial number as sysfs prints it.
    pub serial: Option<String>,
    /// Bytes of volatile capacity.
    pub ram_bytes: Option<u64>,
    /// Bytes of persistent capacity.
    pub pmem_bytes: Option<u64>,
    /// Bytes of volatile capacity that endpoint decoders map; `None` if there is no decoder to ask.
    pub mapped_bytes: Option<u64>,
    /// NUMA node of the device.
    pub node: Option<u32>,
    /// Whether its driver is bound.
    pub bound: bool,
    /// Its PCI device, such as `0000:0d:00.0`.
    pub pci: Option<String>,
    /// Its port, such as `endpoint2`, where that has no driver.
    #[serde(skip)]
    pub endpoint: Option<String>,
    /// The host bridge it is behind, such as `pci0000:0c`.
    pub bridge: Option<String>,
    /// Whether its PCI device is a memory card, by its class; an accelerator is of another. `None` if not known.
    #[serde(skip)]
    pub is_card: Option<bool>,
    /// A decoder has persistent capacity, which lies above all volatile capacity: what is free below
    /// it was skipped, and the kernel gives it to no decoder any more.
    #[serde(skip)]
    pub skips_ram: bool,
}

impl Memdev {
    /// Bytes of volatile capacity that a decoder can still take, as far as its decoders show.
    pub fn free_ram(&self) -> u64 {
        if self.skips_ram {
            return 0;
        }
        let ram = self.ram_bytes.unwrap_or(0);
        ram.saturating_sub(self.mapped_bytes.unwrap_or(0))
    }
}

/// What the bus holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cxl {
    pub(crate) windows: Vec<Window>,
    pub(crate) regions: Vec<Region>,
    pub(crate) memdevs: Vec<Memdev>,
    pub(crate) endpoints: Vec<EndpointDecoder>,
    pub(crate) ports: Vec<PortDecoder>,
}

pub(crate) fn read(scan: &Scan) -> Cxl {
    let names = scan.list(DEVICES);
    let decoders = names.iter().filter(|n| n.starts_with("decoder"));
    let endpoints: Vec<EndpointDecoder> =
        decoders.filter_map(|n| endpoint::read(scan, n)).collect();
    let mut cxl = Cxl::default();
    for name in &names {
        if index_of(name, "region").is_some() {
            cxl.regions.push(region(scan, name, &names));
        } else if index_of(name, "mem").is_some() {
            cxl.memdevs.push(memdev(scan, name, &endpoints));
        } else if name.starts_with("decoder") {
            cxl.windows.extend(window(scan, name));
            cxl.ports.extend(port::read(scan, name));
        }
    }
    cxl.endpoints = endpoints;
    // One that waits for the other members of its region shows no region, but the region shows it.
    for endpoint in cxl.endpoints.iter_mut().filter(|e| e.region.is_none()) {
        let is_own = |t: &Target| t.decoder.as_deref() == Some(endpoint.name.as_str());
        let mut regions = cxl.regions.iter();
        let found = regions.find(|r| r.targets.iter().any(is_own));
        endpoint.region = found.map(|r| r.name.clone());
    }
    cxl
}

/// Root decoders alone sit directly below `rootN`.
fn window(scan: &Scan, name: &str) -> Option<Window> {
    let dir = format!("{DEVICES}/{name}");
    let real = scan.real(&dir)?;
    let parent = real.rsplit('/').nth(1)?;
    index_of(parent, "root")?;
    let size = scan.number(&format!("{dir}/size")).filter(|&s| s != 0);
    let start = scan.number(&format!("{dir}/start"));
    let takes = |what: &str| {
        let value = scan.number(&format!("{dir}/cap_{what}"))?;
        Some(value != 0)
    };
    Some(Window {
        decoder: name.to_string(),
        name: None,
        range: start.zip(size).and_then(|(a, s)| Range::with_size(a, s)),
        size,
        bridges: reach::bridges(scan, &dir, &real),
        ways: scan.number(&format!("{dir}/interleave_ways")),
        takes_ram: takes("ram"),
        takes_type2: takes("type2"),
        takes_type3: takes("type3"),
        is_fixed: scan
            .number(&format!("{dir}/locked"))
            .is_some_and(|n| n != 0),
        makes_ram: scan
            .exists(&format!("{dir}/create_ram_region"))
            .then_some(true),
    })
}

fn region(scan: &Scan, name: &str, names: &[String]) -> Region {
    let dir = format!("{DEVICES}/{name}");
    let start = scan.number(&format!("{dir}/resource"));
    let size = scan.number(&format!("{dir}/size"));
    let bound = scan.link_name(&format!("{dir}/driver")).is_some();
    let ways = scan.number(&format!("{dir}/interleave_ways"));
    // Of a list that does not name all of its members, none is missing.
    let is_open = scan.exists(&format!("{dir}/targets_unknown"));
    let dax_region = format!("dax_{name}");
    let dax_region = names.contains(&dax_region).then_some(dax_region);
    let dax_driver = dax_region
        .as_ref()
        .and_then(|d| scan.link_name(&format!("{DEVICES}/{d}/driver")));
    Region {
        name: name.to_string(),
        range: start.zip(size).and_then(|(a, s)| Range::with_size(a, s)),
        mode: scan.value(&format!("{dir}/mode")),
        state: match scan.number(&format!("{dir}/commit")) {
            Some(0) => RegionState::Disabled,
            Some(_) if bound => RegionState::Committed,
            Some(_) => RegionState::CommittedUnbound,
            None if bound => RegionState::Committed,
            None => RegionState::Unknown,
        },
        window: scan.real(&dir).and_then(|real| {
            let parent = real.rsplit('/').nth(1)?;
            parent.starts_with("decoder").then(|| parent.to_string())
        }),
        // 16 is the most CXL knows; a tree may say anything.
        targets: (0..ways.unwrap_or(0).min(64))
            .map(|position| target(scan, &dir, position))
            .filter(|t| t.decoder.is_some() || !is_open)
            .collect(),
        ways,
        granularity: scan.number(&format!("{dir}/interleave_granularity")),
        dax_region,
        dax_driver,
        is_refused: false,
        is_held: false,
        locked: scan
            .number(&format!("{dir}/locked"))
            .is_some_and(|n| n != 0),
    }
}

fn target(scan: &Scan, region: &str, position: u64) -> Target {
    let decoder = scan.value(&format!("{region}/target{position}"));
    let memdev = decoder.as_ref().and_then(|d| memdev_of(scan, d));
    // A list that was pasted may name the device, and not show it.
    let memdev = memdev.or_else(|| scan.value(&format!("{region}/target{position}_memdev")));
    Target {
        position,
        serial: memdev.as_ref().and_then(|m| serial(scan, m)),
        memdev,
        decoder,
    }
}

/// `mem0` for an endpoint decoder: its port's `uport` link.
fn memdev_of(scan: &Scan, decoder: &str) -> Option<String> {
    if decoder.contains('/') {
        return None;
    }
    let real = scan.real(&format!("{DEVICES}/{decoder}"))?;
    let (port, _) = real.rsplit_once('/')?;
    index_of(port.rsplit('/').next()?, "endpoint")?;
    scan.link_name(&format!("{port}/uport"))
}

fn serial(scan: &Scan, memdev: &str) -> Option<String> {
    scan.value(&format!("{DEVICES}/{memdev}/serial"))
}

/// The port of a memory device, if no driver has it.
fn idle_endpoint(scan: &Scan, memdev: &str) -> Option<String> {
    let names = scan.list(DEVICES).into_iter();
    let mut ports = names.filter(|n| index_of(n, "endpoint").is_some());
    let is_own =
        |n: &String| scan.link_name(&format!("{DEVICES}/{n}/uport")).as_deref() == Some(memdev);
    let port = ports.find(is_own)?;
    let driver = scan.link_name(&format!("{DEVICES}/{port}/driver"));
    driver.is_none().then_some(port)
}

fn memdev(scan: &Scan, name: &str, endpoints: &[EndpointDecoder]) -> Memdev {
    let dir = format!("{DEVICES}/{name}");
    let own: Vec<&EndpointDecoder> = endpoints.iter().filter(|e| e.memdev == name).collect();
    let mapped = own
        .iter()
        .filter(|e| e.mode.as_deref() == Some("ram"))
        .map(|e| e.dpa_bytes)
        .total();
    let has_pmem = |e: &&&EndpointDecoder| e.mode.as_deref() == Some("pmem") && e.dpa_bytes > 0;
    let real = scan.real(&dir).unwrap_or_default();
    Memdev {
        name: name.to_string(),
        serial: serial(scan, name),
        ram_bytes: scan.number(&format!("{dir}/ram/size")),
        pmem_bytes: scan.number(&format!("{dir}/pmem/size")),
        mapped_bytes: (!own.is_empty()).then_some(mapped),
        node: scan.node(&format!("{dir}/numa_node")),
        bound: scan.link_name(&format!("{dir}/driver")).is_some(),
        is_card: reach::pci(&real).and_then(|pci| {
            let class = scan.value(&format!("sys/bus/pci/devices/{pci}/class"))?;
            Some(class.starts_with("0x0502"))
        }),
        pci: reach::pci(&real),
        endpoint: idle_endpoint(scan, name),
        bridge: reach::bridge(&real),
        skips_ram: own.iter().any(|e| has_pmem(&e)),
    }
}
