// SPDX-License-Identifier: GPL-2.0

//! The kinds of problem, and the one word of each: in tables, JSON, metrics, the configuration and
//! forecasts.

use serde::{Serialize, Serializer};

/// Each kind stands with its word once.
macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident = $word:literal,)+) => {
        /// The kinds of problem; stable words for programs.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $($(#[$doc])+ $kind,)+
        }

        impl Kind {
            /// All kinds, the worst first.
            pub const ALL: &[Kind] = &[$(Kind::$kind,)+];

            /// The word used in tables, JSON and metrics.
            pub fn word(self) -> &'static str {
                match self {
                    $(Kind::$kind => $word,)+
                }
            }
        }
    };
}

kinds! {
    /// Memory in use, or declared, that no decoder maps and no device can be behind.
    Undecoded = "undecoded",
    /// Memory of an interleave set that lacks a device.
    MemberGone = "member-gone",
    /// kmem could not take its memory away: it stays until reboot.
    Stuck = "stuck",
    /// System RAM of kmem that no dax device has.
    WithoutDevice = "without-device",
    /// System RAM over another driver's memory.
    Foreign = "foreign",
    /// Declared memory in a window that no device is behind.
    DeviceGone = "device-gone",
    /// Firmware gave CXL memory as plain System RAM.
    BootRam = "boot-ram",
    /// kmem could not place the dax range in the resource tree.
    KmemCannotReserve = "kmem-cannot-reserve",
    /// kmem refused or failed for another cause.
    KmemFailed = "kmem-failed",
    /// The hmem device's probe failed: the range is not aligned to 2 MiB.
    Misaligned = "misaligned",
    /// The hmem device's probe failed: another dax region has the range.
    Conflict = "conflict",
    /// The hmem device's probe failed for another cause.
    HmemProbeFailed = "hmem-probe-failed",
    /// dax_hmem left the range to CXL, and CXL has no region there.
    LeftToCxl = "left-to-cxl",
    /// A module that is needed is not loaded.
    ModuleNotLoaded = "module-not-loaded",
    /// dax_hmem is not bound to its platform device.
    PlatformUnbound = "platform-unbound",
    /// The kernel did not register the range for dax_hmem.
    NotRegistered = "not-registered",
    /// The decision waits for CXL.
    Deferred = "deferred",
    /// The owner let it go; free for CXL.
    Free = "free",
    /// The administrator keeps dax_hmem away from it.
    Excluded = "excluded",
    /// The ledger says that nobody could serve it.
    Unserved = "unserved",
    /// A dax device has no driver.
    NoDriver = "no-driver",
    /// A part of a dax region has no dax device.
    Unallocated = "unallocated",
    /// A committed region lost its range to HMEM and stays idle.
    RegionLost = "region-lost",
    /// A committed region has no DAX driver.
    RegionIdle = "region-idle",
    /// The range is persistent memory.
    Persistent = "persistent",
    /// A region is not committed.
    RegionDisabled = "region-disabled",
    /// A region lacks a member.
    RegionIncomplete = "region-incomplete",
    /// Memory blocks are offline.
    Offline = "offline",
    /// Memory was taken out of a device that kmem still has.
    Unplugged = "unplugged",
    /// Cut to whole memory blocks or to 2 MiB.
    Trimmed = "trimmed",
    /// Capacity of a CXL device that no region maps.
    Unmapped = "unmapped",
    /// A memory device has no driver.
    MemdevUnbound = "memdev-unbound",
    /// Committed decoders are in no region.
    DecoderUnassigned = "decoder-unassigned",
    /// Memory in use that nothing declares and no region has.
    Undeclared = "undeclared",
    /// Served as a /dev file rather than as System RAM.
    DaxFile = "dax-file",
    /// The stock module runs although another is installed.
    OldModule = "old-module",
    /// DKMS could not build the modules for the kernel that runs.
    NotBuilt = "not-built",
    /// Something could not be read.
    Unreadable = "unreadable",
    /// Not usable, and nothing that could be read says why.
    Unexplained = "unexplained",
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn each_kind_has_a_word_of_its_own() {
        let mut words: Vec<&str> = Kind::ALL.iter().map(|k| k.word()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Kind::ALL.len());
        let is_plain = |w: &&str| w.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        assert!(words.iter().all(is_plain), "{words:?}");
    }
}
