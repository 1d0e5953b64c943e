// SPDX-License-Identifier: GPL-2.0

//! A scenario: one machine, what its firmware left behind, what is done, what must come out.
//!
//! A `Scenario` has passed every check that needs no machine. Addresses stay relative to the
//! windows, whose place only QEMU knows.

use std::fmt;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use serde::Deserialize;
use serde::Serialize;

mod check;
mod excerpt;
mod expect;
mod fault;
mod hardware;
mod machine;
mod names;
mod places;
mod predicted;
mod raw;
mod regions;
mod reserved;
mod size;
#[cfg(test)]
mod tests;

pub use excerpt::Excerpt;
pub use excerpt::ExcerptLine;
pub use excerpt::ExcerptPlace;
pub use expect::Allowed;
pub use expect::DaxExpect;
pub use expect::Expect;
pub use expect::PieceExpect;
pub use expect::RangeExpect;
pub use expect::StateExpect;
pub use fault::Faults;
pub use places::with_addresses;
pub use predicted::Moment;
pub use raw::Boot;
pub use raw::Check;
pub use raw::Kind;
pub use raw::Owner;
pub use size::Address;
pub use size::Size;
pub use size::MIB;

/// Which modules decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Drivers {
    /// Ours, in `updates/`.
    Rust,
    /// The kernel's own.
    C,
    /// Neither; the modules cannot be loaded.
    None,
}

impl fmt::Display for Drivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::None => "none",
        })
    }
}

/// The flavour of a scenario that does not name one: any kernel will do.
pub const BASE: &str = "base";

/// A checked scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Name of the file without `.toml`.
    pub name: String,
    /// Where it was read from.
    pub path: PathBuf,
    /// What it shows, for people.
    pub description: String,
    /// Kernel flavour.
    pub flavor: String,
    /// Seconds for the whole guest, if the file says so.
    pub timeout: Option<u64>,
    /// Drivers the scenario makes sense with.
    pub drivers: Vec<Drivers>,
    /// The requirements that it is a test of: numbers of `Documentation/requirements.md`.
    pub holds: Vec<String>,
    /// Which `make check` runs it.
    pub check: Check,
    /// Whether a capture of its end is kept for the tests of daxown.
    pub captured: bool,
    /// Why nobody could foretell what comes out.
    pub unpredicted: Option<String>,
    /// The hardware.
    pub machine: Machine,
    /// What firmware committed, by window and address.
    pub regions: Vec<Region>,
    /// What the memory map marks Soft Reserved.
    pub soft_reserved: Vec<SoftReserved>,
    /// Further kernel parameters.
    pub kernel_args: Vec<String>,
    /// Lines of the kernel's configuration without which it makes no sense.
    pub needs: Vec<String>,
    /// The kernel's CXL unit tests take the place of its CXL drivers.
    pub cxl_test: bool,
    /// Our modules tell people of their decisions.
    pub report: bool,
    /// Modules that only a step can release.
    pub hold: Vec<String>,
    /// Modules of tests/modules that the steps need.
    pub test_modules: Vec<String>,
    /// Module options.
    pub options: Vec<(String, String)>,
    /// What is done in the guest.
    pub steps: Vec<Step>,
    /// Reports of the kernel that are no failure.
    pub allow: Vec<Allowed>,
    expect: Expect,
    expect_c: Option<Expect>,
}

/// The hardware of the guest.
#[derive(Clone, Debug)]
pub struct Machine {
    pub ram: u64,
    pub cpus: u32,
    /// RAM of each NUMA node, in bytes.
    pub nodes: Vec<u64>,
    pub hmat: bool,
    /// Names of the host bridges.
    pub bridges: Vec<String>,
    pub switches: Vec<Switch>,
    pub devices: Vec<Device>,
    pub windows: Vec<Window>,
    /// Arguments passed through to QEMU.
    pub qemu: Vec<String>,
}

/// A CXL switch below a host bridge.
#[derive(Clone, Debug)]
pub struct Switch {
    pub name: String,
    /// Index of the bridge.
    pub bridge: usize,
}

/// Where a device is plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Bridge(usize),
    Switch(usize),
}

/// A CXL memory device.
#[derive(Clone, Debug)]
pub struct Device {
    pub name: String,
    pub serial: u64,
    pub size: u64,
    pub kind: Kind,
    pub slot: Slot,
    /// False if its slot is empty when the machine starts; its memory is there for a step to use.
    pub plugged: bool,
}

/// A CXL window.
#[derive(Clone, Debug)]
pub struct Window {
    pub size: u64,
    /// Indices of bridges.
    pub targets: Vec<usize>,
    pub granularity: u64,
}

/// A region that firmware committed.
#[derive(Clone, Debug)]
pub struct Region {
    /// Index of the window.
    pub window: usize,
    pub offset: u64,
    pub size: u64,
    /// Indices of devices in interleave order.
    pub devices: Vec<usize>,
    pub granularity: u64,
    pub kind: Kind,
}

/// A Soft Reserved range.
#[derive(Clone, Debug)]
pub struct SoftReserved {
    pub name: String,
    pub base: Address,
    pub size: u64,
}

/// One step in the guest.
#[derive(Clone, Debug)]
pub struct Step {
    pub name: String,
    pub action: Action,
    /// Seconds until the step has failed.
    pub within: u64,
    /// The output is KTAP; the names of suites that must be in it.
    pub ktap: Option<Vec<String>>,
    pub only: Option<Drivers>,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Bash text, and the exit status it must end with.
    Run(String, i32),
    /// A kselftest, `collection:test`.
    Selftest(String),
    /// Bash condition to become true.
    Wait(String),
    /// JSON for QEMU's machine protocol.
    Qmp(serde_json::Value),
    /// Start the kernel anew.
    Boot(Boot),
    /// Keep the state under this name.
    Capture(String),
}

impl Scenario {
    /// Reads a scenario by name (from `tests/scenarios` or a folder of it) or by path; of a capture that daxown made, the
    /// scenario that daxown makes of it.
    pub fn load(repo: &Path, name: &str) -> Result<Self> {
        let path = Self::find(repo, name)?;
        if machine::is_capture(&path) {
            return machine::scenario(&path);
        }
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read the scenario {}", path.display()))?;
        let mut scenario = Self::parse(&path, &text)?;
        // Somebody else's file says what must come out, and not whether it can be foretold.
        let own = fs::canonicalize(repo.join("tests"))?;
        if !fs::canonicalize(&path)?.starts_with(own) {
            let why = "it is not one of the project's own".to_owned();
            scenario.unpredicted.get_or_insert(why);
        }
        Ok(scenario)
    }

    /// Parses and checks the text of a file.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        check::scenario(path, text).map_err(anyhow::Error::new)
    }

    /// Every scenario of the project that any kernel can run, by name.
    pub fn all(repo: &Path) -> Result<Vec<PathBuf>> {
        Self::all_in(&repo.join("tests/scenarios"))
    }

    /// Every scenario that needs the checkers of the debug kernel, by name.
    pub fn all_debug(repo: &Path) -> Result<Vec<PathBuf>> {
        Self::all_in(&repo.join("tests/scenarios/debug"))
    }

    /// Every scenario that is about another flavour of kernel: those of `F` are in
    /// `tests/scenarios/F`.
    pub fn all_flavors(repo: &Path) -> Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for config in Self::files(&repo.join("tests/flavors"), "config")? {
            let flavor = config.file_stem().unwrap_or_default();
            let dir = repo.join("tests/scenarios").join(flavor);
            if flavor != "debug" && dir.is_dir() {
                paths.extend(Self::all_in(&dir)?);
            }
        }
        Ok(paths)
    }

    /// Every scenario for the kernel's CXL unit tests, by name.
    pub fn all_cxl_test(repo: &Path) -> Result<Vec<PathBuf>> {
        Self::all_in(&repo.join("tests/scenarios/cxl-test"))
    }

    fn all_in(dir: &Path) -> Result<Vec<PathBuf>> {
        Self::files(dir, "toml")
    }

    fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|ext| ext == extension) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// Every scenario of the project, of whatever flavour; those that any kernel can run come last.
    fn known(repo: &Path) -> Result<Vec<PathBuf>> {
        let mut paths = Self::all_flavors(repo)?;
        paths.extend(Self::all_debug(repo)?);
        paths.extend(Self::all(repo)?);
        Ok(paths)
    }

    fn find(repo: &Path, name: &str) -> Result<PathBuf> {
        if !name.contains('/') {
            let mut known = Self::known(repo)?.into_iter();
            if let Some(path) = known.rfind(|path| path.file_stem().is_some_and(|s| s == name)) {
                return Ok(path);
            }
        }
        let path = PathBuf::from(name);
        if path.is_file() || machine::is_capture(&path) {
            return Ok(path);
        }
        let mut names: Vec<String> = Self::known(repo)?
            .iter()
            .filter_map(|path| path.file_stem())
            .map(|stem| stem.to_string_lossy().into_owned())
            .collect();
        names.sort();
        bail!(
            "there is no scenario `{name}`: neither a file nor one of {}",
            names.join(", ")
        )
    }

    /// What must come out with `drivers`.
    pub fn expect(&self, drivers: Drivers) -> Option<&Expect> {
        match drivers {
            Drivers::Rust => Some(&self.expect),
            Drivers::C => self.expect_c.as_ref(),
            Drivers::None => None,
        }
    }

    /// True if the C drivers leave less memory online than ours, at the end.
    pub fn c_loses(&self) -> bool {
        let online = |expect: &Expect| -> u64 {
            let ranges = expect.end.ranges.values();
            ranges.filter_map(|range| range.online).sum()
        };
        self.expect_c
            .as_ref()
            .is_some_and(|c| online(c) < online(&self.expect))
    }

    /// True if a first boot has to act as firmware.
    pub fn needs_firmware(&self) -> bool {
        !self.regions.is_empty()
    }

    /// How often the kernel under test is started.
    pub fn boots(&self) -> usize {
        let again = |step: &&Step| matches!(step.action, Action::Boot(_));
        1 + self.steps.iter().filter(again).count()
    }

    /// The kselftests that steps run, as `collection:test`.
    pub fn selftests(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match &step.action {
            Action::Selftest(test) => Some(test.as_str()),
            _ => None,
        })
    }

    /// Start of a window, counted from the start of the first: QEMU puts them side by side.
    pub fn window_offset(&self, index: usize) -> u64 {
        window_offset(&self.machine.windows, index)
    }

    /// The steps that are done with `drivers`.
    pub fn steps(&self, drivers: Drivers) -> impl Iterator<Item = &Step> {
        self.steps
            .iter()
            .filter(move |step| step.only.is_none_or(|only| only == drivers))
    }

    /// The kernel reports that are no failure with `drivers`.
    pub fn allowed(&self, drivers: Drivers) -> Vec<&Allowed> {
        self.allow
            .iter()
            .filter(|allow| allow.only.is_none_or(|only| only == drivers))
            .collect()
    }
}

fn window_offset(windows: &[Window], index: usize) -> u64 {
    windows.iter().take(index).map(|window| window.size).sum()
}
