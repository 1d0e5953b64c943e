// SPDX-License-Identifier: GPL-2.0

//! The bench: C and Rust on the same kernel, in the same run, in one table.
//!
//! Times come from the guest's clock, costs are guest instructions, which do not depend on how
//! fast or how busy the host is. `Documentation/bench.md` says how each is measured.

mod counts;
mod measure;
mod moments;
pub mod page;
mod plot;
mod result;
mod size;
mod stats;
pub mod table;

pub use measure::Work;
pub use result::Bench;
pub use result::Topic;
