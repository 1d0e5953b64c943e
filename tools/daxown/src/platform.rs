// SPDX-License-Identifier: GPL-2.0

//! `daxown doctor --platform`: whether firmware, kernel and modules can serve such memory at all.

use std::process::ExitCode;

use anyhow::Result;
use daxmap::cxl::Window;
use daxmap::modules::{Drivers, Presence};
use daxmap::predict::Layout;
use daxmap::topology::Topology;
use daxmap::{Map, Range, Tree};
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
    let cmdline = tree.text("proc/cmdline").unwrap_or_default();
    let topology = Topology::read(tree, map);
    let mut out = vec![reserved(map, &cmdline), switched_off(&cmdline)];
    out.extend(modules(map));
    out.push(windows(map));
    out.push(plain_ram(map));
    out.push(alignment(tree, map));
    out.extend(nodes(tree, map));
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

fn reserved(map: &Map, cmdline: &str) -> CheckDoc {
    let bytes: u64 = map.reserved.iter().map(|r| r.range.len()).sum();
    if bytes > 0 {
        let n = map.reserved.len();
        let text = format!(
            "firmware marks {} Soft Reserved, in {n} range{}",
            human(bytes),
            if n == 1 { "" } else { "s" }
        );
        return check("firmware", Outcome::Ready, text);
    }
    let refused = cmdline
        .split_whitespace()
        .any(|w| w.contains("nosoftreserve"));
    if refused {
        return check(
            "firmware",
            Outcome::Poor,
            "efi=nosoftreserve is on the command line: such memory is plain RAM from boot on",
        );
    }
    let has_map = daxmap::log::has_memory_map(&map.log) || tree_has(map);
    if !has_map {
        return check(
            "firmware",
            Outcome::Unknown,
            "the boot memory map is not in the kernel log any more, nor in /sys/firmware/memmap",
        );
    }
    check(
        "firmware",
        Outcome::Poor,
        "firmware marks nothing Soft Reserved (EFI_MEMORY_SP): look for the option for special purpose memory in its \
         setup, or make CXL regions by hand",
    )
}

/// Whether something else than the log would show Soft Reserved memory.
fn tree_has(map: &Map) -> bool {
    map.platform.present || map.iomem.iter().any(|r| r.name == "Soft Reserved")
}

fn switched_off(cmdline: &str) -> CheckDoc {
    let bad: Vec<&str> = cmdline
        .split_whitespace()
        .filter(|w| w.starts_with("hmem.disable") || w.contains("nosoftreserve"))
        .collect();
    match bad.is_empty() {
        true => check(
            "command",
            Outcome::Ready,
            "nothing on the command line switches it off",
        ),
        false => check(
            "command",
            Outcome::Missing,
            format!("on the command line: {}", bad.join(" ")),
        ),
    }
}

fn modules(map: &Map) -> Vec<CheckDoc> {
    let one = |name: &str, what: &str, need: Outcome| {
        let presence = map.module(name).map_or(Presence::Unknown, |m| m.presence);
        match presence {
            Presence::Loaded | Presence::BuiltIn => check(name, Outcome::Ready, what),
            Presence::Installed => check(
                name,
                Outcome::Poor,
                format!("not loaded: {what}; modprobe {name}"),
            ),
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

fn windows(map: &Map) -> CheckDoc {
    let size: u64 = map.windows.iter().filter_map(|w| w.size).sum();
    match (map.windows.len(), map.memdevs.len()) {
        (0, 0) => check("windows", Outcome::Poor, "no CXL window and no CXL memory device is known"),
        (0, n) => check("windows", Outcome::Poor, format!("{n} CXL memory devices, and no window: the CEDT of the firmware has none, or cxl_acpi is not loaded")),
        (n, devices) => check("windows", Outcome::Ready, format!("{n} window{} of {} in all, {devices} memory device{}", plural(n), human(size), plural(devices))),
    }
}

fn plural(n: usize) -> &'static str {
    if n == 1 {
        ""
    } else {
        "s"
    }
}

/// Firmware that gives CXL memory as plain RAM leaves nothing to decide.
fn plain_ram(map: &Map) -> CheckDoc {
    let inside: Vec<Range> = map
        .iomem
        .iter()
        .filter(|r| r.name == "System RAM")
        .filter(|r| {
            map.windows
                .iter()
                .any(|w| w.range.is_some_and(|w| w.overlaps(&r.range)))
        })
        .map(|r| r.range)
        .collect();
    match inside.first() {
        None => check(
            "plain RAM",
            Outcome::Ready,
            "no CXL window holds System RAM since boot",
        ),
        Some(first) => {
            let bytes: u64 = inside.iter().map(Range::len).sum();
            let text = format!(
                "{} in CXL windows are System RAM since boot (first at {first}): firmware gave them so, and no driver \
                 can take them back; its option for special purpose memory changes that",
                human(bytes)
            );
            check("plain RAM", Outcome::Poor, text)
        }
    }
}

/// What the edges of ranges cost.
fn alignment(tree: &Tree, map: &Map) -> CheckDoc {
    let layout = Layout::read(tree, map);
    let block = layout.block_size;
    let mut off = Vec::new();
    for range in &layout.reserved {
        let inside = range.aligned_inside(block);
        let used = inside.map_or(0, |r| r.len());
        if used < range.len() {
            let at = match inside {
                Some(inside) => {
                    let ends = [
                        (inside.start - range.start, "start"),
                        (range.end - inside.end, "end"),
                    ];
                    let lost = ends.iter().filter(|(bytes, _)| *bytes > 0);
                    lost.map(|(bytes, side)| format!("{} at its {side}", human(*bytes)))
                        .collect::<Vec<_>>()
                        .join(", ")
                }
                None => "all of it".into(),
            };
            off.push(format!("{range} ({at})"));
        }
    }
    match off.is_empty() {
        true => check(
            "alignment",
            Outcome::Ready,
            format!(
                "every range begins and ends at a memory block of {}",
                human(block)
            ),
        ),
        false => check(
            "alignment",
            Outcome::Poor,
            format!(
                "memory blocks are {}; what lies outside of whole ones cannot be System RAM: {}",
                human(block),
                off.join("; ")
            ),
        ),
    }
}

/// The node of each window.
fn nodes(tree: &Tree, map: &Map) -> Vec<CheckDoc> {
    let layout = Layout::read(tree, map);
    let node = |w: &Window| {
        let name = w.name.as_deref().unwrap_or(&w.decoder);
        Some((name.to_string(), layout.node_at(w.range?.start)))
    };
    let found: Vec<String> = map
        .windows
        .iter()
        .filter_map(node)
        .map(|(name, node)| match node {
            Some(node) => format!("{name}: node {node}"),
            None => format!("{name}: not told by SRAT, and nothing is served there yet"),
        })
        .collect();
    match found.is_empty() {
        true => Vec::new(),
        false => vec![check("nodes", Outcome::Ready, found.join("; "))],
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
        0 if !map.windows.is_empty() => check(
            "locks",
            Outcome::Unknown,
            "whether decoders are locked cannot be read",
        ),
        _ => check("locks", Outcome::Ready, "no root decoder is locked"),
    }
}
