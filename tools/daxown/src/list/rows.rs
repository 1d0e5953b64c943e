// SPDX-License-Identifier: GPL-2.0

//! The rows of `daxown list`, and the filters on them.

use anyhow::Result;
use daxmap::cxl::{Region, RegionState};
use daxmap::dax::{DaxDevice, Parent};
use daxmap::firmware::Source;
use daxmap::ledger::Fate;
use daxmap::log::Spoken;
use daxmap::{Map, Owner, Piece, Reserved, State};

use crate::cli::{ListArgs, OwnerKind, RowKind};
use crate::json::{MemberDoc, OwnerDoc, RangeDoc, ReasonDoc, RowDoc, UseDoc};
use crate::show;
use crate::subject::Subject;

/// A row with what the document does not hold.
pub struct Row {
    pub doc: RowDoc,
    pub owner: Owner,
    /// The machine, where there are several.
    pub machine: Option<String>,
}

pub fn select(map: &Map, args: &ListArgs) -> Result<Vec<Row>> {
    // Devices have names that are none of a row.
    let names = args
        .what
        .iter()
        .filter(|_| args.kind != Some(RowKind::Device));
    let wanted = names
        .map(|what| Subject::find(map, what))
        .collect::<Result<Vec<Subject>>>()?;
    let mut rows: Vec<(Row, Option<daxmap::Range>)> = Vec::new();
    if !matches!(args.kind, Some(RowKind::Region | RowKind::Device)) {
        for reserved in &map.reserved {
            let pieces = reserved.pieces.iter();
            rows.extend(pieces.map(|p| (piece(map, reserved, p), Some(p.range))));
        }
    }
    if !matches!(args.kind, Some(RowKind::Reserved | RowKind::Device)) {
        rows.extend(map.regions.iter().map(|r| (region(map, r), r.range)));
    }
    if args.kind.is_none() {
        let given = show::given_dax(map);
        rows.extend(given.map(|d| (dax(d), d.ranges.first().copied())));
        rows.extend(map.spoken.iter().map(|s| (spoken(s), Some(s.range))));
    }
    rows.retain(|(row, range)| {
        let of_owner = args.owner.is_empty() || args.owner.iter().any(|o| is_owner(*o, &row.owner));
        let is_lost = !args.lost || lost(&row.doc);
        let of_subject = wanted.is_empty()
            || wanted.iter().any(|s| {
                row.doc.name.as_deref() == Some(s.name.as_str())
                    || range.is_some_and(|r| s.ranges.iter().any(|x| x.overlaps(&r)))
            });
        of_owner && is_lost && of_subject
    });
    Ok(rows.into_iter().map(|(row, _)| row).collect())
}

fn lost(doc: &RowDoc) -> bool {
    let size = doc.range.as_ref().map(|r| r.size).or(doc.size);
    match (size, doc.used.usable) {
        (Some(size), Some(usable)) => usable < size,
        // Unknown is no good news either.
        _ => true,
    }
}

fn is_owner(kind: OwnerKind, owner: &Owner) -> bool {
    match kind {
        OwnerKind::Cxl => matches!(owner, Owner::Cxl { .. }),
        OwnerKind::Hmem => matches!(owner, Owner::Hmem { .. }),
        OwnerKind::SystemRam => *owner == Owner::SystemRam,
        OwnerKind::Driver => matches!(owner, Owner::Driver { .. }),
        OwnerKind::Nobody => *owner == Owner::Nobody,
        OwnerKind::Unknown => *owner == Owner::Unknown,
    }
}

fn piece(map: &Map, reserved: &Reserved, piece: &Piece) -> Row {
    Row {
        owner: piece.owner.clone(),
        machine: None,
        doc: RowDoc {
            kind: "reserved".into(),
            name: None,
            range: Some(RangeDoc::of(&piece.range)),
            size: None,
            owner: OwnerDoc::of(&piece.owner),
            device: piece.device.clone(),
            node: piece.node,
            used: UseDoc::of(piece),
            state: show::state(piece.state).into(),
            reason: ReasonDoc::of(&piece.reason),
            windows: map.windows_of(&piece.range),
            sources: reserved.sources.iter().map(|s| source(*s).into()).collect(),
            members: map.committed_in(&piece.range).flat_map(members).collect(),
        },
    }
}

fn members(region: &Region) -> Vec<MemberDoc> {
    let targets = region.targets.iter();
    targets
        .map(|t| MemberDoc {
            position: t.position,
            memdev: t.memdev.clone(),
            serial: t.serial.clone(),
        })
        .collect()
}

fn source(source: Source) -> &'static str {
    match source {
        Source::KernelLog => "kernel-log",
        Source::FirmwareMap => "firmware-map",
        Source::CommandLine => "command-line",
        Source::Iomem => "iomem",
        Source::Ledger => "ledger",
        Source::DriverLog => "driver-log",
        Source::HmemDevice => "hmem-device",
    }
}

fn region(map: &Map, region: &Region) -> Row {
    let piece = map.region_piece(region);
    let holder = map.holder_of(region);
    let accelerator = map
        .accelerator_of(region)
        .map(|name| Owner::Driver { name });
    let owner = match (&holder, region.is_committed()) {
        (Some(owner), _) => owner.clone(),
        _ if accelerator.is_some() => accelerator.unwrap_or(Owner::Unknown),
        (None, true) if map.is_holder_unknown(region) => Owner::Unknown,
        (None, true) => Owner::Cxl {
            region: region.name.clone(),
        },
        (None, false) if region.state == RegionState::Unknown => Owner::Unknown,
        (None, false) => Owner::Nobody,
    };
    let state = match region.state {
        RegionState::Disabled => "disabled".into(),
        RegionState::CommittedUnbound => "unbound".into(),
        RegionState::Unknown => "unknown".into(),
        RegionState::Committed if holder.is_some() => "lost".into(),
        RegionState::Committed if owner == Owner::Unknown => "unknown".into(),
        // Its namespaces have drivers of their own.
        RegionState::Committed if region.mode.as_deref() == Some("pmem") => "persistent".into(),
        RegionState::Committed => piece
            .as_ref()
            .map_or("unknown".into(), |p| show::state(p.state).into()),
    };
    let (device, node, used, reason) = match piece {
        Some(p) => (
            p.device.clone(),
            p.node,
            UseDoc::of(&p),
            ReasonDoc {
                text: describe(map, region, &holder),
                ..ReasonDoc::of(&p.reason)
            },
        ),
        None => (
            None,
            None,
            UseDoc {
                online: None,
                offline: None,
                file: 0,
                unsound: 0,
                usable: None,
            },
            ReasonDoc {
                code: "region".into(),
                text: describe(map, region, &holder),
                evidence: "sysfs".into(),
            },
        ),
    };
    Row {
        owner: owner.clone(),
        machine: None,
        doc: RowDoc {
            kind: "region".into(),
            name: Some(region.name.clone()),
            range: region.range.as_ref().map(RangeDoc::of),
            size: None,
            owner: OwnerDoc::of(&owner),
            device,
            node,
            used,
            state,
            reason,
            windows: region.range.map(|r| map.windows_of(&r)).unwrap_or_default(),
            sources: Vec::new(),
            members: members(region),
        },
    }
}

/// A dax device of a list: what that says of it.
fn dax(dax: &DaxDevice) -> Row {
    let owner = match &dax.parent {
        Parent::Hmem(device) => Owner::Hmem {
            device: device.clone(),
        },
        Parent::Region(region) => Owner::Cxl {
            region: region.clone(),
        },
        Parent::Other(_) => Owner::Unknown,
    };
    let range = match dax.ranges.as_slice() {
        [range] => Some(*range),
        _ => None,
    };
    let file = dax.size.filter(|_| dax.is_file()).unwrap_or(0);
    let blocks = dax.blocks.filter(|_| dax.is_kmem());
    let online = match dax.is_kmem() {
        true => dax.size.zip(blocks).map(|(size, b)| b.part_of(size)),
        false => dax.driver.as_ref().map(|_| 0),
    };
    let state = match blocks {
        _ if dax.is_file() => State::DaxFile,
        Some(b) if b.online == b.total => State::Online,
        Some(b) if b.online == 0 => State::Offline,
        Some(_) => State::Partial,
        None => State::Unknown,
    };
    let mut words = vec![match dax.driver.as_deref() {
        Some("kmem") => "system-ram".to_string(),
        Some("device_dax") => "devdax".to_string(),
        Some("fsdev_dax") => "famfs".to_string(),
        _ => "mode not known".to_string(),
    }];
    words.extend(
        dax.blocks
            .map(|b| format!("{} of {} memory blocks online", b.online, b.total)),
    );
    if dax.ranges.is_empty() {
        words.push("where it lies is not in what was given".into());
    }
    Row {
        owner: owner.clone(),
        machine: None,
        doc: RowDoc {
            kind: "dax".into(),
            name: Some(dax.name.clone()),
            range: range.as_ref().map(RangeDoc::of),
            size: dax.size.filter(|_| range.is_none()),
            owner: OwnerDoc::of(&owner),
            device: Some(dax.name.clone()),
            node: dax.target_node,
            used: UseDoc {
                online,
                offline: online.zip(dax.size).map(|(on, size)| match dax.is_kmem() {
                    true => size.saturating_sub(on),
                    false => 0,
                }),
                file,
                unsound: 0,
                usable: online.map(|on| on.saturating_add(file)),
            },
            state: show::state(state).into(),
            reason: ReasonDoc {
                code: "dax".into(),
                text: words.join(", "),
                evidence: "sysfs".into(),
            },
            windows: Vec::new(),
            sources: Vec::new(),
            members: Vec::new(),
        },
    }
}

/// A dax device that only a failure in the log tells of.
fn spoken(spoken: &Spoken) -> Row {
    let mut row = dax(&DaxDevice {
        name: spoken.device.clone(),
        parent: Parent::Other(String::new()),
        ranges: vec![spoken.range],
        size: None,
        driver: None,
        target_node: None,
        align: None,
        state: None,
        blocks: None,
    });
    row.doc.reason = ReasonDoc {
        code: "dax".into(),
        text: "the log speaks of it; what became of it since is not in what was given".into(),
        evidence: "log".into(),
    };
    row
}

/// A region's own line: mode, ways, members, who took its place.
fn describe(map: &Map, region: &Region, holder: &Option<Owner>) -> String {
    let mode = match (&region.mode, region.state) {
        (Some(mode), _) => mode.clone(),
        (None, RegionState::Unknown) => "whether it is committed is not known".into(),
        (None, _) => "no mode".into(),
    };
    let mut words = vec![mode];
    if let Some(ways) = region.ways.filter(|&w| w > 1) {
        words.push(format!("{ways}-way"));
    }
    let members = crate::show::members(region);
    if !members.is_empty() {
        words.push(members);
    }
    let lost_to = map
        .outcome_of(region)
        .filter(|o| o.fate == Fate::Lost && region.dax_driver.is_none())
        .and_then(|o| o.lost_to.as_deref());
    match (lost_to, holder) {
        (Some(to), _) => words.push(format!("lost to {to}")),
        (None, Some(holder)) => {
            words.push(format!("its range is with {}", crate::show::owner(holder)));
        }
        (None, None) => {}
    }
    words.join(", ")
}
