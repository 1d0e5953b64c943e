// SPDX-License-Identifier: GPL-2.0

//! The steps of a story: firmware, window, regions, decision, device, memory, now.

use daxmap::cxl::{Region, RegionState};
use daxmap::firmware::Source;
use daxmap::iomem;
use daxmap::ledger::Record;
use daxmap::log::Event;
use daxmap::modules::Drivers;
use daxmap::names::listed;
use daxmap::{Evidence, Map, Owner, Piece, Range, Reserved};

use crate::json::StepDoc;
use crate::show::{self, human};

/// One step.
pub struct Step {
    pub topic: &'static str,
    pub text: String,
    pub evidence: Vec<String>,
}

impl Step {
    pub fn new(topic: &'static str, text: impl Into<String>, evidence: Vec<String>) -> Step {
        Step {
            topic,
            text: text.into(),
            evidence,
        }
    }

    pub fn document(&self) -> StepDoc {
        StepDoc {
            topic: self.topic.into(),
            text: self.text.clone(),
            evidence: self.evidence.clone(),
        }
    }
}

pub fn of_piece(map: &Map, reserved: &Reserved, piece: &Piece) -> Vec<Step> {
    let mut out = vec![firmware(map, reserved), window(map, &piece.range)];
    out.push(regions(map, reserved, &piece.range));
    out.push(decision(map, piece));
    out.extend(device(map, piece));
    out.push(now(map, piece));
    out
}

pub fn of_region(map: &Map, region: &Region) -> Vec<Step> {
    let path = format!("/sys/bus/cxl/devices/{}", region.name);
    let mut out: Vec<Step> = region.range.iter().map(|r| window(map, r)).collect();
    out.push(Step::new("region", members(region), vec![path.clone()]));
    let state = match region.state {
        RegionState::Committed => "its decoders are committed and its driver is bound",
        RegionState::CommittedUnbound => "its decoders are committed, but its driver is not bound",
        RegionState::Disabled if map.sets().iter().any(|s| Some(s.range) == region.range) => {
            "it is not committed, but decoders that firmware committed map its addresses"
        }
        RegionState::Disabled => "it is not committed, and no decoder maps its addresses",
        RegionState::Unknown => "whether it is committed cannot be read",
    };
    out.push(Step::new("commit", state, vec![format!("{path}/commit")]));
    let (text, device) = match (&region.dax_region, &region.dax_driver) {
        (Some(d), Some(driver)) => (format!("{d} is bound to {driver}"), Some(d)),
        (Some(d), None) => (format!("{d} has no driver"), Some(d)),
        _ if !map.in_source.sysfs => (
            "whether it made a dax region is not in what was given".to_string(),
            None,
        ),
        _ => ("it made no dax region".to_string(), None),
    };
    let mut evidence: Vec<String> = device
        .map(|d| format!("/sys/bus/cxl/devices/{d}"))
        .into_iter()
        .collect();
    evidence.extend(outcome(map, region));
    evidence.extend(log(map, |e| match e {
        Event::Conflict { device: d, .. } | Event::ProbeFailed { device: d, .. } => {
            Some(d) == device
        }
        Event::Said { device } => *device == region.name,
        _ => false,
    }));
    out.push(Step::new("dax", text, evidence));
    if let Some(piece) = map.region_piece(region) {
        out.push(now(map, &piece));
    }
    out
}

/// What the resource tree says of an address that is none of ours.
pub fn of_address(map: &Map, ranges: &[Range]) -> Vec<Step> {
    let mut out = vec![resources(map, ranges)];
    for set in map.sets() {
        if ranges.iter().any(|r| r.overlaps(&set.range)) {
            let names: Vec<&str> = set.members.iter().map(|(name, _)| name.as_str()).collect();
            let paths = names.iter().map(|n| format!("/sys/bus/cxl/devices/{n}"));
            let text = format!("{} {} {}", listed(&names), maps(names.len()), set.range);
            out.push(Step::new("decoders", text, paths.collect()));
        }
    }
    out
}

fn maps(count: usize) -> &'static str {
    match count {
        1 => "is committed and maps",
        _ => "are committed and map",
    }
}

fn resources(map: &Map, ranges: &[Range]) -> Step {
    let lines = iomem::excerpt(&map.iomem, ranges);
    if lines.is_empty() {
        let text = match map.iomem.is_empty() {
            true if !map.in_source.iomem => "the resource tree is not in what was given",
            true => "the resource tree cannot be read",
            false => "the resource tree has nothing there",
        };
        return Step::new("resource tree", text, vec!["/proc/iomem".into()]);
    }
    let text = iomem::render(&lines);
    let lines = text.lines().map(str::to_string).collect();
    Step::new("resource tree", "the kernel has there:", lines)
}

fn firmware(map: &Map, reserved: &Reserved) -> Step {
    let range = &reserved.range;
    let names: Vec<&str> = reserved.sources.iter().map(|s| source(*s)).collect();
    let evidence = log(map, |e| match e {
        Event::MapEntry { range: r, kind, .. } => {
            r.overlaps(range) && kind.trim().eq_ignore_ascii_case("soft reserved")
        }
        _ => false,
    });
    let by = match reserved.sources.contains(&Source::CommandLine) {
        true => "the kernel command line declares",
        false => "firmware declares",
    };
    let text = format!(
        "{by} {range} ({}) Soft Reserved; known from {}",
        human(range.len()),
        names.join(", ")
    );
    Step::new("firmware", text, evidence)
}

fn source(source: Source) -> &'static str {
    match source {
        Source::KernelLog => "the memory map in the kernel log",
        Source::FirmwareMap => "/sys/firmware/memmap",
        Source::CommandLine => "memmap= on the command line",
        Source::Iomem => "/proc/iomem",
        Source::Ledger => "the ledger of dax_hmem",
        Source::DriverLog => "lines of dax_hmem in the kernel log",
        Source::HmemDevice => "its hmem device",
    }
}

fn window(map: &Map, range: &Range) -> Step {
    let mut evidence = Vec::new();
    let mut texts = Vec::new();
    for w in &map.windows {
        let Some(r) = w.range.filter(|r| r.overlaps(range)) else {
            continue;
        };
        let name = w.name.as_deref().unwrap_or(&w.decoder);
        let how = match r.contains(range) {
            true => "in",
            false => "partly in",
        };
        texts.push(format!("{how} {name} ({r})"));
        if !w.decoder.is_empty() {
            evidence.push(format!("/sys/bus/cxl/devices/{}", w.decoder));
        }
    }
    let text = if !texts.is_empty() {
        format!("it lies {}", texts.join(" and "))
    } else if map.windows.iter().any(|w| w.range.is_none()) {
        "where the CXL windows lie cannot be read".into()
    } else if map.windows.is_empty() && !map.in_source.sysfs {
        "no CXL window is in what was given: whether it lies in one is not known".into()
    } else if map.windows.is_empty() {
        "no CXL window is known (no CXL, or cxl_acpi is not loaded)".into()
    } else {
        match map.in_source.sysfs {
            true => "it lies outside every CXL window: CXL has no part in it".into(),
            false => "it lies outside every CXL window that is in what was given".into(),
        }
    };
    Step::new("window", text, evidence)
}

fn regions(map: &Map, reserved: &Reserved, piece: &Range) -> Step {
    // The decision is about the whole range: what lies beside the piece has a part in it.
    let mut here: Vec<(Range, &Region)> = map
        .regions
        .iter()
        .filter_map(|region| Some((region.range?, region)))
        .filter(|(range, _)| range.overlaps(&reserved.range))
        .collect();
    here.sort_by_key(|(range, _)| *range);
    let noun = match reserved.range == *piece {
        true => "it",
        false => "this piece of the range",
    };
    let mut texts = Vec::new();
    let mut evidence = Vec::new();
    for (range, region) in here {
        let where_to = if range.contains(piece) {
            format!("covers all of {noun}")
        } else if range.overlaps(piece) {
            format!("covers a part of {noun}")
        } else {
            "covers another piece of the range".into()
        };
        texts.push(format!("{} {where_to}", members(region)));
        evidence.push(format!("/sys/bus/cxl/devices/{}", region.name));
    }
    let text = match texts.is_empty() {
        true if !map.in_source.sysfs => "no CXL region there is in what was given".into(),
        true => "no CXL region lies there".into(),
        false => texts.join("; "),
    };
    Step::new("regions", text, evidence)
}

fn members(region: &Region) -> String {
    let state = match region.state {
        RegionState::Committed | RegionState::CommittedUnbound => "committed",
        RegionState::Disabled => "not committed",
        RegionState::Unknown => "state unknown",
    };
    let mode = region.mode.as_deref().unwrap_or("no mode");
    let range = region.range.map_or("no address".into(), |r| r.to_string());
    let members = match show::members(region) {
        none if none.is_empty() => none,
        members => format!(", {members}"),
    };
    format!("{} ({range}, {mode}, {state}{members})", region.name)
}

fn decision(map: &Map, piece: &Piece) -> Step {
    let whose = match map.drivers {
        Drivers::Rust => "the Rust dax_hmem decided",
        Drivers::Stock => "concluded from what is there (the stock dax_hmem does not say)",
        Drivers::None => "dax_hmem is not loaded",
        Drivers::Unknown => "concluded from what is there",
    };
    let text = format!(
        "{}: {}; {whose}",
        show::owner(&piece.owner),
        piece.reason.text
    );
    let mut evidence: Vec<String> = Vec::new();
    if piece.reason.evidence == Evidence::Ledger {
        let records = map.ledger.iter().flat_map(|l| &l.records);
        let here = records.filter(|r| r.range.overlaps(&piece.range));
        evidence.extend(here.flat_map(record));
    }
    evidence.extend(log(map, |e| match e {
        Event::Decision { range, .. } => range.overlaps(&piece.range),
        Event::Said { device } => device == "hmem_platform.0",
        _ => false,
    }));
    evidence.retain(|l| names(l, &piece.range));
    Step::new("decision", text, evidence)
}

/// Whether the range that a log line names, `[mem 0x...-0x...`, shares a byte with `range`.
fn names(line: &str, range: &Range) -> bool {
    let named = line.split("[mem ").nth(1).and_then(|rest| {
        let end = rest.find([']', ' ']).unwrap_or(rest.len());
        Range::parse(&rest[..end])
    });
    named.is_none_or(|r| r.overlaps(range))
}

/// A line of the ledger with its time, as the kernel log has it.
fn stamped(ns: u64, what: &str) -> String {
    format!(
        "[{:5}.{:06}] {what} (ledger)",
        ns / 1_000_000_000,
        ns / 1000 % 1_000_000
    )
}

/// What the ledger says of a region's last probe.
fn outcome(map: &Map, region: &Region) -> Option<String> {
    let outcome = map.outcome_of(region)?;
    let text = outcome.text();
    Some(match outcome.at_ns {
        Some(ns) => stamped(ns, &text),
        None => format!("{text} (ledger)"),
    })
}

/// A ledger record as times and facts.
fn record(r: &Record) -> Vec<String> {
    let stamp = |ns: Option<u64>, what: &str| ns.map(|ns| stamped(ns, what));
    let lost = r.lost_to.as_ref().map(|to| {
        let region = r.region.as_deref().unwrap_or("the region");
        format!("{region} lost {} to {to} (ledger)", r.range)
    });
    let sides = [(r.kib_head, "start"), (r.kib_tail, "end")];
    let sides = sides.iter().filter(|(kib, _)| *kib > 0);
    let sides: Vec<String> = sides
        .map(|(kib, side)| format!("{} at the {side}", human(kib.saturating_mul(1024))))
        .collect();
    let cut = (!sides.is_empty()).then(|| format!("{} cut for alignment (ledger)", listed(&sides)));
    [
        stamp(r.seen_ns, "seen"),
        stamp(r.decided_ns, "decided"),
        stamp(r.served_ns, "served"),
        lost,
        cut,
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn device(map: &Map, piece: &Piece) -> Option<Step> {
    let name = piece.device.as_deref()?;
    let hmem = match &piece.owner {
        Owner::Hmem { device } => Some(device.as_str()),
        _ => None,
    };
    let evidence = log(map, |e| match e {
        Event::ProbeFailed { device, .. }
        | Event::Conflict { device, .. }
        | Event::ReserveFailed { device, .. }
        | Event::AddFailed { device, .. }
        | Event::Truncated { device, .. }
        | Event::Stuck { device, .. }
        | Event::Rejected { device, .. } => device == name || Some(device.as_str()) == hmem,
        _ => false,
    });
    let Some(dax) = map.dax.iter().find(|d| d.name == name) else {
        let text = format!("{name} made no dax device");
        return Some(Step::new("device", text, evidence));
    };
    let driver = match dax.driver.as_deref() {
        Some("kmem") => "is bound to kmem, which makes it System RAM".to_string(),
        Some("device_dax") => format!("is bound to device_dax: programs map /dev/{name}"),
        Some("fsdev_dax") => format!("is bound to fsdev_dax: a file system has /dev/{name}"),
        Some(other) => format!("is bound to {other}"),
        None => "has no driver".into(),
    };
    let node = dax
        .target_node
        .map_or(", no target node".into(), |n| format!(", target node {n}"));
    let text = format!("{name} ({}{node}) {driver}", human(dax.size.unwrap_or(0)));
    let mut all = vec![format!("/sys/bus/dax/devices/{name}")];
    all.extend(evidence);
    Some(Step::new("device", text, all))
}

fn now(map: &Map, piece: &Piece) -> Step {
    let total = piece.range.len();
    let size = |b: Option<u64>| b.map_or("an unknown part".into(), human);
    let mut parts = vec![format!(
        "{} of {} online",
        size(piece.online_bytes),
        human(total)
    )];
    if let Some(offline) = piece.offline_bytes.filter(|&b| b > 0) {
        parts.push(format!("{} offline", human(offline)));
    }
    if piece.file_bytes > 0 {
        parts.push(format!("{} as a /dev file", human(piece.file_bytes)));
    }
    if let Some(node) = piece.node {
        parts.push(format!("node {node}"));
    }
    let lines = iomem::render(&iomem::excerpt(&map.iomem, &[piece.range]));
    Step::new(
        "now",
        parts.join(", "),
        lines.lines().map(str::to_string).collect(),
    )
}

fn log(map: &Map, is: impl Fn(&Event) -> bool) -> Vec<String> {
    let of_interest = map.log.iter().filter(|m| is(&m.event));
    of_interest.map(|m| m.stamped()).collect()
}
