// SPDX-License-Identifier: GPL-2.0

//! How a range that HMEM owns is cut so that every byte that can be used is used.
//!
//! The kmem driver reserves the addresses of a dax device in the iomem tree. A range that crosses
//! the edge of another resource there, such as a CXL window or region, fits neither inside nor
//! outside of it, and the reservation fails for all of it. A device also has one NUMA node. So the
//! range is cut at every such edge and where the node changes, what is not HMEM's is left out, and
//! each remaining part is aligned to what a dax region demands.

use super::range::{
    intersecting,
    Range,
    Ranged,
    Trim, //
};

/// A part of a range that is not HMEM's to register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The addresses concerned.
    pub range: Range,
    /// Who has them.
    pub taken: Taken,
}

impl Ranged for Obstacle {
    fn range(&self) -> Range {
        self.range
    }

    fn with_range(self, range: Range) -> Self {
        Self { range, ..self }
    }
}

/// Who has the bytes of an [`Obstacle`], or why nobody can have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// A CXL region decoded them, and nothing does now. They are CXL's when a region is committed
    /// there.
    Undecoded,
    /// They are System RAM that is in use, and nothing decodes them any more.
    Stuck,
    /// The administrator keeps HMEM away from them.
    Excluded,
    /// A CXL region of another driver has them: an accelerator's, or one of a mode that dax_cxl does
    /// not know.
    Foreign(i32),
    /// They are persistent memory whose region, if it has one, is not committed: what it holds must
    /// not be overwritten.
    Persistent(Option<i32>),
    /// A resource of another driver or of the platform lies there.
    Resource,
    /// They are System RAM already.
    SystemRam,
    /// A CXL region keeps them.
    Region(i32),
    /// Another Soft Reserved record or device already stands for them.
    Claimed,
}

/// What becomes of one part of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// HMEM registers it, as one dax region.
    Serve,
    /// Somebody else has it.
    Taken(Taken),
    /// Nobody can serve it: it lies below the first aligned address of its part.
    UnalignedHead,
    /// Nobody can serve it: it lies above the last aligned address of its part.
    UnalignedTail,
    /// Nobody can serve it: its part holds no whole aligned unit.
    TooSmall,
}

/// One part of a range and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The addresses.
    pub range: Range,
    /// Their fate.
    pub fate: Fate,
}

/// Cuts `range` and calls `emit` for each part, ascending.
///
/// - `obstacles` ascend and are disjoint, as [`sort_disjoint`](super::range::sort_disjoint) leaves
///   them.
/// - `cuts` ascend; a cut is the first address behind an edge, so that no part holds both a cut
///   and the address before it.
/// - `align` is the power of two that the start and the size of what is served must be multiples
///   of.
///
/// The parts are disjoint and together they are exactly `range`: no byte is left out, none comes
/// twice. Stops at the first error of `emit` and returns it.
pub fn for_each_piece<E>(
    range: &Range,
    obstacles: &[Obstacle],
    cuts: &[u64],
    align: u64,
    mut emit: impl FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    for_each_part(range, obstacles, cuts, |part| match part.fate {
        Fate::Serve => for_each_aligned(&part.range, align, &mut emit),
        _ => emit(part),
    })
}

/// As [`for_each_piece`], without alignment: what is to be served comes as large as the cuts let
/// it, so that a part may be joined with its neighbour in the next range first.
pub fn for_each_part<E>(
    range: &Range,
    obstacles: &[Obstacle],
    cuts: &[u64],
    mut emit: impl FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    let mut rest = Some(*range);

    for obstacle in intersecting(obstacles, range) {
        let Some(open) = rest else {
            return Ok(());
        };
        let Some(taken) = obstacle.range.intersection(&open) else {
            continue;
        };
        if let Some(free) = open.below(taken.start()) {
            cut_free(&free, cuts, &mut emit)?;
        }
        emit(Piece {
            range: taken,
            fate: Fate::Taken(obstacle.taken),
        })?;
        rest = open.above(taken.end());
    }
    match rest {
        Some(free) => cut_free(&free, cuts, &mut emit),
        None => Ok(()),
    }
}

/// Cuts a range without obstacles.
fn cut_free<E>(
    free: &Range,
    cuts: &[u64],
    emit: &mut impl FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    // A cut at or below the start parts nothing.
    let from = cuts.partition_point(|&cut| cut <= free.start());
    let mut serve = |range| {
        emit(Piece {
            range,
            fate: Fate::Serve,
        })
    };
    let mut rest = *free;

    for &cut in cuts.get(from..).unwrap_or(&[]) {
        if cut > rest.end() {
            break;
        }
        if let Some(part) = rest.below(cut) {
            serve(part)?;
        }
        // `cut - 1` exists: the cut lies above the start of `free`.
        match cut.checked_sub(1).and_then(|last| rest.above(last)) {
            Some(above) => rest = above,
            None => return Ok(()),
        }
    }
    serve(rest)
}

/// Aligns one part that is to be served, and says what becomes of its ends.
pub fn for_each_aligned<E>(
    part: &Range,
    align: u64,
    mut emit: impl FnMut(Piece) -> Result<(), E>,
) -> Result<(), E> {
    let Trim { inner, head, tail } = part.align_inward(align);

    let Some(inner) = inner else {
        return emit(Piece {
            range: *part,
            fate: Fate::TooSmall,
        });
    };
    if let Some(range) = head {
        emit(Piece {
            range,
            fate: Fate::UnalignedHead,
        })?;
    }
    emit(Piece {
        range: inner,
        fate: Fate::Serve,
    })?;
    if let Some(range) = tail {
        emit(Piece {
            range,
            fate: Fate::UnalignedTail,
        })?;
    }
    Ok(())
}

/// Whether two neighbouring parts, the one ending where the other begins, are to be one device:
/// only if two would lose what the seam cuts off, because it is no multiple of `block`, the unit in
/// which memory becomes System RAM. `cuts` ascend; a cut at the seam keeps the two apart.
pub fn is_joined(below: &Range, above: &Range, cuts: &[u64], block: u64) -> bool {
    below.end().checked_add(1) == Some(above.start())
        && above.start() % block.max(1) != 0
        && cuts.binary_search(&above.start()).is_err()
}

/// The two cuts that the edges of a resource at `range` make: its start, and the first address
/// behind it, which does not exist for a resource that ends at `u64::MAX`.
pub fn edges(range: &Range) -> impl Iterator<Item = u64> {
    [Some(range.start()), range.end().checked_add(1)]
        .into_iter()
        .flatten()
}
