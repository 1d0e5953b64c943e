// SPDX-License-Identifier: GPL-2.0

//! Each fault that is put in is caught, by the property that is there for it.

use clap::ValueEnum;
use model::{
    code::{Code, Mutant},
    properties::names,
    report::explore_for,
    universe::{self, Universe},
};
use std::collections::BTreeSet;

/// Each mutant, where it is met and the property that catches it.
const CAUGHT: [(Mutant, Universe, &str); 44] = {
    use universe::*;
    use Mutant::*;
    [
        (WalkStopsAtError, PART, names::NONE_LOST),
        (ProbedTooEarly, PART, names::NONE_LOST),
        (UnregistersUnregistered, COVERED, names::UNREGISTER),
        (GuardedByPending, COVERED, names::NOT_STUCK),
        (WorkOutlivesModule, COVERED, names::NO_WORK),
        (CxlDoesNotFlush, COVERED, names::FLUSHED),
        (EarlyNo, PART, names::NO_WAITS),
        (Deaf, PART, names::DECODED),
        (SettlingDoesNotWake, PART, names::NOT_STUCK),
        (MissesRescan, RESCAN, names::CXL_WINS),
        (ForgetsWhatLeft, PART, names::FREE),
        (TakesSharedRegion, ACROSS, names::NONE_LOST),
        (NoExclusion, PART, names::ONE_OWNER),
        (LoserStaysIdle, LATE_PAIR, names::NONE_LOST),
        (LosesTrack, PART, names::DECODED),
        (HastyNews, PART, names::NEWS),
        (AsyncBinding, COVERED, names::FLUSHED),
        (NotifierDoesNotWait, PART, names::FIRST),
        (WaitsForGood, EJECT, names::NO_CIRCLE),
        (ProbeWaitUnderLock, HOT_ADD, names::NO_CIRCLE),
        (ProbeTakesRegionLock, PART, names::NO_CIRCLE),
        (DepartingUnchecked, PART, names::DECODED),
        (ListedLate, PART, names::FIRST),
        (DepartingClearedEarly, DECODED, names::DECODED),
        (ListenerGoesFirst, PART, names::DECODED),
        (ClosingNotFlushed, COVERED, names::ONE_OWNER),
        (TrustsBound, DECODED, names::FIRST),
        (TrustsDecoders, DECODED, names::DECODED),
        (HiddenForgotten, BARE, names::NONE_LOST),
        (PluggedAtLooks, BARE_LATE, names::DECODED),
        (HalfStripe, BARE_SET, names::DECODED),
        (UnplugUnheard, BARE, names::DECODED),
        (UnpluggedKept, BARE, names::DECODED),
        (GoneShareForgotten, BARE_MISSING, names::DECODED),
        (LookNotRepeated, BARE, names::DECODED),
        (ServesDisabled, DECODED, names::DECODED),
        (ServesUndecoded, PART, names::DECODED),
        (HistoryLost, DECODED, names::DECODED),
        (HistoryAtLooks, PART, names::DECODED),
        (HistoryMissesBinding, DECODED, names::DECODED),
        (RestOnlyOnce, ACROSS, names::NONE_LOST),
        (ForgetsUndecided, PART, names::DECODED),
        (StuckForgotten, IN_USE, names::STUCK),
        (TakesForeign, GUEST, names::OTHERS),
    ]
};

/// Tries every second one; the two halves run side by side.
fn half_is_caught(first: usize) {
    for (mutant, universe, property) in CAUGHT.into_iter().skip(first).step_by(2) {
        let report = explore_for(universe, Code::mutated(mutant), property);
        println!("{report}");
        assert_eq!(report.broken, Some(property), "{report}");
    }
}

#[test]
fn one_half_is_caught() {
    half_is_caught(0);
}

#[test]
fn the_other_half_is_caught() {
    half_is_caught(1);
}

#[test]
fn none_is_forgotten() {
    let tried: BTreeSet<_> = CAUGHT.iter().map(|c| format!("{:?}", c.0)).collect();
    let all: BTreeSet<_> = Mutant::value_variants()
        .iter()
        .map(|m| format!("{m:?}"))
        .collect();
    assert_eq!(tried, all);
}
