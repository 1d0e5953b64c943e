// SPDX-License-Identifier: GPL-2.0

//! The list of what a capture holds.

use super::{Entry, Gather};
use crate::dkms;
use crate::kconfig;
use crate::ledger::LEDGER_PATH;
use crate::log;
use crate::modules::{module_name, MODULES};
use crate::scan::index_of;

const REGION: &[&str] = &[
    "resource",
    "size",
    "mode",
    "commit",
    "locked",
    "interleave_ways",
    "interleave_granularity",
    "extended_linear_cache_size",
];
const DECODER: &[&str] = &[
    "start",
    "size",
    "mode",
    "region",
    "dpa_resource",
    "dpa_size",
    "interleave_ways",
    "interleave_granularity",
    "target_list",
    "target_type",
    "locked",
    "cap_ram",
    "cap_pmem",
    "cap_type2",
    "cap_type3",
    "create_ram_region",
];
const MEMDEV: &[&str] = &[
    "serial",
    "numa_node",
    "ram/size",
    "pmem/size",
    "firmware_version",
];
const DAX: &[&str] = &[
    "size",
    "resource",
    "align",
    "target_node",
    "numa_node",
    "memmap_on_memory",
    "state",
];
const MAPPING: &[&str] = &["start", "end", "page_offset"];
const HMEM: &[&str] = &[
    "numa_node",
    "modalias",
    "ownership",
    "dax_region/id",
    "dax_region/size",
    "dax_region/align",
    "dax_region/available_size",
    "dax_region/seed",
];
const MODULE: &[&str] = &["taint", "version", "srcversion", "initstate", "refcnt"];
/// Where modprobe's configuration lies, the strongest first.
pub(crate) const MODPROBE_DIRS: [&str; 4] = [
    "etc/modprobe.d",
    "run/modprobe.d",
    "usr/lib/modprobe.d",
    "lib/modprobe.d",
];

pub(super) fn gather(g: &mut Gather) {
    if g.tree.is_pasted() {
        return pasted(g);
    }
    proc_files(g);
    firmware_map(g);
    bus(g, "cxl", |name| match name {
        _ if index_of(name, "region").is_some() => Some(REGION),
        _ if index_of(name, "mem").is_some() => Some(MEMDEV),
        _ if name.starts_with("decoder") => Some(DECODER),
        _ if name.starts_with("dax_region") => Some(&["dax_region/size"]),
        _ if ["endpoint", "port", "root"]
            .iter()
            .any(|p| name.starts_with(p)) =>
        {
            Some(&[])
        }
        _ => None,
    });
    bus(g, "dax", |name| name.starts_with("dax").then_some(DAX));
    bus(g, "platform", |name| {
        name.starts_with("hmem").then_some(HMEM)
    });
    platform(g);
    memory(g);
    modules(g);
    kernel_log(g);
    let dir = LEDGER_PATH.rsplit_once('/').map_or("", |(dir, _)| dir);
    for name in g.names(dir) {
        g.file(&format!("{dir}/{name}"));
    }
}

/// Of what was pasted, all that was understood. Its files are made of that and nothing else; those of
/// free text are kept as they are of any machine.
fn pasted(g: &mut Gather) {
    let mut todo = vec!["proc".to_string(), "sys".to_string()];
    while let Some(path) = todo.pop() {
        if g.tree.link(&path).is_ok() {
            g.link(&path);
        } else if let Ok(names) = g.tree.list(&path) {
            g.dir(&path);
            todo.extend(names.into_iter().map(|name| format!("{path}/{name}")));
        } else {
            g.file(&path);
        }
    }
    resources(g);
    command_line(g);
    if g.tree.exists("dev/kmsg") {
        kernel_log(g);
    }
}

fn proc_files(g: &mut Gather) {
    resources(g);
    command_line(g);
    g.edited("proc/modules", |bytes| {
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().filter_map(|l| {
            let fields: Vec<&str> = l.split_whitespace().collect();
            let name = fields.first().filter(|n| MODULES.contains(n))?;
            let rest = fields.get(1..5)?.join(" ");
            Some(format!(
                "{name} {rest} 0x0 {}\n",
                fields.get(6).unwrap_or(&"")
            ))
        });
        lines.collect::<String>().into_bytes()
    });
    g.file("proc/sys/kernel/osrelease");
}

/// Where the kernel's own code and data lie helps an attacker and nobody else.
fn resources(g: &mut Gather) {
    g.lines("proc/iomem", |l| !l.contains(" : Kernel "));
}

fn command_line(g: &mut Gather) {
    g.edited("proc/cmdline", |bytes| {
        let text = String::from_utf8_lossy(&bytes);
        let kept: Vec<&str> = text.split_whitespace().filter(|w| is_public(w)).collect();
        format!("{}\n", kept.join(" ")).into_bytes()
    });
}

/// Parameters that shape the memory map or these drivers, and cannot hold a secret.
fn is_public(word: &str) -> bool {
    let key = word.trim_matches('"').split('=').next().unwrap_or_default();
    matches!(
        key,
        "memmap" | "mem" | "efi" | "memhp_default_state" | "efi_fake_mem" | "numa"
    ) || key.split('.').next().is_some_and(|m| {
        let m = m.replace('-', "_");
        MODULES.contains(&m.as_str())
            || matches!(
                m.as_str(),
                "device_hmem" | "hmem" | "hmat" | "memory_hotplug"
            )
    })
}

fn firmware_map(g: &mut Gather) {
    // That it is there tells how the kernel divides Soft Reserved memory; what is in it, nobody reads.
    let hmat = "sys/firmware/acpi/tables/HMAT";
    if g.tree.exists(hmat) {
        g.put(hmat, Entry::File(Vec::new()));
    }
    let dir = "sys/firmware/memmap";
    for entry in g.names(dir) {
        for name in ["start", "end", "type"] {
            g.file(&format!("{dir}/{entry}/{name}"));
        }
    }
}

fn bus(g: &mut Gather, bus: &str, attributes: impl Fn(&str) -> Option<&'static [&'static str]>) {
    let dir = format!("sys/bus/{bus}/devices");
    for name in g.names(&dir) {
        let Some(attributes) = attributes(&name) else {
            continue;
        };
        let device = format!("{dir}/{name}");
        g.link(&device);
        g.dir(&device);
        for link in ["driver", "uport"] {
            g.link(&format!("{device}/{link}"));
        }
        for attribute in attributes {
            g.file(&format!("{device}/{attribute}"));
        }
        for child in g.names(&device) {
            if index_of(&child, "target").is_some() {
                g.file(&format!("{device}/{child}"));
            }
            // From the number of a host bridge to the bridge.
            if index_of(&child, "dport").is_some() {
                g.link(&format!("{device}/{child}"));
            }
            if index_of(&child, "mapping").is_some() {
                for name in MAPPING {
                    g.file(&format!("{device}/{child}/{name}"));
                }
            }
        }
    }
    for driver in g.names(&format!("sys/bus/{bus}/drivers")) {
        if ["cxl", "hmem", "kmem", "device_dax", "fsdev_dax"]
            .iter()
            .any(|p| driver.starts_with(p))
        {
            g.dir(&format!("sys/bus/{bus}/drivers/{driver}"));
        }
    }
}

/// Whether the platform has CXL, memory cards whose driver did not take them, and dax_hmem's switch.
fn platform(g: &mut Gather) {
    for bus in ["acpi", "platform"] {
        let dir = format!("sys/bus/{bus}/devices");
        for name in g.names(&dir) {
            if name.starts_with("ACPI0017") {
                g.link(&format!("{dir}/{name}"));
                g.dir(&format!("{dir}/{name}"));
            }
        }
    }
    let dir = "sys/bus/pci/devices";
    for name in g.names(dir) {
        let class = g.tree.text(&format!("{dir}/{name}/class"));
        // Of an accelerator that is a memory device as well, the class tells that it is none of these cards.
        let has_memdev = || {
            let children = g.tree.list(&format!("{dir}/{name}")).unwrap_or_default();
            children.iter().any(|c| index_of(c, "mem").is_some())
        };
        if class.is_ok_and(|class| class.starts_with("0x0502") || has_memdev()) {
            g.link(&format!("{dir}/{name}"));
            g.file(&format!("{dir}/{name}/class"));
            g.link(&format!("{dir}/{name}/driver"));
        }
    }
    g.file("sys/module/device_hmem/parameters/disable");
    g.dir("sys/bus/dax");
}

fn memory(g: &mut Gather) {
    let dir = "sys/devices/system/memory";
    g.file(&format!("{dir}/block_size_bytes"));
    g.file(&format!("{dir}/auto_online_blocks"));
    for block in g.names(dir) {
        if index_of(&block, "memory").is_none() {
            continue;
        }
        g.file(&format!("{dir}/{block}/state"));
        for child in g.names(&format!("{dir}/{block}")) {
            if index_of(&child, "node").is_some() {
                g.link(&format!("{dir}/{block}/{child}"));
            }
        }
    }
    let dir = "sys/devices/system/node";
    for node in g.names(dir) {
        if index_of(&node, "node").is_some() {
            g.dir(&format!("{dir}/{node}"));
            g.file(&format!("{dir}/{node}/distance"));
        }
    }
}

fn modules(g: &mut Gather) {
    for module in MODULES {
        let dir = format!("sys/module/{module}");
        g.dir(&dir);
        for name in MODULE {
            g.file(&format!("{dir}/{name}"));
        }
        if g.tree.exists(&format!("{dir}/parameters")) {
            for name in g.names(&format!("{dir}/parameters")) {
                g.file(&format!("{dir}/parameters/{name}"));
            }
        }
    }
    if let Ok(release) = g.tree.text("proc/sys/kernel/osrelease") {
        for list in ["modules.dep", "modules.builtin"] {
            let path = format!("lib/modules/{}/{list}", release.trim());
            g.lines(&path, |l| {
                let file = l.split(':').next().unwrap_or_default();
                MODULES.contains(&module_name(file).as_str())
            });
        }
    }
    kernel_options(g);
    for version in g.names(dkms::DIR) {
        g.lines(&dkms::log_of(&version), dkms::is_telling);
    }
    for dir in MODPROBE_DIRS {
        for name in g.names(dir) {
            g.lines(&format!("{dir}/{name}"), |l| {
                let mut words = l.split_whitespace().skip(1);
                words
                    .next()
                    .is_some_and(|w| MODULES.contains(&w.replace('-', "_").as_str()))
            });
        }
    }
}

/// The lines of the kernel's configuration that are about this memory, from the first file that is there.
fn kernel_options(g: &mut Gather) {
    let release = g.tree.text("proc/sys/kernel/osrelease").ok();
    let paths = kconfig::paths(release.as_deref().map(str::trim));
    if let Some(path) = paths.iter().find(|p| g.tree.exists(p)) {
        g.edited(path, kconfig::telling_lines);
    }
}

fn kernel_log(g: &mut Gather) {
    match g.tree.kernel_log() {
        Ok(text) => {
            // One form for all: a host name that the journal put before each line stays out.
            let is_pasted = g.tree.is_pasted();
            let unread = |l| log::unread_for_capture(l).filter(|_| is_pasted);
            let kept = text.lines();
            let kept = kept.filter_map(|l| log::for_capture(l).or_else(|| unread(l)));
            let kept: String = kept.map(|l| l + "\n").collect();
            g.put("dev/kmsg", Entry::File(kept.into_bytes()));
        }
        Err(lack) => g.note("dev/kmsg", lack),
    }
}
