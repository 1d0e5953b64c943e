// SPDX-License-Identifier: GPL-2.0

//! What lays claim to the bytes of a range, the strongest first.

use ownership::{Standing, Why};

use crate::cxl::{Region, RegionState};
use crate::dax::Parent;
use crate::iomem::is_system_ram;
use crate::ledger::{self, Record};
use crate::log::Event;
use crate::map::Map;
use crate::range::Range;

use super::foreign;
use super::reason::{cxl_reason, hmem_reason, ledger_reason, Evidence, Reason, ReasonCode};
use super::{Owner, State};

/// One claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) range: Range,
    pub(super) owner: Owner,
    pub(super) device: Option<String>,
    pub(super) reason: Reason,
    pub(super) node: Option<u32>,
    /// Set where the claim itself says it; else the memory blocks do.
    pub(super) state: Option<State>,
}

/// All claims that touch `range`, the strongest first.
pub(super) fn claims(map: &Map, range: &Range) -> Vec<Claim> {
    let mut out: Vec<Claim> = Vec::new();
    let mut records: Vec<&Record> = map.ledger.iter().flat_map(|l| &l.records).collect();
    // A record for a whole range may stand beside those of its pieces, which know better.
    records.sort_by_key(|r| r.range.len());
    let (late, decided): (Vec<_>, Vec<_>) = records
        .into_iter()
        .flat_map(|r| from_ledger(map, r))
        .partition(|c| is_late(map, c));
    out.extend(decided);
    out.extend(from_dax(map, range));
    out.extend(from_hmem(map, range));
    out.extend(from_regions(map, range));
    out.extend(late);
    out.extend(from_system_ram(map));
    out.extend(excluded(map));
    out.retain(|c| c.range.overlaps(range));
    out
}

/// Whether others may have come after what a record says: the range was let go, or its hmem device was
/// unbound by hand, which dax_hmem does not see.
fn is_late(map: &Map, claim: &Claim) -> bool {
    match &claim.owner {
        Owner::Hmem { device } => map
            .hmem
            .iter()
            .any(|h| h.name == *device && h.driver.is_none()),
        _ => claim.state == Some(State::Free),
    }
}

/// What dax_hmem keeps away from, where nobody else has it.
fn excluded(map: &Map) -> Vec<Claim> {
    let claim = |range: &Range| Claim {
        range: *range,
        owner: Owner::Nobody,
        device: None,
        reason: Reason {
            code: ReasonCode::Known(Why::Excluded),
            text: "kept out by dax_hmem.exclude".into(),
            evidence: Evidence::Sysfs,
        },
        node: None,
        state: Some(State::Free),
    };
    let is_bound = map.in_source.sysfs && map.platform.bound;
    let ranges = map.host.excluded.iter().filter(|_| is_bound);
    ranges.map(claim).collect()
}

fn from_ledger(map: &Map, record: &Record) -> Vec<Claim> {
    // A record of a loss is about the loser; the range's owner has a record of its own.
    if record.lost_to.is_some() {
        return Vec::new();
    }
    let standing = match &record.state {
        ledger::State::Known(standing) => *standing,
        ledger::State::Other(_) => {
            return vec![of_record(map, record, Owner::Unknown, Some(State::Unknown))]
        }
    };
    let (owner, state) = match standing {
        Standing::Hmem => {
            let device = record.dev.clone().unwrap_or_else(|| "hmem".into());
            (Owner::Hmem { device }, None)
        }
        Standing::Cxl => return from_ledger_cxl(map, record),
        Standing::SystemRam => (Owner::SystemRam, None),
        Standing::Deferred => (Owner::Nobody, Some(State::Deferred)),
        Standing::Free => (Owner::Nobody, Some(State::Free)),
        Standing::Failed => (Owner::Nobody, Some(State::Failed)),
        Standing::Stuck => (Owner::Nobody, Some(State::Stuck)),
        Standing::Foreign => foreign::owner(map, record),
    };
    vec![of_record(map, record, owner, state)]
}

fn of_record(map: &Map, record: &Record, owner: Owner, state: Option<State>) -> Claim {
    let parent = record.dev.clone().map(Parent::Hmem);
    let device = parent.and_then(|p| dax_of(map, &p, &record.range));
    Claim {
        range: record.range,
        owner,
        device: device.or_else(|| record.dev.clone()),
        reason: ledger_reason(map, record),
        node: record.node,
        state,
    }
}

/// The ledger says CXL; which region has which part, the regions say.
fn from_ledger_cxl(map: &Map, record: &Record) -> Vec<Claim> {
    let claim = |range, region: String| {
        let device = dax_of(map, &Parent::Region(region.clone()), &range);
        // The record has the node where its range starts, which may be another region's.
        let mut dax = map.dax.iter().filter(|d| Some(&d.name) == device.as_ref());
        let node = dax.find_map(|d| d.target_node);
        Claim {
            range,
            device,
            owner: Owner::Cxl { region },
            reason: ledger_reason(map, record),
            node: node.or(record.node),
            state: None,
        }
    };
    let mut out: Vec<Claim> = map
        .committed_in(&record.range)
        .filter_map(|r| Some(claim(r.range?.overlap(&record.range)?, r.name.clone())))
        .collect();
    let named = record.region.clone().unwrap_or_else(|| "region".into());
    out.push(claim(record.range, named));
    out
}

fn dax_of(map: &Map, parent: &Parent, range: &Range) -> Option<String> {
    map.dax
        .iter()
        .find(|d| {
            d.parent == *parent
                && (d.ranges.is_empty() || d.ranges.iter().any(|r| r.overlaps(range)))
        })
        .map(|d| d.name.clone())
}

fn from_dax<'a>(map: &'a Map, range: &'a Range) -> impl Iterator<Item = Claim> + 'a {
    map.dax.iter().flat_map(move |d| {
        let made = match &d.parent {
            Parent::Hmem(device) => Some((
                Owner::Hmem {
                    device: device.clone(),
                },
                hmem_reason(map, &range_of(map, device).unwrap_or(*range)),
            )),
            Parent::Region(region) => Some((
                Owner::Cxl {
                    region: region.clone(),
                },
                cxl_reason(map, range),
            )),
            Parent::Other(_) => None,
        };
        made.into_iter().flat_map(move |(owner, reason)| {
            d.ranges.iter().map(move |&range| Claim {
                range,
                owner: owner.clone(),
                device: Some(d.name.clone()),
                reason: reason.clone(),
                node: d.target_node,
                state: None,
            })
        })
    })
}

/// What the kernel registered as one range.
fn range_of(map: &Map, hmem: &str) -> Option<Range> {
    let device = map.hmem.iter().find(|h| h.name == hmem)?;
    device.range
}

/// The device of size 0 that stands for the free room of a dax region.
fn seed_of(map: &Map, hmem: &str) -> Option<String> {
    let parent = Parent::Hmem(hmem.to_string());
    let mut own = map.dax.iter().filter(|d| d.parent == parent);
    own.find(|d| d.size == Some(0)).map(|d| d.name.clone())
}

/// Whether the ledger knows that an hmem device was unbound: its record says more.
fn is_let_go(map: &Map, hmem: &str) -> bool {
    let mut records = map.ledger.iter().flat_map(|l| &l.records);
    records
        .any(|r| r.state == ledger::State::Known(Standing::Free) && r.dev.as_deref() == Some(hmem))
}

fn from_hmem<'a>(map: &'a Map, range: &'a Range) -> impl Iterator<Item = Claim> + 'a {
    let devices = map.hmem.iter();
    let devices = devices.filter(|h| h.driver.is_some() || !is_let_go(map, &h.name));
    devices.filter_map(move |h| {
        let failure = map.log.iter().rev().find_map(|m| match &m.event {
            Event::ProbeFailed { device, errno, .. } if *device == h.name => Some(*errno),
            _ => None,
        });
        let served = h.driver.is_some();
        let reason = match failure {
            Some(errno) if !served => Reason {
                code: ReasonCode::HmemProbeFailed,
                text: format!("the probe of {} failed with error -{errno}", h.name),
                evidence: Evidence::Log,
            },
            _ if !served => Reason {
                code: ReasonCode::Known(Why::NotBound),
                text: format!("{} has no driver", h.name),
                evidence: Evidence::Sysfs,
            },
            _ => hmem_reason(map, &h.range.unwrap_or(*range)),
        };
        // A divided one has room beside its devices, which is no device's.
        let divided = served && h.available.is_some_and(|a| a > 0);
        let dax = match divided {
            true => seed_of(map, &h.name),
            false => dax_of(map, &Parent::Hmem(h.name.clone()), range),
        };
        Some(Claim {
            range: h.range?,
            owner: if served {
                Owner::Hmem {
                    device: h.name.clone(),
                }
            } else {
                Owner::Nobody
            },
            device: dax.or_else(|| Some(h.name.clone())),
            reason,
            // Its numa_node is the nearest node with memory, not the target node.
            node: None,
            state: (!served).then_some(State::Failed),
        })
    })
}

fn from_regions<'a>(map: &'a Map, range: &'a Range) -> impl Iterator<Item = Claim> + 'a {
    map.committed_in(range).filter_map(move |r| {
        let bound = r.dax_driver.is_some();
        // Where HMEM holds any of the range, a region without a driver has lost: it claims nothing.
        let hmem_here = map
            .hmem
            .iter()
            .any(|h| h.driver.is_some() && h.range.is_some_and(|x| x.overlaps(range)));
        let range = r.range?;
        // HMEM leaves persistent memory alone; where it has some, its claim is the stronger one.
        if r.mode.as_deref() == Some("pmem") {
            return Some(of_region(map, r, range));
        }
        if !bound && hmem_here {
            return None;
        }
        if r.dax_region.is_none() && !map.boot_ram_in(&range).is_empty() {
            return None;
        }
        if let Some(name) = map.accelerator_of(r) {
            return Some(of_accelerator(r, range, name));
        }
        Some(of_region(map, r, range))
    })
}

/// What an accelerator's region claims, for its driver.
pub(super) fn of_accelerator(region: &Region, range: Range, name: String) -> Claim {
    Claim {
        range,
        reason: Reason {
            code: ReasonCode::Known(Why::ForeignRegion),
            text: format!(
                "{} is an accelerator's, and the driver of {name} has it",
                region.name
            ),
            evidence: Evidence::Sysfs,
        },
        owner: Owner::Driver { name },
        device: None,
        node: None,
        state: Some(State::Foreign),
    }
}

/// What a committed region claims.
pub(super) fn of_region(map: &Map, region: &Region, range: Range) -> Claim {
    Claim {
        range,
        owner: Owner::Cxl {
            region: region.name.clone(),
        },
        device: dax_of(map, &Parent::Region(region.name.clone()), &range),
        reason: if region.state == RegionState::Unknown {
            Reason {
                code: ReasonCode::NotReadable,
                text: format!("whether {} is committed is not known", region.name),
                evidence: Evidence::Derived,
            }
        } else if region.dax_driver.is_some() || !map.in_source.sysfs {
            cxl_reason(map, &range)
        } else {
            Reason {
                code: ReasonCode::RegionIdle,
                text: match region.dax_region {
                    Some(_) => format!(
                        "{} is committed, but no driver is bound to its dax region",
                        region.name
                    ),
                    None => format!("{} is committed, but made no dax region", region.name),
                },
                evidence: Evidence::Sysfs,
            }
        },
        node: None,
        state: None,
    }
}

fn from_system_ram(map: &Map) -> impl Iterator<Item = Claim> + '_ {
    map.iomem
        .iter()
        .filter(|r| is_system_ram(&r.name) && !r.name.contains("kmem"))
        .map(|r| Claim {
            range: r.range,
            owner: Owner::SystemRam,
            device: None,
            reason: Reason {
                code: ReasonCode::Known(Why::InUseAlready),
                text: "the kernel took it as System RAM at boot".into(),
                evidence: Evidence::Sysfs,
            },
            node: None,
            state: None,
        })
}
