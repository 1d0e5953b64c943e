// SPDX-License-Identifier: GPL-2.0

//! `daxown assign --to file`: programs map the memory.

use anyhow::{bail, Result};
use daxmap::modules::Presence;
use daxmap::{Map, Owner};

use super::{dax_of, kept_out, owners, regions_of, unplug, whole, Goal};

pub(super) fn to_file(map: &Map, goal: &Goal, lines: &mut Vec<String>) -> Result<()> {
    let dax = dax_of(map, goal);
    if dax.is_empty() {
        bail!("{}", without_device(map, goal));
    }
    let module = map.module("device_dax");
    if module.is_some_and(|m| m.presence == Presence::Absent) {
        bail!("this kernel has no device_dax, which serves memory as a file");
    }
    // Before anything is taken out of use: that it can be loaded is not sure.
    if module.is_some_and(|m| !m.is_active()) {
        lines.push("modprobe device_dax".into());
    }
    for d in dax.into_iter().filter(|d| !d.is_file()) {
        // Who gave one address meant what is there.
        if goal.ranges.iter().any(|r| r.len() > 1) {
            for range in &d.ranges {
                whole(map, &d.name, std::slice::from_ref(range), &goal.ranges)?;
            }
        }
        unplug(&[d], lines);
        let is_kmem = d.driver.as_deref() == Some("kmem");
        if is_kmem && d.state.is_none() {
            lines.push(format!(
                "daxctl reconfigure-device --mode=devdax {}",
                d.name
            ));
            continue;
        }
        // Once it is unplugged, daxctl looks for memory blocks that are no more.
        if is_kmem {
            lines.push(format!(
                "echo {} > /sys/bus/dax/drivers/kmem/unbind",
                d.name
            ));
        }
        lines.push(format!(
            "echo {} > /sys/bus/dax/drivers/device_dax/new_id",
            d.name
        ));
    }
    Ok(())
}

/// Why there is no dax device of which a file could be made.
fn without_device(map: &Map, goal: &Goal) -> String {
    let regions = regions_of(map, goal);
    let has_it = |o: &Owner| matches!(o, Owner::Driver { .. } | Owner::SystemRam);
    let owner = owners(map, goal).into_iter().find(has_it);
    let accelerator = regions.iter().find_map(|r| map.accelerator_of(r));
    match (accelerator, owner) {
        (Some(driver), _) | (None, Some(Owner::Driver { name: driver })) => format!(
            "it is the memory of {driver}, whose driver has it, and no dax device is made of it; {}",
            kept_out(map, goal)
        ),
        (None, Some(_)) => {
            "the kernel has it as System RAM since boot: no driver can let go of it".into()
        }
        (None, None) => match regions.iter().find(|r| r.is_persistent()) {
            Some(region) => format!(
                "{} is persistent memory: `ndctl create-namespace -m devdax` makes files of it",
                region.name
            ),
            None => "no dax device is there; `daxown doctor` says why".into(),
        },
    }
}
