// SPDX-License-Identifier: GPL-2.0

//! Where QEMU puts the CXL windows.
//!
//! Soft Reserved ranges are kernel parameters with physical addresses, but QEMU alone decides
//! where windows lie: a paused QEMU of the same machine is asked, once per machine.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use sha2::Digest;
use sha2::Sha256;

use super::hardware;
use crate::scenario::Address;
use crate::scenario::ExcerptPlace;
use crate::scenario::Machine;

/// Physical addresses of a machine's windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Start and size of each window, in the order of the scenario.
    pub windows: Vec<(u64, u64)>,
}

impl Layout {
    /// Asks `qemu`, or the cache.
    pub fn of(machine: &Machine, qemu: &Path, cache: &Path) -> Result<Self> {
        if machine.windows.is_empty() {
            return Ok(Self {
                windows: Vec::new(),
            });
        }
        let mut args = hardware::arguments(machine);
        args.extend(["-S", "-nodefaults", "-display", "none"].map(str::to_owned));
        args.extend(["-monitor", "stdio"].map(str::to_owned));
        let note = cache.join("layouts").join(key(qemu, &args)?);
        let text = match fs::read_to_string(&note) {
            Ok(text) => text,
            Err(_) => {
                let text = ask(qemu, &args)?;
                fs::create_dir_all(cache.join("layouts"))
                    .and_then(|()| fs::write(&note, &text))
                    .with_context(|| format!("cannot write {}", note.display()))?;
                text
            }
        };
        Self::parse(&text, machine)
    }

    /// Reads QEMU's memory tree.
    fn parse(tree: &str, machine: &Machine) -> Result<Self> {
        let mut windows: Vec<(u64, u64)> = tree
            .lines()
            .filter(|line| line.contains(": cxl-fixed-memory-region"))
            .filter_map(|line| line.trim().split(' ').next()?.split_once('-'))
            .filter_map(|(start, last)| {
                let start = u64::from_str_radix(start, 16).ok()?;
                let last = u64::from_str_radix(last, 16).ok()?;
                Some((start, last.checked_sub(start)?.checked_add(1)?))
            })
            .collect();
        windows.sort_unstable();
        windows.dedup();
        let sizes: Vec<u64> = windows.iter().map(|window| window.1).collect();
        let wanted: Vec<u64> = machine.windows.iter().map(|window| window.size).collect();
        if sizes != wanted {
            bail!("QEMU made windows of {sizes:?} bytes where the scenario has {wanted:?}");
        }
        for pair in windows.windows(2) {
            if pair[0].0 + pair[0].1 != pair[1].0 {
                bail!("QEMU left a hole between two windows; the lab counts on there being none");
            }
        }
        Ok(Self { windows })
    }

    /// The physical address of a scenario's address.
    pub fn resolve(&self, address: Address) -> u64 {
        match address {
            Address::Window { index, offset } => self.windows[index].0 + offset,
            Address::Absolute(address) => address,
        }
    }

    /// The physical address of a place in an excerpt.
    pub fn resolve_place(&self, place: ExcerptPlace) -> u64 {
        match place {
            ExcerptPlace::Window(index, offset) => self.windows[index].0 + offset,
            ExcerptPlace::Absolute(address) => address,
        }
    }

    /// Writes an address as people read it: relative to its window, if it lies in one.
    pub fn show(&self, address: u64) -> String {
        self.windows
            .iter()
            .position(|&(start, size)| address >= start && address - start < size)
            .map_or_else(
                || format!("{address:#x}"),
                |index| format!("W{index}+{:#x}", address - self.windows[index].0),
            )
    }
}

fn key(qemu: &Path, args: &[String]) -> Result<String> {
    let changed = fs::metadata(qemu)
        .and_then(|meta| meta.modified())
        .with_context(|| format!("cannot look at {}", qemu.display()))?;
    let mut hash = Sha256::new();
    hash.update(format!("{} {changed:?} {args:?}", qemu.display()));
    Ok(format!("{:x}", hash.finalize()))
}

fn ask(qemu: &Path, args: &[String]) -> Result<String> {
    use std::io::Write;

    let mut child = Command::new(qemu)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", qemu.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A QEMU that refuses the machine closes its end; its message is what counts.
        let _ = stdin.write_all(b"info mtree\nquit\n");
    }
    let output = child.wait_with_output().context("cannot wait for QEMU")?;
    if !output.status.success() {
        bail!(
            "QEMU refuses this machine: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    const TREE: &str = "\
    0000000110000000-000000020fffffff (prio 0, i/o): cxl-fixed-memory-region\r
  0000000110000000-000000020fffffff (prio 0, i/o): cxl-fixed-memory-region\r
  0000000210000000-000000024fffffff (prio 0, i/o): cxl-fixed-memory-region\r
  0000000250000000-000000024fffffff (prio 0, i/o): something\r
";

    fn machine(text: &str) -> Machine {
        let text = format!("description = \"x\"\n{text}");
        Scenario::parse(Path::new("t.toml"), &text)
            .expect("valid")
            .machine
    }

    #[test]
    fn windows_are_found_once_and_in_order() {
        let machine = machine("[[window]]\n[[window]]\nsize = \"1G\"\n");
        let layout = Layout::parse(TREE, &machine).expect("layout");
        assert_eq!(
            layout.windows,
            [(0x1_1000_0000, 4 << 30), (0x2_1000_0000, 1 << 30)]
        );
        assert_eq!(layout.show(0x2_1000_1000), "W1+0x1000");
        assert_eq!(layout.show(0x1000), "0x1000");
    }

    #[test]
    fn another_machine_is_refused() {
        assert!(Layout::parse(TREE, &machine("[[window]]\n")).is_err());
    }
}
