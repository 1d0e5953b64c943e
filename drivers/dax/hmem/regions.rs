// SPDX-License-Identifier: GPL-2.0

//! What lies where at one moment, as the decision needs it: the CXL regions of the machine, and the
//! iomem tree. How the regions are found is told by `cxl.rs`.

use crate::{
    arbiter::Notes,
    iomem_tree::{
        Kind,
        Name,
        Tree, //
    },
    ownership::{
        pieces::edges,
        range::{
            for_each_gap,
            sort_disjoint, //
        },
        Extent,
        Extents,
        Obstacle,
        Range,
        Taken, //
    },
    params, //
};
use kernel::prelude::*;

/// The regions and the iomem tree.
pub(crate) struct Regions {
    pub(crate) tree: Tree,
    /// Those that are committed and CXL's to serve, ascending and disjoint.
    pub(crate) committed: KVec<Extent>,
    /// Which of them no policy takes from CXL: dax_cxl serves them already, or is to serve a range
    /// with them, or they are disabled or persistent. Has room for all.
    pub(crate) held: KVec<Extent>,
    /// Which of the committed ones are disabled: nobody serves them.
    pub(crate) disabled: KVec<c_int>,
    /// Committed regions that are neither HMEM's nor dax_cxl's.
    pub(crate) foreign: KVec<Obstacle>,
    /// Regions that are no RAM and not committed yet, and persistent memory without a region.
    pub(crate) waiting: KVec<Obstacle>,
    /// What the administrator keeps HMEM away from, ascending and disjoint.
    pub(crate) excluded: KVec<Range>,
    /// Whether it is not known of all memory whose it is, because a port was busy.
    pub(crate) unsure: bool,
    /// What committed regions decode, and memory devices without one, ascending and disjoint.
    pub(crate) decoding: KVec<Range>,
    /// What is decoded by decoders that are about to be reset.
    pub(crate) resetting: KVec<Range>,
}

impl Regions {
    /// Of a machine without regions. Fails with `ENOMEM`.
    pub(crate) fn none() -> Result<Self> {
        let mut excluded = KVec::new();
        params::EXCLUDE.for_each(|range| Ok(excluded.push(range, GFP_KERNEL)?))?;
        let disjoint = sort_disjoint(&mut excluded).len();
        excluded.truncate(disjoint);
        Ok(Self {
            tree: Tree::new()?,
            committed: KVec::new(),
            held: KVec::new(),
            disabled: KVec::new(),
            foreign: KVec::new(),
            waiting: KVec::new(),
            excluded,
            unsure: false,
            decoding: KVec::new(),
            resetting: KVec::new(),
        })
    }

    /// Adds what memory devices decode without a region.
    pub(crate) fn add_decoding(&mut self, notes: &Notes) -> Result {
        let shares = || notes.plugged.iter().map(|(_, share)| *share);
        for share in shares() {
            if share.is_complete(shares()) {
                self.decoding.push(share.range, GFP_KERNEL)?;
            }
            if share.persistent {
                let (range, taken) = (share.range, Taken::Persistent(None));
                self.waiting.push(Obstacle { range, taken }, GFP_KERNEL)?;
            }
        }
        let disjoint = sort_disjoint(&mut self.decoding).len();
        self.decoding.truncate(disjoint);
        Ok(())
    }

    /// The committed regions that are CXL's.
    pub(crate) fn committed(&self) -> Extents<'_> {
        // `collect()` made them disjoint.
        Extents::from_disjoint(&self.committed).unwrap_or(Extents::NONE)
    }

    /// Leaves to CXL every region that shares a byte with `range`, which CXL owns.
    ///
    /// dax_cxl serves a region whole or not at all. Were HMEM to take a part of one for another
    /// range, this one would be lost.
    pub(crate) fn hold(&mut self, range: &Range) {
        // As a rule the range before this one has had its region held.
        if self.held.iter().any(|e| e.range.contains(range)) {
            return;
        }
        let extents = Extents::from_disjoint(&self.committed).unwrap_or(Extents::NONE);
        for extent in extents.intersecting(range).iter() {
            if !self.held.contains(extent) {
                // Cannot fail: `collect()` made room.
                let _ = self.held.push_within_capacity(*extent);
            }
        }
    }

    /// Leaves to CXL every region of which HMEM may have nothing, because all of it is excluded. Returns
    /// whether one was not left to it before that `is_free`.
    pub(crate) fn hold_excluded(&mut self, is_free: impl Fn(&Range) -> bool) -> bool {
        let held = self.held.len();
        for extent in &self.committed {
            let whole = for_each_gap(&extent.range, &self.excluded, |_| Err(()));
            if whole.is_ok() && !self.held.contains(extent) {
                // Cannot fail: `collect()` made room.
                let _ = self.held.push_within_capacity(*extent);
            }
        }
        let new = self.held.get(held..).unwrap_or(&[]);
        new.iter().any(|e| is_free(&e.range))
    }

    /// Whether a committed region of CXL has a part of `range`.
    pub(crate) fn meet(&self, range: &Range) -> bool {
        !self.committed().intersecting(range).is_empty()
    }

    /// Calls `f` for what of `range` HMEM must leave to others: with `all` every region that is
    /// CXL's, else those that CXL holds; System RAM of firmware; and resources of others.
    pub(crate) fn for_each_obstacle(
        &self,
        range: &Range,
        all: bool,
        mut f: impl FnMut(Obstacle) -> Result,
    ) -> Result {
        let regions = if all { &self.committed } else { &self.held };

        for extent in regions.iter().filter(|e| e.range.intersects(range)) {
            f(Obstacle {
                range: extent.range,
                taken: Taken::Region(extent.region),
            })?;
        }
        for entry in self.tree.within(range) {
            let taken = match entry.kind {
                Kind::SystemRam { managed: false } => Taken::SystemRam,
                Kind::Other => Taken::Resource,
                _ => continue,
            };
            f(Obstacle {
                range: entry.range,
                taken,
            })?;
        }
        Ok(())
    }

    /// Adds the edges inside `range` that kmem cannot reserve across. System RAM that a driver has
    /// made is cut off as well: it cannot be reserved a second time.
    pub(crate) fn cuts(&self, range: &Range, to: &mut KVec<u64>) -> Result {
        for entry in self.tree.within(range) {
            if matches!(entry.kind, Kind::SystemRam { managed: false } | Kind::Other) {
                continue;
            }
            for cut in edges(&entry.range).filter(|&c| range.contains_address(c)) {
                to.push(cut, GFP_KERNEL)?;
            }
        }
        Ok(())
    }

    /// Who has a resource with a byte of `range` that is neither memory nor CXL's.
    pub(crate) fn holder(&self, range: &Range) -> Option<Name> {
        let found = self.tree.within(range).find(|e| e.kind == Kind::Other);
        found.map(|e| e.name)
    }
}
