// SPDX-License-Identifier: GPL-2.0

//! The ledger: who owns which piece of Soft Reserved memory, since when, and why.
//!
//! It is read in debugfs, `dax_hmem/ledger`, one line a piece; its format is described in
//! `Documentation/ledger.md`. Every entry is announced by a trace event as well. The ledger only
//! watches: no decision reads it, and an entry for which there is no memory is left out.

use crate::{
    clock::now_ns,
    hmem_device::Memory,
    ownership::{
        Fate,
        Range,
        Reason,
        Taken, //
    },
    trace::{
        self,
        Event,
        Step, //
    },
    words::{
        Standing,
        Why, //
    }, //
};
use kernel::{
    fmt,
    prelude::*, //
};

/// What became of one piece.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    range: Range,
    state: Standing,
    reason: Why,
    region: Option<c_int>,
    device: Option<c_int>,
    error: Option<Error>,
    served_ns: u64,
    /// Somebody has unbound the device by hand.
    unbound: bool,
}

/// The history of one Soft Reserved range.
pub(crate) struct Ledger {
    memory: Memory,
    seen_ns: u64,
    decided_ns: u64,
    /// The entry for all of the range. It needs no memory, so that a thousand ranges need none, and
    /// so that there is one that tells of no memory.
    whole: Option<Entry>,
    /// The entries for pieces.
    pieces: KVec<Entry>,
}

impl Entry {
    /// An entry of `state` for `reason`, without anything else.
    pub(crate) fn new(range: Range, state: Standing, reason: Why) -> Self {
        Self {
            range,
            state,
            reason,
            region: None,
            device: None,
            error: None,
            served_ns: 0,
            unbound: false,
        }
    }

    /// The entry for a whole range that `state` was decided about.
    pub(crate) fn decided(range: Range, state: Standing, reason: &Reason) -> Self {
        let region = match *reason {
            Reason::Covered { region, .. } | Reason::PartlyCovered { region } => Some(region),
            Reason::OutsideWindows | Reason::AwaitingCxl | Reason::NoRegion => None,
        };
        Self {
            region,
            ..Self::new(range, state, reason.into())
        }
    }

    /// The entry for a piece that HMEM does not serve; [`None`] for one that another entry stands
    /// for.
    pub(crate) fn not_served(range: Range, fate: &Fate) -> Option<Self> {
        let unusable = |reason| {
            Some(Self {
                error: Some(EINVAL),
                ..Self::new(range, Standing::Failed, reason)
            })
        };
        match *fate {
            Fate::Serve | Fate::Taken(Taken::Claimed) => None,
            Fate::Taken(Taken::SystemRam) => {
                Some(Self::new(range, Standing::SystemRam, Why::InUseAlready))
            }
            Fate::Taken(Taken::Region(region)) => Some(Self {
                region: Some(region),
                ..Self::new(range, Standing::Cxl, Why::KeptByRegion)
            }),
            Fate::UnalignedHead => unusable(Why::UnalignedStart),
            Fate::UnalignedTail => unusable(Why::UnalignedEnd),
            Fate::TooSmall => unusable(Why::TooSmall),
        }
    }

    /// The same, with the number of the region concerned.
    pub(crate) fn region(self, region: c_int) -> Self {
        Self {
            region: Some(region),
            ..self
        }
    }

    /// The same, with the number of the `hmem` device that serves the piece from now on.
    pub(crate) fn served_by(self, device: c_int) -> Self {
        Self {
            device: Some(device),
            served_ns: now_ns(),
            ..self
        }
    }

    /// The same, with the error.
    pub(crate) fn error(self, error: Error) -> Self {
        Self {
            error: Some(error),
            ..self
        }
    }
}

impl Ledger {
    /// Opens the ledger of a range that was found at `seen_ns`. It has no entry until the range is
    /// decided about.
    pub(crate) fn new(memory: Memory, seen_ns: u64) -> Self {
        let this = Self {
            memory,
            seen_ns,
            decided_ns: 0,
            whole: None,
            pieces: KVec::new(),
        };
        this.announce(Step::Seen, || {
            Entry::new(memory.range, Standing::Deferred, Why::Undecided)
        });
        this
    }

    /// Announces that the range is undecided, and forgets what was decided.
    pub(crate) fn defer(&mut self) {
        self.decided_ns = 0;
        self.forget();
        self.announce(Step::Deferred, || self.deferred());
    }

    fn deferred(&self) -> Entry {
        Entry::decided(self.memory.range, Standing::Deferred, &Reason::AwaitingCxl)
    }

    fn forget(&mut self) {
        self.whole = None;
        self.pieces.clear();
    }

    /// Announces the decision that was made at `now_ns`. Entries for the pieces are to follow.
    pub(crate) fn decide(&mut self, now_ns: u64, entry: &Entry) {
        self.decided_ns = now_ns;
        self.forget();
        self.announce(Step::Decided, || *entry);
    }

    /// Announces the decision that was made at `now_ns`, with one entry for the whole range.
    pub(crate) fn decide_whole(&mut self, now_ns: u64, entry: Entry) {
        self.decide(now_ns, &entry);
        self.whole = Some(entry);
    }

    /// Replaces every entry of the range by one for all of it.
    pub(crate) fn replace(&mut self, step: Step, entry: Entry) {
        self.announce(step, || entry);
        self.forget();
        self.whole = Some(entry);
    }

    /// Adds an entry for a piece, which may be all of the range. It takes the place of those that
    /// told of the same bytes.
    pub(crate) fn add(&mut self, step: Step, entry: Entry) {
        let others = |e: &Entry| !e.range.intersects(&entry.range);

        self.whole = self.whole.filter(others);
        self.pieces.retain(|e| others(e));
        self.append(step, entry);
    }

    /// Adds an entry that tells of whatever the others do not.
    pub(crate) fn append(&mut self, step: Step, entry: Entry) {
        self.announce(step, || entry);
        if self.entries().next().is_none() && entry.range == self.memory.range {
            self.whole = Some(entry);
            return;
        }
        // Without memory the ledger is incomplete, and nothing else happens.
        let _ = self.pieces.push(entry, GFP_KERNEL);
    }

    /// All entries, in the order in which things happened.
    fn entries(&self) -> impl Iterator<Item = &Entry> {
        [self.whole.as_slice(), &self.pieces].into_iter().flatten()
    }

    fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        [self.whole.as_mut_slice(), &mut self.pieces]
            .into_iter()
            .flatten()
    }

    /// Notes which of the pieces that regions took along are CXL's again, and which no longer;
    /// `cover` tells the region that covers a range.
    pub(crate) fn follow(&mut self, cover: impl Fn(&Range) -> Option<c_int>) {
        for entry in self.entries_mut() {
            let was_cxls = entry.state == Standing::Cxl && entry.reason == Why::CameBack;
            if entry.reason != Why::RegionTornDown && !was_cxls {
                continue;
            }
            match cover(&entry.range) {
                Some(region) if !was_cxls => {
                    entry.state = Standing::Cxl;
                    entry.reason = Why::CameBack;
                    entry.region = Some(region);
                }
                None if was_cxls => {
                    entry.state = Standing::Free;
                    entry.reason = Why::RegionTornDown;
                }
                _ => {}
            }
        }
    }

    /// Notes whether the driver of the device that serves a piece is bound to it at this moment:
    /// people bind and unbind it by hand.
    pub(crate) fn note_bound(&mut self, device: c_int, bound: bool) {
        for entry in self.entries_mut().filter(|e| e.device == Some(device)) {
            entry.unbound = !bound;
            if bound && entry.state != Standing::Hmem {
                entry.state = Standing::Hmem;
                entry.reason = Why::DriverBound;
                entry.error = None;
            }
        }
    }

    /// Whether the range as a whole stands as `state`.
    pub(crate) fn is(&self, state: Standing) -> bool {
        self.whole.is_some_and(|e| e.state == state)
    }

    /// Fires the event of `step` with what `entry` gives, if anybody listens.
    fn announce(&self, step: Step, entry: impl FnOnce() -> Entry) {
        if !trace::is_heard(step) {
            return;
        }
        let entry = entry();
        trace::fire(
            step,
            &Memory {
                range: entry.range,
                ..self.memory
            },
            &Event {
                state: entry.state.word(),
                reason: entry.reason.word(),
                region: entry.region,
                device: entry.device,
                error: entry.error,
            },
        );
    }

    /// Writes one line for each piece, ascending.
    pub(crate) fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entries().next().is_none() && self.decided_ns == 0 {
            return self.write_entry(f, &self.deferred());
        }
        let mut next = Some(self.memory.range.start());

        // The entries stand in the order in which things happened. They are few, so the next one
        // by address is looked for each time.
        while let Some(entry) = next.and_then(|at| {
            self.entries()
                .filter(|e| e.range.start() >= at)
                .min_by_key(|e| e.range.start())
        }) {
            self.write_entry(f, entry)?;
            next = entry.range.start().checked_add(1);
        }
        Ok(())
    }

    fn write_entry(&self, f: &mut fmt::Formatter<'_>, entry: &Entry) -> fmt::Result {
        write!(
            f,
            "range={:#x}-{:#x} node={} state=",
            entry.range.start(),
            entry.range.end(),
            self.memory.target_node,
        )?;
        let (state, reason) = if entry.unbound && entry.state == Standing::Hmem {
            (Standing::Free, Why::DriverUnbound)
        } else {
            (entry.state, entry.reason)
        };
        text(f, state.word())?;
        f.write_str(" reason=")?;
        text(f, reason.word())?;
        if let Some(region) = entry.region {
            write!(f, " region=region{}", region)?;
        }
        if let Some(device) = entry.device {
            write!(f, " dev=hmem.{}", device)?;
        }
        writeln!(
            f,
            " errno={} seen_ns={} decided_ns={} served_ns={}",
            entry.error.map_or(0, |e| e.to_errno().saturating_neg()),
            self.seen_ns,
            self.decided_ns,
            entry.served_ns
        )
    }
}

fn text(f: &mut fmt::Formatter<'_>, word: &'static CStr) -> fmt::Result {
    f.write_str(word.to_str().unwrap_or("?"))
}
