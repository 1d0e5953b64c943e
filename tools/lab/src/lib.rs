// SPDX-License-Identifier: GPL-2.0

//! The lab: makes a kernel, the modules and a Debian guest, and boots them on emulated CXL.
//!
//! `provision` makes everything a guest needs and keeps it in the user's cache; the other
//! modules describe, boot and judge guests.

pub mod bench;
pub mod cli;
pub mod commands;
pub mod fuzz;
pub mod guest;
pub mod machine;
pub mod page;
pub mod provision;
pub mod report;
pub mod scenario;
pub mod suite;
