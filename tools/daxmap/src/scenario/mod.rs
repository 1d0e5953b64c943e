// SPDX-License-Identifier: GPL-2.0

//! A machine as a scenario for the lab, so that what was reported becomes a guest that anyone can boot.
//!
//! [`text`] writes the file: bridges, switches, devices, windows, committed regions and Soft Reserved
//! ranges, made small ([`scale`]) and as far as the lab has them ([`guest`]). What comes out with each
//! set of drivers is predicted from the guest's own layout, so that a run also checks the prediction.

mod expect;
mod guest;
mod hardware;
mod line;
mod scale;
mod write;

use thiserror::Error;

use crate::map::Map;
use crate::tree::Tree;

/// Why a machine cannot be made a scenario.
#[derive(Debug, Error)]
pub enum Unfit {
    /// Its addresses are missing.
    #[error("its addresses may be read by root only: run daxown as root, or have the capture made by root")]
    NoAddresses,
    /// There is nothing to build.
    #[error("it has no CXL window and no Soft Reserved memory: there is nothing to build")]
    Nothing,
    /// No guest can have its windows and regions.
    #[error("no guest can have its windows and regions at multiples of 256 MiB: {0}")]
    NoPlaces(&'static str),
}

/// The scenario file of a machine.
pub fn text(tree: &Tree, map: &Map) -> Result<String, Unfit> {
    if map.gaps.iter().any(|g| g.needs_root) {
        return Err(Unfit::NoAddresses);
    }
    if map.windows.iter().all(|w| w.range.is_none()) && map.reserved.is_empty() {
        return Err(Unfit::Nothing);
    }
    let guest = guest::Guest::of(tree, map)?;
    Ok(write::text(map, &guest))
}
