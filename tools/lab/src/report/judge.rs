// SPDX-License-Identifier: GPL-2.0

//! Compares what a guest left with what its scenario expects.

use std::fs;

use anyhow::Result;

use super::crosscheck;
use super::differences::differences;
use super::log;
use super::predicted;
use super::verbs;
use super::Ownership;
use crate::guest::Boot;
use crate::guest::Outcome;
use crate::guest::Results;
use crate::guest::IN_CXL_TEST;
use crate::machine::Ended;
use crate::scenario::Drivers;
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
    faults.extend(module_faults(results, boot.drivers, boot.has_dax_cxl));
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
    if let Some(ownership) = ownership
        .as_ref()
        .filter(|_| results.complete && boot.verbs)
    {
        faults.extend(daxown_faults(boot, results, ownership));
    }
    Ok(Verdict {
        faults,
        reports,
        cases: cases(boot, results),
        expected: expect.is_some(),
        ownership,
    })
}

/// Where daxown is wrong about the guest, in it or from its capture.
fn daxown_faults(boot: &Boot<'_>, results: &Results, ownership: &Ownership) -> Vec<String> {
    let archive = boot.dir.archive();
    let mut faults = verbs::faults(&results.verbs, &boot.dir.daxown(), &archive);
    let found = crosscheck::disagreements(&archive, ownership);
    let mut diagnosis = results.end().map_or(Ok(Vec::new()), |end| {
        verbs::diagnosis(&results.verbs, ownership, end, boot.drivers)
    });
    if let (Ok(faults), false) = (&mut diagnosis, boot.scenario.report) {
        // Modules that tell nobody leave no cause behind.
        faults.retain(|fault| !fault.contains(verbs::NO_CAUSE));
    }
    let foretold = predicted::faults(boot, &results.verbs);
    for result in [found, diagnosis, foretold] {
        match result {
            Ok(found) => faults.extend(found),
            Err(error) => faults.push(format!("{error:#}")),
        }
    }
    faults
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
fn module_faults(results: &Results, drivers: Drivers, has_dax_cxl: bool) -> Vec<String> {
    let mut faults = Vec::new();
    for module in &results.modules {
        let name = &module.name;
        // The kernel's CXL unit tests bring a dax_hmem in C, which is out of tree as well.
        let of_tests = module.file.contains(&format!("/updates/{IN_CXL_TEST}/"));
        let ours = module.file.contains("/updates/") && !of_tests;
        if name == "dax_cxl" && !has_dax_cxl {
            if module.loaded || !module.file.is_empty() {
                faults.push("there is a dax_cxl, which the kernel has no use for".to_owned());
            }
            continue;
        }
        match drivers {
            Drivers::Rust if !ours => faults.push(format!(
                "modprobe takes {name} from {}, not from updates/",
                module.file
            )),
            Drivers::Rust if module.loaded && !module.out_of_tree => {
                faults.push(format!("the {name} that is loaded is not ours"));
            }
            Drivers::C if ours || (module.loaded && module.out_of_tree && !of_tests) => {
                faults.push(format!("the {name} that is loaded is not the kernel's"));
            }
            Drivers::None if module.loaded => faults.push(format!("{name} is loaded")),
            _ => {}
        }
    }
    faults
}
