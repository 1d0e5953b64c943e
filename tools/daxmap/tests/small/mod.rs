// SPDX-License-Identifier: GPL-2.0

//! A small machine as files: a window, memory devices behind one host bridge, and what firmware declares.

#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use daxmap::problem::{self, Problem};
use daxmap::{Map, Range, Tree};

pub const GIB: u64 = 1 << 30;
/// Where the window begins.
pub const BASE: u64 = 0x2080000000;

const ROOT: &str = "platform/ACPI0017:00/root0";

pub struct Small(tempfile::TempDir);

impl Small {
    /// A window of 64 GiB, of which firmware declares the first `declared` GiB.
    pub fn new(declared: u64) -> Small {
        let small = Small(tempfile::tempdir().unwrap());
        let end = BASE + 64 * GIB - 1;
        small.file("proc/cmdline", "quiet\n");
        small.file(
            "proc/modules",
            "dax_hmem 1 0 - Live 0x0\nkmem 1 0 - Live 0x0\n",
        );
        small.file("proc/sys/kernel/osrelease", "7.3.4\n");
        small.file("sys/devices/system/memory/block_size_bytes", "8000000\n");
        small.file("sys/devices/system/memory/memory0/state", "online\n");
        small.iomem(&[(0, BASE, end, "CXL Window 0")]);
        small.device(
            "platform",
            "platform/hmem_platform.0",
            Some("hmem_platform"),
        );
        small.device("cxl", &format!("{ROOT}/decoder0.0"), None);
        small.values(
            &format!("{ROOT}/decoder0.0"),
            &[
                ("start", format!("{BASE:#x}")),
                ("size", format!("{:#x}", 64 * GIB)),
                ("cap_ram", "1".into()),
                ("cap_type3", "1".into()),
                ("cap_type2", "0".into()),
                ("target_list", "0".into()),
                ("interleave_ways", "1".into()),
            ],
        );
        small.link(
            &format!("sys/devices/{ROOT}/dport0"),
            "/sys/devices/pci0000:0c",
        );
        // The map of firmware is there, and has plain RAM.
        let ram = "sys/firmware/memmap/1";
        small.file(&format!("{ram}/start"), "0x1000\n");
        small.file(&format!("{ram}/end"), "0x7fffffff\n");
        small.file(&format!("{ram}/type"), "System RAM\n");
        if declared > 0 {
            let start = BASE;
            let end = start + declared * GIB - 1;
            let dir = "sys/firmware/memmap/0";
            small.file(&format!("{dir}/start"), &format!("{start:#x}\n"));
            small.file(&format!("{dir}/end"), &format!("{end:#x}\n"));
            small.file(&format!("{dir}/type"), "Soft Reserved\n");
        }
        small
    }

    /// Lines of the resource tree below plain RAM: depth, start, end, name.
    pub fn iomem(&self, lines: &[(usize, u64, u64, &str)]) {
        let mut text = String::from("00001000-7fffffff : System RAM\n");
        for (depth, start, end, name) in lines {
            text.push_str(&format!(
                "{}{start:x}-{end:x} : {name}\n",
                "  ".repeat(*depth)
            ));
        }
        self.file("proc/iomem", &text);
    }

    pub fn file(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn values(&self, device: &str, values: &[(&str, String)]) {
        for (name, value) in values {
            self.file(
                &format!("sys/devices/{device}/{name}"),
                &format!("{value}\n"),
            );
        }
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    pub fn device(&self, bus: &str, device: &str, driver: Option<&str>) {
        let dir = format!("sys/devices/{device}");
        fs::create_dir_all(self.0.path().join(&dir)).unwrap();
        if let Some(driver) = driver {
            self.link(
                &format!("{dir}/driver"),
                &format!("/sys/bus/{bus}/drivers/{driver}"),
            );
        }
        let name = device.rsplit('/').next().unwrap();
        self.link(
            &format!("sys/bus/{bus}/devices/{name}"),
            &format!("/sys/devices/{device}"),
        );
    }

    /// memN of so many GiB with two decoders, unless it has no driver.
    pub fn memdev(&self, n: u64, gib: u64, bound: bool) {
        let device = format!("pci0000:0c/0000:0c:0{n}.0/0000:0{n}:00.0/mem{n}");
        self.device("cxl", &device, bound.then_some("cxl_mem"));
        self.values(
            &device,
            &[
                ("ram/size", format!("{:#x}", gib * GIB)),
                ("pmem/size", "0x0".into()),
                ("serial", format!("{n:#x}")),
            ],
        );
        if bound {
            let endpoint = format!("{ROOT}/port1/endpoint{}", 10 + n);
            self.link(
                &format!("sys/devices/{endpoint}/uport"),
                &format!("/sys/devices/{device}"),
            );
            for i in [0, 1] {
                self.decoder(&format!("{endpoint}/decoder{}.{i}", 10 + n), None, None);
            }
        }
    }

    /// A decoder, with its addresses and its region.
    pub fn decoder(&self, path: &str, range: Option<(u64, u64)>, region: Option<&str>) {
        let name = path.rsplit('/').next().unwrap();
        if !self
            .0
            .path()
            .join(format!("sys/bus/cxl/devices/{name}"))
            .is_symlink()
        {
            self.device("cxl", path, None);
        }
        let (start, size) = range.unwrap_or((0, 0));
        let mode = if size > 0 { "ram" } else { "none" };
        self.values(
            path,
            &[
                ("start", format!("{start:#x}")),
                ("size", format!("{size:#x}")),
                ("dpa_size", format!("{size:#x}")),
                ("interleave_ways", "1".into()),
                ("interleave_granularity", "256".into()),
                ("locked", "0".into()),
                ("mode", mode.into()),
                ("target_type", "expander".into()),
                ("region", region.unwrap_or_default().into()),
            ],
        );
    }

    /// Decoder `i` of memN.
    pub fn maps(&self, n: u64, i: u64, range: (u64, u64), region: Option<&str>) {
        let port = 10 + n;
        let path = format!("{ROOT}/port1/endpoint{port}/decoder{port}.{i}");
        self.decoder(&path, Some(range), region);
    }

    /// Decoder `i` of the host bridge.
    pub fn bridge(&self, i: u64, range: Option<(u64, u64)>, region: Option<&str>) {
        self.decoder(&format!("{ROOT}/port1/decoder1.{i}"), range, region);
    }

    /// A region of the endpoint decoders `targets`; an empty one is missing.
    pub fn region(
        &self,
        name: &str,
        range: (u64, u64),
        committed: bool,
        targets: &[&str],
    ) -> String {
        let path = format!("{ROOT}/decoder0.0/{name}");
        self.device("cxl", &path, committed.then_some("cxl_region"));
        self.values(
            &path,
            &[
                ("resource", format!("{:#x}", range.0)),
                ("size", format!("{:#x}", range.1)),
                ("mode", "ram".into()),
                ("commit", u8::from(committed).to_string()),
                ("locked", "0".into()),
                ("interleave_ways", targets.len().to_string()),
                ("interleave_granularity", "256".into()),
            ],
        );
        for (i, target) in targets.iter().enumerate() {
            self.values(&path, &[(&format!("target{i}"), target.to_string())]);
        }
        path
    }

    /// hmem.0, and with a size its dax0.0.
    pub fn hmem(&self, gib: u64, driver: Option<&str>, dax: Option<(u64, Option<&str>)>) {
        let hmem = "platform/hmem_platform.0/hmem.0";
        self.device("platform", hmem, driver);
        if driver.is_some() {
            let size = dax.map_or(0, |d| d.0);
            self.values(
                hmem,
                &[
                    ("dax_region/id", "0".into()),
                    ("dax_region/size", (gib * GIB).to_string()),
                    ("dax_region/available_size", (gib * GIB - size).to_string()),
                ],
            );
        }
        let Some((size, driver)) = dax else {
            return;
        };
        let dax = format!("{hmem}/dax0.0");
        self.device("dax", &dax, driver);
        self.values(
            &dax,
            &[
                ("size", size.to_string()),
                ("target_node", "1".into()),
                ("align", "2097152".into()),
            ],
        );
        if size > 0 {
            self.values(
                &dax,
                &[
                    ("mapping0/start", format!("{BASE:#x}")),
                    ("mapping0/end", format!("{:#x}", BASE + size - 1)),
                ],
            );
        }
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn map(&self) -> Map {
        Map::read(&Tree::open(self.path()).unwrap())
    }

    pub fn problems(&self) -> Vec<Problem> {
        problem::find(&self.map())
    }

    /// All commands that are advised.
    pub fn commands(&self) -> Vec<String> {
        let lines = self.problems().into_iter().flat_map(|p| p.remedy);
        lines.filter(|l| !l.starts_with('#')).collect()
    }

    /// All remarks of the problem of this kind.
    pub fn remarks(&self, kind: &str) -> String {
        let problems = self.problems();
        let found = problems.iter().find(|p| p.kind.word() == kind);
        let found = found.unwrap_or_else(|| panic!("no {kind}: {problems:#?}"));
        let lines = found.remedy.iter().filter(|l| l.starts_with('#'));
        lines.cloned().collect::<Vec<_>>().join("\n")
    }
}

pub fn range(start: u64, size: u64) -> Range {
    Range::with_size(start, size).unwrap()
}
