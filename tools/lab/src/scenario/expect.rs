// SPDX-License-Identifier: GPL-2.0

//! What a scenario says must come out, checked and ready to be compared.

use std::collections::BTreeMap;

use regex::Regex;
use toml::Spanned;

use super::excerpt::excerpt;
use super::excerpt::Excerpt;
use super::fault::Faults;
use super::raw;
use super::raw::Owner;
use super::Address;
use super::Drivers;
use super::Size;
use super::SoftReserved;
use super::MIB;

/// A kernel report that is expected.
#[derive(Clone, Debug)]
pub struct Allowed {
    pub pattern: Regex,
    pub near: Option<Regex>,
    pub reason: String,
    pub only: Option<Drivers>,
}

/// What must come out with one set of drivers.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// The state when all steps are done.
    pub end: StateExpect,
    /// The states of captures, by name.
    pub at: BTreeMap<String, StateExpect>,
    /// Each must match a line of the kernel log.
    pub log: Vec<Regex>,
    /// None may match a line of the kernel log.
    pub no_log: Vec<Regex>,
}

/// One state of the guest.
#[derive(Clone, Debug, Default)]
pub struct StateExpect {
    /// By name of the range.
    pub ranges: BTreeMap<String, RangeExpect>,
    pub iomem: Option<Excerpt>,
    /// All DAX devices, if given.
    pub dax: Option<Vec<DaxExpect>>,
}

/// Who owns a range, and how much of it is in use.
#[derive(Clone, Debug)]
pub struct RangeExpect {
    pub owner: Option<Owner>,
    /// MiB.
    pub online: Option<u64>,
    /// Bytes; a range with an owner has none unless the scenario says so.
    pub unowned: u64,
    pub pieces: Vec<PieceExpect>,
}

/// A part of a range.
#[derive(Clone, Debug)]
pub struct PieceExpect {
    pub offset: u64,
    pub size: u64,
    pub owner: Owner,
    pub online: Option<u64>,
}

/// A DAX device.
#[derive(Clone, Debug)]
pub struct DaxExpect {
    pub path: String,
    pub at: Option<Address>,
    pub size: Option<u64>,
    pub driver: Option<String>,
    pub target_node: Option<i64>,
}

/// What expectations may refer to.
pub struct Scope<'a> {
    pub ranges: &'a [SoftReserved],
    pub windows: usize,
    pub captures: &'a [&'a str],
}

/// The expectations with our drivers, and with the C drivers if the file has any.
pub fn expectations(
    raw: &raw::Expect,
    scope: &Scope<'_>,
    faults: &mut Faults,
) -> (Expect, Option<Expect>) {
    let expect = merge(Expect::default(), raw, scope, faults);
    let expect_c = raw
        .c
        .as_ref()
        .map(|raw_c| merge(expect.clone(), raw_c, scope, faults));
    if let Some(nested) = raw.c.as_ref().and_then(|c| c.c.as_ref()) {
        let span = nested.iomem.as_ref().map_or(0..0, Spanned::span);
        faults.add(span, "[expect.c.c] means nothing");
    }
    (expect, expect_c)
}

/// Compiles the allowlist.
pub fn allowed(raw: &[raw::Allow], faults: &mut Faults) -> Vec<Allowed> {
    raw.iter()
        .filter_map(|allow| {
            if allow.reason.trim().is_empty() {
                faults.at(&allow.pattern, "a report is only allowed with a reason");
            }
            Some(Allowed {
                pattern: regex(&allow.pattern, faults)?,
                near: match &allow.near {
                    Some(near) => Some(regex(near, faults)?),
                    None => None,
                },
                reason: allow.reason.clone(),
                only: allow.only,
            })
        })
        .collect()
}

/// Puts what `raw` states over `base`.
fn merge(mut base: Expect, raw: &raw::Expect, scope: &Scope<'_>, faults: &mut Faults) -> Expect {
    let end = (&raw.range, raw.iomem.as_ref(), raw.dax.as_ref());
    state(&mut base.end, end, scope, faults);
    for (name, value) in &raw.at {
        if !scope.captures.contains(&name.as_str()) {
            faults.at(value, format!("no step captures `{name}`"));
        }
        let at = value.get_ref();
        let at = (&at.range, at.iomem.as_ref(), at.dax.as_ref());
        state(base.at.entry(name.clone()).or_default(), at, scope, faults);
    }
    if let Some(log) = &raw.log {
        base.log = log.iter().filter_map(|line| regex(line, faults)).collect();
    }
    if let Some(log) = &raw.no_log {
        base.no_log = log.iter().filter_map(|line| regex(line, faults)).collect();
    }
    base
}

type RawState<'a> = (
    &'a BTreeMap<String, Spanned<raw::Range>>,
    Option<&'a Spanned<String>>,
    Option<&'a Vec<Spanned<raw::Dax>>>,
);

fn state(base: &mut StateExpect, raw: RawState<'_>, scope: &Scope<'_>, faults: &mut Faults) {
    let (ranges, iomem, dax) = raw;
    for (name, value) in ranges {
        let Some(reserved) = scope.ranges.iter().find(|range| range.name == *name) else {
            faults.at(value, format!("there is no Soft Reserved range `{name}`"));
            continue;
        };
        base.ranges
            .insert(name.clone(), range(reserved, value, faults));
    }
    if let Some(text) = iomem {
        base.iomem = Some(excerpt(text, scope, faults));
    }
    if let Some(dax) = dax {
        base.dax = Some(
            dax.iter()
                .map(|value| self::dax(value, scope, faults))
                .collect(),
        );
    }
}

fn range(reserved: &SoftReserved, value: &Spanned<raw::Range>, faults: &mut Faults) -> RangeExpect {
    let raw = value.get_ref();
    let owner = raw.owner.as_ref().map(|owner| *owner.get_ref());
    if raw.pieces.is_none() && owner.is_none() {
        faults.at(value, "say the owner, or the pieces");
    }
    if let Some(online) = raw.online {
        if online.saturating_mul(MIB) > reserved.size {
            faults.at(value, format!("the range has {} only", Size(reserved.size)));
        }
    }
    let default_unowned = if owner == Some(Owner::Nobody) {
        reserved.size
    } else {
        0
    };
    let mut pieces = Vec::new();
    for piece in raw.pieces.iter().flatten() {
        let end = piece.at.0.checked_add(piece.size.0);
        if piece.size.0 == 0 || end.is_none_or(|end| end > reserved.size) {
            faults.at(
                value,
                format!("the piece at {} is not inside the range", piece.at),
            );
        }
        pieces.push(PieceExpect {
            offset: piece.at.0,
            size: piece.size.0,
            owner: piece.owner,
            online: piece.online,
        });
    }
    let in_pieces: u64 = pieces
        .iter()
        .filter(|piece| piece.owner == Owner::Nobody)
        .map(|piece| piece.size)
        .sum();
    RangeExpect {
        owner,
        online: raw.online,
        unowned: raw
            .unowned
            .map_or(default_unowned.max(in_pieces), |size| size.0),
        pieces,
    }
}

fn dax(value: &Spanned<raw::Dax>, scope: &Scope<'_>, faults: &mut Faults) -> DaxExpect {
    let raw = value.get_ref();
    if let Some(at) = &raw.at {
        if matches!(*at.get_ref(), Address::Window { index, .. } if index >= scope.windows) {
            faults.at(at, "there is no such window");
        }
    }
    DaxExpect {
        path: raw.path.clone(),
        at: raw.at.as_ref().map(|at| *at.get_ref()),
        size: raw.size.map(|size| size.0),
        driver: raw.driver.clone(),
        target_node: raw.target_node,
    }
}

fn regex(value: &Spanned<String>, faults: &mut Faults) -> Option<Regex> {
    match Regex::new(value.get_ref()) {
        Ok(regex) => Some(regex),
        Err(error) => {
            faults.at(value, format!("not a regular expression: {error}"));
            None
        }
    }
}
