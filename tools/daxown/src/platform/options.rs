// SPDX-License-Identifier: GPL-2.0

//! Whether the kernel was built with what this memory needs.

use daxmap::kconfig::{self, Config, Setting};
use daxmap::{Map, Tree};

use super::{check, is_without_cxl, readable, CheckDoc, Outcome};

/// An option, how bad it is to lack it, and what is lacking then.
const OPTIONS: [(&str, Outcome, &str); 12] = [
    (
        "EFI_SOFT_RESERVE",
        Outcome::Missing,
        "what firmware marks as special purpose memory is plain RAM from boot on",
    ),
    (
        "DEV_DAX_HMEM",
        Outcome::Missing,
        "nothing takes Soft Reserved memory without a region",
    ),
    (
        "DEV_DAX_KMEM",
        Outcome::Missing,
        "dax devices cannot become System RAM",
    ),
    ("DEV_DAX_CXL", Outcome::Poor, "nothing serves CXL regions"),
    (
        "CXL_REGION",
        Outcome::Poor,
        "regions that firmware committed are not seen",
    ),
    ("CXL_ACPI", Outcome::Poor, "CXL windows are not found"),
    ("CXL_PCI", Outcome::Poor, "CXL memory devices are not found"),
    (
        "CXL_MEM",
        Outcome::Poor,
        "CXL memory devices have no driver",
    ),
    ("CXL_PORT", Outcome::Poor, "decoders are not found"),
    (
        "MEMORY_HOTPLUG",
        Outcome::Missing,
        "no memory can be added after boot",
    ),
    (
        "MEMORY_HOTREMOVE",
        Outcome::Poor,
        "memory that is online stays so until reboot",
    ),
    (
        "RUST",
        Outcome::Poor,
        "the Rust dax_hmem and dax_cxl cannot be built for it",
    ),
];

pub(super) fn checks(tree: &Tree, map: &Map) -> Vec<CheckDoc> {
    let Some(config) = Config::read(tree, map.release.as_deref()) else {
        return vec![check("options", Outcome::Unknown, unknown(map))];
    };
    // A machine that has no CXL needs no driver for it.
    let needed = |name: &str| !(is_without_cxl(map) && name.contains("CXL"));
    let off: Vec<&(&str, Outcome, &str)> = OPTIONS
        .iter()
        .filter(|(name, ..)| config.get(name) == Setting::Off && needed(name))
        .collect();
    let has = OPTIONS
        .iter()
        .filter(|(name, ..)| config.get(name) != Setting::Off);
    let has: Vec<&str> = has.map(|(name, ..)| *name).collect();
    let mut out = Vec::new();
    if !has.is_empty() {
        let text = format!("the kernel has {} ({})", has.join(", "), config.path);
        out.push(check("options", Outcome::Ready, text));
    }
    out.extend(off.into_iter().map(|(name, need, without)| {
        let text = format!(
            "the kernel was built without it ({}): {without}",
            config.path
        );
        check(&format!("CONFIG_{name}"), *need, text)
    }));
    out
}

fn unknown(map: &Map) -> String {
    let paths = kconfig::paths(map.release.as_deref());
    let paths: Vec<String> = paths.iter().map(|p| format!("/{p}")).collect();
    format!(
        "what the kernel was built with cannot be known: none of {} is {}",
        paths.join(", "),
        readable(map)
    )
}
