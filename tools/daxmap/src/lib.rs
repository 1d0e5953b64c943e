// SPDX-License-Identifier: GPL-2.0

//! Who owns which Soft Reserved and CXL memory of a machine, read from its files.
//!
//! [`Tree`] is where the files come from: the live machine, a captured directory, or an archive.
//! [`Map::read`] makes one model of them. It never fails: what a tree does not have, or does not let
//! this user read, is unknown in the model and listed in [`Map::gaps`].

pub mod capture;
pub mod cxl;
pub mod dax;
pub mod decode;
pub mod dkms;
pub mod firmware;
pub mod host;
pub mod iomem;
pub mod kconfig;
pub mod ledger;
pub mod log;
mod map;
pub mod memory;
pub mod modules;
pub mod names;
mod own;
pub mod predict;
pub mod problem;
pub mod range;
mod reserved;
mod scan;
pub mod scenario;
pub mod size;
pub mod topology;
mod tree;
pub mod unsound;

pub use map::{Map, Parts};
pub use own::{Evidence, Owner, Piece, Reason, ReasonCode, State};
pub use range::Range;
pub use reserved::Reserved;
pub use scan::Gap;
pub use tree::{Lack, Lists, Manifest, OpenError, Tree, Unreadable, MANIFEST_PATH};
