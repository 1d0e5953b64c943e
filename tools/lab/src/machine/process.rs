// SPDX-License-Identifier: GPL-2.0

//! Child processes that end in time and never outlive the lab.

use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context;
use anyhow::Result;
use rustix::process::set_parent_process_death_signal;
use rustix::process::Signal;

/// How often a child is asked whether it has ended.
const TICK: Duration = Duration::from_millis(20);

/// A child that is killed when this value goes, and when the lab itself is killed.
pub struct Guarded(Child);

impl Guarded {
    /// Starts `command`.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        // SAFETY: prctl(2) is a plain system call: it allocates nothing and takes no lock, so it
        // may be called between fork and exec.
        unsafe {
            command.pre_exec(|| {
                set_parent_process_death_signal(Some(Signal::KILL)).map_err(Into::into)
            });
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        Ok(Self(child))
    }

    /// The child's own handle.
    pub fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// Waits; `None` if the child still runs at `deadline` or when `cancelled` says so.
    pub fn wait_until(
        &mut self,
        deadline: Option<Instant>,
        mut cancelled: impl FnMut() -> bool,
    ) -> Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.0.try_wait().context("cannot wait for a child")? {
                return Ok(Some(status));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) || cancelled() {
                return Ok(None);
            }
            thread::sleep(TICK);
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Exit status of a command that must end within `patience`, else `None`.
pub fn status_within(command: &mut Command, patience: Duration) -> Result<Option<ExitStatus>> {
    Guarded::spawn(command)?.wait_until(Some(Instant::now() + patience), || false)
}
