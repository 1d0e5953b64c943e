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
    /// The properties do not excuse a head start, see [`crate::properties::names::CXL_WINS`].
    pub strict: bool,
}

/// A fault that the checker has to catch. Those of the C drivers bear the numbers under which
/// `Documentation/model.md` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Mutant {
    /// C fault 1: one piece that fails ends the walk, and all later ones are dropped.
    WalkStopsAtError,
    /// C fault 2: that the device was probed is noted before the work is done, and outlives the
    /// module; from then on a range in a window counts as CXL's.
    ProbedTooEarly,
    /// C fault 3: dax_cxl unregisters a driver whose registration failed.
    UnregistersUnregistered,
    /// C fault 6: unbinding neither tells nor awaits a decision that has begun; binding is refused
    /// only while one is pending.
    GuardedByPending,
    /// C fault 7: the work function outlives the module: unloading does not drain the work.
    WorkOutlivesModule,
    /// dax_cxl registers its driver without a flush.
    CxlDoesNotFlush,
    /// An early "yes" is never looked at again.
    EarlyYesIsFinal,
    /// A "no" does not wait for probing.
    EarlyNo,
    /// The decision does not hear of the CXL bus.
    Deaf,
    /// The end of probing is noted, but whoever sleeps is not woken.
    SettlingDoesNotWake,
    /// The end of probing is waited for, but not the work item by which the CXL bus probes its
    /// memory devices once more.
    MissesRescan,
    /// HMEM's devices do not depend on the regions below them.
    NoDependency,
    /// What a region took along is served again.
    ForgetsWhatLeft,
    /// HMEM takes a part of a region that CXL needs for another range.
    TakesSharedRegion,
    /// The DAX core lets dax regions overlap.
    NoExclusion,
    /// A region that lost to HMEM is not probed again when HMEM has let go of its memory.
    LoserStaysIdle,
    /// Which region went from below a device of HMEM is inferred from two looks at the bus, instead
    /// of being remembered: one that went and came back in between is missed.
    LosesTrack,
    /// A device is made to depend on a region without a look at whether that one is just being
    /// unbound, or probed.
    UntimelyLink,
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
            None if self.strict => f.write_str("the modules, nothing excused"),
            None => f.write_str("the modules"),
        }
    }
}
