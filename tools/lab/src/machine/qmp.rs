// SPDX-License-Identifier: GPL-2.0

//! One command to QEMU's machine protocol.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;
use serde_json::Value;

/// QEMU answers at once, or never.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends `command` (JSON) and waits for its answer.
pub fn qmp(socket: &Path, command: &str) -> Result<()> {
    let mut stream = UnixStream::connect(socket).context("cannot reach QEMU")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    // The greeting.
    lines.next().context("QEMU says nothing")??;
    for command in ["{\"execute\":\"qmp_capabilities\"}", command.trim()] {
        writeln!(stream, "{command}")?;
        loop {
            let line = lines.next().context("QEMU closed its socket")??;
            let answer: Value = serde_json::from_str(&line)?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU refuses {command}: {error}");
            }
            // Anything else is an event.
            if answer.get("return").is_some() {
                break;
            }
        }
    }
    Ok(())
}
