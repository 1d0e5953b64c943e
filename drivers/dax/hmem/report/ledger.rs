// SPDX-License-Identifier: GPL-2.0

//! The ledger: who owns which piece of Soft Reserved memory, since when, and why.
//!
//! It is read in debugfs, `dax_hmem/ledger`, one line a piece; its format is described in
//! `Documentation/ledger.md`. Every entry is announced by a trace event as well. The ledger only
//! watches: no decision reads it, and an entry for which there is no memory is left out.

use super::entry::Entry;
use crate::{
    hmem_device::{
        is_bound,
        Devices,
        Memory, //
    },
    node,
    ownership::{
        Range,
        Standing,
        Why, //
    },
    trace::{
        self,
        Event,
        Step, //
    }, //
};
use core::fmt::Write;
use kernel::{
    fmt,
    prelude::*, //
};

/// The history of one Soft Reserved range.
pub(crate) struct Ledger {
    /// Where the range stands among all.
    at: usize,
    memory: Memory,
    seen_ns: u64,
    decided_ns: u64,
    /// What holds for bytes that no other entry tells of. It needs no memory, and so there is one
    /// that tells of no memory.
    rest: Entry,
    /// The entry for all of the range. It needs none either, for the sake of a thousand ranges.
    whole: Option<Entry>,
    /// The entries for pieces.
    pieces: KVec<Entry>,
}

impl Ledger {
    /// Where the range stands among all.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Opens the ledger of a range that was found at `seen_ns`. It has no entry until the range is
    /// decided about.
    pub(crate) fn new(at: usize, memory: Memory, seen_ns: u64) -> Self {
        let this = Self {
            at,
            memory,
            seen_ns,
            decided_ns: 0,
            rest: Entry::new(memory.range, Standing::Deferred, Why::AwaitingCxl),
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
        self.rest = Entry::new(self.memory.range, Standing::Deferred, Why::AwaitingCxl);
        self.announce(Step::Deferred, || self.rest);
    }

    /// The addresses.
    pub(crate) fn range(&self) -> Range {
        self.memory.range
    }

    /// Whether a byte of `range` is System RAM in use of which no device tells.
    pub(crate) fn is_in_use(&self, range: &Range) -> bool {
        let in_use = |e: &&Entry| matches!(e.state, Standing::Stuck | Standing::SystemRam);
        self.entries()
            .filter(in_use)
            .any(|e| e.range.intersects(range))
    }

    /// Whether all of `range` is CXL's by one entry.
    pub(crate) fn is_cxls(&self, range: &Range) -> bool {
        self.entries()
            .any(|e| e.state == Standing::Cxl && e.range.contains(range))
    }

    /// Whether `range` is a piece that cannot be served for its edges.
    pub(crate) fn is_unaligned(&self, range: &Range) -> bool {
        self.entries().any(|e| {
            let why = matches!(
                e.reason,
                Why::UnalignedStart | Why::UnalignedEnd | Why::TooSmall
            );
            why && e.range == *range
        })
    }

    /// Whether it says of all of `range` that nothing decodes it, or that its region went.
    pub(crate) fn is_let_go(&self, range: &Range) -> bool {
        let says = |e: &Entry| matches!(e.reason, Why::RegionTornDown | Why::Undecoded);
        let mut met = self
            .entries()
            .filter(|e| e.range.intersects(range))
            .peekable();
        match met.peek() {
            Some(_) => met.all(says),
            None => says(&self.rest),
        }
    }

    /// Whether it says the same of the same piece, and that it is lost, if `entry` does.
    pub(crate) fn has(&mut self, entry: &Entry) -> bool {
        let mut all = self.entries_mut();
        let known = all.find(|e| {
            (e.range, e.state, e.reason, e.region)
                == (entry.range, entry.state, entry.reason, entry.region)
        });
        if let Some(known) = known {
            known.lost |= entry.lost;
            return true;
        }
        false
    }

    fn forget(&mut self) {
        self.whole = None;
        self.pieces.clear();
    }

    /// Announces the decision that was made at `now_ns`. Entries for the pieces are to follow.
    pub(crate) fn decide(&mut self, now_ns: u64, entry: &Entry) {
        self.decided_ns = now_ns;
        self.forget();
        self.rest = *entry;
        self.announce(Step::Decided, || *entry);
    }

    /// Announces the decision that was made at `now_ns`, with one entry for the whole range.
    pub(crate) fn decide_whole(&mut self, now_ns: u64, entry: Entry) {
        self.decide(now_ns, &entry);
        self.whole = Some(entry);
    }

    /// Replaces every entry of the range by one for all of it, and for what later ones do not tell of.
    pub(crate) fn replace(&mut self, step: Step, entry: Entry) {
        self.fill(step, entry);
        self.forget();
        self.whole = Some(entry);
    }

    /// Adds an entry for a piece, which may be all of the range. It takes the place of those that
    /// told of the same bytes.
    pub(crate) fn add(&mut self, step: Step, entry: Entry) {
        let others = |e: &Entry| !e.range.intersects(&entry.range);

        self.announce(step, || entry);
        self.whole = self.whole.filter(others);
        self.pieces.retain(|e| others(e));
        if entry.range == self.memory.range {
            self.whole = Some(entry);
            return;
        }
        // Without memory the ledger is incomplete, and nothing else happens.
        let _ = self.pieces.push(entry, GFP_KERNEL);
    }

    /// Has `entry` tell of whatever the others do not.
    pub(crate) fn fill(&mut self, step: Step, entry: Entry) {
        self.announce(step, || entry);
        self.rest = entry;
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
            if !matches!(entry.reason, Why::RegionTornDown | Why::Undecoded) && !was_cxls {
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

    /// Notes what `decodes` all the same of System RAM that was in use when its region went: it is as good
    /// as any.
    pub(crate) fn follow_stuck(&mut self, decodes: impl Fn(&Range) -> bool) {
        for entry in self.entries_mut() {
            if entry.state == Standing::Stuck && !entry.lost && decodes(&entry.range) {
                entry.state = Standing::SystemRam;
                entry.reason = Why::InUseAlready;
            }
        }
    }

    /// Notes which devices are bound to their driver at this moment: people bind and unbind them
    /// by hand. Of a device that is just being bound or unbound, what was known stays.
    pub(crate) fn note_bound(&mut self, devices: &Devices) {
        for entry in self.entries_mut() {
            let Some(bound) = entry
                .device
                .and_then(|id| devices.get(id))
                .and_then(|device| is_bound(&device))
            else {
                continue;
            };
            entry.unbound = !bound;
            if bound && entry.state != Standing::Hmem {
                entry.state = Standing::Hmem;
                entry.reason = Why::DriverBound;
                entry.error = None;
            }
        }
    }

    /// The number of the device that serves a byte of `range`.
    pub(crate) fn server_of(&self, range: &Range) -> Option<c_int> {
        self.entries()
            .find(|e| e.state == Standing::Hmem && !e.unbound && e.range.intersects(range))
            .and_then(|e| e.device)
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
                target_node: node::of(&self.memory, entry.range.start()),
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
        let mut open = Some(self.memory.range);

        // The entries stand in the order in which things happened. They are few, so the next one
        // by address is looked for each time.
        while let Some(range) = open {
            let next = self
                .entries()
                .filter(|e| e.range.intersects(&range))
                .min_by_key(|e| e.range.start());
            let gap = next.map_or(Some(range), |e| range.below(e.range.start()));

            if let Some(range) = gap {
                self.write_entry(f, &Entry { range, ..self.rest })?;
            }
            let Some(next) = next else {
                return Ok(());
            };
            self.write_entry(f, next)?;
            open = range.above(next.range.end());
        }
        Ok(())
    }

    fn write_entry(&self, f: &mut fmt::Formatter<'_>, entry: &Entry) -> fmt::Result {
        write!(
            f,
            "range={:#x}-{:#x} node={} state=",
            entry.range.start(),
            entry.range.end(),
            node::of(&self.memory, entry.range.start()),
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
        if let Some(holder) = entry.holder {
            f.write_str(" holder=")?;
            for &c in holder.bytes() {
                // One word.
                f.write_char(if c.is_ascii_graphic() { c.into() } else { '_' })?;
            }
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

/// Writes the line of a committed CXL region: what came of dax_cxl's probe of it.
pub(super) fn write_region(
    f: &mut fmt::Formatter<'_>,
    ledgers: &[Ledger],
    region: c_int,
    range: &Range,
    bound: bool,
) -> fmt::Result {
    write!(
        f,
        "region=region{} range={:#x}-{:#x} driver=dax_cxl outcome=",
        region,
        range.start(),
        range.end()
    )?;
    match (bound, ledgers.iter().find_map(|l| l.server_of(range))) {
        (true, _) => f.write_str("bound\n"),
        (false, Some(device)) => writeln!(f, "lost lost_to=hmem.{}", device),
        (false, None) => f.write_str("idle\n"),
    }
}

fn text(f: &mut fmt::Formatter<'_>, word: &'static CStr) -> fmt::Result {
    f.write_str(word.to_str().unwrap_or("?"))
}
