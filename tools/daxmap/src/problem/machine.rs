// SPDX-License-Identifier: GPL-2.0

//! Problems of the machine as a whole: an old module that runs, files that could not be read.

use super::{Kind, Problem, Severity};
use crate::map::Map;
use crate::modules::Presence;

pub(super) fn diagnose(map: &Map) -> Vec<Problem> {
    let mut out: Vec<Problem> = ["dax_hmem", "dax_cxl"]
        .iter()
        .filter_map(|name| old_module(map, name))
        .collect();
    out.extend(cxl_not_loaded(map));
    let (closed, odd): (Vec<_>, Vec<_>) = map.gaps.iter().partition(|g| g.needs_root);
    if let Some(first) = closed.first() {
        out.push(
            Problem::new(Kind::Unreadable, Severity::Warning, first.path.as_str())
                .because(format!(
                    "{} that only root may read: what depends on them is unknown",
                    count(closed.len())
                ))
                .seen(closed.iter().map(|g| g.path.clone()))
                .fix(["# run daxown as root"]),
        );
    }
    if let Some(first) = odd.first() {
        out.push(
            Problem::new(Kind::Unreadable, Severity::Warning, first.path.as_str())
                .because(format!("{} that could not be understood", count(odd.len())))
                .seen(odd.iter().map(|g| format!("{}: {}", g.path, g.why))),
        );
    }
    out
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

/// Without cxl_acpi there are no windows: every range looks as if it lay outside of them.
fn cxl_not_loaded(map: &Map) -> Option<Problem> {
    let module = map.module("cxl_acpi")?;
    if module.presence != Presence::Installed || !map.windows.is_empty() || map.reserved.is_empty()
    {
        return None;
    }
    Some(
        Problem::new(Kind::ModuleNotLoaded, Severity::Note, "cxl_acpi")
            .because("cxl_acpi is not loaded: no CXL window is known, and HMEM takes every range")
            .fix(["modprobe cxl_acpi"]),
    )
}
