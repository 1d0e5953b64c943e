// SPDX-License-Identifier: GPL-2.0

//! Which ranges are Soft Reserved, joined from all that declare or show them.

use serde::Serialize;

use crate::dax::Parent;
use crate::firmware::{self, Source};
use crate::log::{self, Event, Spoken};
use crate::map::Map;
use crate::modules::Module;
use crate::own::Piece;
use crate::range::{merge, subtract, Range};
use crate::scan::Scan;

/// A Soft Reserved range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reserved {
    /// Its addresses.
    pub range: Range,
    /// What it is known from, the most trusted first.
    pub sources: Vec<Source>,
    /// The CXL windows it shares bytes with.
    pub windows: Vec<String>,
    /// Its parts, one owner each; together they are the range.
    pub pieces: Vec<Piece>,
}

/// A range before its owners are known.
pub(crate) struct Found {
    pub(crate) range: Range,
    pub(crate) sources: Vec<Source>,
}

/// A more trusted source sets the bounds; a less trusted one adds only what no other has.
pub(crate) fn find(map: &Map, firmware_map: &[Range], command_line: &[Range]) -> Vec<Found> {
    let in_iomem = map
        .iomem
        .iter()
        .filter(|r| r.name == "Soft Reserved")
        .map(|r| r.range);
    let in_ledger = map.ledger.iter().flat_map(|l| &l.records).map(|r| r.range);
    let in_dax = map
        .dax
        .iter()
        .filter(|d| matches!(d.parent, Parent::Hmem(_)))
        .flat_map(|d| d.ranges.iter().copied());
    // What EFI marks so the kernel takes for plain RAM then.
    let in_log = match map.host.no_soft_reserve && log::has_efi_map_only(&map.log) {
        true => Vec::new(),
        false => log::soft_reserved(&map.log),
    };
    // The map tells more, where it is there; of a log that was cut, a part of it may be.
    let in_lines = match map.has_memory_map && map.in_source.sysfs {
        true => Vec::new(),
        false => log::spoken::reserved(&map.log),
    };
    let sources = [
        (Source::KernelLog, in_log),
        (Source::FirmwareMap, firmware_map.to_vec()),
        (Source::CommandLine, command_line.to_vec()),
        (Source::Iomem, merge(in_iomem.collect())),
        (Source::Ledger, merge(in_ledger.collect())),
        (Source::DriverLog, in_lines),
        (Source::HmemDevice, merge(in_dax.collect())),
    ];
    let mut found: Vec<Found> = Vec::new();
    for (source, ranges) in sources {
        for range in ranges {
            for f in found.iter_mut().filter(|f| f.range.overlaps(&range)) {
                f.sources.push(source);
                f.sources.dedup();
            }
            // The stock driver may take all of a node for a range, where ACPI HMAT has the node: what
            // of its device lies beside a known range is no Soft Reserved memory.
            if source == Source::HmemDevice && found.iter().any(|f| f.range.overlaps(&range)) {
                continue;
            }
            let known: Vec<Range> = found.iter().map(|f| f.range).collect();
            found.extend(subtract(range, &known).into_iter().map(|range| Found {
                range,
                sources: vec![source],
            }));
        }
    }
    found.sort_by_key(|f| f.range);
    found
}

/// Whether what firmware declares is known as a whole: from its map, from a ledger, or because the kernel
/// would have registered it.
pub(crate) fn is_complete(map: &Map, scan: &Scan) -> bool {
    let recorded = map.ledger.iter().any(|l| !l.records.is_empty());
    let registers = map.module("dax_hmem").is_some_and(Module::is_known);
    let has_none =
        map.in_source.sysfs && registers && !map.platform.present && !map.host.hmem_disabled;
    let in_log = match map.in_source.sysfs {
        true => log::has_memory_map(&map.log),
        false => log::has_whole_map(&map.log),
    };
    in_log || firmware::has_memmap(scan) || recorded || has_none
}

/// Dax devices that lines of a log name, and that lie in nothing else that is known.
pub(crate) fn spoken(map: &Map) -> Vec<Spoken> {
    let mut out = log::spoken::devices(&map.log);
    let reserved = map.reserved.iter().map(|r| r.range);
    let regions = map.regions.iter().filter_map(|r| r.range);
    let dax = map.dax.iter().flat_map(|d| d.ranges.iter().copied());
    let known: Vec<Range> = reserved.chain(regions).chain(dax).collect();
    out.retain(|s| !map.in_source.sysfs && known.iter().all(|r| !r.overlaps(&s.range)));
    out
}

/// What the administrator declares on the command line, and firmware does not.
pub(crate) fn by_hand(map: &Map, found: &[Found]) -> Vec<Range> {
    let of_firmware = |range: &Range| {
        map.log.iter().any(|m| match &m.event {
            // The map after the edits of the command line is called "user".
            Event::MapEntry {
                map,
                range: r,
                kind,
            } => {
                map != "user"
                    && r.overlaps(range)
                    && kind.trim().eq_ignore_ascii_case("soft reserved")
            }
            _ => false,
        })
    };
    let mut out: Vec<Range> = Vec::new();
    for f in found {
        let by_hand = f.sources.contains(&Source::CommandLine);
        if by_hand && !f.sources.contains(&Source::FirmwareMap) && !of_firmware(&f.range) {
            out.push(f.range);
        }
    }
    out
}
