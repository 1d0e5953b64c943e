// SPDX-License-Identifier: GPL-2.0

//! Runs other programs: printed when asked, logged always, explained when they fail.

use std::fs;
use std::fs::File;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use anyhow::Context;
use anyhow::Result;

use super::progress::Progress;
use super::Ctx;

/// Lines of a failed step's log that are shown.
const TAIL_LINES: usize = 20;

/// What people are told about a command that takes time or may fail.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does, as in "cannot <what>": "configure the kernel base".
    pub what: String,
    /// Its log file.
    pub log: PathBuf,
    /// What to do when it fails.
    pub advice: String,
    /// How many lines it prints in all, if it is long enough for a progress bar.
    pub lines: Option<u64>,
    /// Pattern of the output lines worth counting and showing; empty for all.
    pub marker: &'static str,
}

impl Step {
    /// A step whose log is `logs/<log>.log` in the cache.
    pub fn new(ctx: &Ctx, what: impl Into<String>, log: &str, advice: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            log: ctx.cache.join("logs").join(format!("{log}.log")),
            advice: advice.into(),
            lines: None,
            marker: "",
        }
    }

    /// Shows a bar that counts the lines starting with `marker`, `total` of them in all.
    pub fn with_progress(mut self, total: u64, marker: &'static str) -> Self {
        self.lines = Some(total);
        self.marker = marker;
        self
    }
}

/// Runs `command` with its output in the step's log; returns how many progress lines it printed.
///
/// # Errors
///
/// Names the step, the last lines of its log, the log's place and what to do.
pub fn run_cmd(ctx: &Ctx, step: &Step, command: &mut Command) -> Result<u64> {
    show(ctx, command);
    let log = open_log(step, command)?;
    // Opened before the child can write, so that only its lines are counted.
    let mut reader = Follower::open(step)?;
    let log_err = log.try_clone().context("cannot duplicate the log")?;
    let mut child = isolate(command)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(log_err)
        .spawn()
        .with_context(|| cannot_start(command))?;

    // Output goes straight to the log so that it is whole even when we are killed; the
    // log is read back for the progress display only.
    let mut progress = Progress::new(&step.what, step.lines);
    let status = loop {
        let ended = child.try_wait().context("cannot wait for a child")?;
        reader.follow()?;
        progress.update(reader.count, &reader.latest);
        if let Some(status) = ended {
            break status;
        }
        thread::sleep(Duration::from_millis(50));
    };
    progress.finish();

    if status.success() {
        return Ok(reader.count);
    }
    Err(anyhow!(
        "cannot {}: {} ended with {status}\n{}\n  whole log: {}\n  what to do: {}",
        step.what,
        program(command),
        indent(&tail(&step.log, TAIL_LINES)),
        step.log.display(),
        step.advice,
    ))
}

/// Runs a short command and returns what it printed on standard output.
pub fn output(ctx: &Ctx, command: &mut Command) -> Result<String> {
    let (ok, out, err) = capture(ctx, command)?;
    if ok {
        return Ok(out);
    }
    Err(anyhow!("{} failed: {}", shell_line(command), err.trim()))
}

/// Runs a short command; returns whether it succeeded and both its outputs.
pub fn capture(ctx: &Ctx, command: &mut Command) -> Result<(bool, String, String)> {
    show(ctx, command);
    let out = isolate(command)
        .stdin(Stdio::null())
        .output()
        .with_context(|| cannot_start(command))?;
    Ok((
        out.status.success(),
        String::from_utf8_lossy(&out.stdout).into_owned(),
        String::from_utf8_lossy(&out.stderr).into_owned(),
    ))
}

/// First file of this name in PATH, or in the directories for administrators.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Says what is about to happen, when it takes long enough to wonder.
pub fn announce(text: &str) {
    eprintln!("==> {text}");
}

/// The command as one line that a shell would take.
pub fn shell_line(command: &Command) -> String {
    let mut line = Vec::new();
    if let Some(dir) = command.get_current_dir() {
        line.push(format!("cd {} &&", quote(&dir.to_string_lossy())));
    }
    for (key, value) in command.get_envs() {
        if let Some(value) = value {
            let value = value.to_string_lossy();
            line.push(format!("{}={}", key.to_string_lossy(), quote(&value)));
        }
    }
    line.push(quote(&command.get_program().to_string_lossy()));
    line.extend(command.get_args().map(|arg| quote(&arg.to_string_lossy())));
    line.join(" ")
}

/// Keeps the caller's make variables and language out of the child.
///
/// `make run V=1 KDIR=...` exports its variables through MAKEFLAGS; a kernel build below it
/// would take them for its own.
fn isolate(command: &mut Command) -> &mut Command {
    const FOREIGN: [&str; 16] = [
        "MAKEFLAGS",
        "MFLAGS",
        "MAKELEVEL",
        "MAKEOVERRIDES",
        "GNUMAKEFLAGS",
        "V",
        "O",
        "M",
        "MO",
        "KDIR",
        "ARCH",
        "CROSS_COMPILE",
        "LLVM",
        "INSTALL_MOD_PATH",
        "KBUILD_OUTPUT",
        "KCONFIG_CONFIG",
    ];
    for name in FOREIGN {
        let set_by_us = command
            .get_envs()
            .any(|(key, value)| key == name && value.is_some());
        if !set_by_us {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C.UTF-8")
}

fn show(ctx: &Ctx, command: &Command) {
    if ctx.verbose {
        eprintln!("+ {}", shell_line(command));
    }
}

fn program(command: &Command) -> String {
    let path = Path::new(command.get_program());
    path.file_name()
        .unwrap_or(command.get_program())
        .to_string_lossy()
        .into_owned()
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start {}", command.get_program().to_string_lossy())
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%^~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn open_log(step: &Step, command: &Command) -> Result<File> {
    let cannot = || format!("cannot write the log {}", step.log.display());
    if let Some(dir) = step.log.parent() {
        fs::create_dir_all(dir).with_context(cannot)?;
    }
    fs::write(&step.log, format!("+ {}\n", shell_line(command))).with_context(cannot)?;
    File::options()
        .append(true)
        .open(&step.log)
        .with_context(cannot)
}

/// The last `lines` lines of a file; empty if it cannot be read.
pub fn tail(file: &Path, lines: usize) -> String {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn indent(text: &str) -> String {
    text.lines()
        .map(|line| format!("  | {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Reads what a child has added to its log.
struct Follower {
    file: File,
    marker: &'static str,
    partial: Vec<u8>,
    count: u64,
    latest: String,
}

impl Follower {
    fn open(step: &Step) -> Result<Self> {
        let cannot = || format!("cannot read the log {}", step.log.display());
        let mut file = File::open(&step.log).with_context(cannot)?;
        file.seek(SeekFrom::End(0)).with_context(cannot)?;
        Ok(Self {
            file,
            marker: step.marker,
            partial: Vec::new(),
            count: 0,
            latest: String::new(),
        })
    }

    fn follow(&mut self) -> Result<()> {
        self.file
            .read_to_end(&mut self.partial)
            .context("cannot read a log")?;
        let Some(end) = self.partial.iter().rposition(|&byte| byte == b'\n') else {
            return Ok(());
        };
        let whole: Vec<u8> = self.partial.drain(..=end).collect();
        for line in String::from_utf8_lossy(&whole).lines() {
            if line.starts_with(self.marker) {
                self.count += 1;
                self.latest = line.trim().to_owned();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ctx(dir: &Path) -> Ctx {
        Ctx {
            repo: dir.to_path_buf(),
            cache: dir.to_path_buf(),
            verbose: false,
        }
    }

    #[test]
    fn a_failed_step_shows_its_last_lines_log_and_advice() {
        let dir = tempfile::tempdir().unwrap();
        let ctx = ctx(dir.path());
        let step = Step::new(&ctx, "frob the knob", "frob", "oil it");
        let mut command = Command::new("sh");
        command.args(["-c", "echo first; echo 'no oil' >&2; exit 3"]);
        let error = run_cmd(&ctx, &step, &mut command).unwrap_err().to_string();
        for part in ["cannot frob the knob", "no oil", "frob.log", "oil it"] {
            assert!(error.contains(part), "{part} missing in: {error}");
        }
    }

    #[test]
    fn marked_lines_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let ctx = ctx(dir.path());
        let step = Step::new(&ctx, "count", "count", "").with_progress(3, "  ");
        let mut command = Command::new("printf");
        command.arg("  CC a\nnoise\n  CC b\n  LD c\n");
        assert_eq!(run_cmd(&ctx, &step, &mut command).unwrap(), 3);
    }

    #[test]
    fn variables_of_an_outer_make_do_not_reach_the_child() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo ${MAKEFLAGS-none}"]);
        command.env("MAKEFLAGS", "mine");
        assert_eq!(output(&ctx(dir.path()), &mut command).unwrap(), "mine\n");
        let mut command = Command::new("sh");
        command.args(["-c", "echo ${MAKEFLAGS-none}"]);
        std::env::set_var("MAKEFLAGS", "outer");
        assert_eq!(output(&ctx(dir.path()), &mut command).unwrap(), "none\n");
    }

    #[test]
    fn shell_lines_are_quoted() {
        let mut command = Command::new("make");
        command.arg("A=b c").env("X", "it's");
        assert_eq!(shell_line(&command), r"X='it'\''s' make 'A=b c'");
    }
}
