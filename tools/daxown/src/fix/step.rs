// SPDX-License-Identifier: GPL-2.0

//! One command of a plan: what it changes, how to go back, how to see that it worked.
//!
//! The match has no arm for the rest: a command that is new in an advice does not compile before it is
//! said what it does.

mod sysfs;

use daxmap::names::listed;
use daxmap::problem::command::Command;
use daxmap::problem::refusal;
use daxmap::Map;

use super::check::Check;

/// Who is to run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// daxown does.
    Daxown,
    /// It only looks: the administrator does.
    Look,
    /// It ends this boot, or does harm here: the administrator decides.
    Administrator,
}

/// The way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Back {
    /// By a command.
    Command(String),
    /// By what is known only later, or takes more than a command.
    Words(String),
    /// There is none, and why.
    Never(String),
    /// It changes nothing.
    Nothing,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// For a shell.
    pub command: String,
    /// What it changes.
    pub changes: String,
    /// What undoes it.
    pub back: Back,
    /// What may fail half-way, or is lost.
    pub warning: Option<String>,
    /// How to see that it worked.
    pub check: Check,
    pub who: Who,
}

impl Step {
    /// A step that daxown takes.
    pub fn new(
        command: impl Into<String>,
        changes: impl Into<String>,
        back: Back,
        check: Check,
    ) -> Step {
        Step {
            command: command.into(),
            changes: changes.into(),
            back,
            warning: None,
            check,
            who: Who::Daxown,
        }
    }

    fn warns(mut self, text: impl Into<String>) -> Step {
        self.warning = Some(text.into());
        self
    }

    fn left_to(mut self, who: Who) -> Step {
        self.who = who;
        self
    }

    /// What the lines of a remedy do; a remark does nothing.
    pub fn all<S: AsRef<str>>(map: &Map, lines: &[S]) -> Vec<Step> {
        let lines: Vec<&str> = lines.iter().map(|l| l.as_ref().trim()).collect();
        let is_command = |l: &&str| !l.is_empty() && !l.starts_with('#');
        let commands: Vec<&str> = lines.into_iter().filter(is_command).collect();
        (0..commands.len())
            .map(|at| of(map, &commands[..at], commands[at], &commands[at + 1..]))
            .map(|step| step.checked(map))
            .collect()
    }

    /// A way back that would put into use what must not be is none.
    fn checked(mut self, map: &Map) -> Step {
        let lines: Vec<String> = match &self.back {
            Back::Command(text) => text.split(" && ").map(str::to_string).collect(),
            _ => return self,
        };
        self.back = match refusal(map, &lines) {
            Some(why) => Back::Never(why),
            None => self.back,
        };
        self
    }

    /// How to go back, in words for a plan; `None` where nothing is changed.
    pub fn way_back(&self) -> Option<String> {
        match &self.back {
            Back::Command(text) | Back::Words(text) => Some(format!("back: {text}")),
            Back::Never(why) => Some(format!("cannot be undone: {why}")),
            Back::Nothing => None,
        }
    }
}

/// What one command does, between those before it and those that follow.
fn of(map: &Map, before: &[&str], line: &str, follow: &[&str]) -> Step {
    let Some(command) = Command::parse(line) else {
        return unknown(line);
    };
    let step = |changes: String, back: Back, check: Check| Step::new(line, changes, back, check);
    match command {
        Command::Bind {
            bus,
            driver,
            device,
        } => sysfs::bind(map, line, bus, driver, device),
        Command::Unbind {
            bus,
            driver,
            device,
        } => sysfs::unbind(map, line, bus, driver, device),
        Command::NewId { driver, device } => sysfs::new_id(line, driver, device),
        Command::Probe { device } => step(
            format!("has a driver take {device}"),
            Back::Words(format!(
                "cxl disable-region {}, once its memory is offline",
                device.trim_start_matches("dax_")
            )),
            Check::There(driver_of("cxl", device)),
        ),
        Command::Resize { device, bytes } => sysfs::resize(map, line, device, bytes),
        Command::State { device, state } => sysfs::plug(map, line, device, state),
        Command::NewDevice { hmem } => sysfs::new_device(map, line, hmem, follow),
        Command::DeleteRegion { region } => step(
            format!("deletes {region}, which maps nothing"),
            Back::Never("a region comes again only by creating it".into()),
            Check::Gone(format!("/sys/bus/cxl/devices/{region}")),
        ),
        Command::Commit { region } => {
            let path = format!("/sys/bus/cxl/devices/{region}/commit");
            step(
                format!("commits the decoders of {region}: its members answer to its addresses"),
                Back::Command(format!("echo 0 > {path}")),
                Check::Says(path, "1".into()),
            )
        }
        Command::Load { modules } => load(map, line, &modules),
        Command::Online { device } => step(
            format!("brings the memory blocks of {device} online"),
            Back::Command(format!("daxctl offline-memory {device}")),
            Check::Online(device.into()),
        ),
        Command::Offline { device } => offline(map, line, device),
        Command::MakeFile { device } => make_file(map, line, device),
        Command::CreateDevice => step(
            "makes a dax device of the free room".into(),
            Back::Words(
                "daxctl disable-device and daxctl destroy-device, with the name of the new device, once its memory \
                 is offline"
                    .into(),
            ),
            Check::more("/sys/bus/dax/devices", "dax", map.dax.len()),
        ),
        Command::CreateRegion { memdevs } => step(
            format!(
                "programs decoders, so that the memory of {} appears in the window",
                listed(&memdevs)
            ),
            Back::Words(
                "cxl disable-region and cxl destroy-region, with the name of the new region, once its memory is \
                 offline"
                    .into(),
            ),
            Check::more(
                "/sys/bus/cxl/devices",
                "region",
                map.regions.len().saturating_sub(deleted(before)),
            ),
        )
        .warns("memory that programs use keeps the region from being destroyed again"),
        Command::EnableRegion { region } => step(
            format!("binds the driver of {region}"),
            Back::Command(format!("cxl disable-region {region}")),
            Check::Link(driver_of("cxl", region), "cxl_region".into()),
        ),
        Command::EnableMemdevs { memdevs } => {
            let bound = |m: &&str| Check::Link(driver_of("cxl", m), "cxl_mem".into());
            step(
                format!(
                    "binds the driver of {}: regions that firmware made of their memory may come up",
                    listed(&memdevs)
                ),
                Back::Command(format!("cxl disable-memdev {}", memdevs.join(" "))),
                Check::All(memdevs.iter().map(bound).collect()),
            )
        }
        Command::Wait => step(
            "waits until it is decided".into(),
            Back::Nothing,
            Check::Status,
        ),
        Command::Reboot => step(
            "starts the machine again".into(),
            Back::Never("every program ends".into()),
            Check::Status,
        )
        .left_to(Who::Administrator),
        Command::LookInInitramfs => step(
            "shows which module the initramfs has".into(),
            Back::Nothing,
            Check::Status,
        )
        .left_to(Who::Look),
        Command::RenewInitramfs => step(
            "makes the initramfs of this kernel again".into(),
            Back::Never("the one that was there is replaced".into()),
            Check::Status,
        ),
        Command::Build { what } => step(
            "builds and installs the modules for this kernel, for the next boot".into(),
            Back::Command(format!("dkms remove {}", what.join(" "))),
            Check::Status,
        ),
        Command::Packages => step(
            "changes what the package manager has installed".into(),
            Back::Words("the package manager, by the name of what it installed".into()),
            Check::Status,
        )
        .left_to(Who::Administrator),
    }
}

/// How many regions are deleted by these commands.
fn deleted(commands: &[&str]) -> usize {
    let is_delete = |l: &&&str| matches!(Command::parse(l), Some(Command::DeleteRegion { .. }));
    commands.iter().filter(is_delete).count()
}

/// What is in no advice. A test holds that there is none; nobody runs what nobody knows.
fn unknown(line: &str) -> Step {
    Step::new(
        line,
        "does what daxown does not know",
        Back::Never("it is not known what it changes".into()),
        Check::Status,
    )
    .left_to(Who::Administrator)
}

fn driver_of(bus: &str, device: &str) -> String {
    format!("/sys/bus/{bus}/devices/{device}/driver")
}

fn load(map: &Map, line: &str, modules: &[&str]) -> Step {
    let is_loaded = |m: &&str| map.module(m).is_some_and(|m| m.is_active());
    let news: Vec<&str> = modules.iter().copied().filter(|m| !is_loaded(m)).collect();
    let there = |m: &&str| Check::There(format!("/sys/module/{}", m.replace('-', "_")));
    let check = Check::All(modules.iter().map(there).collect());
    let (changes, back) = match news.as_slice() {
        [] => (
            format!("nothing: {} is loaded", listed(modules)),
            Back::Nothing,
        ),
        ["device_dax"] => (
            "loads device_dax".into(),
            Back::Command("modprobe -r device_dax".into()),
        ),
        // Its devices go with a driver, and memory that is online then stays without one.
        _ => (
            format!(
                "loads {}, which may take what waits for a driver",
                listed(&news)
            ),
            Back::Words(format!(
                "modprobe -r {}, once the memory that came by it is offline",
                news.join(" ")
            )),
        ),
    };
    Step::new(line, changes, back, check)
}

fn offline(map: &Map, line: &str, device: &str) -> Step {
    let online = format!("daxctl online-memory {device}");
    let warning = format!(
        "programs' pages are moved elsewhere{}; it may stop half-way, where there is no room or a page is pinned",
        lost_with(map, &online)
    );
    Step::new(
        line,
        format!("takes the memory blocks of {device} offline"),
        Back::Command(online),
        Check::Offline(device.into()),
    )
    .warns(warning)
}

/// What else happens to pages that are moved from memory which must not be put into use again.
fn lost_with(map: &Map, online: &str) -> &'static str {
    match refusal(map, &[online.to_string()]) {
        Some(_) => "; where nothing answers, what they hold is lost",
        None => "",
    }
}

fn make_file(map: &Map, line: &str, device: &str) -> Step {
    let has_driver = map
        .dax
        .iter()
        .any(|d| d.name == device && d.driver.is_some());
    // Nothing is wiped: what programs have there is moved, and what no driver has is not touched.
    let warning = has_driver.then_some(
        "programs' pages are moved elsewhere first; it may stop half-way, where there is no room or a page is \
         pinned",
    );
    let back = match has_driver {
        true => format!("daxctl reconfigure-device --mode=system-ram {device}"),
        false => format!("echo {device} > /sys/bus/dax/drivers/device_dax/unbind"),
    };
    let step = Step::new(
        line,
        format!("makes {device} a file for programs, /dev/{device}"),
        Back::Command(back),
        Check::Link(driver_of("dax", device), "device_dax".into()),
    );
    match warning {
        Some(warning) => step.warns(warning),
        None => step,
    }
}
