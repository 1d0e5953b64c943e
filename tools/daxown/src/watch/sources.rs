// SPDX-License-Identifier: GPL-2.0

//! Where changes are heard of: uevents, the kernel log, the ledger.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use anyhow::{Context, Result};
use daxmap::ledger::LEDGER_PATH;
use daxmap::{log, Tree};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::{recv, RecvFlags};

/// Until something is heard, or the time is over. Returns whether something was.
pub fn wait(events: &Uevents, log: Option<&Log>, left: Duration) -> Result<bool> {
    let mut fds = vec![PollFd::new(&events.0, PollFlags::IN)];
    fds.extend(log.map(|l| PollFd::new(&l.0, PollFlags::IN)));
    let left = Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    };
    match poll(&mut fds, Some(&left)) {
        Ok(n) => Ok(n > 0),
        Err(Errno::INTR) => Ok(false),
        Err(e) => Err(e).context("poll"),
    }
}

/// The kernel's events.
pub struct Uevents(OwnedFd);

impl Uevents {
    pub fn open() -> Result<Uevents> {
        Ok(Uevents(crate::wait::uevents()?))
    }

    /// Those that have come, as far as they are about this memory.
    pub fn read(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut buffer = [0u8; 8192];
        loop {
            match recv(&self.0, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => return out,
                Ok((n, _)) => out.extend(uevent(&buffer[..n.min(buffer.len())])),
                // Too many at once: the state tells what they did.
                Err(Errno::NOBUFS) => out.push("more events than could be read".into()),
                Err(Errno::INTR) => {}
                Err(_) => return out,
            }
        }
    }
}

/// `add dax dax0.0`, with what the driver adds; none for devices of other kinds.
pub fn uevent(message: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(message);
    let fields: Vec<(&str, &str)> = text.split('\0').filter_map(|f| f.split_once('=')).collect();
    let field = |key: &str| fields.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
    let (action, subsystem) = (field("ACTION")?, field("SUBSYSTEM")?);
    let name = field("DEVPATH")?.rsplit('/').next()?;
    let ours = match subsystem {
        "cxl" | "dax" => true,
        "memory" => action != "change",
        "platform" => name.starts_with("hmem"),
        "module" | "drivers" => {
            daxmap::modules::MODULES.contains(&name) || name.starts_with("cxl_")
        }
        _ => false,
    };
    if !ours {
        return None;
    }
    let known = [
        "ACTION",
        "SUBSYSTEM",
        "DEVPATH",
        "SEQNUM",
        "MODALIAS",
        "DEVTYPE",
        "MAJOR",
        "MINOR",
        "DEVNAME",
    ];
    let more: String = fields
        .iter()
        .filter(|(k, _)| !known.contains(k))
        .map(|(k, v)| format!(" {k}={v}"))
        .collect();
    let line = format!("{action} {subsystem} {name}{more}");
    Some(line.chars().filter(|c| !c.is_control()).collect())
}

/// The kernel log from now on.
pub struct Log(File);

impl Log {
    /// `None` where this user may not read it.
    pub fn open() -> Option<Log> {
        let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).ok()?;
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(nonblock)
            .open("/dev/kmsg");
        let mut file = file.ok()?;
        file.seek(SeekFrom::End(0)).ok()?;
        Some(Log(file))
    }

    /// New lines, as far as they are about this memory.
    pub fn read(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        let mut record = [0u8; 16 << 10];
        loop {
            match self.0.read(&mut record) {
                Ok(0) => return out,
                Ok(n) => {
                    let text = String::from_utf8_lossy(&record[..n]);
                    out.extend(log::parse(&text).iter().map(|m| m.stamped()));
                }
                // Overwritten while nobody read: what comes next is still there.
                Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => {}
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return out,
            }
        }
    }
}

/// The lines of the ledger, as they were.
pub struct Ledger(Option<BTreeSet<String>>);

impl Ledger {
    pub fn new() -> Ledger {
        Ledger(None)
    }

    /// Lines that are new; at the first look none is.
    pub fn read(&mut self, tree: &Tree) -> Vec<String> {
        let text = tree.text(LEDGER_PATH).unwrap_or_default();
        self.update(&text)
    }

    fn update(&mut self, text: &str) -> Vec<String> {
        let lines: BTreeSet<String> = text
            .lines()
            .filter(|l| !l.starts_with('#'))
            .map(str::to_string)
            .collect();
        let new = match &self.0 {
            Some(known) => lines.difference(known).cloned().collect(),
            None => Vec::new(),
        };
        self.0 = Some(lines);
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uevents_of_this_memory() {
        let event = |text: &str| uevent(text.replace(' ', "\0").as_bytes());
        assert_eq!(
            event(
                "add@/devices/x/dax0.0 ACTION=add DEVPATH=/devices/x/dax0.0 SUBSYSTEM=dax SEQNUM=7"
            )
            .as_deref(),
            Some("add dax dax0.0")
        );
        assert_eq!(
            event("change@/p ACTION=change DEVPATH=/devices/platform/hmem_platform.0 SUBSYSTEM=platform OWNERSHIP=settled MODALIAS=x")
                .as_deref(),
            Some("change platform hmem_platform.0 OWNERSHIP=settled")
        );
        assert_eq!(
            event("add@/p ACTION=add DEVPATH=/devices/pci0/eth0 SUBSYSTEM=net"),
            None
        );
        assert_eq!(uevent(b"\xff\0ACTION"), None);
    }

    #[test]
    fn only_new_records_are_told() {
        let mut ledger = Ledger::new();
        assert!(ledger
            .update("# 1\nrange=0x0-0x1 state=deferred\n")
            .is_empty());
        assert_eq!(
            ledger.update("# 1\nrange=0x0-0x1 state=hmem\n"),
            ["range=0x0-0x1 state=hmem"]
        );
        assert!(ledger.update("range=0x0-0x1 state=hmem\n").is_empty());
    }
}
