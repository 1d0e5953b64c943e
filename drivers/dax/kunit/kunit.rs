// SPDX-License-Identifier: GPL-2.0

//! KUnit suites for dax_hmem, in a module of their own: no production module carries tests.
//!
//! It compiles the same files as dax_hmem. Loading it runs the suites.

// The suites call a part of it.
#[allow(dead_code, unreachable_pub)]
#[path = "../hmem/report/joined.rs"]
mod joined;
#[allow(dead_code, unreachable_pub, unused_imports)]
#[path = "../ownership/mod.rs"]
mod ownership;

mod suites;

use kernel::prelude::*;

/// A module that does nothing; KUnit finds the suites in a section of it.
struct Suites;

impl kernel::Module for Suites {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

module! {
    type: Suites,
    name: "dax_hmem_kunit",
    authors: ["The dax_hmem Rust authors"],
    description: "KUnit suites for HMEM DAX",
    license: "GPL v2",
}
