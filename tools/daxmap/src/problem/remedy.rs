// SPDX-License-Identifier: GPL-2.0

//! Commands that put things right. The scenarios `remedy-*` run each of them in a guest in the state
//! it is given for, save the one for a region that made no dax region. What firmware has to do is a
//! remark.

use super::create;
use crate::cxl::{Memdev, Region};
use crate::dax::{DaxDevice, Parent};
use crate::map::Map;
use crate::modules::Presence;
use crate::names::listed_in_runs;
use crate::range::Range;
use crate::scan::index_of;
use crate::size::human;
use crate::size::Total as _;

/// What makes that known which only root may read.
pub(super) fn as_root(map: &Map) -> &'static str {
    match map.in_source.sysfs {
        true => "# run daxown as root",
        false => "# have root print /proc/iomem: to others the kernel shows no address",
    }
}

/// Boots the machine again, unless the drivers that then run would take from a region what it has now.
pub fn reboot(map: &Map) -> Vec<String> {
    let Some((region, declared)) = lost_at_boot(map) else {
        return vec!["reboot".into()];
    };
    let mut out = vec![format!(
        "# nothing to run: at a boot the kernel's own dax_hmem takes all of {declared}, because no single region \
         covers it, and {region} loses its memory"
    )];
    out.extend(use_rust_modules());
    out
}

/// Whether the kernel's own dax_hmem is what a boot loads.
pub fn boots_stock(map: &Map) -> bool {
    let module = map.module("dax_hmem");
    module.is_none_or(|m| !m.file.as_deref().is_some_and(|f| f.starts_with("updates/")))
}

/// A region that dax_cxl serves, in a declared range that the kernel's own dax_hmem takes whole at a boot.
fn lost_at_boot(map: &Map) -> Option<(&str, Range)> {
    if !boots_stock(map) || map.is_without_dax_cxl() {
        return None;
    }
    let committed = || map.regions.iter().filter(|r| r.is_committed());
    let mut served = committed().filter(|r| r.dax_driver.is_some());
    served.find_map(|region| {
        let range = region.range?;
        let mut declared = map.reserved.iter().map(|r| r.range);
        let taken = declared.find(|d| {
            let mut regions = committed().filter_map(|r| r.range);
            d.overlaps(&range) && !regions.any(|r| r.contains(d))
        });
        taken.map(|d| (region.name.as_str(), d))
    })
}

/// Brings a dax device's memory online.
pub fn online(dax: &str) -> Vec<String> {
    vec![format!("daxctl online-memory {dax}")]
}

/// Gives a dax device its memory back, as the policy of this machine has it.
pub fn plug(dax: &str, policy: Option<&str>) -> Vec<String> {
    let state = policy
        .filter(|word| ["online", "online_kernel", "online_movable"].contains(word))
        .unwrap_or("online_movable");
    vec![format!("echo {state} > /sys/bus/dax/devices/{dax}/state")]
}

/// Loads a module, unless this kernel has none.
pub fn load(map: &Map, module: &str) -> Vec<String> {
    match map.module(module).map(|m| m.presence) {
        Some(Presence::Absent) => vec![format!("# this kernel has no {module}: use one that has")],
        _ => vec![format!("modprobe {module}")],
    }
}

/// Loads those of CXL's drivers that find windows, devices and regions, if one of them is not loaded on a
/// machine that has CXL.
pub fn load_cxl(map: &Map) -> Option<String> {
    let is_missing = |name: &&str| {
        let module = map.module(name);
        module.is_some_and(|m| m.presence == Presence::Installed)
    };
    let all = ["cxl_acpi", "cxl_pci", "cxl_port", "cxl_mem"].into_iter();
    let missing: Vec<&str> = all.filter(is_missing).collect();
    (map.host.has_cxl && !missing.is_empty()).then(|| format!("modprobe -a {}", missing.join(" ")))
}

/// Binds an hmem device to its driver.
pub fn bind_hmem(device: &str) -> String {
    format!("echo {device} > /sys/bus/platform/drivers/hmem/bind")
}

/// Binds a dax device to kmem, which is there.
pub fn bind_kmem_only(dax: &str) -> String {
    format!("echo {dax} > /sys/bus/dax/drivers/kmem/bind")
}

/// Binds a dax device without a driver to kmem.
pub fn bind_kmem(dax: &str) -> Vec<String> {
    vec![
        "modprobe kmem".into(),
        format!("echo {dax} > /sys/bus/dax/drivers/kmem/bind"),
    ]
}

/// Gives the seed of an idle dax region all of its room, as System RAM. kmem takes such a device only
/// by name.
pub fn use_seed(dax: &str, room: u64) -> Vec<String> {
    vec![
        "modprobe kmem".into(),
        format!("echo {room} > /sys/bus/dax/devices/{dax}/size"),
        format!("echo {dax} > /sys/bus/dax/drivers/kmem/new_id"),
    ]
}

/// A piece of a dax device that is cut.
pub struct Cut {
    /// Its addresses.
    pub range: Range,
    /// Why it must stay without driver, if it must.
    pub out_of_use: Option<&'static str>,
}

/// Cuts a dax device that crosses an edge into devices that end there, from the first piece on.
pub fn cut(map: &Map, dax: &DaxDevice, hmem: &str, pieces: &[Cut]) -> Vec<String> {
    // Nothing behind the last piece that is of use has to be made a device.
    let of_use = pieces.iter().rposition(|p| p.out_of_use.is_none());
    let Some(last) = of_use else {
        return vec!["# no piece of it can be System RAM".into()];
    };
    let mut out =
        vec!["# cut the device at these edges, so that kmem can reserve each piece".to_string()];
    let base = dax.name.split('.').next().unwrap_or(&dax.name);
    let parent = Parent::Hmem(hmem.to_string());
    let own = map.dax.iter().filter(|d| d.parent == parent);
    let taken: Vec<u64> = own
        .filter_map(|d| index_of(&d.name, &format!("{base}.")))
        .collect();
    let mut names = (0u64..)
        .filter(|i| !taken.contains(i))
        .map(|i| format!("{base}.{i}"));
    let (mut remarks, mut made) = (Vec::new(), Vec::new());
    for (i, piece) in pieces.iter().enumerate() {
        if i > last {
            let why = piece.out_of_use.unwrap_or_default();
            remarks.push(format!("# {} stays out: {why}", piece.range));
            continue;
        }
        let name = match i {
            0 => dax.name.clone(),
            _ => names.next().unwrap_or_default(),
        };
        if i > 0 {
            made.push(name.clone());
            out.push(format!(
                "echo 1 > /sys/bus/platform/devices/{hmem}/dax_region/create"
            ));
        }
        let size = piece.range.len();
        out.push(format!("echo {size} > /sys/bus/dax/devices/{name}/size"));
        match piece.out_of_use {
            None => out.push(bind_kmem_only(&name)),
            Some(why) => remarks.push(format!("# {name} stays without driver: {why}")),
        }
    }
    // Behind the commands: one in between would break their chain.
    out.extend(cost(map, pieces));
    out.extend(remarks);
    out.extend(undone(dax, hmem, &made));
    out
}

/// The way back from a cut that stopped half-way.
fn undone(dax: &DaxDevice, hmem: &str, made: &[String]) -> Option<String> {
    let size = dax.size?;
    let delete = match made {
        [] => String::new(),
        [one] => format!(
            "delete {one} (echo {one} > /sys/bus/platform/devices/{hmem}/dax_region/delete), "
        ),
        more => format!(
            "delete {} where they are there (echo NAME > /sys/bus/platform/devices/{hmem}/dax_region/delete), ",
            listed_in_runs(more)
        ),
    };
    Some(format!(
        "# if a later step fails, what is bound by then may stay; to go back, take it offline and unbind it from kmem, \
         {delete}and then: echo {size} > /sys/bus/dax/devices/{}/size",
        dax.name
    ))
}

/// What of the pieces that are used lies outside of whole memory blocks.
fn cost(map: &Map, pieces: &[Cut]) -> Option<String> {
    let block = map.memory.block_size?;
    let used = pieces.iter().filter(|p| p.out_of_use.is_none());
    let lost = used
        .filter_map(|p| Some(p.range.minus(&p.range.aligned_inside(block)?)))
        .flatten();
    let bytes = lost.map(|r| r.len()).total();
    (bytes > 0).then(|| {
        format!(
            "# this costs {}: what of the pieces is in no whole memory block of {}",
            human(bytes),
            human(block)
        )
    })
}

/// Gives what hmem devices have to the CXL regions that lost it; empty where that cannot be done.
pub fn hand_to_cxl(
    map: &Map,
    dax: &[&DaxDevice],
    hmem: &[&str],
    regions: &[&Region],
) -> Vec<String> {
    // What is persistent dax_cxl does not serve.
    let is_servable = |r: &&Region| r.mode.as_deref() != Some("pmem") && r.missing().is_empty();
    if map.is_without_dax_cxl() || !regions.iter().all(is_servable) {
        return Vec::new();
    }
    let names: Vec<String> = hmem.iter().map(|h| h.to_string()).collect();
    let names = super::listed(&names);
    let is_loaded = map.module("dax_cxl").is_none_or(|m| m.is_active());
    let mut out = vec![match is_loaded {
        true => format!(
            "# to give the memory to CXL instead of {names}; the first step fails, and changes nothing, while the \
             memory cannot be freed:"
        ),
        false => format!(
            "# to give the memory to CXL instead of {names}; one of the first steps fails, and the memory stays as it \
             is, while dax_cxl cannot be loaded or the memory cannot be freed:"
        ),
    }];
    // Before the memory is out: the module may not be there.
    if !is_loaded {
        out.extend(load(map, "dax_cxl"));
    }
    for d in dax.iter().filter(|d| d.is_kmem()) {
        // Since 7.2 kmem lets go in one step.
        out.push(match &d.state {
            Some(_) => format!("echo unplugged > /sys/bus/dax/devices/{}/state", d.name),
            None => format!("daxctl offline-memory {}", d.name),
        });
    }
    let unbind = |h: &&str| format!("echo {h} > /sys/bus/platform/drivers/hmem/unbind");
    out.extend(hmem.iter().map(unbind));
    for region in regions {
        match &region.dax_region {
            Some(dax_region) => out.push(format!("echo {dax_region} > /sys/bus/cxl/drivers_probe")),
            // The region looks for System RAM only when its driver binds.
            None => out.extend(["unbind", "bind"].map(|verb| {
                format!(
                    "echo {} > /sys/bus/cxl/drivers/cxl_region/{verb}",
                    region.name
                )
            })),
        }
    }
    let back: Vec<String> = hmem.iter().map(|h| bind_hmem(h)).collect();
    out.push(format!(
        "# if a later step fails, back to {names}: {}",
        back.join("; ")
    ));
    out
}

/// Makes a region over `range`, from devices with room. Of memory whose region was torn down it is sure
/// that no device maps it any more.
pub fn create_region(map: &Map, range: &Range, torn_down: bool) -> Vec<String> {
    let sure = if torn_down { vec![*range] } else { Vec::new() };
    // A region that lost a member keeps the addresses, and "cxl destroy-region" fails on it.
    let in_the_way: Vec<&Region> = map
        .regions
        .iter()
        .filter(|r| !r.is_committed() && r.range.is_some_and(|x| x.overlaps(range)))
        .collect();
    // Its member may be there without driver, and come back.
    let hidden = |m: &Memdev| !map.shows_decoders(m);
    let may_come_back = !in_the_way.is_empty() && map.memdevs.iter().any(hidden);
    if may_come_back || in_the_way.iter().any(|r| r.missing().is_empty()) {
        return Vec::new();
    }
    if let Some(region) = in_the_way.iter().find(|r| is_locked(map, r)) {
        return vec![format!(
            "# nothing to run: the decoders of {} are locked until the next reset, so it cannot be deleted",
            region.name
        )];
    }
    let Some(plan) = create::plan_over(map, range, &in_the_way, &sure) else {
        return Vec::new();
    };
    let mut out: Vec<String> = in_the_way
        .iter()
        .filter_map(|region| {
            let window = region.window.as_ref()?;
            Some(format!(
                "echo {} > /sys/bus/cxl/devices/{window}/delete_region",
                region.name
            ))
        })
        .collect();
    if out.len() != in_the_way.len() {
        return Vec::new();
    }
    out.push(plan.command());
    out
}

/// Whether a region, or a decoder in it or over its addresses, is locked: nothing frees it before a reset.
fn is_locked(map: &Map, region: &Region) -> bool {
    let mut own = map.endpoints.iter().filter(|e| {
        let is_here = e
            .range
            .zip(region.range)
            .is_some_and(|(a, b)| a.overlaps(&b));
        e.region.as_ref() == Some(&region.name) || is_here
    });
    region.locked || own.any(|e| e.locked)
}

/// Where the answer lies in firmware or on the command line: the aligned range to declare.
pub fn declare_aligned(range: &Range, align: u64) -> Vec<String> {
    match range.aligned_inside(align) {
        Some(inside) => vec![
            format!(
                "# have firmware declare {inside}, which is aligned to {};",
                human(align)
            ),
            "# where the range comes from the kernel command line, use:".to_string(),
            format!(
                "# memmap={}M%{:#x}+0xefffffff",
                inside.len() >> 20,
                inside.start
            ),
        ],
        None => vec![format!(
            "# the range holds no part aligned to {}: have firmware declare a larger one",
            human(align)
        )],
    }
}

/// Leaves regions to CXL that cover a range in part only.
pub fn leave_regions() -> Vec<String> {
    vec![
        "# have the Rust dax_hmem leave regions to CXL, and take only what they do not cover:"
            .into(),
        "# `options dax_hmem policy=split` in /etc/modprobe.d, from the next boot on".into(),
    ]
}

/// Which modules serve such a range whole.
pub fn use_rust_modules() -> Vec<String> {
    vec!["# the Rust dax_hmem serves such a range without this: install it, then reboot".into()]
}
