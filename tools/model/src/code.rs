// SPDX-License-Identifier: GPL-2.0

//! Which code is modelled: that of the modules, or with a fault put in.

use std::fmt;

/// The code that the actors run.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// A fault that is put in.
    pub mutant: Option<Mutant>,
    /// The decision always waits for probing, as in C, also where it need not.
    pub patient: bool,
}

/// A fault that the checker has to catch. Those of the C drivers bear the numbers under which
/// `Documentation/requirements.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Mutant {
    /// Holds: C1. One piece that fails ends the walk, and all later ones are dropped.
    WalkStopsAtError,
    /// Holds: C2. That the device was probed is noted before the work is done, and outlives the
    /// module; from then on a range in a window counts as CXL's.
    ProbedTooEarly,
    /// Holds: C3. Dax_cxl unregisters a driver whose registration failed.
    UnregistersUnregistered,
    /// Holds: C6. Unbinding neither tells nor awaits a decision that has begun; binding is refused
    /// only while one is pending.
    GuardedByPending,
    /// Holds: C7. The work function outlives the module: unloading does not drain the work.
    WorkOutlivesModule,
    /// dax_cxl registers its driver without a flush.
    CxlDoesNotFlush,
    /// A "no" does not wait for probing.
    EarlyNo,
    /// The decision does not hear of the CXL bus.
    Deaf,
    /// The end of probing is noted, but whoever sleeps is not woken.
    SettlingDoesNotWake,
    /// The end of probing is waited for, but not the work item by which the CXL bus probes its
    /// memory devices once more.
    MissesRescan,
    /// The notifier does not wait until HMEM's devices above a region are unbound.
    NotifierDoesNotWait,
    /// The notifier waits for HMEM's devices for good, also where the remover holds what they need.
    WaitsForGood,
    /// The old way: a region whose consumer is being probed waits, with its lock held, until no
    /// device is being probed.
    ProbeWaitUnderLock,
    /// The probe of a device of HMEM takes the lock of the region below, as device links did.
    ProbeTakesRegionLock,
    /// The probe of a device does not look whether something departs below it.
    DepartingUnchecked,
    /// A device is listed only once it is bound.
    ListedLate,
    /// What departs is forgotten by the next decision, though its region has not gone yet.
    DepartingClearedEarly,
    /// Unbinding stops listening at once, though the devices are there until closing.
    ListenerGoesFirst,
    /// Binding does not wait for the closing of an earlier binding.
    ClosingNotFlushed,
    /// A decision trusts a region that is being removed, of which nobody was told before.
    TrustsBound,
    /// Decoders that are committed count as decoding, also those of a region that is being destroyed.
    TrustsDecoders,
    /// A memory device whose driver is unbound counts as decoding no more.
    HiddenForgotten,
    /// What a memory device decodes is noted by the decision only, not by the notifier.
    PluggedAtLooks,
    /// What one device of an interleave set decodes counts as decoded, though another has gone.
    HalfStripe,
    /// A memory device that is removed is not heard of.
    UnplugUnheard,
    /// One that was removed while nobody listened counts as decoding.
    UnpluggedKept,
    /// What one device of an incomplete set decoded that was removed while nobody listened is forgotten.
    GoneShareForgotten,
    /// What a decision saw of a memory device that is removed while it looks is noted.
    LookNotRepeated,
    /// A region that is disabled may be taken by HMEM: what is reset then, nobody is told of.
    ServesDisabled,
    /// HMEM serves what nothing decodes any more.
    ServesUndecoded,
    /// What has decoded is forgotten when the module is unloaded.
    HistoryLost,
    /// What has decoded is remembered by the decision only, not by the notifier.
    HistoryAtLooks,
    /// What is committed when the notifier is registered is not remembered before a decision looks.
    HistoryMissesBinding,
    /// What is HMEM's and not served is registered only by a decision that has dropped a device.
    RestOnlyOnce,
    /// A region that goes before probing has settled is forgotten.
    ForgetsUndecided,
    /// Memory in use that nothing decodes is told of when its region goes, but not found again.
    StuckForgotten,
    /// A region of another driver is none.
    TakesForeign,
    /// What a region took along is served again.
    ForgetsWhatLeft,
    /// HMEM takes a part of a region that CXL needs for another range.
    TakesSharedRegion,
    /// The DAX core lets dax regions overlap.
    NoExclusion,
    /// A region that lost to HMEM is not probed again when HMEM has let go of its memory.
    LoserStaysIdle,
    /// That a region has gone from below a device of HMEM is not remembered for the decision.
    LosesTrack,
    /// A decision that a region has queued before the ranges are there announces that all of them
    /// are decided.
    HastyNews,
    /// hmem_platform is bound by an asynchronous probe: loading dax_hmem does not wait for it.
    AsyncBinding,
}

impl Code {
    /// The modules with `mutant` put in.
    pub fn mutated(mutant: Mutant) -> Self {
        Self {
            mutant: Some(mutant),
            ..Self::default()
        }
    }

    /// Whether `mutant` is what is put in.
    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutant {
            Some(mutant) => write!(f, "mutant {mutant:?}"),
            None if self.patient => f.write_str("a decision that always waits"),
            None => f.write_str("the modules"),
        }
    }
}
