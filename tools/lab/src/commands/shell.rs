// SPDX-License-Identifier: GPL-2.0

//! `lab shell`: a guest of a scenario on this terminal, or one command in such a guest.

use std::io;
use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::bail;
use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;
use clap::Args;
use rustix::termios;

use super::GuestOptions;
use crate::guest::boot;
use crate::guest::Assets;
use crate::guest::Boot;
use crate::machine::Ended;
use crate::provision::Ctx;
use crate::scenario::Action;
use crate::scenario::Drivers;
use crate::scenario::Scenario;
use crate::scenario::Step;

/// Seconds for the command of `--command`.
const COMMAND_SECONDS: u64 = 600;

/// Arguments of `lab shell`.
#[derive(Args)]
pub struct Shell {
    /// Name of a file in tests/scenarios without .toml, or the path of a file or of a capture
    #[arg(env = "SCENARIO", default_value = "default", value_parser = NonEmptyStringValueParser::new())]
    scenario: String,

    #[command(flatten)]
    guest: GuestOptions,

    /// Run this in bash, print what it says, and power off; needs no terminal
    #[arg(short, long, value_name = "TEXT")]
    command: Option<String>,

    /// Print QEMU's command line and boot nothing
    #[arg(long)]
    dry_run: bool,
}

impl Shell {
    /// Boots without the scenario's steps and hands over the terminal.
    pub fn run(self, ctx: &Ctx) -> Result<ExitCode> {
        let mut scenario = Scenario::load(&ctx.repo, &self.scenario)?;
        let drivers = self.guest.drivers;
        if !self.dry_run && self.command.is_none() && !io::stdin().is_terminal() {
            bail!("a shell needs a terminal; `lab shell --command TEXT` does not");
        }
        let assets = self.guest.assets(ctx, &mut scenario)?;
        scenario.steps.clear();
        if let Some(text) = self.command {
            scenario.steps.push(command_step(text));
            return run_command(ctx, &assets, &scenario, drivers, self.guest.timeout);
        }
        let mut boot = Boot::new(ctx, &assets, &scenario, drivers, self.guest.timeout)?;
        if self.dry_run || ctx.verbose {
            eprintln!("{}", boot.command());
        }
        if self.dry_run {
            return Ok(ExitCode::SUCCESS);
        }
        println!(
            "Booting `{}` with {drivers} modules on {}; kernel log: {}",
            scenario.name,
            assets.describe(),
            boot.dir.console().display()
        );
        let size =
            termios::tcgetwinsize(io::stdin()).map_or((24, 80), |size| (size.ws_row, size.ws_col));
        let kept = termios::tcgetattr(io::stdin());
        let ended = boot.run_interactive(&motd(&scenario), size);
        // QEMU restores the terminal, unless it was killed.
        if let Ok(kept) = kept {
            let _ = termios::tcsetattr(io::stdin(), termios::OptionalActions::Now, &kept);
        }
        match ended? {
            Ended::Exited(status) if status.success() => Ok(ExitCode::SUCCESS),
            Ended::Exited(status) => bail!(
                "QEMU failed ({status}); see {}",
                boot.dir.path().join("qemu.log").display()
            ),
            Ended::TimedOut(_) => bail!("the guest was ended"),
        }
    }
}

fn command_step(text: String) -> Step {
    Step {
        name: "command".to_owned(),
        action: Action::Run(text, 0),
        within: COMMAND_SECONDS,
        ktap: None,
        only: None,
    }
}

fn run_command(
    ctx: &Ctx,
    assets: &Assets,
    scenario: &Scenario,
    drivers: Drivers,
    timeout: Option<u64>,
) -> Result<ExitCode> {
    let (boot, outcome) = boot(ctx, assets, scenario, drivers, timeout, |_| {}, |_| {})?;
    let log = outcome.results.step_logs.get(&0);
    print!("{}", log.map_or("", String::as_str));
    let trouble = outcome.results.failed.or(outcome.trouble);
    if trouble.is_none() && outcome.results.complete {
        return Ok(ExitCode::SUCCESS);
    }
    bail!(
        "{}; see {}",
        trouble
            .as_deref()
            .unwrap_or("the guest did not come to its end"),
        boot.dir.path().display()
    )
}

fn motd(scenario: &Scenario) -> String {
    format!(
        "\n{}\n\
         You are root in the guest. `exit` or Ctrl-D powers it off; Ctrl-A X ends it at once.\n\
         In PATH: settle, offline, release. The steps of the scenario: /lab/in/steps.\n\n",
        scenario.description
    )
}
