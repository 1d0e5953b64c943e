// SPDX-License-Identifier: GPL-2.0

//! Boots one scenario and sees it to its end.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use super::daxown::daxown;
use super::module_tree;
use super::selftests;
use super::test_modules;
use super::Results;
use super::RunDir;
use crate::machine;
use crate::machine::Ended;
use crate::machine::Layout;
use crate::machine::Share;
use crate::machine::Vm;
use crate::machine::VmConfig;
use crate::provision;
use crate::provision::Ctx;
use crate::provision::Kernel;
use crate::scenario::Address;
use crate::scenario::Drivers;
use crate::scenario::Scenario;
use crate::scenario::SoftReserved;

/// Seconds for a guest of one boot, and for each further one, on a kernel without checkers.
const BOOT_SECONDS: u64 = 90;
/// How often a guest is booted again when QEMU itself crashed.
const RETRIES: usize = 2;
/// How much slower a kernel with KASAN and lockdep is.
const CHECKER_FACTOR: u64 = 4;
/// x86's COMMAND_LINE_SIZE, with its end.
const COMMAND_LINE_SIZE: usize = 2048;
/// The type of a Soft Reserved entry in the kernel's memory map.
const SOFT_RESERVED_TYPE: u32 = 0xefff_ffff;

/// What the guests of one kernel share.
#[derive(Clone, Debug)]
pub struct Assets {
    pub kernel: Kernel,
    pub qemu: PathBuf,
    pub rootfs: PathBuf,
    pub accel: &'static str,
    /// Our tool for people, to be tried in each guest.
    pub daxown: PathBuf,
    /// Our modules, if they are to decide.
    pub updates: Option<PathBuf>,
}

impl Assets {
    /// Makes or finds everything, from the flavour or from the caller's own kernel.
    pub fn new(ctx: &Ctx, flavor: &str, kdir: Option<&Path>, drivers: Drivers) -> Result<Self> {
        let kernel = match kdir {
            Some(kdir) => provision::kernel_from_kdir(ctx, kdir)?,
            None => provision::kernel(ctx, flavor)?,
        };
        let updates = match drivers {
            Drivers::Rust => Some(provision::modules(ctx, &kernel)?),
            Drivers::C | Drivers::None => None,
        };
        let qemu = provision::qemu(ctx)?;
        let accel = machine::accelerator(&ctx.cache, &qemu, &kernel.image)?;
        Ok(Self {
            kernel,
            rootfs: provision::rootfs(ctx)?,
            daxown: daxown(ctx)?,
            qemu,
            accel,
            updates,
        })
    }
}

/// One guest to be booted.
pub struct Boot<'a> {
    pub scenario: &'a Scenario,
    pub drivers: Drivers,
    pub layout: Layout,
    pub dir: RunDir,
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
        dir.add_program(&assets.daxown)?;
        if !scenario.test_modules.is_empty() {
            let built = test_modules(ctx, &assets.kernel)?;
            dir.add_test_modules(&built, &scenario.test_modules)?;
        }
        let cmdline = cmdline(scenario, &layout, assets.accel)?;
        let (kernel_cmdline, stages) = if scenario.needs_firmware() {
            let target = dir.input().join("kernel");
            fs::copy(&assets.kernel.image, &target)
                .with_context(|| format!("cannot copy {}", assets.kernel.image.display()))?;
            dir.write_input("cmdline", &cmdline)?;
            (firmware_cmdline(scenario, &layout, assets.accel), 2)
        } else {
            (cmdline, 1)
        };
        let tree = module_tree(&ctx.cache, &assets.kernel, assets.updates.as_deref())?;
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
            accel: assets.accel,
            hardware: machine::arguments(&scenario.machine),
            kernel: assets.kernel.image.clone(),
            cmdline: kernel_cmdline,
            rootfs: assets.rootfs.clone(),
            shares,
            console: dir.console(),
            interactive: false,
        };
        let factor = if has_checkers(&assets.kernel) {
            CHECKER_FACTOR
        } else {
            1
        };
        let own = scenario.timeout.unwrap_or(BOOT_SECONDS * stages);
        let timeout = Duration::from_secs(timeout.unwrap_or(own * factor));
        Ok(Self {
            scenario,
            drivers,
            layout,
            dir,
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
        let vm = Vm::start(&self.config, Vm::sockets()?)?;
        let ended = vm.run(Some(self.timeout), |line, qmp| {
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
        vm.run(None, |_, _| None)
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

/// The command line of the kernel that acts as firmware. It too keeps off the Soft Reserved
/// ranges in RAM: kexec would put the next kernel there.
fn firmware_cmdline(scenario: &Scenario, layout: &Layout, accel: &str) -> String {
    let mut words = vec!["lab.stage=firmware".to_owned()];
    let in_ram = |range: &&SoftReserved| matches!(range.base, Address::Absolute(_));
    let ranges = scenario.soft_reserved.iter().filter(in_ram);
    words.extend(ranges.map(|range| memmap(range, layout)));
    join_cmdline(&words, accel)
}

/// The kernel parameter that marks a range Soft Reserved.
fn memmap(range: &SoftReserved, layout: &Layout) -> String {
    let base = layout.resolve(range.base);
    format!("memmap={:#x}%{base:#x}+{SOFT_RESERVED_TYPE:#x}", range.size)
}

/// The command line of the kernel under test.
fn cmdline(scenario: &Scenario, layout: &Layout, accel: &str) -> Result<String> {
    let ranges = scenario.soft_reserved.iter();
    let mut words: Vec<String> = ranges.map(|range| memmap(range, layout)).collect();
    words.extend(scenario.kernel_args.iter().cloned());
    let line = join_cmdline(&words, accel);
    if line.len() >= COMMAND_LINE_SIZE {
        bail!(
            "{}: the kernel's command line would have {} characters, and x86 takes {}; \
             use fewer Soft Reserved ranges or parameters",
            scenario.path.display(),
            line.len(),
            COMMAND_LINE_SIZE - 1
        );
    }
    Ok(line)
}

/// What every guest gets, then `words`, then what must be last.
fn join_cmdline(words: &[String], accel: &str) -> String {
    // Nothing is behind a range without a region in QEMU: only pages that can move may go there,
    // or the kernel would put its own data into the void.
    let common = "console=ttyS0 root=/dev/vda ro panic=-1 log_buf_len=1M loglevel=7 \
                  memhp_default_state=online_movable";
    let init = "init=/bin/sh -- -c \"mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose \
                lab /mnt && exec /bin/sh /mnt/guest/init\"";
    let mut line = common.to_owned();
    // QEMU's TCG can abort (iotlb_to_section) when PCI BARs move while a second processor runs.
    // The guest starts the others once the buses are set up.
    if accel.starts_with("tcg") {
        line.push_str(" maxcpus=1");
    }
    for word in words {
        line.push(' ');
        line.push_str(word);
    }
    format!("{line} {init}")
}

/// Kernels with KASAN or lockdep need more time.
fn has_checkers(kernel: &Kernel) -> bool {
    let config = fs::read_to_string(kernel.kdir.join(".config")).unwrap_or_default();
    config
        .lines()
        .any(|line| matches!(line, "CONFIG_KASAN=y" | "CONFIG_PROVE_LOCKING=y"))
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
            Ended::Exited(status) => status.signal(),
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
