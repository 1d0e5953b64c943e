// SPDX-License-Identifier: GPL-2.0

//! The directory of one run: what the guest reads (`in`), what it writes (`out`), the logs.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use anyhow::Context;
use anyhow::Result;

use crate::machine::Layout;
use crate::scenario::with_addresses;
use crate::scenario::Action;
use crate::scenario::Boot;
use crate::scenario::Drivers;
use crate::scenario::Kind;
use crate::scenario::Scenario;
use crate::scenario::Step;

/// The guest's scripts, carried by the lab itself.
const SCRIPTS: &[(&str, &str, bool)] = &[
    ("init", include_str!("../../guest/init"), false),
    ("main", include_str!("../../guest/main"), false),
    ("lib.sh", include_str!("../../guest/lib.sh"), false),
    ("capture.sh", include_str!("../../guest/capture.sh"), false),
    ("verbs.sh", include_str!("../../guest/verbs.sh"), false),
    ("firmware", include_str!("../../guest/firmware"), false),
    ("steps", include_str!("../../guest/steps"), false),
    ("shell", include_str!("../../guest/shell"), false),
    ("bashrc", include_str!("../../guest/bashrc"), false),
    ("bin/offline", include_str!("../../guest/bin/offline"), true),
    ("bin/settle", include_str!("../../guest/bin/settle"), true),
    ("bin/release", include_str!("../../guest/bin/release"), true),
    ("bin/remedy", include_str!("../../guest/bin/remedy"), true),
    ("bin/addr", include_str!("../../guest/bin/addr"), true),
    ("bin/ledger", include_str!("../../guest/bin/ledger"), true),
    ("bin/answers", include_str!("../../guest/bin/answers"), true),
    ("bin/occupy", include_str!("../../guest/bin/occupy"), true),
    ("bin/operate", include_str!("../../guest/bin/operate"), true),
    ("bin/at-rest", include_str!("../../guest/bin/at-rest"), true),
];

/// Runs that are kept before the oldest go.
const KEPT_RUNS: usize = 300;

/// One run's directory.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes a new one under the cache; its name says what ran.
    pub fn new(cache: &Path, name: &str) -> Result<Self> {
        let runs = cache.join("runs");
        fs::create_dir_all(&runs).with_context(|| format!("cannot create {}", runs.display()))?;
        prune(&runs);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let path = tempfile::Builder::new()
            .prefix(&format!("{now}-{name}-"))
            .tempdir_in(&runs)
            .context("cannot make a directory for the run")?
            .keep();
        for dir in ["in/guest/bin", "in/steps", "in/modprobe.d", "out"] {
            let dir = path.join(dir);
            fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        Ok(Self { path })
    }

    /// The directory itself, for people to look into.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The guest's read-only share.
    pub fn input(&self) -> PathBuf {
        self.path.join("in")
    }

    /// The share for results.
    pub fn output(&self) -> PathBuf {
        self.path.join("out")
    }

    /// The capture that daxown made in the end.
    pub fn archive(&self) -> PathBuf {
        self.output().join("capture/end/daxown.tar.gz")
    }

    /// The serial console.
    pub fn console(&self) -> PathBuf {
        self.path.join("console.log")
    }

    /// Writes a file that the guest will read.
    pub fn write_input(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.input().join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Puts in what every guest of this scenario needs.
    pub fn fill(&self, scenario: &Scenario, drivers: Drivers, layout: &Layout) -> Result<()> {
        for (name, text, executable) in SCRIPTS {
            let path = self.input().join("guest").join(name);
            self.write_input(&format!("guest/{name}"), text)?;
            if *executable {
                use std::os::unix::fs::PermissionsExt;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
                    .with_context(|| format!("cannot make {} executable", path.display()))?;
            }
        }
        let mut list = String::new();
        for (index, step) in scenario.steps(drivers).enumerate() {
            self.write_step(index, step, &mut list)?;
        }
        self.write_input("steps/list", list)?;
        self.write_input("ranges", ranges(scenario, layout))?;
        self.write_input("places", places(scenario, layout))?;
        self.write_modprobe(scenario, drivers, layout)?;
        if scenario.needs_firmware() {
            self.write_input("regions", regions(scenario, layout))?;
        }
        Ok(())
    }

    /// Where the guest finds daxown, in its PATH.
    pub fn daxown(&self) -> PathBuf {
        self.input().join("guest/bin/daxown")
    }

    /// Puts daxown into the guest.
    pub fn add_daxown(&self, program: &Path) -> Result<()> {
        fs::copy(program, self.daxown())
            .map(|_| ())
            .with_context(|| format!("cannot copy {}", program.display()))
    }

    /// Tells the guest when to foretell what comes out, and with which drivers.
    pub fn write_predictions(
        &self,
        scenario: &Scenario,
        drivers: Drivers,
        has_dax_cxl: bool,
    ) -> Result<()> {
        let moments = scenario.predictions(drivers, has_dax_cxl);
        let words: Vec<&str> = moments.iter().map(|moment| moment.word()).collect();
        self.write_input("predict", format!("{drivers} {}\n", words.join(" ")))
    }

    /// Puts in what `modules_install` tells modprobe, with the modules in `updates`.
    pub fn add_modprobe(&self, updates: &Path) -> Result<()> {
        // updates is lib/modules/<release>/updates.
        let Some(lib) = updates.ancestors().nth(3) else {
            return Ok(());
        };
        let from = lib.join("modprobe.d");
        for entry in
            fs::read_dir(&from).with_context(|| format!("cannot list {}", from.display()))?
        {
            let path = entry?.path();
            fs::copy(
                &path,
                self.input()
                    .join("modprobe.d")
                    .join(path.file_name().unwrap_or_default()),
            )
            .with_context(|| format!("cannot copy {}", path.display()))?;
        }
        Ok(())
    }

    /// Puts in modules that steps load by hand.
    pub fn add_test_modules(&self, built: &Path, names: &[String]) -> Result<()> {
        let target = self.input().join("modules");
        fs::create_dir_all(&target)
            .with_context(|| format!("cannot create {}", target.display()))?;
        for name in names {
            let file = format!("{name}.ko");
            fs::copy(built.join(&file), target.join(&file))
                .with_context(|| format!("there is no module {name} in tests/modules"))?;
        }
        Ok(())
    }

    fn write_step(&self, index: usize, step: &Step, list: &mut String) -> Result<()> {
        let within = step.within;
        let (verb, status, text) = match &step.action {
            Action::Run(text, status) => ("run", *status, Some(text.clone())),
            Action::Selftest(test) => ("run", 0, Some(selftest(test))),
            Action::Wait(text) => ("wait", 0, Some(text.clone())),
            Action::Qmp(value) => ("qmp", 0, Some(value.to_string())),
            Action::Boot(Boot::Kexec) => ("kexec", 0, None),
            Action::Boot(Boot::Crash) => ("crash", 0, None),
            Action::Capture(_) => ("capture", 0, None),
        };
        let name = match &step.action {
            Action::Capture(name) => name,
            _ => &step.name,
        };
        let name = name.replace(['\n', '\t'], " ");
        // Writing to a String cannot fail.
        let _ = writeln!(list, "{index} {verb} {within} {status} {name}");
        match text {
            Some(text) => self.write_input(&format!("steps/{index}.sh"), text),
            None => Ok(()),
        }
    }

    fn write_modprobe(&self, scenario: &Scenario, drivers: Drivers, layout: &Layout) -> Result<()> {
        let ours = ["dax_hmem", "dax_cxl"].map(str::to_owned);
        let none: &[String] = if drivers == Drivers::None { &ours } else { &[] };
        for name in scenario.hold.iter().chain(none) {
            self.write_input(
                &format!("modprobe.d/hold-{name}.conf"),
                format!("blacklist {name}\ninstall {name} /bin/false\n"),
            )?;
        }
        let mut options = String::new();
        for (name, value) in &scenario.options {
            let value = with_addresses(value, |address| layout.resolve(address));
            let _ = writeln!(options, "options {name} {value}");
        }
        if options.is_empty() {
            return Ok(());
        }
        self.write_input("modprobe.d/options.conf", options)
    }
}

/// The Soft Reserved ranges, for the guest to ask about.
fn ranges(scenario: &Scenario, layout: &Layout) -> String {
    let mut text = String::new();
    for range in &scenario.soft_reserved {
        let start = layout.resolve(range.base);
        let end = start.saturating_add(range.size - 1);
        let _ = writeln!(text, "{start:#x}-{end:#x}");
    }
    text
}

/// What steps name: windows and ranges, each with its first and last address.
fn places(scenario: &Scenario, layout: &Layout) -> String {
    let mut text = String::new();
    for (index, (start, size)) in layout.windows.iter().enumerate() {
        let _ = writeln!(text, "window{index} {start:#x} {:#x}", start + (size - 1));
    }
    for range in &scenario.soft_reserved {
        let start = layout.resolve(range.base);
        let end = start.saturating_add(range.size - 1);
        let _ = writeln!(text, "{} {start:#x} {end:#x}", range.name);
    }
    text
}

/// The list that the guest's `firmware` script reads.
fn regions(scenario: &Scenario, layout: &Layout) -> String {
    let mut text = String::new();
    for region in &scenario.regions {
        let window = &scenario.machine.windows[region.window];
        let base = layout.windows[region.window].0;
        let kind = match region.kind {
            Kind::Ram => "ram",
            Kind::Pmem => "pmem",
        };
        let _ = write!(
            text,
            "{base:#x} {} {} {:#x} {:#x} {} {kind}",
            window.targets.len(),
            window.granularity,
            base + region.offset,
            region.size,
            region.granularity,
        );
        for &device in &region.devices {
            let _ = write!(text, " {:#x}", scenario.machine.devices[device].serial);
        }
        text.push('\n');
    }
    text
}

/// Runs one kselftest with the kernel's own runner. Its results are judged later; one that fails
/// does not keep the next from running. The guest is ours to be changed.
fn selftest(test: &str) -> String {
    format!(
        "cd /lab/selftests && DAX_HMEM_TEST=1 DAX_KMEM_TEST_DEV=auto DAX_KMEM_TEST_UNBIND=1 \
         ./run_kselftest.sh -f -t {test}\n"
    )
}

/// Old runs go, the newest stay; a failure to remove one is nobody's trouble.
fn prune(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else {
        return;
    };
    let mut names: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    if names.len() <= KEPT_RUNS {
        return;
    }
    names.sort();
    for old in &names[..names.len() - KEPT_RUNS] {
        let _ = fs::remove_dir_all(old);
    }
}
