// SPDX-License-Identifier: GPL-2.0

//! Records of the ledger about a CXL region: whether the driver of its dax region got it.
//!
//! They are lines of their own behind those of the pieces. A region that was probed again has
//! several; the last one counts.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{errno, time};
use crate::range::Range;

/// What came of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// The driver has the region.
    Bound,
    /// Somebody else had its memory first.
    Lost,
    /// The probe failed for another cause.
    Failed,
    /// A word this version does not know.
    #[serde(untagged)]
    Other(String),
}

/// What became of a region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The region, such as `region0`.
    pub region: String,
    /// Its addresses; numbers of regions are used again.
    pub range: Option<Range>,
    /// The driver that probed it.
    pub driver: Option<String>,
    /// What came of it.
    pub fate: Fate,
    /// Who has its memory, such as `hmem.0`.
    pub lost_to: Option<String>,
    /// 0, or the positive errno of the probe.
    pub errno: u32,
    /// Nanoseconds since boot.
    pub at_ns: Option<u64>,
    /// Fields this version does not know.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub other: BTreeMap<String, String>,
}

impl Outcome {
    /// Of the fields of a line; `None` if it is of another kind.
    pub(super) fn of(mut fields: BTreeMap<String, String>) -> Option<Outcome> {
        let fate = match fields.remove("outcome")?.as_str() {
            "bound" => Fate::Bound,
            "lost" => Fate::Lost,
            "failed" => Fate::Failed,
            other => Fate::Other(other.to_string()),
        };
        Some(Outcome {
            region: fields.remove("region")?,
            range: fields.remove("range").and_then(|r| Range::parse(&r)),
            driver: fields.remove("driver"),
            fate,
            lost_to: fields.remove("lost_to"),
            errno: errno(&mut fields),
            at_ns: time(&mut fields, "at_ns"),
            other: fields,
        })
    }

    /// In words, such as `dax_cxl lost region0 to hmem.2, error -12`.
    pub fn text(&self) -> String {
        let driver = self.driver.as_deref().unwrap_or("its driver");
        let region = &self.region;
        let mut text = match (&self.fate, &self.lost_to) {
            (Fate::Bound, _) => format!("{driver} bound {region}"),
            (Fate::Lost, Some(to)) => format!("{driver} lost {region} to {to}"),
            (Fate::Lost, None) => format!("{driver} lost {region}"),
            (Fate::Failed, _) => format!("{driver} failed on {region}"),
            (Fate::Other(word), _) => format!("{driver} says {word} of {region}"),
        };
        if self.errno != 0 {
            text.push_str(&format!(", error -{}", self.errno));
        }
        text
    }
}
