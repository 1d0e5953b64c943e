// SPDX-License-Identifier: GPL-2.0

//! Problems of the machine as a whole: an old module that runs, files that could not be read.

use super::{listed, remedy, Kind, Problem, Severity};
use crate::dax::Parent;
use crate::log::{self, Event};
use crate::map::Map;
use crate::modules::{Module, Presence};
use crate::range::{subtract, Range};
use crate::size::human;

pub(super) fn diagnose(map: &Map) -> Vec<Problem> {
    let mut out: Vec<Problem> = ["dax_hmem", "dax_cxl"]
        .iter()
        .filter_map(|name| old_module(map, name))
        .collect();
    out.extend(not_built(map));
    out.extend(cxl_not_loaded(map));
    out.extend(no_root(map));
    out.extend(no_memory_map(map));
    out.extend(undeclared(map));
    out.extend(not_in_source(map));
    let (closed, odd): (Vec<_>, Vec<_>) = map.gaps.iter().partition(|g| g.needs_root);
    if let Some(first) = closed.first() {
        out.push(
            Problem::new(Kind::Unreadable, Severity::Warning, first.path.as_str())
                .because(format!(
                    "{} that only root may read: what depends on {} is unknown{}",
                    count(closed.len()),
                    if closed.len() == 1 { "it" } else { "them" },
                    hidden(map),
                ))
                .seen(closed.iter().map(|g| g.path.clone()))
                .fix([remedy::as_root(map)]),
        );
    }
    if let Some(first) = odd.first() {
        out.push(
            Problem::new(Kind::Unreadable, Severity::Warning, first.path.as_str())
                .because(format!(
                    "{} that could not be read or understood",
                    count(odd.len())
                ))
                .seen(odd.iter().map(|g| format!("{}: {}", g.path, g.why))),
        );
    }
    out
}

/// What a resource tree without addresses lists all the same.
fn hidden(map: &Map) -> String {
    match map.in_source.sysfs || map.hidden.is_empty() {
        true => String::new(),
        false => format!("; it lists {} without addresses", listed(&map.hidden)),
    }
}

fn count(n: usize) -> String {
    match n {
        1 => "there is a file".into(),
        _ => format!("there are {n} files"),
    }
}

/// modprobe prefers `updates/`; an initramfs that was made before does not know it.
fn old_module(map: &Map, name: &str) -> Option<Problem> {
    let module = map.module(name)?;
    let file = module.file.as_deref()?;
    if module.presence != Presence::Loaded || module.out_of_tree || !file.starts_with("updates/") {
        return None;
    }
    let release = map.release.as_deref().unwrap_or("$(uname -r)");
    Some(
        Problem::new(Kind::OldModule, Severity::Warning, name)
            .because(format!(
                "{file} is installed, but the kernel's own {name} runs: an initramfs made before carries \
                 the old one, or it was loaded before"
            ))
            .seen([format!("/sys/module/{name}/taint"), format!("/lib/modules/{release}/modules.dep")])
            .fix([
                format!("lsinitramfs /boot/initrd.img-{release} | grep {name}"),
                format!("update-initramfs -u -k {release}"),
                "reboot".into(),
            ]),
    )
}

/// The package is installed, and the kernel's own modules run all the same.
fn not_built(map: &Map) -> Option<Problem> {
    let failed = map.failed_build.as_ref()?;
    let release = map.release.as_deref()?;
    let installed = map.module("dax_hmem").and_then(|m| m.file.as_deref());
    if installed.is_some_and(|file| file.starts_with("updates/")) {
        return None;
    }
    let retry = format!(
        "dkms install -m dax-hmem-rust -v {} -k {release}",
        failed.version
    );
    Some(
        Problem::new(Kind::NotBuilt, Severity::Warning, "dax-hmem-rust-dkms")
            .because(format!(
                "DKMS could not build the modules for {release}, and the kernel's own are used: {}",
                failed.reason
            ))
            .seen([failed.log.clone()])
            .fix(failed.remedy.iter().cloned().chain([retry])),
    )
}

/// There is Soft Reserved memory, or would nobody serve it, and nothing that could be read says where it is.
fn no_memory_map(map: &Map) -> Option<Problem> {
    let is_closed = map.gaps.iter().any(|g| g.needs_root);
    if !map.in_source.sysfs || !map.reserved.is_empty() || map.has_memory_map || is_closed {
        return None;
    }
    let has_hmem = map.module("dax_hmem").is_some_and(Module::is_known);
    let (why, seen) = if map.platform.present {
        (
            "the kernel registered Soft Reserved memory (hmem_platform.0 is there)",
            "/sys/bus/platform/devices/hmem_platform.0",
        )
    } else if map.host.hmem_disabled {
        (
            "device_hmem.disable keeps the kernel from registering Soft Reserved memory, which nobody serves then",
            "/proc/cmdline",
        )
    } else if !map.windows.is_empty() && !has_hmem {
        (
            "there are CXL windows, and no dax_hmem is known for which the kernel would register Soft Reserved memory",
            "/proc/modules",
        )
    } else {
        return None;
    };
    Some(
        Problem::new(Kind::Unreadable, Severity::Warning, "memory map")
            .because(format!(
                "{why}, but no memory map can be read: the log does not have it, and /sys/firmware/memmap is not there; \
                 what is lost cannot be told",
            ))
            .seen([seen])
            .fix([
                "# look again soon after a boot, or with a larger log (log_buf_len=); other kernels than those of x86 \
                 print their map with efi=debug only",
            ]),
    )
}

/// Of a log or a list that somebody pasted: what it does not hold is not known.
fn not_in_source(map: &Map) -> Option<Problem> {
    if map.in_source.sysfs {
        return None;
    }
    let parts = [
        (map.in_source.log, "the kernel log"),
        (map.in_source.iomem, "/proc/iomem"),
        (!map.windows.is_empty(), "CXL windows"),
        (!map.memdevs.is_empty(), "CXL memory devices"),
        (!map.dax.is_empty(), "dax devices"),
        (map.platform.present, "hmem devices"),
        (!map.memory.blocks.is_empty(), "memory blocks"),
    ];
    let lacks: Vec<String> = parts
        .iter()
        .filter(|(is_there, _)| !is_there)
        .map(|(_, what)| (*what).to_string())
        .collect();
    Some(
        Problem::new(Kind::Unreadable, Severity::Warning, "source")
            .because(format!(
                "not in what was given: {}; what depends on them is not known{}",
                listed(&lacks),
                short(map)
            ))
            .fix(["# `daxown capture FILE` on the machine, as root, holds all that is read"]),
    )
}

/// What is known of the lists themselves.
fn short(map: &Map) -> String {
    let lists = map.in_source.lists;
    let words = [
        (
            lists.cut,
            "; a list ends in the middle: what stood behind is not known either",
        ),
        (
            lists.empty,
            "; an empty list was given: the machine that it is of had nothing to list, or who printed it might not see it",
        ),
    ];
    words
        .map(|(is_so, words)| if is_so { words } else { "" })
        .concat()
}

/// Memory of dax devices, and of kmem, that no Soft Reserved range and no region has.
fn undeclared(map: &Map) -> Vec<Problem> {
    let declared = log::has_memory_map(&map.log) || !map.reserved.is_empty();
    if !declared || !map.in_source.sysfs {
        return Vec::new();
    }
    let mut known: Vec<Range> = map.reserved.iter().map(|r| r.range).collect();
    known.extend(
        map.regions
            .iter()
            .filter(|r| r.is_committed())
            .filter_map(|r| r.range),
    );
    let ours = map
        .dax
        .iter()
        .filter(|d| matches!(d.parent, Parent::Hmem(_) | Parent::Region(_)));
    let mut out: Vec<Problem> = Vec::new();
    for d in ours {
        for range in d.ranges.iter().flat_map(|r| subtract(*r, &known)) {
            let windows = map.windows_of(&range);
            let severity = match windows.is_empty() {
                true => Severity::Note,
                false => Severity::Warning,
            };
            let how = match d.driver.as_deref() {
                Some("kmem") => "is System RAM of",
                Some(_) => "is served as a file from",
                None => "has no driver, and lies over",
            };
            let boot = map.boot_ram_in(&range);
            let what = match boot.is_empty() {
                true => "memory that firmware does not declare Soft Reserved",
                false => "memory that is System RAM since boot",
            };
            let mut problem =
                Problem::new(Kind::Undeclared, severity, d.name.as_str()).because(format!(
                    "{} {how} {} of {what}, and no CXL region has it{}",
                    d.name,
                    human(range.len()),
                    if windows.is_empty() {
                        String::new()
                    } else {
                        format!(", in {}", windows.join(" and "))
                    },
                ));
            problem.range = Some(range);
            out.push(problem);
        }
    }
    out
}

/// The probe of cxl_acpi failed: there are no windows, and nothing of CXL can be used.
fn no_root(map: &Map) -> Option<Problem> {
    let is_root =
        |e: &Event| matches!(e, Event::ProbeFailed { driver, .. } if driver == "cxl_acpi");
    let failed = super::dax::lines(map, is_root);
    if failed.is_empty() || !map.windows.is_empty() {
        return None;
    }
    Some(
        Problem::new(Kind::MemdevUnbound, Severity::Warning, "ACPI0017")
            .because(
                "cxl_acpi's probe failed: no CXL window is known, no memory device gets its driver, and no region \
                 can be made; firmware's table of windows (CEDT) may be at fault",
            )
            .seen(failed),
    )
}

/// Without cxl_acpi there are no windows: every range looks as if it lay outside of them.
fn cxl_not_loaded(map: &Map) -> Option<Problem> {
    let module = map.module("cxl_acpi")?;
    let installed = module.presence == Presence::Installed && map.host.has_cxl;
    if !installed || !map.windows.is_empty() || map.reserved.is_empty() {
        return None;
    }
    Some(
        match map.module("dax_hmem").is_some_and(|m| m.is_active()) {
            true => Problem::new(Kind::ModuleNotLoaded, Severity::Note, "cxl_acpi").because(
                "cxl_acpi is not loaded: no CXL window is known, and HMEM takes every range",
            ),
            // Whether it is to be loaded cannot be said before.
            false => Problem::new(Kind::ModuleNotLoaded, Severity::Warning, "cxl_acpi")
                .because("cxl_acpi is not loaded: neither windows nor what is decoded are known"),
        }
        .fix(["modprobe cxl_acpi"]),
    )
}
