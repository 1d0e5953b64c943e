// SPDX-License-Identifier: GPL-2.0

//! The commands that advice is made of. There are no others: [`super::Problem::fix`] takes none that is
//! not known here, and who carries them out has to say of each what it changes.

/// One command of an advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Binds a device to a driver by name.
    Bind {
        /// Of device and driver.
        bus: &'a str,
        driver: &'a str,
        device: &'a str,
    },
    /// Takes a device from its driver.
    Unbind {
        /// Of device and driver.
        bus: &'a str,
        driver: &'a str,
        device: &'a str,
    },
    /// Has a driver of the dax bus take a device.
    NewId { driver: &'a str, device: &'a str },
    /// Has whatever driver fits take a device of CXL.
    Probe { device: &'a str },
    /// Gives a dax device another size.
    Resize { device: &'a str, bytes: u64 },
    /// Takes the memory of a dax device away, or gives it back.
    State { device: &'a str, state: &'a str },
    /// Makes another dax device in the dax region of an hmem device.
    NewDevice { hmem: &'a str },
    /// Deletes a region that is not committed.
    DeleteRegion { region: &'a str },
    /// Commits the decoders of a region.
    Commit { region: &'a str },
    /// Loads modules.
    Load { modules: Vec<&'a str> },
    /// Brings the memory blocks of a dax device online.
    Online { device: &'a str },
    /// Takes them offline.
    Offline { device: &'a str },
    /// Makes a dax device a file.
    MakeFile { device: &'a str },
    /// Makes a dax device of the free room of a dax region.
    CreateDevice,
    /// Makes a region of memory devices.
    CreateRegion { memdevs: Vec<&'a str> },
    /// Binds the driver of a region.
    EnableRegion { region: &'a str },
    /// Binds the driver of memory devices.
    EnableMemdevs { memdevs: Vec<&'a str> },
    /// Waits until ownership is decided.
    Wait,
    /// Starts the machine again.
    Reboot,
    /// Looks for a module in the initramfs.
    LookInInitramfs,
    /// Makes the initramfs again.
    RenewInitramfs,
    /// Builds the modules of a package for a kernel: `-m MODULE -v VERSION -k RELEASE`.
    Build { what: Vec<&'a str> },
    /// Has the package manager do what a build lacks.
    Packages,
}

impl<'a> Command<'a> {
    /// A line of an advice; `None` for a remark, and for what no advice has.
    pub fn parse(line: &'a str) -> Option<Command<'a>> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some(match words.as_slice() {
            ["echo", value, ">", path] => return write(value, path),
            ["modprobe", "-a", modules @ ..] if !modules.is_empty() => Command::Load {
                modules: modules.to_vec(),
            },
            ["modprobe", module] => Command::Load {
                modules: vec![module],
            },
            ["daxctl", "online-memory", device] => Command::Online { device },
            ["daxctl", "offline-memory", device] => Command::Offline { device },
            ["daxctl", "reconfigure-device", "--mode=devdax", device] => {
                Command::MakeFile { device }
            }
            ["daxctl", "create-device", "-r", _]
            | ["daxctl", "create-device", "-r", _, "-s", _] => Command::CreateDevice,
            ["cxl", "create-region", rest @ ..] => Command::CreateRegion {
                memdevs: rest
                    .iter()
                    .copied()
                    .filter(|w| w.starts_with("mem"))
                    .collect(),
            },
            ["cxl", "enable-region", region] => Command::EnableRegion { region },
            ["cxl", "enable-memdev", memdevs @ ..] if !memdevs.is_empty() => {
                Command::EnableMemdevs {
                    memdevs: memdevs.to_vec(),
                }
            }
            ["daxown", "wait", ..] => Command::Wait,
            ["reboot"] => Command::Reboot,
            ["lsinitramfs", ..] => Command::LookInInitramfs,
            ["update-initramfs", ..] => Command::RenewInitramfs,
            ["dkms", "install", what @ ..] => Command::Build {
                what: what.to_vec(),
            },
            ["apt", ..] => Command::Packages,
            _ => return None,
        })
    }
}

/// A write to a file of sysfs.
fn write<'a>(value: &'a str, path: &'a str) -> Option<Command<'a>> {
    let parts: Vec<&str> = path.strip_prefix("/sys/bus/")?.split('/').collect();
    Some(match parts.as_slice() {
        [bus, "drivers", driver, "bind"] => Command::Bind {
            bus,
            driver,
            device: value,
        },
        [bus, "drivers", driver, "unbind"] => Command::Unbind {
            bus,
            driver,
            device: value,
        },
        ["dax", "drivers", driver, "new_id"] => Command::NewId {
            driver,
            device: value,
        },
        ["cxl", "drivers_probe"] => Command::Probe { device: value },
        ["dax", "devices", device, "size"] => Command::Resize {
            device,
            bytes: value.parse().ok()?,
        },
        ["dax", "devices", device, "state"] => Command::State {
            device,
            state: value,
        },
        ["platform", "devices", hmem, "dax_region", "create"] => Command::NewDevice { hmem },
        ["cxl", "devices", _, "delete_region"] => Command::DeleteRegion { region: value },
        ["cxl", "devices", region, "commit"] if value == "1" => Command::Commit { region },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_advice_has_is_no_command() {
        for line in [
            "",
            "# reboot",
            "rm -rf /",
            "cxl destroy-region region0",
            "daxctl disable-device dax0.0",
            "echo 0 > /sys/bus/cxl/devices/region0/commit",
            "echo 1 > /sys/class/dax",
            "echo much > /sys/bus/dax/devices/dax0.0/size",
            "modprobe",
        ] {
            assert_eq!(Command::parse(line), None, "{line}");
        }
        assert_eq!(
            Command::parse("cxl create-region -m -t ram -d decoder0.0 -w 2 -s 4096 mem0 mem1"),
            Some(Command::CreateRegion {
                memdevs: vec!["mem0", "mem1"]
            })
        );
    }
}
