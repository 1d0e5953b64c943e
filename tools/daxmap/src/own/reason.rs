// SPDX-License-Identifier: GPL-2.0

//! Why a piece has the owner it has.

use ownership::Why;
use serde::Serialize;

use super::foreign;
use crate::ledger::{self, Record};
use crate::map::Map;
use crate::names::listed_in_runs;
use crate::range::{covered_bytes, Range};

/// Where a reason is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The ledger of the Rust modules.
    Ledger,
    /// Devices and drivers in sysfs, or the resource tree.
    Sysfs,
    /// The kernel log.
    Log,
    /// Concluded from the above; the kernel says so nowhere.
    Derived,
}

impl Evidence {
    /// The word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Evidence::Ledger => "ledger",
            Evidence::Sysfs => "sysfs",
            Evidence::Log => "log",
            Evidence::Derived => "derived",
        }
    }
}

/// The kinds of reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReasonCode {
    /// One of the driver's own: the ledger says it, or it is concluded without one.
    Known(Why),
    /// Committed regions cover the range together, and no single one does.
    SeveralRegions,
    /// HMEM has it although regions cover it: it decided before they were there.
    HmemFirst,
    /// An hmem device has it; windows and regions are not readable.
    HmemDevice,
    /// A region has it; bounds are not readable.
    CxlDevice,
    /// The hmem device's probe failed.
    HmemProbeFailed,
    /// The region is committed, but no driver is bound to its dax region.
    RegionIdle,
    /// A part of the region is System RAM since boot: it serves none of the rest.
    BootRam,
    /// No memory device is behind the window.
    DeviceGone,
    /// dax_hmem is not loaded.
    ModuleNotLoaded,
    /// The kernel knows of no range for dax_hmem.
    NotListed,
    /// dax_hmem is loaded but not bound to its platform device.
    PlatformUnbound,
    /// dax_hmem left it to CXL, which has no region there.
    LeftToCxl,
    /// dax_hmem is bound, but made no device for it.
    NoDevice,
    /// Cannot be known.
    NotReadable,
    /// A word of the ledger that this version does not know.
    Other(String),
}

/// A reason, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// For programs.
    pub code: ReasonCode,
    /// For people.
    pub text: String,
    /// Where it is known from.
    pub evidence: Evidence,
}

impl ReasonCode {
    /// The word used in tables and JSON.
    pub fn word(&self) -> &str {
        match self {
            ReasonCode::Known(why) => ledger::text(why.word()),
            ReasonCode::SeveralRegions => "several-regions",
            ReasonCode::HmemFirst => "hmem-first",
            ReasonCode::HmemDevice => "hmem-device",
            ReasonCode::CxlDevice => "cxl-device",
            ReasonCode::HmemProbeFailed => "hmem-probe-failed",
            ReasonCode::RegionIdle => "region-idle",
            ReasonCode::BootRam => "boot-ram",
            ReasonCode::DeviceGone => "device-gone",
            ReasonCode::ModuleNotLoaded => "module-not-loaded",
            ReasonCode::NotListed => "not-listed",
            ReasonCode::PlatformUnbound => "platform-unbound",
            ReasonCode::LeftToCxl => "left-to-cxl",
            ReasonCode::NoDevice => "no-device",
            ReasonCode::NotReadable => "not-readable",
            ReasonCode::Other(word) => word,
        }
    }
}

impl Serialize for ReasonCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

pub(super) fn ledger_reason(map: &Map, record: &Record) -> Reason {
    let word = record.reason.clone().unwrap_or_else(|| "unstated".into());
    let region = record.region.as_deref().unwrap_or("a CXL region");
    let mut text = match word.as_str() {
        // The ledger names one region; there may be more.
        "covered" => match cxl_reason(map, &record.range) {
            known if known.code == ReasonCode::Known(Why::Covered) => known.text,
            _ => format!("{region} covered it when it was decided"),
        },
        "partly-covered" => format!("{region} covers only a part of the range"),
        "kept-by-region" => format!("{region} keeps it"),
        "no-region" if map.committed_in(&record.range).next().is_some() => {
            "no committed CXL region was in it when it was decided".into()
        }
        "no-region" => "no committed CXL region in it".into(),
        "outside-windows" if map.windows.is_empty() && map.in_source.sysfs => {
            "no CXL window is known".into()
        }
        "outside-windows" => "outside every CXL window".into(),
        "without-dax-cxl" => "the kernel has no dax_cxl".into(),
        "awaiting-cxl" => "undecided, waiting for CXL".into(),
        "in-use-already" => "in use as System RAM already".into(),
        "unaligned-start" => "cut off: the range does not start at a 2 MiB boundary".into(),
        "unaligned-end" => "cut off: the range does not end at a 2 MiB boundary".into(),
        "too-small" => "no part of it is aligned to 2 MiB".into(),
        "excluded" => "kept out by dax_hmem.exclude".into(),
        "region-torn-down" => "its CXL region was torn down".into(),
        "unbound" => "its device was unbound".into(),
        "foreign-region" | "persistent" | "foreign-resource" => foreign::text(record, &word),
        "incomplete" => "not all of the range could be served".into(),
        _ => word.replace('-', " "),
    };
    if let ledger::State::Other(state) = &record.state {
        text =
            format!("the ledger says \"{state}\" ({text}), a word that this daxown does not know");
    }
    if record.errno != 0 {
        text.push_str(&format!(", error -{}", record.errno));
    }
    Reason {
        code: Why::from_word(&word).map_or_else(|| ReasonCode::Other(word), ReasonCode::Known),
        text,
        evidence: Evidence::Ledger,
    }
}

/// Why HMEM has a range, from windows and regions as they are now.
pub(super) fn hmem_reason(map: &Map, range: &Range) -> Reason {
    if map.is_without_dax_cxl() && !map.windows_of(range).is_empty() {
        return Reason {
            code: ReasonCode::Known(Why::WithoutDaxCxl),
            text: "the kernel has no dax_cxl".into(),
            evidence: Evidence::Sysfs,
        };
    }
    let regions: Vec<&str> = map.committed_in(range).map(|r| r.name.as_str()).collect();
    let bounds: Vec<Range> = map.committed_in(range).filter_map(|r| r.range).collect();
    let covered = covered_bytes(range, &bounds) == range.len();
    let windows_known = map.windows.iter().all(|w| w.range.is_some());
    let single = bounds.iter().any(|r| r.contains(range));
    let (code, text) = if single {
        (
            ReasonCode::HmemFirst,
            format!("HMEM had it before {} was there", listed_in_runs(&regions)),
        )
    } else if covered && !regions.is_empty() {
        (
            ReasonCode::SeveralRegions,
            format!(
                "no single region covers it ({} do together)",
                listed_in_runs(&regions)
            ),
        )
    } else if !regions.is_empty() {
        (
            ReasonCode::Known(Why::PartlyCovered),
            format!(
                "{} {} only a part of the range",
                listed_in_runs(&regions),
                if regions.len() == 1 {
                    "covers"
                } else {
                    "cover"
                }
            ),
        )
    } else if !windows_known || map.windows.is_empty() && !map.in_source.sysfs {
        (ReasonCode::HmemDevice, "an hmem device has it".to_string())
    } else if map.windows_of(range).is_empty() {
        let text = match map.windows.is_empty() {
            true => "no CXL window is known",
            false => "outside every CXL window",
        };
        (ReasonCode::Known(Why::OutsideWindows), text.to_string())
    } else {
        (
            ReasonCode::Known(Why::NoRegion),
            "no committed CXL region in it".to_string(),
        )
    };
    Reason {
        code,
        text,
        evidence: Evidence::Derived,
    }
}

/// Why CXL has a range.
pub(super) fn cxl_reason(map: &Map, range: &Range) -> Reason {
    let regions: Vec<&str> = map.committed_in(range).map(|r| r.name.as_str()).collect();
    let bounds: Vec<Range> = map.committed_in(range).filter_map(|r| r.range).collect();
    let covered = covered_bytes(range, &bounds) == range.len();
    let (code, text) = match (regions.is_empty(), covered) {
        (true, _) => (ReasonCode::CxlDevice, "a CXL region has it".to_string()),
        (_, true) if regions.len() == 1 => (
            ReasonCode::Known(Why::Covered),
            format!("{} covers the range", regions[0]),
        ),
        (_, true) => (
            ReasonCode::Known(Why::Covered),
            format!("{} cover the range together", listed_in_runs(&regions)),
        ),
        _ => (
            ReasonCode::Known(Why::PartlyCovered),
            format!(
                "{} {} a part of the range",
                listed_in_runs(&regions),
                if regions.len() == 1 {
                    "covers"
                } else {
                    "cover"
                }
            ),
        ),
    };
    Reason {
        code,
        text,
        evidence: Evidence::Derived,
    }
}
