// SPDX-License-Identifier: GPL-2.0

//! Turns a scenario file into a `Scenario`, or says in which line it cannot be.

use std::path::Path;

use toml::Spanned;

use super::expect;
use super::fault::Faults;
use super::hardware::machine;
use super::names::Names;
use super::places;
use super::raw::Raw;
use super::regions::regions;
use super::reserved::soft_reserved;
use super::Action;
use super::Boot;
use super::Drivers;
use super::Scenario;
use super::Step;

/// Seconds for a step that does not say.
const STEP_SECONDS: u64 = 60;

/// Parses and checks `text`.
pub fn scenario(path: &Path, text: &str) -> Result<Scenario, Faults> {
    let raw: Raw = toml::from_str(text).map_err(|error| Faults::syntax(path, text, &error))?;
    let raw = raw.with_defaults();
    let mut faults = Faults::new(path, text);
    let machine = machine(&raw, &mut faults);
    let regions = regions(&raw, &machine, &mut faults);
    let soft_reserved = soft_reserved(&raw, &machine, &mut faults);
    let steps = steps(&raw, &mut faults);
    let allow = expect::allowed(&raw.allow, &mut faults);
    let captures: Vec<&str> = steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Capture(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let scope = expect::Scope {
        ranges: &soft_reserved,
        windows: machine.windows.len(),
        captures: &captures,
    };
    let (expect, expect_c) = expect::expectations(&raw.expect, &scope, &mut faults);
    if raw.description.get_ref().trim().is_empty() {
        faults.at(&raw.description, "the description is empty");
    }
    if raw.flavor.get_ref().contains(['/', '.']) || raw.flavor.get_ref().is_empty() {
        faults.at(
            &raw.flavor,
            "a flavour is the name of a file in tests/flavors, without .config",
        );
    }
    for arg in &raw.kernel.args {
        if arg.get_ref().contains('\n') {
            faults.at(arg, "a kernel parameter cannot contain a line break");
        }
        places::check(arg, machine.windows.len(), &mut faults);
    }
    for value in raw.modules.options.values() {
        places::check(value, machine.windows.len(), &mut faults);
    }
    for need in &raw.kernel.needs {
        let (name, value) = need.get_ref().split_once('=').unwrap_or_default();
        if !name.starts_with("CONFIG_") || value.is_empty() {
            faults.at(need, "a line of a configuration, such as CONFIG_KUNIT=y");
        }
    }
    let drivers = drivers(&raw, &mut faults);
    let name = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    faults.into_result(Some(Scenario {
        name,
        path: path.to_path_buf(),
        description: raw.description.get_ref().trim().to_owned(),
        flavor: raw.flavor.get_ref().clone(),
        timeout: raw.timeout.as_ref().map(|timeout| *timeout.get_ref()),
        drivers,
        holds: raw.holds,
        check: raw.check,
        captured: raw.captured,
        unpredicted: raw.unpredicted,
        machine,
        regions,
        soft_reserved,
        kernel_args: raw
            .kernel
            .args
            .iter()
            .map(|arg| arg.get_ref().clone())
            .collect(),
        needs: raw
            .kernel
            .needs
            .iter()
            .map(|need| need.get_ref().clone())
            .collect(),
        cxl_test: raw.modules.cxl_test,
        report: raw.modules.report,
        hold: raw
            .modules
            .hold
            .iter()
            .map(|name| name.get_ref().clone())
            .collect(),
        test_modules: raw
            .modules
            .test
            .iter()
            .map(|name| name.get_ref().clone())
            .collect(),
        options: raw
            .modules
            .options
            .iter()
            .map(|(name, value)| (name.clone(), value.get_ref().clone()))
            .collect(),
        steps,
        allow,
        expect,
        expect_c,
    }))
}

fn drivers(raw: &Raw, faults: &mut Faults) -> Vec<Drivers> {
    let Some(drivers) = &raw.drivers else {
        return vec![Drivers::Rust, Drivers::C];
    };
    if drivers.get_ref().is_empty() {
        faults.at(drivers, "no drivers: leave the key out, or name rust or c");
    }
    drivers.get_ref().clone()
}

fn steps(raw: &Raw, faults: &mut Faults) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut captures = Names::default();
    for step in &raw.step {
        let mut actions = Vec::new();
        if let Some(text) = &step.run {
            actions.push(Action::Run(text.clone(), step.exit));
        }
        if let Some(text) = &step.wait {
            actions.push(Action::Wait(text.clone()));
        }
        if let Some(json) = &step.qmp {
            match serde_json::from_str(json.get_ref()) {
                Ok(value) => actions.push(Action::Qmp(value)),
                Err(error) => {
                    faults.at(json, format!("not JSON: {error}"));
                    continue;
                }
            }
        }
        if let Some(boot) = step.boot {
            let kept = |arg: &Spanned<String>| arg.get_ref().starts_with("crashkernel=");
            if boot == Boot::Crash && !raw.kernel.args.iter().any(kept) {
                faults.at(
                    &step.name,
                    "a crash needs memory for the next kernel: kernel.args = [\"crashkernel=...\"]",
                );
            }
            actions.push(Action::Boot(boot));
        }
        if let Some(name) = &step.capture {
            captures.add(name, faults);
            actions.push(Action::Capture(name.get_ref().clone()));
        }
        if let Some(test) = &step.selftest {
            if test
                .get_ref()
                .split(':')
                .filter(|part| !part.is_empty())
                .count()
                != 2
            {
                faults.at(test, "a selftest is named `collection:test`");
            }
            actions.push(Action::Selftest(test.get_ref().clone()));
        }
        let (Some(action), None) = (actions.pop(), actions.pop()) else {
            faults.at(
                &step.name,
                "a step has exactly one of run, wait, selftest, qmp, boot, capture",
            );
            continue;
        };
        if step.exit != 0 && !matches!(action, Action::Run(..)) {
            faults.at(&step.name, "only `run` has an exit status");
        }
        let ktap = match &action {
            Action::Selftest(_) => Some(Vec::new()),
            Action::Run(..) => step.ktap.clone(),
            _ => {
                if step.ktap.is_some() {
                    faults.at(&step.name, "only the output of `run` can be KTAP");
                }
                None
            }
        };
        steps.push(Step {
            ktap,
            name: step.name.get_ref().clone(),
            action,
            within: step.within.unwrap_or(STEP_SECONDS),
            only: step.only,
        });
    }
    steps
}
