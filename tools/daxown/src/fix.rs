// SPDX-License-Identifier: GPL-2.0

//! `daxown fix`: does what `daxown doctor` says to do, step by step, with a check after each.
//!
//! The steps are the commands of the problems' own remedies: doctor and fix have one definition. What is
//! added here is what a step changes, how to go back, and how to see that it worked ([`step`]).

mod check;
mod run;
pub mod step;

use std::process::ExitCode;

use anyhow::{bail, Result};
use daxmap::problem::{self, Problem, Severity};
use daxmap::{Map, Tree};

use crate::cli::Global;
use crate::config::Config;
use crate::show::{self, Look};
use crate::subject::Subject;
pub use run::{carry_out, How, Now, Plan};
use step::Step;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a name, fix is about each loss and warning that nobody agreed to in /etc/daxown.toml. Notes have to \
be named, and memory that is offline because auto_online_blocks says so. The plan is shown, with what each \
step changes and what cannot be undone, and then asked for. The first step that fails ends it, and daxown \
says how to go back.

Exit status:
  0  done, and nothing of it is a problem any more; or there was nothing to do;
     or --dry-run, --script
  1  a step failed, or a problem is still there, also where what remains is the
     administrator's: a reboot, a setting of firmware, a card to be plugged in
  3  it could not be begun

Examples:
  daxown fix --dry-run                 the plan
  daxown fix                           the plan, a question, and then each step
  daxown fix dax3.0                    only what doctor says of dax3.0
  daxown fix kmem-cannot-reserve --yes
  daxown --sysroot report.tar.gz fix --script > fix.sh
                                       to run on the machine of the capture")]
pub struct FixArgs {
    /// Kinds, subjects as doctor shows them, or addresses
    #[arg(value_name = "PROBLEM")]
    pub problems: Vec<String>,
    #[command(flatten)]
    pub how: How,
}

pub fn run(global: &Global, args: &FixArgs) -> Result<ExitCode> {
    let tree = Tree::open(global.path()?)?;
    let map = Map::read(&tree);
    let config = Config::read(&tree, global.config.as_ref())?;
    let (plans, meant) = plans(&map, &config, &args.problems)?;
    if let Some(text) = left(&meant) {
        match args.how.script {
            true => eprintln!("{text}"),
            false => crate::print(&(show::sentence(&text, &Look::new(global)) + "\n"))?,
        }
    }
    let now = |map: &Map, plan: &Plan| {
        let problems = problem::find(map);
        match problems.iter().find(|p| title(p) == plan.title) {
            None => Now::Gone,
            Some(problem) if steps(map, problem) == plan.steps => Now::Same,
            Some(_) => Now::Changed,
        }
    };
    carry_out(global, &tree, &args.how, "fix", plans, &now)
}

/// What is left because it is as the machine's own policy has it.
fn left(titles: &[String]) -> Option<String> {
    let first = titles.first()?;
    let more = match titles.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    Some(format!(
        "left so, as the policy of this machine has it (auto_online_blocks): {first}{more}; `daxown fix offline` \
         brings it online"
    ))
}

/// The problems that were asked for, each with its steps; and what is left without being asked for.
fn plans(map: &Map, config: &Config, wanted: &[String]) -> Result<(Vec<Plan>, Vec<String>)> {
    let mut problems = problem::find(map);
    if wanted.is_empty() {
        // What is as agreed is not to be undone.
        problems = config.apply(map, 0, problems).open;
    }
    let mut chosen: Vec<&Problem> = Vec::new();
    let mut meant: Vec<String> = Vec::new();
    if wanted.is_empty() {
        let all = problems.iter().filter(|p| p.severity > Severity::Note);
        let (policy, open): (Vec<_>, Vec<_>) = all.partition(|p| problem::is_policy(map, p));
        chosen = open;
        meant.extend(policy.into_iter().map(title));
    }
    for name in wanted {
        let found: Vec<&Problem> = problems.iter().filter(|p| is_named(map, p, name)).collect();
        if found.is_empty() {
            let mut all: Vec<String> = problems
                .iter()
                .flat_map(|p| [p.kind.word().to_string(), p.subject.clone()])
                .collect();
            all.sort();
            all.dedup();
            match all.is_empty() {
                true => bail!("{name}: this machine has no problem"),
                false => bail!(
                    "{name}: doctor finds no such problem; there are {}",
                    all.join(", ")
                ),
            }
        }
        chosen.extend(found);
    }
    let mut out: Vec<Plan> = Vec::new();
    for problem in chosen {
        let plan = Plan {
            title: title(problem),
            steps: steps(map, problem),
            remarks: remarks(problem),
        };
        // The same commands may mend two problems.
        let commands = |p: &Plan| {
            p.steps
                .iter()
                .map(|s| s.command.clone())
                .collect::<Vec<_>>()
        };
        let known = out
            .iter()
            .any(|p| !p.steps.is_empty() && commands(p) == commands(&plan));
        if !known && out.iter().all(|p| p.title != plan.title) {
            out.push(plan);
        }
    }
    Ok((out, meant))
}

fn is_named(map: &Map, problem: &Problem, name: &str) -> bool {
    problem.kind.word() == name
        || problem.subject == name
        || problem.range.is_some_and(|range| {
            Subject::find(map, name).is_ok_and(|s| s.ranges.iter().any(|r| r.overlaps(&range)))
        })
}

fn steps(map: &Map, problem: &Problem) -> Vec<Step> {
    Step::all(map, &problem.remedy)
}

/// What doctor's headline says, without the names that a step may change.
fn title(problem: &Problem) -> String {
    match problem.range {
        Some(range) => format!("{} {range}", problem.kind.word()),
        None => format!("{} {}", problem.kind.word(), problem.subject),
    }
}

/// Remarks of the remedy, which are for people.
fn remarks(problem: &Problem) -> Vec<String> {
    let lines = problem.remedy.iter();
    lines
        .filter_map(|l| l.strip_prefix('#'))
        .map(|l| l.trim().trim_end_matches(':').to_string())
        .collect()
}
