// SPDX-License-Identifier: GPL-2.0

//! Commands that put things right. The scenarios `remedy-*` run each of them in a guest in the state
//! it is given for, save the one for a region that made no dax region. What firmware has to do is a
//! remark.

use crate::cxl::Region;
use crate::map::Map;
use crate::range::Range;

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

/// Loads a module.
pub fn load(module: &str) -> Vec<String> {
    vec![format!("modprobe {module}")]
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

/// Cuts a dax device that crosses an edge into devices that end there, from the first piece on.
pub fn cut(dax: &str, hmem: &str, pieces: &[Range]) -> Vec<String> {
    let Some((first, rest)) = pieces.split_first() else {
        return Vec::new();
    };
    let mut out = vec![
        "# cut the device at these edges, so that kmem can reserve each piece".to_string(),
        format!("echo {} > /sys/bus/dax/devices/{dax}/size", first.len()),
        format!("echo {dax} > /sys/bus/dax/drivers/kmem/bind"),
    ];
    let base = dax.split('.').next().unwrap_or(dax);
    for (i, piece) in (1..).zip(rest) {
        let next = format!("{base}.{i}");
        out.push(format!(
            "echo 1 > /sys/bus/platform/devices/{hmem}/dax_region/create"
        ));
        out.push(format!(
            "echo {} > /sys/bus/dax/devices/{next}/size",
            piece.len()
        ));
        out.push(format!("echo {next} > /sys/bus/dax/drivers/kmem/bind"));
    }
    out
}

/// Gives a range that HMEM serves to the CXL region that lost it.
pub fn hand_to_cxl(dax: &[String], hmem: &str, region: &Region) -> Vec<String> {
    let mut out = vec![format!("# to give the memory to CXL instead of {hmem}:")];
    out.extend(
        dax.iter()
            .map(|d| format!("echo unplugged > /sys/bus/dax/devices/{d}/state")),
    );
    out.push(format!(
        "echo {hmem} > /sys/bus/platform/drivers/hmem/unbind"
    ));
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
    out
}

/// Makes a region in the window that holds `range`, from devices with room.
pub fn create_region(map: &Map, range: &Range) -> Vec<String> {
    if map.without_regions {
        return Vec::new();
    }
    let window = map
        .windows
        .iter()
        .find(|w| w.range.is_some_and(|r| r.overlaps(range)) && !w.decoder.is_empty());
    let memdev = map.memdevs.iter().find(|m| {
        m.ram_bytes
            .unwrap_or(0)
            .saturating_sub(m.mapped_bytes.unwrap_or(0))
            > 0
    });
    let Some((w, m)) = window.zip(memdev) else {
        return Vec::new();
    };
    // A region that lost a member keeps the addresses, and "cxl destroy-region" fails on it.
    let in_the_way = map.regions.iter().filter(|region| {
        !region.is_committed()
            && region.range.is_some_and(|r| r.overlaps(range))
            && region.targets.iter().any(|t| t.decoder.is_none())
    });
    let mut out: Vec<String> = in_the_way
        .map(|region| {
            format!(
                "echo {} > /sys/bus/cxl/devices/{}/delete_region",
                region.name, w.decoder
            )
        })
        .collect();
    out.push(format!(
        "cxl create-region -m -t ram -d {} -w 1 {}",
        w.decoder, m.name
    ));
    out
}

/// Where the answer lies in firmware or on the command line: the aligned range to declare.
pub fn declare_aligned(range: &Range, align: u64) -> Vec<String> {
    match range.aligned_inside(align) {
        Some(inside) => vec![
            format!(
                "# have firmware declare {inside}, which is aligned to {} MiB;",
                align >> 20
            ),
            "# where the range comes from the kernel command line, use:".to_string(),
            format!(
                "# memmap={}M%{:#x}+0xefffffff",
                inside.len() >> 20,
                inside.start
            ),
        ],
        None => vec![format!(
            "# the range holds no part aligned to {} MiB: have firmware declare a larger one",
            align >> 20
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
