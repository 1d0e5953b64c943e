// SPDX-License-Identifier: GPL-2.0

//! `daxown assign --to cxl`: a committed region gets the memory that HMEM has.

use anyhow::{bail, Result};
use daxmap::cxl::{Region, RegionState};
use daxmap::dax::{DaxDevice, HmemDevice, Parent};
use daxmap::modules::Drivers;
use daxmap::problem::{self, remedy};
use daxmap::range::{merge, subtract};
use daxmap::{Map, Range};

use super::{end_files, hmem_of, places, region_driver, regions_of, unplaced, Draft, Goal, To};

pub(super) fn to_cxl(map: &Map, goal: &Goal, draft: &mut Draft) -> Result<()> {
    let regions = regions_of(map, goal);
    if regions.is_empty() {
        bail!("no committed region is there; `cxl create-region` makes one where nobody has the memory");
    }
    let mut idle: Vec<(&Region, Range)> = Vec::new();
    for region in regions.into_iter().filter(|r| r.dax_driver.is_none()) {
        let name = &region.name;
        if region.mode.as_deref() == Some("pmem") {
            bail!("{name} is persistent memory: dax_cxl does not serve it");
        }
        if let Some(driver) = map.accelerator_of(region) {
            bail!(
                "{name} is the memory of {driver}, whose driver has it: dax_cxl does not serve it"
            );
        }
        idle.extend(region.range.map(|range| (region, range)));
    }
    let ranges: Vec<Range> = idle.iter().map(|(_, range)| *range).collect();
    let here = Goal {
        ranges: ranges.clone(),
        to: To::Cxl,
    };
    let hmem: Vec<&HmemDevice> = hmem_of(map, &here)
        .into_iter()
        .filter(|h| h.driver.is_some())
        .collect();
    let mut named = goal.ranges.clone();
    named.extend(&ranges);
    let named = merge(named);
    for h in &hmem {
        let places = places(map, h);
        if places.is_empty() {
            bail!("{}", unplaced(map, &h.name));
        }
        let mut beyond_it = places
            .iter()
            .filter(|place| !named.iter().any(|r| r.contains(place)));
        if let Some(range) = beyond_it.next() {
            bail!("{}", beyond(map, &h.name, *range));
        }
    }
    let held: Vec<Range> = hmem.iter().flat_map(|h| places(map, h)).collect();
    let is_held = |range: &Range| held.iter().any(|h| h.overlaps(range));
    if !hmem.is_empty() {
        let names: Vec<&str> = hmem.iter().map(|h| h.name.as_str()).collect();
        let is_theirs =
            |d: &&DaxDevice| matches!(&d.parent, Parent::Hmem(p) if names.contains(&p.as_str()));
        let devices: Vec<&DaxDevice> = map.dax.iter().filter(is_theirs).collect();
        let losers: Vec<&Region> = idle
            .iter()
            .filter(|(_, range)| is_held(range))
            .map(|(r, _)| *r)
            .collect();
        let steps = remedy::hand_to_cxl(map, &devices, &names, &losers);
        if steps.is_empty() {
            let losers: Vec<&str> = losers.iter().map(|r| r.name.as_str()).collect();
            bail!(
                "{} cannot take it: a member is missing, or the kernel has no dax_cxl",
                losers.join(", ")
            );
        }
        draft.lines.extend(steps);
        draft
            .remarks
            .extend(left_over(&held, &ranges).map(|rest| format!("nobody has {rest} then")));
        end_files(&devices, draft)?;
    }
    for (region, range) in idle.iter().filter(|(_, range)| !is_held(range)) {
        match &region.dax_region {
            Some(dax_region) => {
                draft
                    .lines
                    .push(format!("echo {dax_region} > /sys/bus/cxl/drivers_probe"));
            }
            // It was taken from its driver, which makes the dax region.
            None if region.state == RegionState::CommittedUnbound => {
                draft.lines.push(region_driver(region, "bind"));
            }
            None => bail!(
                "{} is with its driver already, which made no dax region of it{}",
                region.name,
                match map.boot_ram_in(range).is_empty() {
                    true => "; `daxown doctor` says what is known",
                    false => ": a part of it is System RAM since boot",
                }
            ),
        }
    }
    if draft.lines.is_empty() {
        bail!("dax_cxl has it already, and no dax device has its memory; `daxown doctor` says how one gets it");
    }
    Ok(())
}

/// What of the memory that HMEM lets go of no region takes.
fn left_over(held: &[Range], regions: &[Range]) -> Option<String> {
    let rest: Vec<Range> = held.iter().flat_map(|h| subtract(*h, regions)).collect();
    let names: Vec<String> = merge(rest).iter().map(Range::to_string).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

/// Why an hmem device is not handed over that has more than was named: it lets go of all of it at once. To
/// name it is said only where that is then done.
fn beyond(map: &Map, name: &str, range: Range) -> String {
    let whole = Goal {
        ranges: vec![range],
        to: To::Cxl,
    };
    let here = regions_of(map, &whole);
    let names: Vec<&str> = here.iter().map(|r| r.name.as_str()).collect();
    let ranges: Vec<Range> = here.iter().filter_map(|r| r.range).collect();
    let mut outer = here
        .iter()
        .filter(|r| r.range.is_some_and(|r| !range.contains(&r)));
    let mut draft = Draft::default();
    let refused = match outer.next() {
        Some(region) => Some(format!("{} reaches beyond it", region.name)),
        // With every region within it, this asks no further.
        None => to_cxl(map, &whole, &mut draft).err().map(|e| e.to_string()),
    };
    let refused = refused.or_else(|| problem::refusal(map, &draft.lines));
    let has = format!("{name} has {range}, more than was named, and lets go of all of it at once");
    let at_boot = match map.drivers {
        Drivers::Rust => "`options dax_hmem policy=split` in /etc/modprobe.d divides such a range at the next boot",
        _ => "the Rust dax_hmem divides such a range at boot (policy=split)",
    };
    match (refused, left_over(&[range], &ranges)) {
        (Some(why), _) => format!("{has}, which cannot be: {why}; {at_boot}"),
        (None, None) => format!(
            "{has}: `daxown assign {name} --to cxl` gives it to {}",
            names.join(" and ")
        ),
        (None, Some(rest)) => format!(
            "{has}: `daxown assign {name} --to cxl` gives {} its own, and nobody has {rest} then; {at_boot}",
            names.join(" and ")
        ),
    }
}
