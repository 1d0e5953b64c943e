// SPDX-License-Identifier: GPL-2.0

//! The platform and the kernel's parameters, as far as they decide about this memory.

use crate::cxl::Memdev;
use crate::log::{Event, Message};
use crate::range::Range;
use crate::scan::Scan;

/// What is known of the platform and the kernel's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// The kernel command line, as far as it is in the source.
    pub command_line: String,
    /// ACPI declares a CXL root (ACPI0017).
    pub has_cxl: bool,
    /// `device_hmem.disable` is set: the kernel registers no Soft Reserved range.
    pub hmem_disabled: bool,
    /// Firmware has an HMAT, the table that tells of caches in front of memory.
    pub has_hmat: bool,
    /// `efi=nosoftreserve` is set: Soft Reserved memory is plain System RAM.
    pub no_soft_reserve: bool,
    /// The bus of dax devices is in the source, so that what it does not show is not there.
    pub shows_dax: bool,
    /// `dax_hmem.region_idle` of the module that is loaded, if it can be read.
    pub region_idle: Option<bool>,
    /// What the Rust dax_hmem that is loaded keeps away from (`dax_hmem.exclude`).
    pub excluded: Vec<Range>,
}

impl Host {
    /// Whether the command line keeps a module from being loaded by itself, or at all.
    pub fn bars(&self, module: &str) -> bool {
        self.forbids(module) || self.lists("modprobe.blacklist=", module)
    }

    /// Whether the command line keeps a module from being loaded at all.
    pub fn forbids(&self, module: &str) -> bool {
        self.lists("module_blacklist=", module)
    }

    fn lists(&self, key: &str, module: &str) -> bool {
        let words = self.command_line.split_whitespace();
        let mut names = words
            .filter_map(|w| w.strip_prefix(key))
            .flat_map(|v| v.split(','));
        names.any(|name| name.replace('-', "_") == module)
    }
}

pub(crate) fn read(scan: &Scan) -> Host {
    let command_line = scan.text("proc/cmdline").unwrap_or_default();
    let words = || command_line.split_whitespace().map(|w| w.trim_matches('"'));
    let efi = words().filter_map(|w| w.strip_prefix("efi="));
    let no_soft_reserve = efi.flat_map(|v| v.split(',')).any(|v| v == "nosoftreserve");
    let on_line = words().filter_map(disables_hmem).next_back();
    let in_sysfs = scan.value("sys/module/device_hmem/parameters/disable");
    let hmem_disabled = match in_sysfs.as_deref() {
        Some(value) => is_true(value),
        None => on_line.unwrap_or(false),
    };
    Host {
        has_cxl: ["acpi", "platform"].iter().any(|bus| {
            let names = scan.list(&format!("sys/bus/{bus}/devices"));
            names.iter().any(|n| n.starts_with("ACPI0017"))
        }) || scan.exists("sys/devices/platform/ACPI0017:00"),
        has_hmat: scan.exists("sys/firmware/acpi/tables/HMAT"),
        hmem_disabled,
        no_soft_reserve,
        shows_dax: scan.exists("sys/bus/dax"),
        region_idle: scan
            .value("sys/module/dax_hmem/parameters/region_idle")
            .map(|value| is_true(&value))
            .or_else(|| {
                let on_line = words().filter_map(|w| w.strip_prefix("dax_hmem.region_idle="));
                on_line.map(is_true).next_back()
            }),
        excluded: scan
            .value("sys/module/dax_hmem/parameters/exclude")
            .map(|list| ranges(&list))
            .unwrap_or_default(),
        command_line,
    }
}

/// What `device_hmem.disable[=...]` says, for such a word.
fn disables_hmem(word: &str) -> Option<bool> {
    let (key, value) = word.split_once('=').unwrap_or((word, "1"));
    (key.replace('-', "_") == "device_hmem.disable").then(|| is_true(value))
}

/// As the kernel reads a boolean parameter.
fn is_true(value: &str) -> bool {
    matches!(value.chars().next(), Some('y' | 'Y' | 't' | 'T' | '1')) || value == "on"
}

/// The ranges of a list such as `0x1000-0x1fff,0x3000-0x3fff`; what is none is left out.
pub(crate) fn ranges(list: &str) -> Vec<Range> {
    let words = list.split(',');
    words.filter_map(|w| Range::parse(w.trim())).collect()
}

/// A CXL memory card of which there is no memory device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its place, such as `0000:39:00.0`.
    pub pci: String,
    /// The driver that has it, which makes no memory device of it.
    pub driver: Option<String>,
    /// Whether the log says that cxl_pci failed to probe it.
    pub is_refused: bool,
}

/// CXL memory cards (class 0x0502 on PCI, or refused by cxl_pci) that are no memory device.
pub(crate) fn unknown_cards(scan: &Scan, memdevs: &[Memdev], log: &[Message]) -> Vec<Card> {
    let dir = "sys/bus/pci/devices";
    let is_known = |name: &str| memdevs.iter().any(|m| m.pci.as_deref() == Some(name));
    let refused = log.iter().filter_map(|m| match &m.event {
        Event::ProbeFailed { device, driver, .. } if driver == "cxl_pci" => Some(device.as_str()),
        _ => None,
    });
    let refused: Vec<&str> = refused.filter(|name| !is_known(name)).collect();
    let is_card = |name: &&String| {
        let class = || scan.value(&format!("{dir}/{name}/class"));
        !is_known(name) && class().is_some_and(|c| c.starts_with("0x0502"))
    };
    let shown = scan.list(dir);
    let mut names: Vec<&str> = shown.iter().filter(is_card).map(String::as_str).collect();
    // Where PCI devices are shown, one that is not has been removed.
    names.extend(
        refused
            .iter()
            .filter(|name| shown.is_empty() || shown.iter().any(|s| s == *name)),
    );
    names.sort_unstable();
    names.dedup();
    let card = |pci: &str| Card {
        pci: pci.to_string(),
        driver: scan.link_name(&format!("{dir}/{pci}/driver")),
        is_refused: refused.contains(&pci),
    };
    names.into_iter().map(card).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_of_hmem() {
        assert_eq!(disables_hmem("device_hmem.disable=1"), Some(true));
        assert_eq!(disables_hmem("device-hmem.disable"), Some(true));
        assert_eq!(disables_hmem("device_hmem.disable=0"), Some(false));
        assert_eq!(disables_hmem("hmem.disable=1"), None);
    }
}
