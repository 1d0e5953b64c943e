// SPDX-License-Identifier: GPL-2.0

//! Host build of the ownership logic: the very files that `dax_hmem.ko` is compiled from.
//!
//! Nothing is added here. The tests beside this crate and the model checker use the logic through
//! it.

#![no_std]
#![forbid(unsafe_code)]

#[path = "../../../drivers/dax/ownership/mod.rs"]
pub mod ownership;

pub use ownership::*;
