// SPDX-License-Identifier: GPL-2.0

//! Which of the modules concerned are loaded, built in or only installed, and whose they are.

use serde::Serialize;

use crate::scan::Scan;

/// The modules that take part in the decision, in the order in which they are needed.
pub const MODULES: [&str; 12] = [
    "cxl_core",
    "cxl_acpi",
    "cxl_pci",
    "cxl_port",
    "cxl_mem",
    "cxl_region",
    "cxl_pmem",
    "dax",
    "device_dax",
    "dax_hmem",
    "dax_cxl",
    "kmem",
];

/// How a module is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// Loaded as a module.
    Loaded,
    /// Part of the kernel image.
    BuiltIn,
    /// A file in /lib/modules, not loaded.
    Installed,
    /// Not there.
    Absent,
    /// Not known: neither /proc/modules nor /lib/modules could be read.
    Unknown,
}

/// One module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Module {
    /// Its name with underscores.
    pub name: String,
    /// How it is there.
    pub presence: Presence,
    /// The loaded one was built out of the kernel's tree.
    pub out_of_tree: bool,
    /// Its file for this kernel, relative to /lib/modules/RELEASE.
    pub file: Option<String>,
}

impl Module {
    /// Whether its code runs.
    pub fn is_active(&self) -> bool {
        matches!(self.presence, Presence::Loaded | Presence::BuiltIn)
    }

    /// Whether this kernel is known to have it, loaded or not.
    pub fn is_known(&self) -> bool {
        self.is_active() || self.presence == Presence::Installed
    }
}

/// Whose dax_hmem runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Drivers {
    /// The Rust modules: they keep a ledger.
    Rust,
    /// The kernel's own.
    Stock,
    /// None is loaded.
    None,
    /// Not known.
    Unknown,
}

pub(crate) fn read(scan: &Scan, release: Option<&str>) -> Vec<Module> {
    let loaded = scan.text("proc/modules");
    let lib = release
        .filter(|r| !r.contains('/'))
        .map(|r| format!("lib/modules/{r}"));
    let file = |name: &str| lib.as_ref().and_then(|l| scan.text(&format!("{l}/{name}")));
    let dependencies = file("modules.dep");
    let built_in = file("modules.builtin");
    MODULES
        .iter()
        .map(|&name| {
            let file = dependencies.as_deref().and_then(|d| find_file(d, name));
            // A built-in module has a directory in sysfs if it has parameters or a version.
            let is_built_in = || {
                // Its driver is on the bus, whatever the lists say, which may be another kernel's.
                if name == "dax_cxl" && scan.exists("sys/bus/cxl/drivers/cxl_dax_region") {
                    return true;
                }
                let listed = built_in.as_deref().and_then(|b| find_file(b, name));
                listed.is_some() || loaded.is_some() && scan.exists(&format!("sys/module/{name}"))
            };
            let presence = if loaded.as_deref().is_some_and(|l| is_listed(l, name)) {
                Presence::Loaded
            } else if is_built_in() {
                Presence::BuiltIn
            } else if file.is_some() {
                Presence::Installed
            } else if dependencies.is_some() {
                Presence::Absent
            } else {
                Presence::Unknown
            };
            Module {
                name: name.to_string(),
                presence,
                out_of_tree: scan
                    .value(&format!("sys/module/{name}/taint"))
                    .is_some_and(|t| t.contains('O')),
                file,
            }
        })
        .collect()
}

fn is_listed(modules: &str, name: &str) -> bool {
    modules
        .lines()
        .any(|l| l.split_whitespace().next() == Some(name))
}

/// The path of a module in modules.dep or modules.builtin.
fn find_file(list: &str, name: &str) -> Option<String> {
    list.lines()
        .filter_map(|l| l.split(':').next())
        .find(|path| module_name(path) == name)
        .map(|path| path.trim().to_string())
}

/// `dax_hmem` for `updates/dax-hmem.ko.xz`.
pub(crate) fn module_name(path: &str) -> String {
    let file = path.trim().rsplit('/').next().unwrap_or_default();
    file.split(".ko")
        .next()
        .unwrap_or_default()
        .replace('-', "_")
}

/// Whose dax_hmem runs; `runs` tells that its devices have a driver.
pub(crate) fn drivers(scan: &Scan, modules: &[Module], has_ledger: bool, runs: bool) -> Drivers {
    let Some(hmem) = modules.iter().find(|m| m.name == "dax_hmem") else {
        return Drivers::Unknown;
    };
    let attribute = "sys/bus/platform/devices/hmem_platform.0/ownership";
    if has_ledger || scan.exists(attribute) {
        return Drivers::Rust;
    }
    match hmem.presence {
        Presence::Loaded if hmem.out_of_tree => Drivers::Rust,
        Presence::Loaded | Presence::BuiltIn => Drivers::Stock,
        // The lists of modules may not know what is built in, or not be those of this kernel.
        _ if runs => Drivers::Stock,
        Presence::Installed | Presence::Absent => Drivers::None,
        Presence::Unknown => Drivers::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_paths() {
        assert_eq!(module_name("updates/dax_hmem.ko"), "dax_hmem");
        assert_eq!(
            module_name("kernel/drivers/dax/hmem/dax-hmem.ko.zst"),
            "dax_hmem"
        );
        assert_eq!(module_name(""), "");
    }

    #[test]
    fn files_from_lists() {
        let list = "updates/dax_hmem.ko: kernel/a.ko\nkernel/drivers/dax/kmem.ko.xz:\n";
        assert_eq!(
            find_file(list, "dax_hmem").as_deref(),
            Some("updates/dax_hmem.ko")
        );
        assert_eq!(
            find_file(list, "kmem").as_deref(),
            Some("kernel/drivers/dax/kmem.ko.xz")
        );
        assert_eq!(find_file(list, "dax"), None);
    }

    #[test]
    fn loaded_by_whole_name() {
        assert!(is_listed("dax_hmem 16384 0 - Live 0x0\n", "dax_hmem"));
        assert!(!is_listed("dax_hmem_x 16384 0 - Live 0x0\n", "dax_hmem"));
    }
}
