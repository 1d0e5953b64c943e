// SPDX-License-Identifier: GPL-2.0

//! The scenario file as it is written; `check` turns it into a `Scenario`.
//!
//! Every table refuses keys it does not know, so that a misspelt expectation cannot pass.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::size::Address;
use super::size::Size;
use super::Drivers;

mod expect;

pub use expect::Dax;
pub use expect::Expect;
pub use expect::Owner;
pub use expect::Range;

/// A whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    pub description: Spanned<String>,
    #[serde(default = "base")]
    pub flavor: Spanned<String>,
    pub timeout: Option<Spanned<u64>>,
    pub drivers: Option<Spanned<Vec<Drivers>>>,
    /// The requirements that it is a test of, by their numbers.
    #[serde(default)]
    pub holds: Vec<String>,
    #[serde(default)]
    pub check: Check,
    /// Whether daxown is tested with what the guest is in the end.
    #[serde(default = "yes")]
    pub captured: bool,
    /// Why nobody could foretell what comes out.
    pub unpredicted: Option<String>,
    #[serde(default)]
    pub machine: Machine,
    #[serde(default)]
    pub bridge: Vec<Bridge>,
    #[serde(default)]
    pub switch: Vec<Switch>,
    #[serde(default)]
    pub device: Vec<Device>,
    #[serde(default)]
    pub window: Vec<Window>,
    #[serde(default)]
    pub region: Vec<Region>,
    #[serde(default)]
    pub soft_reserved: Vec<SoftReserved>,
    #[serde(default)]
    pub kernel: Kernel,
    #[serde(default)]
    pub modules: Modules,
    #[serde(default)]
    pub step: Vec<Step>,
    #[serde(default)]
    pub allow: Vec<Allow>,
    #[serde(default)]
    pub expect: Expect,
}

fn yes() -> bool {
    true
}

fn base() -> Spanned<String> {
    Spanned::new(0..0, super::BASE.to_owned())
}

/// Which `make check` runs the scenario.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// Each.
    #[default]
    Always,
    /// Each with our drivers; that with `ALL=1` with the C drivers too.
    Rust,
    /// That with `ALL=1`, and that on the debug kernel.
    All,
}

/// `[machine]`: everything that is not CXL.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    #[serde(default = "default_ram")]
    pub ram: Spanned<Size>,
    #[serde(default = "default_cpus")]
    pub cpus: Spanned<u32>,
    /// NUMA nodes; without any, one node has all RAM and processors.
    #[serde(default)]
    pub node: Vec<Node>,
    /// Describe the nodes in an ACPI HMAT.
    #[serde(default)]
    pub hmat: bool,
    /// Further arguments of QEMU, as they are.
    #[serde(default)]
    pub qemu: Vec<String>,
}

fn default_ram() -> Spanned<Size> {
    Spanned::new(0..0, Size(1 << 30))
}

fn default_cpus() -> Spanned<u32> {
    Spanned::new(0..0, 2)
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            ram: default_ram(),
            cpus: default_cpus(),
            node: Vec::new(),
            hmat: false,
            qemu: Vec::new(),
        }
    }
}

/// `[[machine.node]]`: RAM of one NUMA node; processors belong to the first.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    pub ram: Spanned<Size>,
}

/// `[[bridge]]`: a CXL host bridge.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bridge {
    pub name: Spanned<String>,
}

/// `[[switch]]`: a CXL switch below a root port.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    pub name: Spanned<String>,
    pub on: Option<Spanned<String>>,
}

/// What a CXL device or a region holds.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Ram,
    Pmem,
}

/// `[[device]]`: a CXL memory device.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    pub name: Spanned<String>,
    pub serial: Spanned<u64>,
    #[serde(default = "default_device")]
    pub size: Spanned<Size>,
    #[serde(default)]
    pub kind: Kind,
    /// Bridge or switch; the first bridge if absent.
    pub on: Option<Spanned<String>>,
    /// Whether it is in its slot when the machine starts.
    #[serde(default = "yes")]
    pub plugged: bool,
}

impl Raw {
    /// Adds what a file speaks of without declaring it: a window and a device, as these are by default, and all
    /// devices to a region.
    pub fn with_defaults(mut self) -> Self {
        self.add_hardware();
        let names = self.device.iter().map(|d| d.name.get_ref().clone());
        let names: Vec<String> = names.collect();
        for region in self
            .region
            .iter_mut()
            .filter(|r| r.devices.span() == (0..0))
        {
            region.devices = Spanned::new(region.at.span(), names.clone());
        }
        self
    }

    fn add_hardware(&mut self) {
        let regions = self.region.iter().map(|r| &r.at);
        let reserved = self.soft_reserved.iter().map(|r| &r.base);
        let in_first =
            |at: &Spanned<Address>| matches!(at.get_ref(), Address::Window { index: 0, .. });
        if !self.window.is_empty() || !regions.chain(reserved).any(in_first) {
            return;
        }
        self.window.push(Window {
            size: default_window(),
            targets: None,
            granularity: default_granularity(),
        });
        if self.device.is_empty() {
            self.device.push(Device {
                name: Spanned::new(0..0, "mem0".to_owned()),
                serial: Spanned::new(0..0, 0x1001),
                size: default_device(),
                kind: Kind::default(),
                on: None,
                plugged: true,
            });
        }
    }
}

fn default_device() -> Spanned<Size> {
    Spanned::new(0..0, Size(512 << 20))
}

/// `[[window]]`: a CXL fixed memory window.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    #[serde(default = "default_window")]
    pub size: Spanned<Size>,
    /// Bridges; the first bridge if absent.
    pub targets: Option<Vec<Spanned<String>>>,
    #[serde(default = "default_granularity")]
    pub granularity: Spanned<Size>,
}

fn default_window() -> Spanned<Size> {
    Spanned::new(0..0, Size(4 << 30))
}

fn default_granularity() -> Spanned<Size> {
    Spanned::new(0..0, Size(256))
}

/// `[[region]]`: a region that "firmware" commits before the kernel under test starts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    pub at: Spanned<Address>,
    pub size: Spanned<Size>,
    /// In the order of interleaving; all devices if absent.
    #[serde(default = "no_devices")]
    pub devices: Spanned<Vec<String>>,
    pub granularity: Option<Spanned<Size>>,
}

fn no_devices() -> Spanned<Vec<String>> {
    Spanned::new(0..0, Vec::new())
}

/// `[[soft_reserved]]`: a range that the firmware's memory map marks Soft Reserved.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SoftReserved {
    pub name: Spanned<String>,
    pub base: Spanned<Address>,
    pub size: Spanned<Size>,
    /// Nothing is behind this range on purpose; RAM and windows are not demanded.
    #[serde(default)]
    pub unbacked: bool,
}

/// `[kernel]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    #[serde(default)]
    pub args: Vec<Spanned<String>>,
    /// Lines of its configuration without which the scenario makes no sense.
    #[serde(default)]
    pub needs: Vec<Spanned<String>>,
}

/// `[modules]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modules {
    /// The CXL drivers are those of the kernel's tools/testing/cxl, and its mocks can be loaded.
    #[serde(default)]
    pub cxl_test: bool,
    /// Ours are built with what tells people of their decisions.
    #[serde(default = "yes")]
    pub report: bool,
    /// Neither udev nor the kernel can load these until a step says `release`.
    #[serde(default)]
    pub hold: Vec<Spanned<String>>,
    /// Modules of tests/modules that steps load from /lab/in/modules.
    #[serde(default)]
    pub test: Vec<Spanned<String>>,
    /// Options by module.
    #[serde(default)]
    pub options: BTreeMap<String, Spanned<String>>,
}

impl Default for Modules {
    fn default() -> Self {
        Self {
            cxl_test: false,
            report: true,
            hold: Vec::new(),
            test: Vec::new(),
            options: BTreeMap::new(),
        }
    }
}

/// `[[step]]`: one thing done after the guest has settled; exactly one verb.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub name: Spanned<String>,
    /// Bash, stopped at the first failing command.
    pub run: Option<String>,
    /// A condition in bash, tried until it is true.
    pub wait: Option<String>,
    /// A QMP command with its arguments, as JSON, given to QEMU.
    pub qmp: Option<Spanned<String>>,
    /// Start the kernel anew; the steps that follow are done there.
    pub boot: Option<Boot>,
    /// A kselftest as `collection:test`; its output is KTAP.
    pub selftest: Option<Spanned<String>>,
    /// The output of `run` is KTAP, and these suites must be in it.
    pub ktap: Option<Vec<String>>,
    /// Keep the state of the guest under this name, for `[expect.at.NAME]`.
    pub capture: Option<Spanned<String>>,
    /// Seconds for this step.
    pub within: Option<u64>,
    /// The exit status that counts as success.
    #[serde(default)]
    pub exit: i32,
    /// Run with these drivers only.
    pub only: Option<Drivers>,
}

/// How a step starts the kernel anew.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Boot {
    /// With kexec, as an administrator does; firmware and devices keep their state.
    Kexec,
    /// By a panic, into the memory that `crashkernel=` keeps for it.
    Crash,
}

/// `[[allow]]`: a kernel report that is expected, with the reason why.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    pub pattern: Spanned<String>,
    /// Only if a line near it matches this as well: whose report it is.
    pub near: Option<Spanned<String>>,
    pub reason: String,
    /// With these drivers only.
    pub only: Option<Drivers>,
}
