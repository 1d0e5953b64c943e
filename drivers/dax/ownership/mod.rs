// SPDX-License-Identifier: GPL-2.0

//! Who owns Soft Reserved memory: the decision, apart from everything that carries it out.
//!
//! This module is pure: `no_std`, no allocation, nothing of the `kernel` crate, no `unsafe`. The
//! same files are compiled into `dax_hmem.ko`, into the host tests and into the model checker, so
//! what is proven there is what runs here.
//!
//! # The rule
//!
//! Platform firmware marks a range *Soft Reserved*. Two drivers can make it usable: `dax_hmem`
//! takes the range as it is, `dax_cxl` takes it through an assembled CXL region. For each range
//! [`decide`] gives one [`Mode`] and the [`Reason`] for it:
//!
//! - nothing of it lies in a CXL window: [`Mode::Register`], at once;
//! - committed regions cover all of it, alone or together: [`Mode::Drop`], CXL owns it;
//! - all of it is somebody else's, or nothing decodes it any more: [`Mode::Leave`];
//! - neither, and CXL may still enumerate: [`Mode::Defer`];
//! - neither, and device probing has settled: [`Mode::Register`], HMEM owns all of it, or only
//!   what no region covers where the administrator chose [`Policy::Split`].
//!
//! dax_cxl serves a region whole or not at all. So a region that CXL needs for one range is left to
//! it in every other one: it is an obstacle there, whatever the policy.
//!
//! Bytes that neither may have come off before that, see [`Taken`]: those of another driver's
//! region, those that the administrator excludes, and those that a region decoded once and nothing
//! decodes now. HMEM serves no byte whose decoding was undone; it is CXL's when a region is
//! committed there.
//!
//! What HMEM registers is cut by [`pieces::for_each_piece`], because the iomem tree can hold no
//! range that crosses the edge of a region or window, and a range that it cannot hold is lost.
//!
//! # Invariants
//!
//! - Every byte of a range gets exactly one fate: served by CXL, served by HMEM in exactly one
//!   piece, already in use, or named in a remainder that says why it cannot be served.
//! - The decision depends only on the range and the [`World`], never on earlier decisions, so that
//!   deciding again ends where a fresh boot with the same regions would have ended.
//! - An early [`Mode::Drop`] equals the one that waiting would have given for the same regions:
//!   the settled flag is consulted only where no coverage was found.

pub mod coverage;
pub mod pieces;
pub mod range;
pub mod share;
pub mod verdict;
pub mod words;

pub use coverage::{
    Coverage,
    Extent,
    Extents, //
};
pub use pieces::{
    for_each_aligned,
    for_each_part,
    for_each_piece,
    Fate,
    Obstacle,
    Piece,
    Taken, //
};
pub use range::Range;
pub use share::Share;
pub use verdict::{
    decide,
    Mode,
    Policy,
    Reason,
    Verdict,
    World, //
};
pub use words::{
    Standing,
    Why, //
};
