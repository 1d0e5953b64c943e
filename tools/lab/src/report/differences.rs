// SPDX-License-Identifier: GPL-2.0

//! What a guest's states and log have different from what is expected.

use super::iomem;
use super::Ownership;
use super::RangeReport;
use crate::guest::Capture;
use crate::guest::Results;
use crate::machine::Layout;
use crate::scenario::DaxExpect;
use crate::scenario::Expect;
use crate::scenario::RangeExpect;
use crate::scenario::Scenario;
use crate::scenario::StateExpect;
use crate::scenario::MIB;

/// Everything that is not as expected.
pub fn differences(
    scenario: &Scenario,
    layout: &Layout,
    expect: &Expect,
    results: &Results,
) -> Vec<String> {
    let mut faults = Vec::new();
    let named = expect
        .at
        .iter()
        .map(|(name, state)| (name.as_str(), state))
        .chain([("end", &expect.end)]);
    for (name, state) in named {
        let Some(capture) = results.captures.get(name) else {
            faults.push(format!("there is no capture `{name}`"));
            continue;
        };
        let prefix = if name == "end" {
            String::new()
        } else {
            format!("at {name}: ")
        };
        faults.extend(
            state_faults(scenario, layout, state, capture)
                .into_iter()
                .map(|fault| format!("{prefix}{fault}")),
        );
    }
    for wanted in &expect.log {
        if !results.dmesg.lines().any(|line| wanted.is_match(line)) {
            faults.push(format!("the log has no line like `{wanted}`"));
        }
    }
    for unwanted in &expect.no_log {
        if let Some(line) = results.dmesg.lines().find(|line| unwanted.is_match(line)) {
            faults.push(format!("the log must not have `{line}`"));
        }
    }
    faults
}

fn state_faults(
    scenario: &Scenario,
    layout: &Layout,
    expect: &StateExpect,
    capture: &Capture,
) -> Vec<String> {
    let ownership = Ownership::of(scenario, layout, capture);
    let mut faults = Vec::new();
    for (name, wanted) in &expect.ranges {
        if let Some(range) = ownership.range(name) {
            faults.extend(range_faults(range, wanted));
        }
    }
    if let Some(excerpt) = &expect.iomem {
        faults.extend(iomem::compare(&capture.iomem, excerpt, layout));
    }
    if let Some(dax) = &expect.dax {
        faults.extend(dax_faults(dax, layout, capture));
    }
    faults
}

fn range_faults(range: &RangeReport, wanted: &RangeExpect) -> Vec<String> {
    let mut faults = Vec::new();
    let name = &range.name;
    let mut differ = |what: &str, wanted: String, found: String| {
        if wanted != found {
            faults.push(format!("{name}: {what} is {found}, not {wanted}"));
        }
    };
    if let Some(owner) = wanted.owner {
        let found: Vec<&str> = range
            .owners()
            .into_iter()
            .map(super::ownership::name)
            .collect();
        differ(
            "the owner",
            super::ownership::name(owner).to_owned(),
            found.join(" and "),
        );
    }
    if let Some(online) = wanted.online {
        let mib = |bytes: u64| format!("{} MiB", bytes as f64 / MIB as f64);
        differ("memory online", mib(online * MIB), mib(range.online()));
    }
    let bytes = |bytes: u64| format!("{} KiB", bytes as f64 / 1024.0);
    differ(
        "memory without an owner",
        bytes(wanted.unowned),
        bytes(range.unowned()),
    );
    for piece in &wanted.pieces {
        let (start, end) = (
            range.start + piece.offset,
            range.start + piece.offset + (piece.size - 1),
        );
        let inside = |part: &&super::Part| part.start <= end && start <= part.end;
        let parts: Vec<_> = range.parts.iter().filter(inside).collect();
        for part in &parts {
            differ(
                &format!("the owner at +{:#x}", part.start.max(start) - range.start),
                super::ownership::name(piece.owner).to_owned(),
                super::ownership::name(part.owner).to_owned(),
            );
        }
        if let Some(online) = piece.online {
            let exact = parts
                .iter()
                .all(|part| start <= part.start && part.end <= end);
            let found: u64 = parts.iter().map(|part| part.online).sum();
            let found = if exact {
                format!("{} MiB", found as f64 / MIB as f64)
            } else {
                "in a device that reaches beyond the piece".to_owned()
            };
            differ(
                &format!("memory online at +{:#x}", piece.offset),
                format!("{online} MiB"),
                found,
            );
        }
    }
    faults
}

fn dax_faults(wanted: &[DaxExpect], layout: &Layout, capture: &Capture) -> Vec<String> {
    let mut faults = Vec::new();
    let mut left: Vec<_> = capture.dax.iter().collect();
    for wanted in wanted {
        let found = left.iter().position(|device| {
            let path = device.path.trim_start_matches("/sys/devices/");
            super::glob(&wanted.path, path)
                && wanted.at.is_none_or(|at| {
                    device.ranges.first().map(|range| range.0) == Some(layout.resolve(at))
                })
                && wanted.size.is_none_or(|size| {
                    size == device
                        .ranges
                        .iter()
                        .map(|range| range.1 - range.0 + 1)
                        .sum::<u64>()
                })
                && wanted
                    .driver
                    .as_ref()
                    .is_none_or(|driver| *driver == device.driver)
                && wanted
                    .target_node
                    .is_none_or(|node| device.target_node == Some(node))
        });
        match found {
            Some(index) => {
                left.remove(index);
            }
            None => faults.push(format!("there is no DAX device {wanted:?}")),
        }
    }
    for device in left {
        faults.push(format!(
            "unexpected DAX device {} ({})",
            device.name, device.path
        ));
    }
    faults
}
