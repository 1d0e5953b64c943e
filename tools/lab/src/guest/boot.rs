// SPDX-License-Identifier: GPL-2.0

//! Boots one scenario and sees it to its end.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use rustix::process::Signal;

use super::cmdline;
use super::guest_modules;
use super::selftests;
use super::test_modules;
use super::Assets;
use super::Results;
use super::RunDir;
use crate::machine;
use crate::machine::Ended;
use crate::machine::Layout;
use crate::machine::Share;
use crate::machine::Vm;
use crate::machine::VmConfig;
use crate::provision::Ctx;
use crate::scenario::Drivers;
use crate::scenario::Scenario;

/// Seconds for a guest of one boot, and for each further one, on a kernel without checkers.
const BOOT_SECONDS: u64 = 90;
/// Signals that a program brings upon itself; others are sent by somebody who means it.
const CRASHES: [i32; 5] = [
    Signal::ABORT.as_raw(),
    Signal::BUS.as_raw(),
    Signal::FPE.as_raw(),
    Signal::ILL.as_raw(),
    Signal::SEGV.as_raw(),
];
/// How often a guest is booted again when QEMU itself crashed.
const RETRIES: usize = 2;
/// How much slower a kernel with KASAN and lockdep is.
const CHECKER_FACTOR: u64 = 4;
/// How much slower a distribution's kernel is.
const STOCK_FACTOR: u64 = 3;

/// One guest to be booted.
pub struct Boot<'a> {
    pub scenario: &'a Scenario,
    pub drivers: Drivers,
    pub layout: Layout,
    pub dir: RunDir,
    /// Whether the kernel can have a dax_cxl.
    pub has_dax_cxl: bool,
    /// Whether every verb of daxown is tried on the live kernel. On one with checkers that takes as long
    /// as the scenario, and says nothing of the kernel.
    pub verbs: bool,
    config: VmConfig,
    timeout: Duration,
}

/// What came of it.
pub struct Outcome {
    pub ended: Ended,
    pub results: Results,
    pub wall: Duration,
    /// The first failure that the guest told.
    pub trouble: Option<String>,
}

impl<'a> Boot<'a> {
    /// Prepares the run's directory and QEMU's command line.
    pub fn new(
        ctx: &Ctx,
        assets: &Assets,
        scenario: &'a Scenario,
        drivers: Drivers,
        timeout: Option<u64>,
    ) -> Result<Self> {
        let layout = Layout::of(&scenario.machine, &assets.qemu, &ctx.cache)?;
        let dir = RunDir::new(&ctx.cache, &format!("{}-{drivers}", scenario.name))?;
        dir.fill(scenario, drivers, &layout)?;
        dir.add_daxown(&assets.daxown)?;
        let verbs = !assets.has_checkers();
        if verbs {
            dir.write_input("verbs", "")?;
            dir.write_predictions(scenario, drivers, assets.has_dax_cxl())?;
        }
        let (tree, ours) = guest_modules(ctx, assets, scenario, drivers)?;
        if let Some(ours) = &ours {
            dir.add_modprobe(ours)?;
        }
        if !scenario.test_modules.is_empty() {
            let built = test_modules(ctx, &assets.kernel)?;
            dir.add_test_modules(&built, &scenario.test_modules)?;
        }
        let cmdline = cmdline::under_test(scenario, &layout, assets)?;
        let mut boots = scenario.boots() as u64;
        let mut first = assets.kernel.clone();
        let mut kernel_cmdline = cmdline.clone();
        if scenario.needs_firmware() {
            boots += 1;
            first = assets.firmware_kernel(ctx)?;
            kernel_cmdline = cmdline::firmware(scenario, &layout, assets);
        }
        if boots > 1 {
            let target = dir.input().join("kernel");
            fs::copy(&assets.kernel.image, &target)
                .with_context(|| format!("cannot copy {}", assets.kernel.image.display()))?;
            dir.write_input("cmdline", &cmdline)?;
            if let Some(initramfs) = &assets.kernel.initramfs {
                let target = dir.input().join("initramfs");
                fs::copy(initramfs, &target)
                    .with_context(|| format!("cannot copy {}", initramfs.display()))?;
            }
        }
        let share = |tag, path, writable| Share {
            tag,
            path,
            writable,
        };
        let mut shares = vec![
            share("lab", dir.input(), false),
            share("lab-modules", tree, false),
            share("lab-out", dir.output(), true),
        ];
        if first.kdir != assets.kernel.kdir {
            dir.write_input("firmware-modules", "")?;
            let own = first.modroot.join("lib/modules");
            shares.push(share("lab-firmware-modules", own, false));
        }
        if scenario.selftests().next().is_some() {
            dir.write_input("selftests", "")?;
            shares.push(share(
                "lab-selftests",
                selftests(ctx, &assets.kernel)?,
                false,
            ));
        }
        let config = VmConfig {
            qemu: assets.qemu.clone(),
            accel: accel(scenario, assets),
            hardware: machine::arguments(&scenario.machine),
            cpu: assets.cpu(),
            kernel: first.image,
            initramfs: first.initramfs,
            cmdline: kernel_cmdline,
            rootfs: assets.rootfs.clone(),
            shares,
            console: dir.console(),
            interactive: false,
        };
        let factor = match assets {
            assets if assets.has_checkers() => CHECKER_FACTOR,
            // It has more of everything to start.
            assets if assets.kernel.initramfs.is_some() => STOCK_FACTOR,
            _ => 1,
        };
        let own = scenario.timeout.unwrap_or(BOOT_SECONDS * boots) * factor;
        let timeout = timeout.unwrap_or(own);
        // Whoever gives a guest more time gives its steps more: the machine is busy.
        let slow = factor * (timeout / own.max(1)).max(1);
        dir.write_input("slow", format!("{slow}\n"))?;
        let timeout = Duration::from_secs(timeout);
        Ok(Self {
            scenario,
            drivers,
            layout,
            dir,
            has_dax_cxl: assets.has_dax_cxl(),
            verbs,
            config,
            timeout,
        })
    }

    /// QEMU's whole command, for people.
    pub fn command(&self) -> String {
        self.config.display(self.dir.path())
    }

    /// Boots; `progress` is told what the guest does.
    pub fn run(self: &Boot<'a>, mut progress: impl FnMut(&str)) -> Result<Outcome> {
        let start = Instant::now();
        let mut trouble = None;
        let mut timeline = String::new();
        let vm = Vm::start(&self.config, Vm::sockets()?)?;
        let ended = vm.run(Some(self.timeout), |line, qmp| {
            timeline.push_str(&format!("{:8.3} {line}\n", start.elapsed().as_secs_f64()));
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "stage" => progress(rest),
                "step" => progress(rest.split_once(' ').map_or(rest, |(_, name)| name)),
                "fail" | "failed" => trouble = trouble.take().or(Some(rest.to_owned())),
                "qmp" => return Some(self.qmp(rest, qmp)),
                _ => {}
            }
            None
        })?;
        let path = self.dir.path().join("timeline");
        fs::write(&path, timeline).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Outcome {
            ended,
            results: Results::read(&self.dir.output())?,
            wall: start.elapsed(),
            trouble,
        })
    }

    /// Boots with a terminal; the guest lives until its user leaves.
    pub fn run_interactive(&mut self, motd: &str, size: (u16, u16)) -> Result<Ended> {
        self.dir
            .write_input("interactive", format!("{} {}\n", size.0, size.1))?;
        self.dir.write_input("motd", motd)?;
        self.config.interactive = true;
        let vm = Vm::start(&self.config, Vm::sockets()?)?;
        // The terminal is QEMU's by now, in raw mode.
        vm.run(None, |line, _| {
            if let Some(stage) = line.strip_prefix("stage ") {
                eprint!("[{stage}]\r\n");
            }
            None
        })
    }

    fn qmp(&self, number: &str, socket: &Path) -> String {
        let script = self.dir.input().join(format!("steps/{number}.sh"));
        let answer = fs::read_to_string(&script)
            .map_err(anyhow::Error::new)
            .and_then(|command| machine::qmp(socket, &command));
        match answer {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("{error:#}").replace('\n', " "),
        }
    }
}

/// QEMU counts instructions with one thread of TCG only.
fn accel(scenario: &Scenario, assets: &Assets) -> &'static str {
    if scenario.machine.qemu.iter().any(|arg| arg == "-icount") {
        "tcg"
    } else {
        assets.accel
    }
}

/// Boots a scenario and sees it to its end. A crash of QEMU says nothing about the guest: it is
/// told, and the scenario starts over.
pub fn boot<'a>(
    ctx: &Ctx,
    assets: &Assets,
    scenario: &'a Scenario,
    drivers: Drivers,
    timeout: Option<u64>,
    mut prepare: impl FnMut(&Boot<'a>),
    mut progress: impl FnMut(&str),
) -> Result<(Boot<'a>, Outcome)> {
    let mut tries = 0;
    loop {
        let boot = Boot::new(ctx, assets, scenario, drivers, timeout)?;
        prepare(&boot);
        let outcome = boot.run(&mut progress)?;
        let signal = match &outcome.ended {
            Ended::Exited(status) => status.signal().filter(|signal| CRASHES.contains(signal)),
            Ended::TimedOut(_) => None,
        };
        let Some(signal) = signal.filter(|_| tries < RETRIES) else {
            return Ok((boot, outcome));
        };
        tries += 1;
        eprintln!(
            "{}: QEMU itself died of signal {signal}, booting again; its log: {}",
            scenario.name,
            boot.dir.path().join("qemu.log").display()
        );
    }
}
