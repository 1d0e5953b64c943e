// SPDX-License-Identifier: GPL-2.0

//! Compares what a guest left with what its scenario expects.

use std::fs;

use anyhow::Result;

use super::crosscheck;
use super::iomem;
use super::log;
use super::Ownership;
use super::RangeReport;
use crate::guest::Boot;
use crate::guest::Capture;
use crate::guest::Outcome;
use crate::guest::Results;
use crate::machine::Ended;
use crate::machine::Layout;
use crate::scenario::DaxExpect;
use crate::scenario::Drivers;
use crate::scenario::Expect;
use crate::scenario::RangeExpect;
use crate::scenario::Scenario;
use crate::scenario::StateExpect;
use crate::scenario::MIB;
use crate::suite::ktap;

/// Lines of the console that are shown of a guest that did not come to its end.
const LAST_LINES: usize = 25;

/// The judgement of one run.
#[derive(Debug)]
pub struct Verdict {
    /// What is wrong; empty is a pass.
    pub faults: Vec<String>,
    /// Reports of the kernel, which are among the faults as well.
    pub reports: Vec<String>,
    /// False if the scenario says nothing about these drivers.
    pub expected: bool,
    /// Test cases of steps that print KTAP, by name of the step.
    pub cases: Vec<(String, Vec<ktap::Case>)>,
    /// Who owns what in the end, if the guest got that far.
    pub ownership: Option<Ownership>,
}

/// Judges a run.
pub fn judge(boot: &Boot<'_>, outcome: &Outcome) -> Result<Verdict> {
    let console = fs::read(boot.dir.console()).unwrap_or_default();
    let console = String::from_utf8_lossy(&console).replace('\r', "");
    let results = &outcome.results;
    let mut faults = Vec::new();
    match &outcome.ended {
        Ended::TimedOut(after) => {
            faults.push(format!("the guest was ended after {} s", after.as_secs()));
        }
        Ended::Exited(status) if !status.success() => {
            let log = fs::read_to_string(boot.dir.path().join("qemu.log")).unwrap_or_default();
            faults.push(format!("QEMU failed ({status}): {}", log.trim()));
        }
        Ended::Exited(_) if !results.complete => {
            faults.push("the guest ended before it was done".to_owned());
        }
        Ended::Exited(_) => {}
    }
    if !results.complete {
        faults.push(format!("its last lines:\n{}", last_lines(&console)));
    }
    faults.extend(results.failed.clone().or(outcome.trouble.clone()));
    let allowed = boot.scenario.allowed(boot.drivers);
    let reports = log::kernel_reports(&format!("{console}\n{}", results.dmesg), &allowed);
    for report in &reports {
        faults.push(format!("the kernel reports: {report}"));
    }
    faults.extend(module_faults(results, boot.drivers));
    let expect = boot.scenario.expect(boot.drivers);
    if let Some(expect) = expect {
        faults.extend(differences(boot.scenario, &boot.layout, expect, results));
    }
    let mut ownership = results
        .end()
        .map(|end| Ownership::of(boot.scenario, &boot.layout, end));
    if let Some(ownership) = &mut ownership {
        ownership.take_reasons(&results.dmesg);
    }
    let archive = boot.dir.output().join("capture/end/daxown.tar.gz");
    if let Some(ownership) = ownership.as_ref().filter(|_| results.complete) {
        match crosscheck::disagreements(&archive, ownership) {
            Ok(found) => faults.extend(found),
            Err(error) => faults.push(format!("{error:#}")),
        }
    }
    Ok(Verdict {
        faults,
        reports,
        cases: cases(boot, results),
        expected: expect.is_some(),
        ownership,
    })
}

/// The cases of each step that prints KTAP; what is absent is a failed case.
fn cases(boot: &Boot<'_>, results: &Results) -> Vec<(String, Vec<ktap::Case>)> {
    let mut all = Vec::new();
    for (index, step) in boot.scenario.steps(boot.drivers).enumerate() {
        let Some(suites) = &step.ktap else { continue };
        let text = results.step_logs.get(&index).map_or("", String::as_str);
        let mut cases = ktap::parse(text);
        let absent = suites
            .iter()
            .filter(|suite| {
                !cases
                    .iter()
                    .any(|case| case.name.starts_with(&format!("{suite}: ")))
            })
            .map(|suite| ktap::Case {
                name: suite.clone(),
                fault: Some("the suite is absent".to_owned()),
            })
            .collect::<Vec<_>>();
        cases.extend(absent);
        if cases.is_empty() {
            cases.push(ktap::Case {
                name: "results".to_owned(),
                fault: Some("there are none".to_owned()),
            });
        }
        all.push((step.name.clone(), cases));
    }
    all
}

fn last_lines(console: &str) -> String {
    let lines: Vec<&str> = console.lines().collect();
    let first = lines.len().saturating_sub(LAST_LINES);
    lines[first..]
        .iter()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The modules under test must be those that were asked for.
fn module_faults(results: &Results, drivers: Drivers) -> Vec<String> {
    let mut faults = Vec::new();
    for module in &results.modules {
        let name = &module.name;
        let ours = module.file.contains("/updates/");
        match drivers {
            Drivers::Rust if !ours => faults.push(format!(
                "modprobe takes {name} from {}, not from updates/",
                module.file
            )),
            Drivers::Rust if module.loaded && !module.out_of_tree => {
                faults.push(format!("the {name} that is loaded is not ours"));
            }
            Drivers::C if ours || (module.loaded && module.out_of_tree) => {
                faults.push(format!("the {name} that is loaded is not the kernel's"));
            }
            Drivers::None if module.loaded => faults.push(format!("{name} is loaded")),
            _ => {}
        }
    }
    faults
}

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
