// SPDX-License-Identifier: GPL-2.0

//! Showing a plan, asking, and carrying it out.

use std::io::{stdin, stdout, BufRead, IsTerminal, Write};
use std::process::{Command, ExitCode};

use anyhow::{bail, Context, Result};
use daxmap::{Map, Tree};

use super::step::{Back, Step, Who};
use crate::cli::Global;
use crate::show::{self, Look};

/// How a plan is carried out.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct How {
    /// Show the plan, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long, conflicts_with = "dry_run")]
    pub yes: bool,
    /// Print the plan as a shell script that ends at the first step that fails
    #[arg(long, conflicts_with_all = ["dry_run", "yes"])]
    pub script: bool,
}

/// The steps about one thing.
pub struct Plan {
    /// What it is about; also how it is found again later.
    pub title: String,
    pub steps: Vec<Step>,
    /// What is for people.
    pub remarks: Vec<String>,
}

impl Plan {
    fn own(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|s| s.who == Who::Daxown)
    }

    /// Without the administrator it cannot be brought to its end.
    fn is_ours(&self) -> bool {
        self.own().next().is_some() && self.steps.iter().all(|s| s.who != Who::Administrator)
    }
}

/// What a plan is about, once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// It is as when the plan was made.
    Same,
    /// It is there, and would take other steps by now.
    Changed,
    /// It is no longer so.
    Gone,
}

/// Shows the plans of a verb, asks, and runs them; `now` looks at what a plan is about once more.
pub fn carry_out(
    global: &Global,
    tree: &Tree,
    how: &How,
    verb: &str,
    plans: Vec<Plan>,
    now: &dyn Fn(&Map, &Plan) -> Now,
) -> Result<ExitCode> {
    let look = Look::new(global);
    if how.script {
        crate::print(&script(&plans, verb))?;
        return Ok(ExitCode::SUCCESS);
    }
    crate::print(&shown(&plans, &look))?;
    if how.dry_run {
        return Ok(ExitCode::SUCCESS);
    }
    let (ours, theirs): (Vec<&Plan>, Vec<&Plan>) = plans.iter().partition(|p| p.is_ours());
    if ours.is_empty() {
        return remaining(&theirs);
    }
    if !tree.is_live() {
        bail!("a captured machine cannot be changed: use --dry-run, or --script for a script to take there");
    }
    if !how.yes && !asked(&ours)? {
        return Ok(ExitCode::from(1));
    }
    let mut is_left = false;
    for plan in ours {
        // A plan before it may have changed the names that this one was made with.
        match now(&Map::read(tree), plan) {
            Now::Same => {}
            Now::Gone => {
                crate::print(&format!("{}: no longer so\n", plan.title))?;
                continue;
            }
            Now::Changed => {
                crate::print(&format!(
                    "{}: the steps that were shown are no longer right; run it again for new ones\n",
                    plan.title
                ))?;
                return Ok(ExitCode::from(1));
            }
        }
        if let Err(failure) = execute(tree, plan) {
            crate::print(&failure)?;
            return Ok(ExitCode::from(1));
        }
        if now(&Map::read(tree), plan) != Now::Gone {
            crate::print(&format!(
                "{}: every step worked, and it is still so\n",
                plan.title
            ))?;
            is_left = true;
        }
    }
    // What was done may have mended these as well.
    let map = Map::read(tree);
    let theirs: Vec<&Plan> = theirs
        .into_iter()
        .filter(|p| now(&map, p) != Now::Gone)
        .collect();
    let status = remaining(&theirs)?;
    Ok(match is_left {
        true => ExitCode::from(1),
        false => status,
    })
}

/// Says what is left to the administrator; it is a problem as long as it is there.
fn remaining(plans: &[&Plan]) -> Result<ExitCode> {
    if plans.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for plan in plans {
        let what = match plan.steps.is_empty() {
            true if plan.remarks.is_empty() => "no remedy is known",
            true => "it takes more than a command",
            false => "its steps are yours to decide",
        };
        crate::print(&format!("left to you: {}: {what}\n", plan.title))?;
    }
    Ok(ExitCode::from(1))
}

/// Why a plan has no step.
fn without_step(plan: &Plan) -> &'static str {
    match plan.remarks.is_empty() {
        true => "no step: no remedy is known; `daxown doctor` tells the cause",
        false => "no step that daxown can do: it takes what is said above",
    }
}

/// The plan for people.
fn shown(plans: &[Plan], look: &Look) -> String {
    if plans.is_empty() {
        return "Nothing to do.\n".into();
    }
    let mut out = String::new();
    for plan in plans {
        out.push_str(&format!("{}\n", look.bold(&plan.title)));
        for remark in &plan.remarks {
            out.push_str(&below(2, &format!("# {remark}"), look));
        }
        if plan.steps.is_empty() {
            out.push_str(&below(2, without_step(plan), look));
        } else if !plan.is_ours() {
            out.push_str("  not done by daxown:\n");
        }
        for (number, step) in (1..).zip(&plan.steps) {
            let who = match step.who {
                Who::Daxown => "",
                Who::Look => "  (for you: it only looks)",
                Who::Administrator => "  (yours to decide)",
            };
            // Commands are not broken, so that they can be copied.
            out.push_str(&format!("  {number}. {}{who}\n", step.command));
            out.push_str(&below(5, &look.dim(&step.changes), look));
            if let Some(way) = step.way_back() {
                match step.back {
                    // Not broken either.
                    Back::Command(_) => out.push_str(&format!("     {}\n", look.dim(&way))),
                    _ => out.push_str(&below(5, &look.dim(&way), look)),
                }
            }
            if let Some(warning) = &step.warning {
                out.push_str(&below(5, &format!("careful: {warning}"), look));
            }
        }
        out.push('\n');
    }
    out
}

/// A line that may be broken, this far to the right.
fn below(indent: usize, text: &str, look: &Look) -> String {
    let room = look.width.map_or(usize::MAX, |w| w.saturating_sub(indent));
    let lines = match text.starts_with('#') {
        true => show::remark(text, room),
        false => show::hanging(text, room),
    };
    let lines = lines.iter().map(|l| format!("{:indent$}{l}\n", ""));
    lines.collect()
}

fn asked(plans: &[&Plan]) -> Result<bool> {
    if !stdin().is_terminal() {
        bail!("nobody is there to be asked: add --yes to do it, --dry-run to see it, --script to take it along");
    }
    let steps: usize = plans.iter().map(|p| p.own().count()).sum();
    print!("Do these {steps} steps? [y/N] ");
    stdout().flush()?;
    let mut answer = String::new();
    stdin()
        .lock()
        .read_line(&mut answer)
        .context("standard input")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Runs the steps of one plan; what fails comes back with the way back.
fn execute(tree: &Tree, plan: &Plan) -> Result<(), String> {
    let mut done: Vec<&Step> = Vec::new();
    for (number, step) in (1..).zip(&plan.steps) {
        if step.who != Who::Daxown {
            continue;
        }
        let told = crate::print(&format!("{number}. {}\n", step.command));
        let outcome = told
            .map_err(|e| e.to_string())
            .and_then(|()| run(&step.command))
            .and_then(|()| settled(tree, step));
        if let Err(why) = outcome {
            return Err(failure(number, step, &why, &done));
        }
        done.push(step);
    }
    Ok(())
}

fn run(command: &str) -> Result<(), String> {
    let output = Command::new("sh").arg("-ec").arg(command).output();
    let output = output.map_err(|e| format!("sh: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    match said.trim() {
        "" => Err(output.status.to_string()),
        said => Err(said.to_string()),
    }
}

/// A driver may take a moment after the write has returned.
fn settled(tree: &Tree, step: &Step) -> Result<(), String> {
    for _ in 0..20 {
        if step.check.verify(tree).is_ok() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    step.check.verify(tree)
}

fn failure(number: usize, step: &Step, why: &str, done: &[&Step]) -> String {
    let mut out = format!("step {number} failed: {}\n  {why}\n", step.command);
    let back: Vec<&Step> = done
        .iter()
        .rev()
        .copied()
        .filter(|s| matches!(s.back, Back::Command(_) | Back::Words(_)))
        .collect();
    if done.iter().all(|s| s.back == Back::Nothing) {
        out.push_str("Nothing was changed.\n");
    } else if back.is_empty() {
        out.push_str("What was done before cannot be undone by a command.\n");
    } else {
        out.push_str("To go back:\n");
    }
    for step in &back {
        out.push_str(&match &step.back {
            Back::Command(command) => format!("  {command}\n"),
            Back::Words(words) => format!("  # {words}\n"),
            Back::Never(_) | Back::Nothing => continue,
        });
    }
    let lasting = done.iter().filter(|s| matches!(s.back, Back::Never(_)));
    for step in lasting.filter(|_| !back.is_empty()) {
        out.push_str(&format!("  # stays: {}\n", step.command));
    }
    out
}

/// The plan for a shell.
fn script(plans: &[Plan], verb: &str) -> String {
    let mut out = format!(
        "#!/bin/sh\n# Made by `daxown {verb} --script`; ends at the first step that fails.\nset -e\n",
    );
    for plan in plans {
        out.push_str(&format!("\n# {}\n", plan.title));
        for remark in &plan.remarks {
            out.push_str(&format!("# {remark}\n"));
        }
        for step in &plan.steps {
            out.push_str(&format!("\n# {}\n", step.changes));
            if let Some(warning) = &step.warning {
                out.push_str(&format!("# careful: {warning}\n"));
            }
            out.extend(step.way_back().map(|way| format!("# {way}\n")));
            match step.who {
                Who::Daxown if plan.is_ours() => {
                    out.push_str(&format!("{}\n", step.command));
                    out.extend(step.check.test().map(|t| format!("{t}\n")));
                }
                Who::Look => out.push_str(&format!("# to look: {}\n", step.command)),
                _ => out.push_str(&format!("# yours to decide: {}\n", step.command)),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fix::check::Check;

    fn plan(steps: Vec<Step>) -> Plan {
        Plan {
            title: "test".into(),
            steps,
            remarks: Vec::new(),
        }
    }

    fn step(dir: &std::path::Path, name: &str, undo: Option<&str>) -> Step {
        Step::new(
            format!("echo 1 > {}/sys/{name}", dir.display()),
            "writes",
            undo.map_or(Back::Never("it stays".into()), |undo| {
                Back::Command(undo.into())
            }),
            Check::Says(format!("sys/{name}"), "1".into()),
        )
    }

    #[test]
    fn stops_at_the_first_that_fails_and_says_how_to_go_back() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sys")).unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        let mut second = step(dir.path(), "b", None);
        second.command = "echo no room >&2; exit 1".into();
        let plan = plan(vec![
            step(dir.path(), "a", Some("rm a")),
            second,
            step(dir.path(), "c", None),
        ]);
        let failure = execute(&tree, &plan).unwrap_err();
        assert_eq!(
            failure,
            "step 2 failed: echo no room >&2; exit 1\n  no room\nTo go back:\n  rm a\n"
        );
        assert!(tree.exists("sys/a") && !tree.exists("sys/c"));
    }

    #[test]
    fn what_is_left_to_the_administrator_is_still_a_problem() {
        let code = |plans: &[&Plan]| format!("{:?}", remaining(plans).unwrap());
        let status = |n: u8| format!("{:?}", ExitCode::from(n));
        assert_eq!(code(&[&plan(Vec::new())]), status(1));
        assert_eq!(code(&[]), status(0));
    }

    #[test]
    fn a_step_that_does_not_do_what_it_should_has_failed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sys")).unwrap();
        let tree = Tree::open(dir.path()).unwrap();
        let mut odd = step(dir.path(), "a", None);
        odd.command = "true".into();
        let failure = execute(&tree, &plan(vec![odd])).unwrap_err();
        assert!(failure.contains("cannot be read"), "{failure}");
        assert!(failure.contains("Nothing was changed"), "{failure}");
    }
}
