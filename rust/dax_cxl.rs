// SPDX-License-Identifier: GPL-2.0

//! What dax_cxl uses that the `kernel` crate does not have; `dax_hmem.rs` says more of these files.

pub mod bindings;
pub mod cxl_dax_region;
pub mod dax;
pub mod hmem_rival;
pub mod workqueue;
