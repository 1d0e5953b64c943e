// SPDX-License-Identifier: GPL-2.0

//! `daxown doctor --platform`: whether firmware, kernel and modules can serve such memory at all.

mod options;
mod place;

use daxmap::size::Total as _;
use std::process::ExitCode;

use anyhow::Result;
use daxmap::log::Event;
use daxmap::modules::{Drivers, Presence};
use daxmap::problem::refusal;
use daxmap::topology::Topology;
use daxmap::{Map, Tree};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Global;
use crate::json::{self, Machine};
use crate::show::{self, human, Lines, Look};

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should be.
    Ready,
    /// Cannot be known from what could be read.
    Unknown,
    /// It costs something, or will.
    Poor,
    /// Without it nothing works.
    Missing,
}

/// One check.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckDoc {
    /// What was looked at.
    pub what: String,
    /// How it went.
    pub result: Outcome,
    /// What was found, and what to do about it.
    pub text: String,
}

/// `daxown doctor --platform -J`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PlatformDoc {
    /// `daxown-platform-1`.
    pub schema: String,
    /// The machine.
    pub machine: Machine,
    /// 0 ready, 1 something is poor or unknown, 2 something is missing.
    pub status: u8,
    /// The checks in order.
    pub checks: Vec<CheckDoc>,
}

pub fn run(global: &Global) -> Result<ExitCode> {
    let tree = Tree::open(global.path()?)?;
    let map = Map::read(&tree);
    let checks = checks(&tree, &map);
    let worst = checks.iter().map(|c| c.result).max();
    let status = match worst {
        Some(Outcome::Missing) => 2,
        Some(Outcome::Poor | Outcome::Unknown) => 1,
        _ => 0,
    };
    let look = Look::new(global);
    let text = match global.json {
        true => json::text(&PlatformDoc {
            schema: "daxown-platform-1".into(),
            machine: Machine::of(&map),
            status,
            checks,
        })?,
        false => checks.iter().map(|c| render(c, &look)).collect(),
    };
    crate::print(&text)?;
    Ok(ExitCode::from(status))
}

fn render(check: &CheckDoc, look: &Look) -> String {
    let (word, style) = match check.result {
        Outcome::Ready => ("ready", show::state_style("online")),
        Outcome::Unknown => ("unknown", show::state_style("unknown")),
        Outcome::Poor => ("poor", show::state_style("partial")),
        Outcome::Missing => ("missing", show::state_style("failed")),
    };
    let head = look.paint(style, &format!("{word:8}"));
    // The word stands in front of the label: what is broken into lines moves as far.
    let narrow = Look {
        width: look.width.map(|w| w.saturating_sub(6)),
        ..*look
    };
    let lines = show::block(&check.what, &[&check.text], &narrow, Lines::Prose);
    let lines = lines.trim_start().replace("\n  ", "\n        ");
    format!("{head}{lines}")
}

fn checks(tree: &Tree, map: &Map) -> Vec<CheckDoc> {
    let topology = Topology::read(tree, map);
    let mut out = vec![reserved(map), switched_off(tree, map)];
    out.extend(options::checks(tree, map));
    out.extend(modules(map));
    out.push(windows(map));
    out.push(place::plain_ram(map));
    out.push(place::alignment(tree, map));
    out.extend(place::nodes(tree, map));
    out.push(locks(map, &topology));
    out
}

fn check(what: &str, result: Outcome, text: impl Into<String>) -> CheckDoc {
    CheckDoc {
        what: what.into(),
        result,
        text: text.into(),
    }
}

fn reserved(map: &Map) -> CheckDoc {
    let bytes: u64 = map.reserved.iter().map(|r| r.range.len()).total();
    if bytes > 0 {
        let n = map.reserved.len();
        let text = format!(
            "firmware marks {} Soft Reserved, in {n} range{}",
            human(bytes),
            if n == 1 { "" } else { "s" }
        );
        return check("firmware", Outcome::Ready, text);
    }
    if map.host.no_soft_reserve {
        return check(
            "firmware",
            Outcome::Poor,
            "efi=nosoftreserve is on the command line: such memory is plain RAM from boot on",
        );
    }
    if let Some(why) = show::unread(map).filter(|_| map.in_source.unread) {
        return check("firmware", Outcome::Unknown, why);
    }
    if !map.has_memory_map {
        let text = match map.in_source.sysfs {
            true => {
                "the boot memory map is not in the kernel log any more, nor in /sys/firmware/memmap"
            }
            false => "the boot memory map is not in what was given",
        };
        return check("firmware", Outcome::Unknown, text);
    }
    check(
        "firmware",
        Outcome::Poor,
        "firmware marks nothing Soft Reserved (EFI_MEMORY_SP): look for the option for special purpose memory in its \
         setup, or make CXL regions by hand",
    )
}

/// What keeps the kernel from telling dax_hmem of such memory.
fn switched_off(tree: &Tree, map: &Map) -> CheckDoc {
    let mut bad = Vec::new();
    if map.host.hmem_disabled {
        bad.push("device_hmem.disable (the kernel registers no Soft Reserved range)");
    }
    if map.host.no_soft_reserve {
        bad.push("efi=nosoftreserve (such memory is plain RAM from boot on)");
    }
    let text = "to be removed from the kernel command line: ";
    if !bad.is_empty() {
        return check(
            "command",
            Outcome::Missing,
            format!("{text}{}", bad.join(" and ")),
        );
    }
    match tree.exists("proc/cmdline") {
        true => check(
            "command",
            Outcome::Ready,
            "nothing on the command line switches it off",
        ),
        false => check(
            "command",
            Outcome::Unknown,
            format!("the kernel command line is not {}", readable(map)),
        ),
    }
}

/// Where something is not that cannot be known.
fn readable(map: &Map) -> &'static str {
    match map.in_source.sysfs {
        true => "readable",
        false => "in what was given",
    }
}

fn modules(map: &Map) -> Vec<CheckDoc> {
    let without_cxl = is_without_cxl(map);
    let one = |name: &str, what: &str, need: Outcome| {
        let presence = map.module(name).map_or(Presence::Unknown, |m| m.presence);
        match presence {
            Presence::Loaded | Presence::BuiltIn => match refused(map, name) {
                Some(device) => check(
                    name,
                    Outcome::Poor,
                    format!("its probe of {device} failed, see the kernel log: {what}"),
                ),
                None => check(name, Outcome::Ready, what),
            },
            Presence::Installed | Presence::Absent if without_cxl && name.contains("cxl") => check(
                name,
                Outcome::Ready,
                "not needed: ACPI declares no CXL (ACPI0017)",
            ),
            Presence::Installed => {
                let load = format!("modprobe {name}");
                let text = match refusal(map, std::slice::from_ref(&load)) {
                    Some(_) => format!("not loaded: {what}; see `daxown doctor` before it is"),
                    None => format!("not loaded: {what}; {load}"),
                };
                check(name, Outcome::Poor, text)
            }
            Presence::Absent => check(name, need, format!("the kernel does not have it: {what}")),
            Presence::Unknown => check(
                name,
                Outcome::Unknown,
                format!("whether it is there cannot be read: {what}"),
            ),
        }
    };
    let mut out = vec![
        one(
            "dax_hmem",
            "takes Soft Reserved ranges without a region",
            Outcome::Missing,
        ),
        one("kmem", "makes System RAM of dax devices", Outcome::Missing),
        one("dax_cxl", "serves CXL regions", Outcome::Poor),
        one("cxl_acpi", "finds CXL windows", Outcome::Poor),
        one("cxl_pci", "finds CXL memory devices", Outcome::Poor),
        one("cxl_port", "finds decoders", Outcome::Poor),
        one("cxl_mem", "drives CXL memory devices", Outcome::Poor),
    ];
    if map.without_regions {
        out.push(check("regions", Outcome::Poor, "the kernel was built without CONFIG_CXL_REGION: regions that firmware committed are not seen"));
    }
    if let Drivers::Stock = map.drivers {
        out.push(check(
            "drivers",
            Outcome::Ready,
            "the kernel's own run; `daxown predict` says what the Rust ones would bring",
        ));
    }
    out
}

/// A device that a driver failed to probe, and that has no driver as far as is known.
fn refused<'a>(map: &'a Map, driver: &str) -> Option<&'a str> {
    let failed = map.log.iter().filter_map(|m| match &m.event {
        Event::ProbeFailed {
            device, driver: d, ..
        } if d == driver => Some(device.as_str()),
        _ => None,
    });
    let is_mended = |device: &&str| match driver {
        "cxl_acpi" => !map.windows.is_empty(),
        "cxl_pci" => map
            .memdevs
            .iter()
            .any(|m| m.pci.as_deref() == Some(*device)),
        "cxl_mem" => map.memdevs.iter().any(|m| m.name == *device && m.bound),
        _ => true,
    };
    failed.into_iter().find(|d| !is_mended(d))
}

/// Whether firmware is known to declare no CXL at all.
fn is_without_cxl(map: &Map) -> bool {
    map.in_source.sysfs && !map.host.has_cxl && map.windows.is_empty() && map.memdevs.is_empty()
}

fn windows(map: &Map) -> CheckDoc {
    let size: u64 = map.windows.iter().filter_map(|w| w.size).total();
    let given = map.in_source.sysfs;
    let devices = |n: usize| match (n, given) {
        (0, false) => "the memory devices are not in what was given".to_string(),
        _ => format!("{n} memory device{}", plural(n)),
    };
    match (map.windows.len(), map.memdevs.len()) {
        (0, _) if !given => check(
            "windows",
            Outcome::Unknown,
            format!("no CXL window is in what was given; {}", devices(map.memdevs.len())),
        ),
        (0, 0) if is_without_cxl(map) => {
            check("windows", Outcome::Ready, "ACPI declares no CXL (ACPI0017)")
        }
        (0, 0) => check("windows", Outcome::Poor, "no CXL window and no CXL memory device is known"),
        (0, n) if refused(map, "cxl_acpi").is_some() => check(
            "windows",
            Outcome::Poor,
            format!("{n} CXL memory devices, and no window: the probe of cxl_acpi failed"),
        ),
        (0, n) => check("windows", Outcome::Poor, format!("{n} CXL memory devices, and no window: the CEDT of the firmware has none, or cxl_acpi is not loaded")),
        (n, known) => check("windows", Outcome::Ready, format!("{n} window{} of {} in all, {}", plural(n), human(size), devices(known))),
    }
}

fn plural(n: usize) -> &'static str {
    if n == 1 {
        ""
    } else {
        "s"
    }
}

/// A locked decoder cannot be given another region before a reboot.
fn locks(map: &Map, topology: &Topology) -> CheckDoc {
    let known = topology.reaches.values().filter_map(|r| r.is_locked);
    let locked: Vec<&str> = topology
        .reaches
        .iter()
        .filter(|(_, r)| r.is_locked == Some(true))
        .map(|(name, _)| name.as_str())
        .collect();
    if !locked.is_empty() {
        return check(
            "locks",
            Outcome::Poor,
            format!(
                "locked by firmware: {}; regions there cannot be changed",
                locked.join(", ")
            ),
        );
    }
    match known.count() {
        0 if !map.windows.is_empty() || !map.in_source.sysfs => check(
            "locks",
            Outcome::Unknown,
            format!("whether decoders are locked is not {}", readable(map)),
        ),
        _ => check("locks", Outcome::Ready, "no root decoder is locked"),
    }
}
