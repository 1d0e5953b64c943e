// SPDX-License-Identifier: GPL-2.0

//! The words for how a piece of Soft Reserved memory stands, and why: one word for one cause, in the
//! ledger and in every tool that reads it or concludes the same without it.
//!
//! `Documentation/ledger.md` says what each means to its reader.

use core::ffi::CStr;

/// How a piece stands: the field `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its owner is not decided.
    Deferred,
    /// It is CXL's.
    Cxl,
    /// HMEM serves it, or is about to.
    Hmem,
    /// Nobody serves it, because something failed or cannot be.
    Failed,
    /// Nobody serves it, because somebody let go of it.
    Free,
    /// It was System RAM before.
    SystemRam,
    /// It is System RAM that is in use, and nothing decodes it any more.
    Stuck,
    /// Another driver has it.
    Foreign,
}

/// Why it stands so: the field `reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing has looked at it yet.
    Undecided,
    /// CXL may still assemble a region.
    AwaitingCxl,
    /// No CXL window intersects it.
    OutsideWindows,
    /// The kernel has nothing that serves CXL regions.
    WithoutDaxCxl,
    /// Committed regions cover it.
    Covered,
    /// No region covers any of it.
    NoRegion,
    /// Regions cover a part of it.
    PartlyCovered,
    /// A region that CXL needs, or that is persistent, has it.
    KeptByRegion,
    /// It is System RAM already.
    InUseAlready,
    /// It lies below the first boundary at which memory can be served.
    UnalignedStart,
    /// It lies above the last one.
    UnalignedEnd,
    /// It has no such unit inside.
    TooSmall,
    /// Not all of the range was served.
    Incomplete,
    /// No device could be registered for it.
    NotRegistered,
    /// The device has no driver.
    NotBound,
    /// It could not be decided.
    Undecidable,
    /// The region below it was torn down or disabled.
    RegionTornDown,
    /// Its device was not bound and a region is there now, so that it is tried anew.
    RegionCame,
    /// A region that was gone is there again.
    CameBack,
    /// The device was bound to its driver by hand.
    DriverBound,
    /// The device was unbound from its driver by hand.
    DriverUnbound,
    /// The platform device was unbound.
    Unbound,
    /// A region decoded it, and nothing does now.
    Undecoded,
    /// Nothing decodes it, and it was in use when its region went.
    UndecodedInUse,
    /// The administrator keeps HMEM away from it.
    Excluded,
    /// A region of another driver has it.
    ForeignRegion,
    /// It is persistent memory without a committed region.
    Persistent,
    /// A resource of another driver or of the platform lies there.
    ForeignResource,
}

impl Standing {
    /// All of them, for those who read the word.
    pub const ALL: [Self; 8] = [
        Self::Deferred,
        Self::Cxl,
        Self::Hmem,
        Self::Failed,
        Self::Free,
        Self::SystemRam,
        Self::Stuck,
        Self::Foreign,
    ];

    /// What a word stands for; `None` for a word of a later version.
    pub fn from_word(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();

        all.find(|one| one.word().to_bytes() == word.as_bytes())
    }

    /// The word.
    pub const fn word(self) -> &'static CStr {
        match self {
            Self::Deferred => c"deferred",
            Self::Cxl => c"cxl",
            Self::Hmem => c"hmem",
            Self::Failed => c"failed",
            Self::Free => c"free",
            Self::SystemRam => c"system-ram",
            Self::Stuck => c"stuck",
            Self::Foreign => c"foreign",
        }
    }
}

impl Why {
    /// All of them, for those who read the word.
    pub const ALL: [Self; 28] = [
        Self::Undecided,
        Self::AwaitingCxl,
        Self::OutsideWindows,
        Self::WithoutDaxCxl,
        Self::Covered,
        Self::NoRegion,
        Self::PartlyCovered,
        Self::KeptByRegion,
        Self::InUseAlready,
        Self::UnalignedStart,
        Self::UnalignedEnd,
        Self::TooSmall,
        Self::Incomplete,
        Self::NotRegistered,
        Self::NotBound,
        Self::Undecidable,
        Self::RegionTornDown,
        Self::RegionCame,
        Self::CameBack,
        Self::DriverBound,
        Self::DriverUnbound,
        Self::Unbound,
        Self::Undecoded,
        Self::UndecodedInUse,
        Self::Excluded,
        Self::ForeignRegion,
        Self::Persistent,
        Self::ForeignResource,
    ];

    /// What a word stands for; `None` for a word of a later version.
    pub fn from_word(word: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();

        all.find(|one| one.word().to_bytes() == word.as_bytes())
    }

    /// The word.
    pub const fn word(self) -> &'static CStr {
        match self {
            Self::Undecided => c"undecided",
            Self::AwaitingCxl => c"awaiting-cxl",
            Self::OutsideWindows => c"outside-windows",
            Self::WithoutDaxCxl => c"without-dax-cxl",
            Self::Covered => c"covered",
            Self::NoRegion => c"no-region",
            Self::PartlyCovered => c"partly-covered",
            Self::KeptByRegion => c"kept-by-region",
            Self::InUseAlready => c"in-use-already",
            Self::UnalignedStart => c"unaligned-start",
            Self::UnalignedEnd => c"unaligned-end",
            Self::TooSmall => c"too-small",
            Self::Incomplete => c"incomplete",
            Self::NotRegistered => c"not-registered",
            Self::NotBound => c"not-bound",
            Self::Undecidable => c"undecidable",
            Self::RegionTornDown => c"region-torn-down",
            Self::RegionCame => c"region-came",
            Self::CameBack => c"came-back",
            Self::DriverBound => c"driver-bound",
            Self::DriverUnbound => c"driver-unbound",
            Self::Unbound => c"unbound",
            Self::Undecoded => c"undecoded",
            Self::UndecodedInUse => c"undecoded-in-use",
            Self::Excluded => c"excluded",
            Self::ForeignRegion => c"foreign-region",
            Self::Persistent => c"persistent",
            Self::ForeignResource => c"foreign-resource",
        }
    }
}
