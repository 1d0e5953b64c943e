// SPDX-License-Identifier: GPL-2.0

//! Locks between runs of the lab, and files that appear whole or not at all.

use std::fs;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use rustix::fs::flock;
use rustix::fs::FlockOperation;
use rustix::io::fcntl_setfd;
use rustix::io::Errno;
use rustix::io::FdFlags;

use super::cmd::announce;

/// An exclusive lock that ends with the value, or with the process however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Waits for the lock; says so if `what` is being made by another run.
    pub fn exclusive(path: &Path, what: &str) -> Result<Self> {
        let cannot = || format!("cannot lock {}", path.display());
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).with_context(cannot)?;
        }
        // The file stays for good: removing a lock file races with those who wait on it.
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .with_context(cannot)?;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { file }),
                Err(Errno::WOULDBLOCK) => {
                    announce(&format!("Waiting for another run that makes {what}"));
                    match flock(&file, FlockOperation::LockExclusive) {
                        Err(Errno::INTR) => continue,
                        result => result.with_context(cannot)?,
                    }
                    return Ok(Self { file });
                }
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error).with_context(cannot),
            }
        }
    }

    /// Lets programs started from now on hold the lock too, until the last of them ends: when
    /// only the lab is killed, its make goes on, and must go on alone.
    pub fn share_with_children(self) -> Result<Self> {
        fcntl_setfd(&self.file, FdFlags::empty()).context("cannot share a lock")?;
        Ok(self)
    }
}

/// Writes a file under a temporary name and moves it in place.
pub fn write_atomic(path: &Path, text: &str) -> Result<()> {
    let dir = path.parent().context("a file needs a directory")?;
    let cannot = || format!("cannot write {}", path.display());
    let mut file = tempfile::NamedTempFile::new_in(dir).with_context(cannot)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).with_context(cannot)?;
    // Temporary files are private; these may be read by whoever may enter the directory.
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).with_context(cannot)?;
    file.persist(path).with_context(cannot)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering;

    #[test]
    fn the_second_taker_waits_for_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::exclusive(&path, "x").unwrap();
        let released = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                let _lock = Lock::exclusive(&path, "x").unwrap();
                released.load(Ordering::SeqCst)
            });
            std::thread::sleep(std::time::Duration::from_millis(100));
            released.store(true, Ordering::SeqCst);
            drop(first);
            assert!(second.join().unwrap());
        });
    }

    #[test]
    fn a_shared_lock_outlives_its_taker() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = Lock::exclusive(&path, "x").unwrap();
        let lock = lock.share_with_children().unwrap();
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(lock);
        let again = File::options().write(true).open(&path).unwrap();
        let attempt = || flock(&again, FlockOperation::NonBlockingLockExclusive);
        assert_eq!(attempt(), Err(Errno::WOULDBLOCK));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(attempt(), Ok(()));
    }

    #[test]
    fn an_atomic_write_replaces_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write_atomic(&path, "a").unwrap();
        write_atomic(&path, "b").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "b");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
