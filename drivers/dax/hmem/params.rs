// SPDX-License-Identifier: GPL-2.0

//! The parameters of the module.

use crate::{
    kernel_param,
    ownership::Policy,
    param::Value,
    range_list, //
};
use kernel::prelude::*;

kernel_param! {
    /// Whether an administrator divides the memory before devices are made of it.
    ///
    /// If set, a new `hmem` device gets a dax region without a device, and its devices do not go
    /// to the kmem driver by default.
    static REGION_IDLE: bool = 0, "region_idle" ("bool", 0o644):
        "do not create dax devices, nor hand them to kmem; leave the division to user space";
}

kernel_param! {
    /// What becomes of a range that CXL regions cover only in part.
    static POLICY: Policy = 0, "policy" ("charp", 0o444):
        "a range that CXL regions cover in part: whole (HMEM takes it all, default) or split \
         (CXL keeps what its regions cover)";
}

range_list! {
    /// What HMEM keeps away from, whatever firmware says: an accelerator's own memory, memory for
    /// one application. Takes effect with the next decision.
    static EXCLUDE: RangeList, "exclude" (0o644):
        "addresses that dax_hmem must not serve: START-END[,START-END...], inclusive; what is \
         served already goes when hmem_platform is unbound and rebound";
}

impl Value for Policy {
    const BARE: Option<Self> = None;

    fn to_raw(self) -> u32 {
        match self {
            Self::Whole => 0,
            Self::Split => 1,
        }
    }

    fn from_raw(raw: u32) -> Self {
        match raw {
            1 => Self::Split,
            _ => Self::Whole,
        }
    }

    fn parse(text: &[u8]) -> Result<Self> {
        match text {
            b"whole" => Ok(Self::Whole),
            b"split" => Ok(Self::Split),
            other => {
                let other = core::str::from_utf8(other).unwrap_or("(not text)");
                pr_err!(
                    "policy={}: unknown, use policy=whole or policy=split\n",
                    other
                );
                Err(EINVAL)
            }
        }
    }

    fn show(self) -> &'static CStr {
        match self {
            Self::Whole => c"whole\n",
            Self::Split => c"split\n",
        }
    }
}
