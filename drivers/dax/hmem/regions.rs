// SPDX-License-Identifier: GPL-2.0

//! The CXL regions of the machine at one moment, as the decision needs them.

use crate::{
    iomem,
    ownership::{
        pieces::edges,
        range::{
            intersecting,
            sort,
            sort_disjoint, //
        },
        Extent,
        Extents,
        Obstacle,
        Range,
        Taken, //
    }, //
};
use kernel::{
    device,
    fmt,
    prelude::*, //
};

#[cfg(CONFIG_DEV_DAX_CXL)]
use crate::{
    cxl_bus::{
        for_each_region,
        Kind,
        Sighting, //
    },
    cxl_links::{
        depend_on_regions,
        probe_again, //
    },
};

/// The regions on the CXL bus.
pub(crate) struct Regions {
    /// Those that are committed and that a driver can serve, ascending and disjoint.
    committed: KVec<Extent>,
    /// Which of them are not to be taken from CXL by any policy: dax_cxl serves them already, or
    /// it is to serve a range with them, or their memory is persistent. Has room for all.
    held: KVec<Extent>,
    /// All regions whose driver is bound: those that may be torn down or disabled.
    bound: KVec<Extent>,
    /// Where a CXL window or region begins, or ends one byte below; ascending. Of all regions, also
    /// of those that are not committed: every one of them stands in the iomem tree.
    cuts: KVec<u64>,
    /// What was System RAM when this was made, ascending. What becomes so later does so because a
    /// driver serves it.
    ram: KVec<Range>,
}

impl Regions {
    /// Of a machine without regions. Fails with `ENOMEM`.
    pub(crate) fn none() -> Result<Self> {
        let mut cuts = KVec::new();
        let mut ram = KVec::new();

        iomem::for_each_system_ram(&Range::ALL, |range, _| Ok(ram.push(range, GFP_KERNEL)?))?;
        let disjoint = sort_disjoint(&mut ram).len();
        ram.truncate(disjoint);
        iomem::for_each_cxl_window(&Range::ALL, |window| {
            for cut in edges(&window) {
                cuts.push(cut, GFP_KERNEL)?;
            }
            Ok(())
        })?;
        sort(&mut cuts, |&cut| cut);
        Ok(Self {
            committed: KVec::new(),
            held: KVec::new(),
            bound: KVec::new(),
            cuts,
            ram,
        })
    }

    /// Looks at the bus. Fails with `ENOMEM`.
    #[cfg(CONFIG_DEV_DAX_CXL)]
    pub(crate) fn collect() -> Result<Self> {
        let mut this = Self::none()?;

        for_each_region(|seen| this.add(&seen))?;

        let disjoint = sort_disjoint(&mut this.committed).len();
        this.committed.truncate(disjoint);
        this.held.reserve(disjoint, GFP_KERNEL)?;
        sort(&mut this.cuts, |&cut| cut);
        Ok(this)
    }

    /// Without CXL there is nothing to look at.
    #[cfg(not(CONFIG_DEV_DAX_CXL))]
    pub(crate) fn collect() -> Result<Self> {
        Self::none()
    }

    #[cfg(CONFIG_DEV_DAX_CXL)]
    fn add(&mut self, seen: &Sighting) -> Result {
        let Some(range) = seen.range else {
            return Ok(());
        };
        let extent = Extent {
            range,
            region: seen.region,
        };
        match seen.kind {
            Kind::Region => {
                for cut in edges(&range) {
                    self.cuts.push(cut, GFP_KERNEL)?;
                }
                if seen.bound {
                    self.bound.push(extent, GFP_KERNEL)?;
                }
            }
            Kind::Dax | Kind::Pmem => {
                self.committed.push(extent, GFP_KERNEL)?;
                if seen.bound || seen.kind == Kind::Pmem {
                    self.held.push(extent, GFP_KERNEL)?;
                }
            }
        }
        Ok(())
    }

    /// The committed regions.
    pub(crate) fn committed(&self) -> Extents<'_> {
        // `collect()` made them disjoint.
        Extents::from_disjoint(&self.committed).unwrap_or(Extents::NONE)
    }

    /// The regions below `range` whose driver is bound.
    pub(crate) fn below<'a>(&'a self, range: &'a Range) -> impl Iterator<Item = &'a Extent> + 'a {
        self.bound.iter().filter(|e| e.range.intersects(range))
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

        for extent in extents.intersecting(range) {
            if !self.held.contains(extent) {
                // Cannot fail: `collect()` made room.
                let _ = self.held.push_within_capacity(*extent);
            }
        }
    }

    /// Whether a committed region has a part of `range`.
    pub(crate) fn meet(&self, range: &Range) -> bool {
        !self.committed().intersecting(range).is_empty()
    }

    /// Whether a part of `range` was System RAM already.
    pub(crate) fn meet_ram(&self, range: &Range) -> bool {
        !intersecting(&self.ram, range).is_empty()
    }

    /// Has dax_cxl try again to take the regions that are left to it and that it does not serve:
    /// those that lost to an HMEM that has let go since. With `all` these are all committed ones,
    /// else those that [`Regions::hold`] has named.
    pub(crate) fn offer_again(&self, all: bool) {
        #[cfg(CONFIG_DEV_DAX_CXL)]
        probe_again(|seen| all || self.held.iter().any(|e| e.region == seen.region));
        #[cfg(not(CONFIG_DEV_DAX_CXL))]
        let _ = all;
    }

    /// Adds what of `range` HMEM must leave to CXL: with `all` every committed region, else those
    /// that CXL holds already.
    pub(crate) fn obstacles(&self, range: &Range, all: bool, to: &mut KVec<Obstacle>) -> Result {
        let from = if all { &self.committed } else { &self.held };

        for extent in from.iter().filter(|e| e.range.intersects(range)) {
            to.push(
                Obstacle {
                    range: extent.range,
                    taken: Taken::Region(extent.region),
                },
                GFP_KERNEL,
            )?;
        }
        Ok(())
    }

    /// Adds the edges of windows and regions inside `range`.
    pub(crate) fn cuts(&self, range: &Range, to: &mut KVec<u64>) -> Result {
        for &cut in self.cuts.iter().filter(|&&c| range.contains_address(c)) {
            to.push(cut, GFP_KERNEL)?;
        }
        Ok(())
    }
}

/// Writes one line for each committed region: what came out of dax_cxl's probe. `holder_of` finds
/// the `hmem` device that has a byte of a range.
pub(crate) fn write_outcomes(
    f: &mut fmt::Formatter<'_>,
    holder_of: impl Fn(&Range) -> Option<c_int>,
) -> fmt::Result {
    #[cfg(CONFIG_DEV_DAX_CXL)]
    {
        let walked = for_each_region(|seen| {
            let Some(range) = seen.range.filter(|_| seen.kind == Kind::Dax) else {
                return Ok(());
            };
            let written = write!(
                f,
                "region=region{} range={:#x}-{:#x} driver=dax_cxl outcome=",
                seen.region,
                range.start(),
                range.end()
            )
            .and_then(|()| match (seen.bound, holder_of(&range)) {
                (true, _) => f.write_str("bound\n"),
                (false, Some(device)) => writeln!(f, "lost lost_to=hmem.{}", device),
                (false, None) => f.write_str("idle\n"),
            });
            written.map_err(|_| ENOSPC)
        });
        walked.map_err(|_| fmt::Error)
    }
    #[cfg(not(CONFIG_DEV_DAX_CXL))]
    {
        let _ = (f, holder_of);
        Ok(())
    }
}

/// Whether CXL holds a byte of `range` at this moment.
pub(crate) fn taken_by_cxl(range: &Range) -> bool {
    #[cfg(CONFIG_DEV_DAX_CXL)]
    {
        let mut taken = false;
        let walked = for_each_region(|seen| {
            taken |= seen.kind == Kind::Dax
                && seen.bound
                && seen.range.is_some_and(|r| r.intersects(range));
            Ok(())
        });
        walked.is_ok() && taken
    }
    #[cfg(not(CONFIG_DEV_DAX_CXL))]
    {
        let _ = range;
        false
    }
}

/// Sees to it that `device` is unbound before a region below its memory is torn down or disabled.
/// Returns these regions, as far as there is memory to remember them.
///
/// Fails with `EBUSY` if one of them is being torn down at this moment. Where there is no such
/// dependency for another reason, the log says so.
pub(crate) fn depend(device: &device::Device, range: &Range) -> Result<KVec<Extent>> {
    let mut below = KVec::new();

    #[cfg(CONFIG_DEV_DAX_CXL)]
    match depend_on_regions(device, range, |seen| {
        let extent = seen.range.map(|range| Extent {
            range,
            region: seen.region,
        });
        // What is not remembered is asked for again at the next change, which does no harm.
        if let Some(extent) = extent {
            let _ = below.push(extent, GFP_KERNEL);
        }
        Ok(())
    }) {
        Err(EBUSY) => return Err(EBUSY),
        Err(e) => dev_warn!(
            device,
            "{}: does not follow the CXL region below: {:?}; stop using it before that goes\n",
            range,
            e
        ),
        Ok(()) => {}
    }
    #[cfg(not(CONFIG_DEV_DAX_CXL))]
    let _ = (device, range, &mut below);
    Ok(below)
}
