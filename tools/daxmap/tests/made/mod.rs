// SPDX-License-Identifier: GPL-2.0

//! Small trees made by hand.

#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use daxmap::{Map, Tree};

/// One with dax_hmem loaded, and nothing to own.
pub struct Machine(tempfile::TempDir);

impl Machine {
    pub fn new(cmdline: &str) -> Machine {
        let machine = Machine(tempfile::tempdir().unwrap());
        machine.file("proc/cmdline", cmdline);
        machine.file("proc/modules", "dax_hmem 1 0 - Live 0x0\n");
        machine.file("proc/sys/kernel/osrelease", "7.3.4\n");
        machine.file(
            "proc/iomem",
            "00001000-000fffff : System RAM\n00200000-002fffff : x\n",
        );
        machine.file("sys/devices/system/memory/block_size_bytes", "8000000\n");
        machine.file("sys/devices/system/memory/memory0/state", "online\n");
        machine.device(
            "platform",
            "platform/hmem_platform.0",
            Some("hmem_platform"),
        );
        machine
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn device(&self, bus: &str, device: &str, driver: Option<&str>) {
        let dir = self.path().join("sys/devices").join(device);
        fs::create_dir_all(&dir).unwrap();
        if let Some(driver) = driver {
            symlink(
                format!("/sys/bus/{bus}/drivers/{driver}"),
                dir.join("driver"),
            )
            .unwrap();
        }
        let devices = self.path().join(format!("sys/bus/{bus}/devices"));
        fs::create_dir_all(&devices).unwrap();
        let name = device.rsplit('/').next().unwrap();
        symlink(format!("/sys/devices/{device}"), devices.join(name)).unwrap();
    }

    pub fn map(&self) -> Map {
        Map::read(&Tree::open(self.path()).unwrap())
    }
}

pub fn hmem(n: u32) -> String {
    format!("platform/hmem_platform.0/hmem.{n}")
}
