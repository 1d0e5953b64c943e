// SPDX-License-Identifier: GPL-2.0

//! KVM or TCG: KVM only where a guest has really run on it.
//!
//! A `/dev/kvm` that opens says little, and neither does real-mode code that runs: some hosts
//! emulate that much and no more. So the probe boots the kernel up to the panic that a missing
//! root file system ends in. The answer is kept for as long as the host runs.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use anyhow::Result;

use super::process;

/// What the kernel says when it got as far as it can without a root file system.
const RAN: &str = "Unable to mount root fs";
/// A probe that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// QEMU's `-accel` value for this host.
pub fn accelerator(cache: &Path, qemu: &Path, kernel: &Path) -> Result<&'static str> {
    let note = cache.join("accelerator");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let key = format!("{} {}", boot.trim(), qemu.display());
    let known = fs::read_to_string(&note).unwrap_or_default();
    let answer = known
        .split_once('\n')
        .filter(|(known_key, _)| *known_key == key)
        .map(|(_, answer)| answer.trim() == "kvm");
    let kvm = match answer {
        Some(kvm) => kvm,
        None => {
            let kvm = runs_on_kvm(qemu, kernel)?;
            let answer = if kvm { "kvm" } else { "tcg" };
            fs::write(&note, format!("{key}\n{answer}\n"))
                .with_context(|| format!("cannot write {}", note.display()))?;
            kvm
        }
    };
    Ok(if kvm { "kvm" } else { "tcg,thread=multi" })
}

fn runs_on_kvm(qemu: &Path, kernel: &Path) -> Result<bool> {
    if fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .is_err()
    {
        return Ok(false);
    }
    let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
    let console = dir.path().join("console");
    let mut command = Command::new(qemu);
    command
        .args(["-M", "q35", "-accel", "kvm", "-cpu", "max", "-m", "512M"])
        .args(["-nodefaults", "-display", "none", "-no-reboot"])
        .arg("-kernel")
        .arg(kernel)
        .args(["-append", "console=ttyS0 panic=-1"])
        .arg("-serial")
        .arg(format!("file:{}", console.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = process::status_within(&mut command, PATIENCE)?;
    let log = fs::read(&console).unwrap_or_default();
    let ran = String::from_utf8_lossy(&log).contains(RAN);
    Ok(ran && status.is_some_and(|status| status.success()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_kept_for_this_boot_only() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("boot id");
        let note = dir.path().join("accelerator");
        let qemu = Path::new("/nonexistent/qemu");
        fs::write(&note, format!("{} {}\nkvm\n", boot.trim(), qemu.display())).expect("write");
        assert_eq!(
            accelerator(dir.path(), qemu, Path::new("")).expect("known"),
            "kvm"
        );
    }
}
