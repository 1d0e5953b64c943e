// SPDX-License-Identifier: GPL-2.0

//! One command of a plan: what it changes, how to go back, how to see that it worked.

use daxmap::modules::Drivers;
use daxmap::{Map, Tree};

/// How to see that a step worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The link leads to something of this name.
    Link(String, String),
    /// The link is gone.
    NoLink(String),
    /// The file says this.
    Says(String, String),
    /// The path is there.
    There(String),
    /// No memory of this dax device is offline.
    Online(String),
    /// The command's own status tells all that can be told.
    Status,
}

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

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// For a shell.
    pub command: String,
    /// What it changes.
    pub changes: String,
    /// What undoes it.
    pub undo: Option<String>,
    /// What cannot be undone, or may fail half-way.
    pub warning: Option<String>,
    /// How to see that it worked.
    pub check: Check,
    pub who: Who,
}

impl Step {
    /// A step that daxown takes.
    pub fn new(command: impl Into<String>, changes: impl Into<String>, check: Check) -> Step {
        Step {
            command: command.into(),
            changes: changes.into(),
            undo: None,
            warning: None,
            check,
            who: Who::Daxown,
        }
    }

    fn undone_by(mut self, command: impl Into<String>) -> Step {
        self.undo = Some(command.into());
        self
    }

    fn warns(mut self, text: impl Into<String>) -> Step {
        self.warning = Some(text.into());
        self
    }

    fn left_to(mut self, who: Who) -> Step {
        self.who = who;
        self
    }

    /// What a line of a remedy does; `None` for a remark.
    pub fn of(map: &Map, line: &str) -> Option<Step> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        Some(match words.as_slice() {
            ["echo", value, ">", path] => write(map, line, value, path),
            ["modprobe", "-a", modules @ ..] => Step::new(
                line,
                format!("loads {}", modules.join(", ")),
                modules.last().map_or(Check::Status, |m| module(m)),
            ),
            ["modprobe", name] => Step::new(line, format!("loads {name}"), module(name))
                .undone_by(format!("modprobe -r {name}")),
            ["daxctl", "online-memory", dax] => Step::new(
                line,
                format!("brings the memory blocks of {dax} online"),
                Check::Online(dax.to_string()),
            )
            .undone_by(format!("daxctl offline-memory {dax}")),
            ["daxctl", "reconfigure-device", .., dax] => Step::new(
                line,
                format!("gives {dax} to another driver"),
                Check::Status,
            )
            .warns("what is in this memory is lost"),
            ["daxctl", "create-device", ..] => {
                Step::new(line, "makes a dax device of the free room", Check::Status)
            }
            ["cxl", "create-region", ..] => Step::new(
                line,
                "programs decoders, so that the memory of the device appears in the window",
                Check::Status,
            )
            .warns("memory that programs use keeps the region from being destroyed again"),
            ["cxl", "enable-region", region] => Step::new(
                line,
                format!("binds the driver of {region}"),
                Check::Link(
                    format!("/sys/bus/cxl/devices/{region}/driver"),
                    "cxl_region".into(),
                ),
            )
            .undone_by(format!("cxl disable-region {region}")),
            ["reboot"] => Step::new(line, "starts the machine again", Check::Status)
                .left_to(Who::Administrator),
            ["update-initramfs", ..] => Step::new(
                line,
                "makes the initramfs of this kernel again",
                Check::Status,
            ),
            ["daxown", "wait", ..] => Step::new(line, "waits until it is decided", Check::Status),
            _ => Step::new(line, "shows more", Check::Status).left_to(Who::Look),
        })
    }

    /// Whether it worked, seen in `tree`.
    pub fn verify(&self, tree: &Tree) -> Result<(), String> {
        match &self.check {
            Check::Status => Ok(()),
            Check::Link(path, want) => match tree.link_name(path) {
                Some(name) if name == *want => Ok(()),
                Some(name) => Err(format!("{path} leads to {name}, not to {want}")),
                None => Err(format!("{path} is not there: no driver took it")),
            },
            Check::NoLink(path) => match tree.link_name(path) {
                None => Ok(()),
                Some(name) => Err(format!("{path} still leads to {name}")),
            },
            Check::Says(path, want) => match tree.text(path) {
                Ok(text) if text.trim() == want => Ok(()),
                Ok(text) => Err(format!("{path} says {:?}, not {want:?}", text.trim())),
                Err(_) => Err(format!("{path} cannot be read")),
            },
            Check::There(path) => match tree.exists(path) {
                true => Ok(()),
                false => Err(format!("{path} is not there")),
            },
            Check::Online(dax) => {
                let map = Map::read(tree);
                let device = map.dax.iter().find(|d| d.name == *dax);
                let ranges = device.map(|d| d.ranges.clone()).unwrap_or_default();
                let offline = ranges.iter().filter_map(|r| map.offline_bytes(*r));
                match offline.fold(0, u64::saturating_add) {
                    0 => Ok(()),
                    bytes => Err(format!("{bytes} bytes of {dax} are still offline")),
                }
            }
        }
    }

    /// The check as a command for a shell; none where the status says it.
    pub fn test(&self) -> Option<String> {
        let link = |path: &str| format!("\"$(basename \"$(readlink {path})\")\"");
        match &self.check {
            Check::Link(path, want) => Some(format!("test {} = {want}", link(path))),
            Check::NoLink(path) => Some(format!("test ! -e {path}")),
            Check::Says(path, want) => Some(format!("test \"$(cat {path})\" = {want}")),
            Check::There(path) => Some(format!("test -e {path}")),
            Check::Online(_) | Check::Status => None,
        }
    }
}

fn module(name: &str) -> Check {
    Check::There(format!("/sys/module/{}", name.replace('-', "_")))
}

/// What writing to a file of sysfs does.
fn write(map: &Map, line: &str, value: &str, path: &str) -> Step {
    let parts: Vec<&str> = path.trim_start_matches("/sys/bus/").split('/').collect();
    let link = |bus: &str, device: &str| format!("/sys/bus/{bus}/devices/{device}/driver");
    let redo = |verb: &str, driver: &str, bus: &str| {
        format!("echo {value} > /sys/bus/{bus}/drivers/{driver}/{verb}")
    };
    match parts.as_slice() {
        [bus, "drivers", driver, verb @ ("bind" | "unbind")] => {
            let is_bind = *verb == "bind";
            let step = match is_bind {
                true => Step::new(
                    line,
                    format!("binds {value} to {driver}"),
                    Check::Link(link(bus, value), driver.to_string()),
                )
                .undone_by(redo("unbind", driver, bus)),
                false => Step::new(
                    line,
                    format!("takes {value} from {driver}"),
                    Check::NoLink(link(bus, value)),
                )
                .undone_by(redo("bind", driver, bus)),
            };
            match (*driver, map.drivers) {
                ("hmem_platform", Drivers::Stock) => step
                    .warns(
                        "once it was unbound, the kernel's own dax_hmem leaves every range in a window to nobody, until \
                         a reboot",
                    )
                    .left_to(Who::Administrator),
                ("hmem_platform", _) if !is_bind => {
                    step.warns("every hmem device goes with it; memory that programs use stays online without an owner")
                }
                _ => step,
            }
        }
        [_, "drivers", driver, "new_id"] => {
            let step = Step::new(
                line,
                format!("has {driver} take {value}"),
                Check::Link(link("dax", value), driver.to_string()),
            );
            match *driver {
                "device_dax" => step.warns("what is in this memory is lost"),
                _ => step,
            }
        }
        [bus, "drivers_probe"] => Step::new(
            line,
            format!("has a driver take {value}"),
            Check::There(link(bus, value)),
        ),
        [_, "devices", device, "size"] => {
            let now = map
                .dax
                .iter()
                .find(|d| d.name == *device)
                .and_then(|d| d.size);
            let step = Step::new(
                line,
                format!("makes {device} {value} bytes large"),
                Check::Says(path.to_string(), value.to_string()),
            );
            match now {
                Some(size) => step.undone_by(format!("echo {size} > {path}")),
                None => step,
            }
        }
        [_, "devices", device, "state"] => {
            let step = Step::new(
                line,
                match value {
                    "unplugged" => format!("takes the memory of {device} offline and away"),
                    _ => format!("brings the memory of {device} back, {value}"),
                },
                Check::Says(path.to_string(), value.to_string()),
            )
            .undone_by(format!(
                "echo {} > {path}",
                if value == "unplugged" {
                    "online_movable"
                } else {
                    "unplugged"
                }
            ));
            match value {
                "unplugged" => step.warns("programs' pages are moved elsewhere; it fails where there is no room, or a page is pinned"),
                _ => step,
            }
        }
        [_, "devices", device, "dax_region", "create"] => Step::new(
            line,
            format!("makes another dax device in the region of {device}"),
            Check::Status,
        ),
        [_, "devices", _, "delete_region"] => {
            Step::new(line, format!("deletes {value}"), Check::Status)
                .warns("a region cannot be brought back but by creating it again")
        }
        _ if path.contains("/debug/") => Step::new(line, "switches messages on", Check::Status),
        _ => Step::new(line, format!("writes {value} to {path}"), Check::Status),
    }
}
