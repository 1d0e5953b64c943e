// SPDX-License-Identifier: GPL-2.0

//! How reasons read in the log.

use crate::ownership::{
    Reason,
    Taken, //
};
use kernel::fmt;

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::OutsideWindows if !cfg!(CONFIG_DEV_DAX_CXL) => {
                f.write_str("the kernel has no dax_cxl")
            }
            Self::OutsideWindows => f.write_str("no CXL window intersects it"),
            Self::AwaitingCxl => f.write_str("CXL may still assemble a region"),
            Self::Covered {
                region,
                others: false,
            } => write!(f, "region{} covers it", region),
            Self::Covered {
                region,
                others: true,
            } => write!(f, "region{} and others cover it together", region),
            Self::NoRegion => f.write_str("no committed CXL region covers any of it"),
            Self::NothingLeft { taken } => f.write_str(match taken {
                Taken::Undecoded | Taken::Stuck => "nothing decodes it any more",
                Taken::Excluded => "excluded by parameter",
                Taken::Foreign(_) => "a CXL region of another driver has it",
                Taken::Persistent(_) => "it is persistent memory",
                _ => "others have all of it",
            }),
            Self::PartlyCovered { region } => write!(
                f,
                "Soft Reserved not fully contained in CXL, region{} covers a part only",
                region,
            ),
        }
    }
}
