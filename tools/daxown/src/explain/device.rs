// SPDX-License-Identifier: GPL-2.0

//! The story of a memory device that has no addresses.

use daxmap::cxl::Memdev;
use daxmap::Map;

use super::steps::Step;
use crate::show::human;

/// What it has, which of its decoders are used, and from where it is reached.
pub fn story(map: &Map, memdev: &Memdev) -> Vec<Step> {
    let size = |bytes: Option<u64>| bytes.map_or("an unknown size".into(), human);
    let serial = memdev.serial.as_deref().unwrap_or("unknown");
    let place = memdev.pci.as_ref().map(|pci| format!(" at {pci}"));
    let persistent = memdev.pmem_bytes.filter(|&b| b > 0);
    let persistent = persistent.map(|b| format!(" and {} persistent", human(b)));
    let driver = match memdev.bound {
        true => "it is bound to cxl_mem",
        false => "it has no driver",
    };
    let text = format!(
        "{}{} has {} of volatile{} capacity (serial {serial}); {driver}",
        memdev.name,
        place.unwrap_or_default(),
        size(memdev.ram_bytes),
        persistent.unwrap_or_default(),
    );
    let path = format!("/sys/bus/cxl/devices/{}", memdev.name);
    let own = map.endpoints.iter().filter(|e| e.memdev == memdev.name);
    let used = own.clone().filter_map(|e| Some((e, e.range?)));
    let used: Vec<String> = used.map(|(e, r)| format!("{} has {r}", e.name)).collect();
    let (decoders, shown) = (own.count(), map.shows_decoders(memdev));
    let decoders = match (used.is_empty(), decoders) {
        _ if !shown && !map.in_source.sysfs => "its decoders are not in what was given".to_string(),
        _ if !shown => "it shows no decoder: what it maps cannot be known".to_string(),
        (true, 1) => "its one decoder is unused".to_string(),
        (true, n) => format!("its {n} decoders are unused"),
        (false, _) => used.join(", "),
    };
    let reached = map.windows.iter();
    let reached = reached.filter(|w| w.reaches(memdev) == Some(true));
    let windows: Vec<&str> = reached.map(|w| w.label()).collect();
    let windows = match windows.is_empty() {
        true => "which CXL windows reach it is not known".to_string(),
        false => format!("it is reached from {}", windows.join(", ")),
    };
    vec![
        Step::new("device", text, vec![path]),
        Step::new("decoders", decoders, Vec::new()),
        Step::new("window", windows, Vec::new()),
    ]
}
