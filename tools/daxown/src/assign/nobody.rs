// SPDX-License-Identifier: GPL-2.0

//! `daxown assign --to nobody`: no driver has the memory any more.

use anyhow::{bail, Result};
use daxmap::cxl::Region;
use daxmap::dax::{DaxDevice, HmemDevice, Parent};
use daxmap::{Map, Owner};

use super::{
    end_files, from_region, hmem_of, kept_out, owners, places, regions_of, unplug, whole, Draft,
    Goal,
};
use crate::show;

pub(super) fn to_nobody(map: &Map, goal: &Goal, draft: &mut Draft) -> Result<()> {
    let hmem: Vec<&HmemDevice> = hmem_of(map, goal)
        .into_iter()
        .filter(|h| h.driver.is_some())
        .collect();
    let regions: Vec<&Region> = regions_of(map, goal)
        .into_iter()
        .filter(|r| r.dax_driver.is_some())
        .collect();
    if hmem.is_empty() && regions.is_empty() {
        let owners = owners(map, goal);
        let is_had = |o: &&Owner| matches!(o, Owner::Driver { .. } | Owner::SystemRam);
        match owners.iter().find(is_had).or(owners.first()) {
            Some(Owner::SystemRam) => {
                bail!("the kernel has it as System RAM since boot: no driver can let go of it")
            }
            Some(Owner::Driver { name }) => bail!(
                "the driver of {name} has it, which is neither dax_cxl nor HMEM, and only that driver lets go of it, \
                 when it is unbound from {name}; {}",
                kept_out(map, goal)
            ),
            Some(other) => bail!(
                "{} has it, and nothing here can take it from there",
                show::owner(other)
            ),
            None => bail!("it is neither Soft Reserved nor in a region"),
        }
    }
    if !hmem.is_empty() {
        draft.remarks.push(kept_out(map, goal));
    }
    for h in hmem {
        whole(map, &h.name, &places(map, h), &goal.ranges)?;
        let parent = Parent::Hmem(h.name.clone());
        let dax: Vec<&DaxDevice> = map.dax.iter().filter(|d| d.parent == parent).collect();
        end_files(&dax, draft)?;
        unplug(&dax, &mut draft.lines);
        draft.lines.push(format!(
            "echo {} > /sys/bus/platform/drivers/hmem/unbind",
            h.name
        ));
    }
    for region in regions {
        whole(map, &region.name, region.range.as_slice(), &goal.ranges)?;
        from_region(map, region, draft)?;
    }
    Ok(())
}
