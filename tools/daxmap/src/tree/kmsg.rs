// SPDX-License-Identifier: GPL-2.0

//! The kernel log of the running machine.
//!
//! `/dev/kmsg` first. Its ring may have lost the boot messages, and it may be closed to users
//! (`dmesg_restrict`); the journal, where there is one, still has this boot's messages for both.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use super::Lack;

/// `O_NONBLOCK` on Linux for every architecture with these drivers: a read at the ring's end returns.
const O_NONBLOCK: i32 = 0o4000;
/// The ring is at most a few MiB.
const MAX_LOG: usize = 64 << 20;

pub(super) fn live() -> Result<String, Lack> {
    match ring() {
        Ok(log) if first_sequence(&log) == Some(0) => Ok(log),
        // The ring's own tail is newer than what the journal has written so far: keep both.
        Ok(log) => Ok(match journal() {
            Some(journal) if journal.len() > log.len() => journal,
            _ => log,
        }),
        Err(lack) => journal().ok_or(lack),
    }
}

fn ring() -> Result<String, Lack> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open("/dev/kmsg")?;
    let mut out = Vec::new();
    let mut record = vec![0u8; 16 << 10];
    while out.len() < MAX_LOG {
        match file.read(&mut record) {
            Ok(0) => break,
            Ok(n) => {
                out.extend_from_slice(&record[..n]);
                if out.last() != Some(&b'\n') {
                    out.push(b'\n');
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            // EPIPE: the record was overwritten while we read; the next read goes on after the gap.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// The sequence number of the ring's oldest record.
fn first_sequence(log: &str) -> Option<u64> {
    log.split(',').nth(1)?.parse().ok()
}

fn journal() -> Option<String> {
    let output = Command::new("journalctl")
        .args([
            "--dmesg",
            "--boot",
            "--output=short-monotonic",
            "--no-pager",
            "--quiet",
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success() && text.lines().count() > 1).then_some(text)
}
