// SPDX-License-Identifier: GPL-2.0

//! Reads what a guest left on its results share.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::bail;
use anyhow::Context;
use anyhow::Result;

use super::Verbs;
use crate::report::iomem;

/// Everything a guest left.
#[derive(Debug, Default)]
pub struct Results {
    /// States by name; `end` is the last.
    pub captures: BTreeMap<String, Capture>,
    /// Kernel log.
    pub dmesg: String,
    /// The two modules under test.
    pub modules: Vec<LoadedModule>,
    /// Output of steps, by number.
    pub step_logs: BTreeMap<usize, String>,
    /// What daxown said in the end.
    pub verbs: Verbs,
    /// Why the guest gave up, if it did.
    pub failed: Option<String>,
    /// The guest came to its own end.
    pub complete: bool,
}

/// One state of the guest.
#[derive(Debug, Default)]
pub struct Capture {
    pub iomem: Vec<iomem::Line>,
    pub dax: Vec<DaxDevice>,
    pub regions: Vec<RegionState>,
    /// Platform devices `hmem*` and their drivers.
    pub platform: Vec<(String, String)>,
    pub block_size: u64,
    pub blocks: Vec<Block>,
}

/// A DAX device.
#[derive(Debug, Default)]
pub struct DaxDevice {
    pub name: String,
    /// Path in /sys/devices.
    pub path: String,
    pub driver: String,
    pub target_node: Option<i64>,
    /// First and last byte of each mapping.
    pub ranges: Vec<(u64, u64)>,
}

/// A CXL region.
#[derive(Debug, Default)]
pub struct RegionState {
    pub name: String,
    pub start: u64,
    pub size: u64,
    pub committed: bool,
    pub persistent: bool,
    /// Driver of its DAX region device, empty if there is none.
    pub dax_driver: String,
}

/// A memory block.
#[derive(Debug)]
pub struct Block {
    pub index: u64,
    pub online: bool,
}

/// Where a module came from.
#[derive(Debug, Default)]
pub struct LoadedModule {
    pub name: String,
    pub loaded: bool,
    /// Built outside the kernel tree.
    pub out_of_tree: bool,
    /// The file modprobe takes.
    pub file: String,
}

impl Results {
    /// Reads the share.
    pub fn read(out: &Path) -> Result<Self> {
        let mut results = Self::default();
        let captures = out.join("capture");
        if captures.is_dir() {
            for entry in fs::read_dir(&captures).context("cannot list captures")? {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                results
                    .captures
                    .insert(name.into_owned(), Capture::read(&path)?);
            }
        }
        results.dmesg = optional(&out.join("dmesg"))?.unwrap_or_default();
        for line in optional(&out.join("modules"))?.unwrap_or_default().lines() {
            let (name, values) = fields(line);
            results.modules.push(LoadedModule {
                name: name.to_owned(),
                loaded: values.get("loaded") == Some(&"yes"),
                out_of_tree: values.get("taint").is_some_and(|taint| taint.contains('O')),
                file: values.get("file").unwrap_or(&"").to_string(),
            });
        }
        for entry in fs::read_dir(out).with_context(|| format!("cannot list {}", out.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let number: Option<usize> = name
                .strip_prefix("step-")
                .and_then(|rest| rest.strip_suffix(".log"))
                .and_then(|number| number.parse().ok());
            if let Some(number) = number {
                let text = optional(&path)?.unwrap_or_default();
                results.step_logs.insert(number, text);
            }
        }
        results.verbs = Verbs::read(&out.join("daxown"))?;
        if let Some(done) = optional(&out.join("done"))? {
            results.complete = true;
            results.failed = Some(done.trim().to_owned()).filter(|reason| !reason.is_empty());
        }
        Ok(results)
    }

    /// The state when everything was done.
    pub fn end(&self) -> Option<&Capture> {
        self.captures.get("end")
    }
}

impl Capture {
    fn read(dir: &Path) -> Result<Self> {
        let read = |name: &str| {
            fs::read_to_string(dir.join(name))
                .with_context(|| format!("{} is incomplete", dir.display()))
        };
        Self::parse(&read("state")?, &read("iomem")?)
            .with_context(|| format!("cannot understand {}", dir.display()))
    }

    /// Parses what the guest's `capture` writes.
    pub fn parse(state: &str, iomem_text: &str) -> Result<Self> {
        let mut capture = Self {
            iomem: iomem::parse(iomem_text)?,
            ..Self::default()
        };
        for line in state.lines() {
            capture
                .take(line)
                .with_context(|| format!("not a line of a state: `{line}`"))?;
        }
        Ok(capture)
    }

    fn take(&mut self, line: &str) -> Result<()> {
        let Some((kind, rest)) = line.split_once(' ') else {
            bail!("not a line of a state");
        };
        if kind == "memory" {
            self.block_size = number(fields(line).1.get("block_size"))?;
            return Ok(());
        }
        let (name, values) = fields(rest);
        let text = |key: &str| values.get(key).unwrap_or(&"").to_string();
        match kind {
            "dax" => self.dax.push(DaxDevice {
                name: name.to_owned(),
                path: text("path"),
                driver: text("driver"),
                target_node: values.get("target_node").and_then(|node| node.parse().ok()),
                ranges: Vec::new(),
            }),
            "mapping" => {
                let range = (number(values.get("start"))?, number(values.get("end"))?);
                if let Some(device) = self.dax.iter_mut().find(|device| device.name == name) {
                    device.ranges.push(range);
                }
            }
            "region" => self.regions.push(RegionState {
                name: name.to_owned(),
                // A region without an address has no number here.
                start: number(values.get("start")).unwrap_or_default(),
                size: number(values.get("size")).unwrap_or_default(),
                committed: values.get("commit") == Some(&"1"),
                persistent: values.get("mode") == Some(&"pmem"),
                dax_driver: text("dax_driver"),
            }),
            "platform" => self.platform.push((name.to_owned(), text("driver"))),
            "block" => self.blocks.push(Block {
                index: number(values.get("index"))?,
                online: values.get("state") == Some(&"online"),
            }),
            "module" => {}
            other => bail!("unknown kind {other}"),
        }
        Ok(())
    }
}

fn optional(path: &Path) -> Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// `name key=value key=value`
fn fields(line: &str) -> (&str, HashMap<&str, &str>) {
    let mut words = line.split(' ');
    let name = words.next().unwrap_or_default();
    (
        name,
        words.filter_map(|word| word.split_once('=')).collect(),
    )
}

fn number(text: Option<&&str>) -> Result<u64> {
    let text = text.copied().unwrap_or_default();
    let parsed = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.with_context(|| format!("`{text}` is not a number"))
}
