// SPDX-License-Identifier: GPL-2.0

//! What a write to a file of sysfs changes.

use daxmap::dax::{DaxDevice, Parent};
use daxmap::modules::Drivers;
use daxmap::problem::command::Command;
use daxmap::Map;

use crate::show::human;

use super::{driver_of, listed, lost_with, Back, Check, Step, Who};

const STOCK_PLATFORM: &str =
    "once it was unbound, the kernel's own dax_hmem leaves every range in a window to nobody, until a reboot";

/// Memory that a driver has brought in has to be offline before it lets go: else it stays online until
/// reboot, and nobody has it.
pub(super) fn bind(map: &Map, line: &str, bus: &str, driver: &str, device: &str) -> Step {
    let unbind = format!("echo {device} > /sys/bus/{bus}/drivers/{driver}/unbind");
    let back = match driver {
        "kmem" => Back::Command(format!("daxctl offline-memory {device} && {unbind}")),
        "hmem" => Back::Words(format!("{unbind}, once its memory is offline")),
        "hmem_platform" => Back::Words(format!(
            "{unbind}, once the memory of every hmem device is offline"
        )),
        "cxl_region" => Back::Command(format!("cxl disable-region {device}")),
        _ => Back::Command(unbind),
    };
    let step = Step::new(
        line,
        format!("binds {device} to {driver}"),
        back,
        Check::Link(driver_of(bus, device), driver.into()),
    );
    match (driver, map.drivers) {
        ("hmem_platform", Drivers::Stock) => step.warns(STOCK_PLATFORM).left_to(Who::Administrator),
        _ => step,
    }
}

pub(super) fn unbind(map: &Map, line: &str, bus: &str, driver: &str, device: &str) -> Step {
    let bind = format!("echo {device} > /sys/bus/{bus}/drivers/{driver}/bind");
    let parent = match driver {
        "hmem" => Some(Parent::Hmem(device.into())),
        "cxl_region" => Some(Parent::Region(device.into())),
        _ => None,
    };
    let step = Step::new(
        line,
        format!("takes {device} from {driver}"),
        parent.map_or_else(
            || Back::Command(bind.clone()),
            |p| bound_again(map, &p, &bind),
        ),
        Check::NoLink(driver_of(bus, device)),
    );
    match (driver, map.drivers) {
        ("hmem_platform", Drivers::Stock) => {
            step.warns(STOCK_PLATFORM).left_to(Who::Administrator)
        }
        ("hmem_platform", _) => step.warns(
            "every hmem device goes with it; memory that programs use stays online without an owner",
        ),
        _ => step,
    }
}

/// The way back where the dax devices of `parent` went with it: new ones come by it, of all the memory, and kmem
/// has them where it is loaded.
fn bound_again(map: &Map, parent: &Parent, bind: &str) -> Back {
    let own: Vec<&DaxDevice> = map.dax.iter().filter(|d| d.parent == *parent).collect();
    let names = |devices: &[&DaxDevice]| {
        let names: Vec<&str> = devices.iter().map(|d| d.name.as_str()).collect();
        listed(&names)
    };
    let files: Vec<&DaxDevice> = own.iter().copied().filter(|d| d.is_file()).collect();
    if !files.is_empty() {
        return Back::Never(format!(
            "`{bind}` gives kmem the memory of {}, and what is in it is overwritten",
            names(&files)
        ));
    }
    let hmem = map
        .hmem
        .iter()
        .find(|h| *parent == Parent::Hmem(h.name.clone()));
    let has_room = hmem.is_some_and(|h| h.available.is_some_and(|bytes| bytes > 0));
    match own.len() > 1 || has_room && !own.is_empty() {
        true => Back::Words(format!(
            "{bind}, which does not divide the memory as {} did",
            names(&own)
        )),
        false => Back::Command(bind.to_string()),
    }
}

pub(super) fn new_id(line: &str, driver: &str, device: &str) -> Step {
    let dir = format!("/sys/bus/dax/drivers/{driver}");
    let release = format!("echo {device} > {dir}/remove_id && echo {device} > {dir}/unbind");
    let step = |back| {
        Step::new(
            line,
            format!("has {driver} take {device}"),
            Back::Command(back),
            Check::Link(driver_of("dax", device), driver.into()),
        )
    };
    match driver {
        "kmem" => step(format!("daxctl offline-memory {device} && {release}")),
        _ => step(release),
    }
}

pub(super) fn resize(map: &Map, line: &str, device: &str, bytes: u64) -> Step {
    let path = format!("/sys/bus/dax/devices/{device}/size");
    let known = map.dax.iter().find(|d| d.name == device);
    let back = match known.map(|d| d.size) {
        Some(Some(size)) => Back::Command(format!("echo {size} > {path}")),
        Some(None) => Back::Never("its size now cannot be read".into()),
        // It is made by a step before, without size.
        None => Back::Command(format!("echo 0 > {path}")),
    };
    Step::new(
        line,
        format!("makes {device} {} large", human(bytes)),
        back,
        Check::Says(path, bytes.to_string()),
    )
}

pub(super) fn plug(map: &Map, line: &str, device: &str, state: &str) -> Step {
    let path = format!("/sys/bus/dax/devices/{device}/state");
    let online = format!("echo online_movable > {path}");
    let lost = lost_with(map, &online);
    let check = Check::Says(path.clone(), state.to_string());
    match state {
        "unplugged" => Step::new(
            line,
            format!("takes the memory of {device} offline and away"),
            Back::Command(online),
            check,
        )
        .warns(format!(
            "programs' pages are moved elsewhere{lost}; it fails where there is no room, or a page is pinned"
        )),
        _ => Step::new(
            line,
            format!("brings the memory of {device} back, {state}"),
            Back::Command(format!("echo unplugged > {path}")),
            check,
        ),
    }
}

/// The kernel names the new device; the step that gives it its size has the name.
pub(super) fn new_device(map: &Map, line: &str, hmem: &str, follow: &[&str]) -> Step {
    let is_new = |name: &&str| !map.dax.iter().any(|d| d.name == *name);
    let mut sized = follow.iter().filter_map(|l| match Command::parse(l) {
        Some(Command::Resize { device, .. }) => Some(device),
        _ => None,
    });
    let changes = format!("makes another dax device in the region of {hmem}, without size");
    let delete = format!("> /sys/bus/platform/devices/{hmem}/dax_region/delete");
    match sized.find(is_new) {
        Some(name) => Step::new(
            line,
            changes,
            Back::Command(format!("echo {name} {delete}")),
            Check::There(format!("/sys/bus/dax/devices/{name}")),
        ),
        None => Step::new(
            line,
            changes,
            Back::Words(format!("echo {delete}, with the name of the new device")),
            Check::more("/sys/bus/dax/devices", "dax", map.dax.len()),
        ),
    }
}
