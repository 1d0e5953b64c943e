// SPDX-License-Identifier: GPL-2.0

//! The scenario file as text.

use crate::size::Total as _;
use std::fmt::Write;

use crate::map::Map;
use crate::predict::{Decider, Policy};

use super::expect::{outcomes, Outcome};
use super::guest::Guest;
use super::hardware::{switch_name, Hardware};
use super::scale::UNIT;

/// Writing to a string does not fail: results are dropped.
pub(super) fn text(map: &Map, guest: &Guest) -> String {
    let mut out = head(map, guest);
    hardware(&mut out, guest);
    layout(&mut out, guest);
    modules(&mut out, guest);
    let rust = outcomes(guest, Decider::Rust(guest.layout.policy));
    out.push_str("\n# What daxown predicts for this guest.\n");
    expect(&mut out, "expect", &rust);
    if guest.layout.policy == Policy::Whole {
        let c = outcomes(guest, Decider::C);
        match c.is_empty() {
            true => out.push_str("\n[expect.c]\n"),
            false => expect(&mut out, "expect.c", &c),
        }
    }
    out
}

fn head(map: &Map, guest: &Guest) -> String {
    let mut out = String::from("# SPDX-License-Identifier: GPL-2.0\n#\n");
    let _ = writeln!(
        out,
        "# Made by `daxown scenario` from a machine: what its firmware left behind, not what was done since."
    );
    if !guest.remarks.is_empty() {
        out.push_str("# Not as on the machine:\n");
    }
    for remark in &guest.remarks {
        let _ = writeln!(out, "# - {}", plain(remark));
    }
    let count = |n: usize, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    let windows = guest.windows.iter().filter(|w| w.name.is_some()).count();
    let _ = writeln!(
        out,
        "description = \"A machine with Linux {}: {}, {}, {}\"",
        plain(map.release.as_deref().unwrap_or("of unknown release")),
        count(guest.ranges.len(), "Soft Reserved range"),
        count(windows, "CXL window"),
        count(guest.regions.len(), "committed region"),
    );
    if guest.layout.policy == Policy::Split {
        out.push_str("# The kernel's own modules know no policy.\ndrivers = [\"rust\"]\n");
    }
    out
}

/// Text of a capture, which may hold anything, for a comment or a basic string.
fn plain(text: &str) -> String {
    let odd = |c: char| c.is_control() || c == '"' || c == '\\';
    text.replace(odd, "?")
}

fn hardware(out: &mut String, guest: &Guest) {
    if guest.ram != super::guest::RAM {
        let _ = write!(out, "\n[machine]\nram = \"{}M\"\n", guest.ram >> 20);
    }
    for index in 0..guest.hardware.bridges.len() {
        let name = Hardware::bridge_name(index);
        let _ = write!(out, "\n[[bridge]]\nname = \"{name}\"\n");
    }
    for (index, (_, bridge)) in guest.hardware.switches.iter().enumerate() {
        let (name, on) = (switch_name(index), Hardware::bridge_name(*bridge));
        let _ = write!(out, "\n[[switch]]\nname = \"{name}\"\non = \"{on}\"\n");
    }
    for (index, device) in guest.hardware.devices.iter().enumerate() {
        let members = guest.regions.iter().filter(|r| r.devices.contains(&index));
        let mapped: u64 = members.map(|r| r.size / r.devices.len() as u64).total();
        let room = if device.has_room || mapped == 0 {
            UNIT
        } else {
            0
        };
        let _ = write!(
            out,
            "\n# {}\n[[device]]\nname = \"{}\"\nserial = {:#x}\nsize = \"{}\"\non = \"{}\"\n",
            plain(&device.memdev),
            device.name,
            device.serial,
            size(mapped.saturating_add(room)),
            device.on
        );
        if device.is_pmem {
            out.push_str("kind = \"pmem\"\n");
        }
    }
}

fn layout(out: &mut String, guest: &Guest) {
    for window in &guest.windows {
        let name = window.name.as_deref().unwrap_or("a hole");
        let targets: Vec<String> = window
            .targets
            .iter()
            .map(|t| format!("\"{}\"", Hardware::bridge_name(*t)))
            .collect();
        let _ = write!(
            out,
            "\n# {}\n[[window]]\nsize = \"{}\"\ntargets = [{}]\n",
            plain(name),
            size(window.size),
            targets.join(", ")
        );
        granularity(out, window.granularity);
    }
    for region in &guest.regions {
        let names: Vec<String> = region
            .devices
            .iter()
            .map(|d| format!("\"{}\"", guest.hardware.devices[*d].name))
            .collect();
        let _ = write!(
            out,
            "\n# {}\n[[region]]\nat = \"{}\"\nsize = \"{}\"\ndevices = [{}]\n",
            plain(&region.name),
            address(guest, region.start),
            size(region.size),
            names.join(", ")
        );
        granularity(out, region.granularity);
    }
    for (index, range) in guest.ranges.iter().enumerate() {
        let base = match range.is_outside {
            true => format!("{:#x}", range.start),
            false => address(guest, range.start),
        };
        let _ = write!(
            out,
            "\n# {}\n[[soft_reserved]]\nname = \"{}\"\nbase = \"{base}\"\nsize = \"{}\"\n",
            range.real,
            name(index),
            size(range.size)
        );
        let end = guest.windows.iter().map(|w| w.start + w.size).max();
        if !range.is_outside && end.is_some_and(|e| range.start + range.size > e) {
            out.push_str("unbacked = true\n");
        }
    }
}

/// The lab takes powers of two from 256 to 16K.
fn granularity(out: &mut String, bytes: Option<u64>) {
    let fits = |g: &u64| g.is_power_of_two() && (256..=16384).contains(g);
    if let Some(bytes) = bytes.filter(fits) {
        let _ = writeln!(out, "granularity = {bytes}");
    }
}

fn name(index: usize) -> String {
    format!("sr{index}")
}

/// `4G`, `512M`, or bytes where they are no whole MiB.
fn size(bytes: u64) -> String {
    let whole = |shift: u32| bytes != 0 && bytes % (1 << shift) == 0;
    match bytes {
        _ if whole(30) => format!("{}G", bytes >> 30),
        _ if whole(20) => format!("{}M", bytes >> 20),
        0 => "0".into(),
        _ => format!("{bytes:#x}"),
    }
}

/// `window1+256M`
fn address(guest: &Guest, at: u64) -> String {
    let mut windows = guest.windows.iter().enumerate();
    let inside = windows.rfind(|(_, w)| w.start <= at);
    inside.map_or_else(
        || format!("{at:#x}"),
        |(index, w)| format!("window{index}+{}", size(at - w.start)),
    )
}

fn modules(out: &mut String, guest: &Guest) {
    if guest.is_offline {
        out.push_str("\n[kernel]\nargs = [\"memhp_default_state=offline\"]\n");
    }
    let mut options = Vec::new();
    if guest.layout.policy == Policy::Split {
        options.push("policy=split");
    }
    if guest.layout.is_idle {
        options.push("region_idle=1");
    }
    if !options.is_empty() {
        let _ = write!(
            out,
            "\n[modules.options]\ndax_hmem = \"{}\"\n",
            options.join(" ")
        );
    }
}

fn expect(out: &mut String, key: &str, outcomes: &[Outcome]) {
    for (index, outcome) in outcomes.iter().enumerate() {
        let _ = write!(
            out,
            "\n[{key}.range.{}]\nunowned = {}\n",
            name(index),
            outcome.unowned()
        );
        if outcome.online % (1 << 20) == 0 {
            let _ = writeln!(out, "online = {}", outcome.online >> 20);
        }
        out.push_str("pieces = [\n");
        for piece in &outcome.pieces {
            let _ = writeln!(
                out,
                "  {{ at = \"{}\", size = \"{}\", owner = \"{}\" }},",
                size(piece.at),
                size(piece.size),
                piece.owner
            );
        }
        out.push_str("]\n");
    }
}
