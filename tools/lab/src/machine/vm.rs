// SPDX-License-Identifier: GPL-2.0

//! One QEMU: its command line, its control channel, its end.
//!
//! The guest writes lines to a virtio port and may wait for an answer; the host sees what the
//! guest does the moment it happens, before and after a kexec alike.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use tempfile::TempDir;

use super::process::Guarded;

/// How long the loop waits for a line before it looks at the process again.
const TICK: Duration = Duration::from_millis(50);

/// All that makes a guest.
#[derive(Clone, Debug)]
pub struct VmConfig {
    pub qemu: PathBuf,
    pub accel: &'static str,
    /// The scenario's hardware.
    pub hardware: Vec<String>,
    /// What QEMU's processor is.
    pub cpu: &'static str,
    pub kernel: PathBuf,
    pub initramfs: Option<PathBuf>,
    pub cmdline: String,
    pub rootfs: PathBuf,
    pub shares: Vec<Share>,
    /// Where the serial console is kept.
    pub console: PathBuf,
    /// Give the guest a terminal on standard input and output.
    pub interactive: bool,
}

/// A host directory that the guest mounts by its tag.
#[derive(Clone, Debug)]
pub struct Share {
    pub tag: &'static str,
    pub path: PathBuf,
    pub writable: bool,
}

/// How a guest ended.
#[derive(Debug)]
pub enum Ended {
    /// QEMU ended by itself.
    Exited(ExitStatus),
    /// The lab ended it after this long.
    TimedOut(Duration),
}

impl VmConfig {
    /// QEMU's arguments; sockets are made in `sockets`.
    pub fn arguments(&self, sockets: &Path) -> Vec<String> {
        let mut args: Vec<String> = Vec::new();
        let mut add = |parts: &[&str]| args.extend(parts.iter().map(|&part| part.to_owned()));
        add(&["-accel", self.accel]);
        add(&["-cpu", self.cpu]);
        add(&["-nodefaults", "-display", "none", "-no-reboot"]);
        args.extend(self.hardware.iter().cloned());
        let mut add = |option: &str, value: String| {
            args.push(option.to_owned());
            args.push(value);
        };
        let escape = |path: &Path| path.display().to_string().replace(',', ",,");
        add(
            "-drive",
            format!(
                "file={},if=none,id=root,format=raw,readonly=on",
                escape(&self.rootfs)
            ),
        );
        add("-device", "virtio-blk-pci,drive=root,bus=pcie.0".to_owned());
        for share in &self.shares {
            let mut fsdev = format!(
                "local,id=fs-{},path={},security_model=none",
                share.tag,
                escape(&share.path)
            );
            if !share.writable {
                fsdev.push_str(",readonly=on");
            }
            add("-fsdev", fsdev);
            add(
                "-device",
                format!(
                    "virtio-9p-pci,fsdev=fs-{0},mount_tag={0},bus=pcie.0",
                    share.tag
                ),
            );
        }
        add("-device", "virtio-serial-pci,bus=pcie.0".to_owned());
        add(
            "-chardev",
            format!(
                "socket,id=control,path={}",
                escape(&sockets.join("control"))
            ),
        );
        add(
            "-device",
            "virtserialport,chardev=control,name=lab".to_owned(),
        );
        if self.interactive {
            add("-chardev", "stdio,id=terminal,mux=on,signal=off".to_owned());
            add("-device", "virtconsole,chardev=terminal".to_owned());
            add("-mon", "chardev=terminal".to_owned());
        }
        add(
            "-qmp",
            format!("unix:{},server=on,wait=off", escape(&sockets.join("qmp"))),
        );
        add("-serial", format!("file:{}", self.console.display()));
        add("-kernel", self.kernel.display().to_string());
        if let Some(initramfs) = &self.initramfs {
            add("-initrd", initramfs.display().to_string());
        }
        add("-append", self.cmdline.clone());
        args
    }

    /// The whole command, ready to be pasted into a shell.
    pub fn display(&self, sockets: &Path) -> String {
        let mut text = quote(&self.qemu.display().to_string());
        for arg in self.arguments(sockets) {
            text.push_str(if arg.starts_with('-') { " \\\n  " } else { " " });
            text.push_str(&quote(&arg));
        }
        text
    }
}

fn quote(arg: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+%@".contains(c);
    if !arg.is_empty() && arg.chars().all(plain) {
        return arg.to_owned();
    }
    format!("'{}'", arg.replace('\'', r"'\''"))
}

/// A running guest.
pub struct Vm {
    process: Guarded,
    sockets: TempDir,
    lines: mpsc::Receiver<(String, UnixStream)>,
}

impl Vm {
    /// A directory for sockets: their paths must be short, wherever the logs are.
    pub fn sockets() -> Result<TempDir> {
        tempfile::Builder::new()
            .prefix("lab-")
            .tempdir()
            .context("cannot make a temporary directory")
    }

    /// Starts the guest.
    pub fn start(config: &VmConfig, sockets: TempDir) -> Result<Self> {
        let path = sockets.path().join("control");
        let listener = UnixListener::bind(&path)
            .with_context(|| format!("cannot listen on {}", path.display()))?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let Ok((stream, _)) = listener.accept() else {
                return;
            };
            let Ok(reader) = stream.try_clone() else {
                return;
            };
            for line in BufReader::new(reader).lines() {
                let (Ok(line), Ok(stream)) = (line, stream.try_clone()) else {
                    return;
                };
                if sender.send((line, stream)).is_err() {
                    return;
                }
            }
        });
        let errors = config.console.with_file_name("qemu.log");
        let errors =
            File::create(&errors).with_context(|| format!("cannot write {}", errors.display()))?;
        let mut command = Command::new(&config.qemu);
        command
            .args(config.arguments(sockets.path()))
            .stderr(errors);
        if !config.interactive {
            command.stdin(Stdio::null()).stdout(Stdio::null());
        }
        Ok(Self {
            process: Guarded::spawn(&mut command)?,
            sockets,
            lines,
        })
    }

    /// Sees the guest to its end. `on_line` gets each line of the control channel and the
    /// path of QEMU's own socket; what it returns is sent back.
    pub fn run(
        mut self,
        timeout: Option<Duration>,
        mut on_line: impl FnMut(&str, &Path) -> Option<String>,
    ) -> Result<Ended> {
        let start = Instant::now();
        let qmp = self.sockets.path().join("qmp");
        loop {
            match self.lines.recv_timeout(TICK) {
                Ok((line, mut stream)) => {
                    if let Some(answer) = on_line(&line, &qmp) {
                        // A guest that is gone does not need the answer.
                        let _ = writeln!(stream, "{answer}");
                    }
                    continue;
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => thread::sleep(TICK),
            }
            if let Some(status) = self.process.wait_until(Some(Instant::now()), || false)? {
                while let Ok((line, _)) = self.lines.try_recv() {
                    on_line(&line, &qmp);
                }
                return Ok(Ended::Exited(status));
            }
            if let Some(timeout) = timeout.filter(|&timeout| start.elapsed() > timeout) {
                return Ok(Ended::TimedOut(timeout));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_survives_a_shell() {
        assert_eq!(quote("a=b,c"), "a=b,c");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote(""), "''");
    }
}
