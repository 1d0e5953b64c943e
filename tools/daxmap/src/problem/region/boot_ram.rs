// SPDX-License-Identifier: GPL-2.0

//! CXL memory that is System RAM since boot: as a part of a region, or in a window without one.

use crate::log::{self, Event};
use crate::map::Map;
use crate::own::ReasonCode;
use crate::problem::{dax, listed, Kind, Problem, Severity};
use crate::range::{subtract, Range};
use crate::size::human;
use crate::size::Total as _;

/// A range whose region makes no dax region, for a part of it is System RAM since boot.
pub(in crate::problem) fn boot_ram(map: &Map, range: &Range) -> Problem {
    let mut regions = map.committed_in(range).filter_map(|r| Some((r, r.range?)));
    let found = regions.find_map(|(region, whole)| {
        let ram = map.boot_ram_in(&whole);
        (region.dax_region.is_none() && !ram.is_empty()).then_some((region, ram, whole))
    });
    let Some((region, ram, whole)) = found else {
        return Problem::new(Kind::BootRam, Severity::Loss, "CXL")
            .because("a part of its region is System RAM since boot");
    };
    let name = region.name.as_str();
    let mut rest = subtract(whole, &ram).into_iter();
    let is_declared = rest.any(|r| map.reserved.iter().any(|x| x.range.overlaps(&r)));
    let parts: Vec<String> = ram.iter().map(Range::to_string).collect();
    Problem::new(Kind::BootRam, Severity::Loss, name)
        .because(format!(
            "{} of {name} is System RAM since boot, so its driver makes no dax region, and nobody has the rest{}",
            listed(&parts),
            match map.host.no_soft_reserve {
                true => " (efi=nosoftreserve is on the command line)",
                false => "",
            }
        ))
        .seen(dax::lines(map, |e| matches!(e, Event::HasSystemRam { region: r, .. } if r == name)))
        .fix(map.host.no_soft_reserve.then_some("# boot without efi=nosoftreserve"))
        .fix([match map.host.no_soft_reserve {
            true => "# or have firmware give all of it as Soft Reserved, or all of it as System RAM: its setting for \
                     special purpose memory decides",
            false => "# have firmware give all of it as Soft Reserved, or all of it as System RAM: its setting for \
                      special purpose memory decides",
        }])
        // It takes what is declared, and nothing else.
        .fix(is_declared.then_some(
            "# the Rust dax_hmem serves what is not System RAM yet: install it, then reboot",
        ))
}

/// Windows whose memory, or a part of it, firmware gave as plain System RAM.
pub(super) fn windows_as_ram(map: &Map) -> Vec<Problem> {
    let windows = map.windows.iter().filter_map(|w| Some((w, w.range?)));
    windows
        .filter_map(|(window, range)| {
            let ram = map.boot_ram_in(&range);
            let first = ram.first()?;
            let lost = |p: &crate::own::Piece| {
                p.range.overlaps(&range) && p.reason.code == ReasonCode::BootRam
            };
            // The loss tells it.
            if map.reserved.iter().flat_map(|r| &r.pieces).any(lost) {
                return None;
            }
            let size = ram.iter().map(|r| r.len()).total();
            let span = Range {
                start: first.start,
                end: ram.last().map_or(first.end, |r| r.end),
            };
            if range.end <= u64::from(u32::MAX) {
                return Some(low_memory(window.label(), size, span));
            }
            let why = match (map.host.no_soft_reserve, is_hot_plugged(map, &span)) {
                (_, true) => {
                    "it was hot-plugged, for the map of the boot does not have it; firmware adds it so (ACPI), and its \
                     option for special purpose memory has no part in that"
                }
                (true, _) => {
                    "firmware gave it so, at boot or by hot-plugging: efi=nosoftreserve is on the command line"
                }
                (false, _) => {
                    "firmware gave it so, at boot or by hot-plugging: its option for special purpose memory may be off, \
                     or the kernel built without CONFIG_EFI_SOFT_RESERVE; which of these cannot be known"
                }
            };
            let is_ignored = map.host.no_soft_reserve && !is_hot_plugged(map, &span);
            let mut problem = Problem::new(Kind::BootRam, Severity::Warning, window.label())
                .because(format!(
                    "{} of this window is plain System RAM, not Soft Reserved: neither CXL nor HMEM has a \
                     part in it; {why}",
                    human(size)
                ))
                .seen(["/proc/iomem"])
                .fix(is_ignored.then_some("# boot without efi=nosoftreserve"));
            problem.range = Some(span);
            Some(problem)
        })
        .collect()
}

/// Whether memory came after the boot: the whole map of the boot is in the log, and does not have it.
pub fn is_hot_plugged(map: &Map, range: &Range) -> bool {
    let entries = map.log.iter().filter_map(|m| match &m.event {
        Event::MapEntry { range, .. } => Some(range),
        _ => None,
    });
    log::has_whole_map(&map.log) && !entries.clone().any(|r| r.overlaps(range))
}

/// A window below 4 GiB: firmware itself, and the kernel's first steps, run in its memory.
fn low_memory(window: &str, size: u64, span: Range) -> Problem {
    let mut problem = Problem::new(Kind::BootRam, Severity::Note, window)
        .because(format!(
            "{} of this window is plain System RAM, as it has to be: it lies below 4 GiB, where the machine boots \
             from it",
            human(size)
        ))
        .seen(["/proc/iomem"]);
    problem.range = Some(span);
    problem
}
