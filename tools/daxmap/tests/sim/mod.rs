// SPDX-License-Identifier: GPL-2.0

//! A small machine: windows with a host bridge or two and at most one device below each, or an
//! accelerator, what firmware declares, and what the kernel made of it. [`kind`] makes it, [`setup`] says
//! which modules are loaded, [`tree`] writes it as files, [`run`] does what a command does.

#![allow(dead_code, unused_imports, reason = "each test file uses a part")]

pub mod ask;
mod driver;
pub mod follow;
mod kind;
mod ledger;
mod region;
mod run;
mod sane;
mod setup;
pub mod tree;

use daxmap::Range;
use proptest::test_runner::{Config, RngSeed};

pub use kind::{Kind, KINDS};
pub use setup::{Setup, SETUPS};

/// The unit of CXL regions; two memory blocks.
pub const UNIT: u64 = 256 << 20;
/// Of a device.
pub const CAPACITY: u64 = 4 * UNIT;

/// The first number of a region: hmem devices and regions take their numbers from one well.
const FIRST_REGION: usize = 20;

/// The same machines in each run, so that a failure is the fault of what was changed; others where
/// `PROPTEST_CASES` and `PROPTEST_RNG_SEED` ask for them.
pub fn config(cases: u32) -> Config {
    let asked = Config::default();
    Config {
        cases: match std::env::var_os("PROPTEST_CASES") {
            Some(_) => asked.cases,
            None => cases,
        },
        rng_seed: match asked.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            seed => seed,
        },
        failure_persistence: None,
        ..asked
    }
}

/// The number of a window's second device, whose bridge is its own.
pub fn second(window: usize) -> usize {
    window + 5
}

/// A memory device.
#[derive(Clone, Debug)]
pub struct Mem {
    /// Its own number, and its bridge's: that of the window, or [`second`].
    pub id: usize,
    pub window: usize,
    pub bound: bool,
    /// What it maps without a decoder that shows it.
    pub hidden: Option<Range>,
}

#[derive(Clone, Debug)]
pub struct Region {
    pub window: usize,
    pub range: Range,
    pub committed: bool,
    pub bound: bool,
    /// dax_cxl has it.
    pub served: bool,
    /// Its devices, in order; fewer than its ways if some are gone.
    pub mems: Vec<usize>,
    pub ways: usize,
    pub accelerator: bool,
    /// It was deleted; its place in the list stays.
    pub gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    None,
    Online,
    Offline,
    File,
}

#[derive(Clone, Debug)]
pub struct Dax {
    pub name: String,
    /// Number of the hmem device, or of the region.
    pub hmem: Option<usize>,
    pub region: Option<usize>,
    pub range: Option<Range>,
    pub used: Use,
    /// kmem has it, though its memory may be unplugged.
    pub kmem: bool,
    pub has_node: bool,
    /// kmem takes it by its name only (`region_idle=1`).
    pub by_name: bool,
}

/// What the ledger has of memory that nobody has.
#[derive(Clone, Debug)]
pub struct Free {
    pub range: Range,
    pub reason: &'static str,
    /// The hmem device that had it.
    pub hmem: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct Hmem {
    pub id: usize,
    pub range: Range,
    pub bound: bool,
    pub has_node: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub windows: Vec<Range>,
    /// Which windows interleave over two bridges, and which take accelerators only.
    pub two: Vec<bool>,
    pub type2: Vec<bool>,
    /// Which are none: memory that CXL has no part in.
    pub plain: Vec<bool>,
    pub mems: Vec<Mem>,
    pub regions: Vec<Region>,
    pub hmems: Vec<Hmem>,
    pub dax: Vec<Dax>,
    pub declared: Vec<Range>,
    /// Plain System RAM in windows.
    pub ram: Vec<Range>,
    /// kmem has the attribute `state` (since 7.2).
    pub has_state: bool,
    pub has_dax_cxl: bool,
    /// The log has lost the memory map, and nothing else has it.
    pub map_lost: bool,
    pub log: Vec<String>,
    /// Modules that are installed, and not loaded.
    pub unloaded: Vec<&'static str>,
    /// The Rust dax_hmem runs, with its ledger.
    pub rust: bool,
    /// It is the one that is installed.
    pub installs_rust: bool,
    /// The initramfs has the kernel's own dax_hmem all the same.
    pub stale_initramfs: bool,
    /// DKMS could not build the Rust modules.
    pub not_built: bool,
    /// dax_hmem was taken from hmem_platform.0.
    pub platform_unbound: bool,
    /// It has decided in this boot: the kernel's own leaves all in windows to CXL from then on.
    pub decided: bool,
    /// What the Rust dax_hmem has let go of, or waits with.
    pub free: Vec<Free>,
    pub deferred: Vec<Range>,
}

impl Region {
    /// Bytes of each device.
    pub fn each(&self) -> u64 {
        self.range.len() / self.ways as u64
    }
}

/// Such as `region20`.
pub fn region_name(i: usize) -> String {
    format!("region{}", FIRST_REGION + i)
}

impl Machine {
    pub fn is_loaded(&self, module: &str) -> bool {
        !self.unloaded.contains(&module)
    }

    pub fn dax_cxl_runs(&self) -> bool {
        self.has_dax_cxl && self.is_loaded("dax_cxl")
    }

    /// CXL's windows are known to the kernel.
    pub fn shows_windows(&self) -> bool {
        self.is_loaded("cxl_acpi")
    }

    /// So are its devices, with their decoders and regions.
    pub fn shows_devices(&self) -> bool {
        let all = ["cxl_acpi", "cxl_pci", "cxl_port", "cxl_mem"];
        all.iter().all(|m| self.is_loaded(m))
    }

    /// Regions that are there, with their numbers.
    pub fn live(&self) -> impl Iterator<Item = (usize, &Region)> {
        let here = self.shows_devices();
        let regions = self.regions.iter().enumerate();
        regions.filter(move |(_, r)| here && !r.gone)
    }

    /// The window that a range lies in, as far as the kernel knows one.
    pub fn window_of(&self, range: &Range) -> Option<usize> {
        let i = self.windows.iter().position(|w| w.overlaps(range))?;
        (self.shows_windows() && !self.plain[i]).then_some(i)
    }
}
