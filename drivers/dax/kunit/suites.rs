// SPDX-License-Identifier: GPL-2.0

//! The suites: the ownership logic as the kernel's compiler makes it, and how lines of the log are
//! joined.
//!
//! The host tests walk the files of the former far more widely; what is checked here is that they
//! mean the same with the compiler flags, the overflow checks and the `core` of the kernel.
//!
//! Holds: R3, R4, R9

use crate::ownership::{
    decide,
    for_each_piece,
    pieces::edges,
    Coverage,
    Extent,
    Extents,
    Fate,
    Mode,
    Obstacle,
    Range,
    Reason,
    Taken,
    World, //
};
use kernel::prelude::*;

const MIB: u64 = 1 << 20;

/// The range from `start` up to `end`, both in MiB, `end` exclusive.
fn mib(start: u64, end: u64) -> Result<Range> {
    Range::new(start * MIB, end * MIB - 1).ok_or(EINVAL)
}

fn extent(start: u64, end: u64, region: i32) -> Result<Extent> {
    Ok(Extent {
        range: mib(start, end)?,
        region,
    })
}

#[kunit_tests(dax_hmem_range)]
mod range {
    use super::*;

    #[test]
    fn zero_length_is_no_range() {
        assert!(Range::from_start_size(4 * MIB, 0).is_none());
        assert!(Range::new(1, 0).is_none());
    }

    #[test]
    fn last_byte_of_the_address_space() -> Result {
        let top = Range::new(u64::MAX - MIB + 1, u64::MAX).ok_or(EINVAL)?;
        assert_eq!(top.size(), Some(MIB));
        assert!(top.above(u64::MAX).is_none());
        assert_eq!(edges(&top).count(), 1);
        assert!(Range::from_start_size(u64::MAX, 2).is_none());
        assert!(Range::new(0, u64::MAX).ok_or(EINVAL)?.size().is_none());

        let odd = Range::new(u64::MAX - 3 * MIB, u64::MAX).ok_or(EINVAL)?;
        let trim = odd.align_inward(2 * MIB);
        assert_eq!(trim.inner, Range::new(u64::MAX - 2 * MIB + 1, u64::MAX));
        assert!(trim.tail.is_none());
        Ok(())
    }

    #[test]
    fn touching_is_not_intersecting() -> Result {
        let (a, b) = (mib(0, 2)?, mib(2, 4)?);
        assert!(!a.intersects(&b));
        assert!(a.intersection(&b).is_none());
        assert!(a.intersects(&mib(1, 3)?));
        assert!(mib(0, 4)?.contains(&a));
        Ok(())
    }

    #[test]
    fn unaligned_ends_are_named() -> Result {
        let trim = mib(1, 514)?.align_inward(2 * MIB);
        assert_eq!(trim.inner, Some(mib(2, 514)?));
        assert_eq!(trim.head, Some(mib(1, 2)?));
        assert!(trim.tail.is_none());
        assert!(mib(1, 2)?.align_inward(2 * MIB).inner.is_none());
        Ok(())
    }
}

#[kunit_tests(dax_hmem_verdict)]
mod verdict {
    use super::*;

    #[test]
    fn outside_a_window_needs_no_wait() -> Result {
        let verdict = decide(
            &mib(0, 512)?,
            &World {
                in_window: false,
                regions: Extents::NONE,
                taken: &[],
                settled: false,
            },
        );
        assert_eq!(verdict.mode, Mode::Register);
        assert_eq!(verdict.reason, Reason::OutsideWindows);
        Ok(())
    }

    #[test]
    fn regions_cover_together() -> Result {
        let mut two = [extent(512, 1024, 1)?, extent(0, 512, 0)?];
        let regions = Extents::new(&mut two);
        assert_eq!(
            regions.cover(&mib(0, 1024)?),
            Coverage::Full {
                region: 0,
                others: true
            }
        );
        let verdict = decide(
            &mib(0, 1024)?,
            &World {
                in_window: true,
                regions,
                taken: &[],
                settled: false,
            },
        );
        assert_eq!(verdict.mode, Mode::Drop);
        Ok(())
    }

    #[test]
    fn a_hole_is_a_no_that_waits() -> Result {
        let mut two = [extent(0, 256, 0)?, extent(512, 1024, 1)?];
        let regions = Extents::new(&mut two);
        for settled in [false, true] {
            let verdict = decide(
                &mib(0, 1024)?,
                &World {
                    in_window: true,
                    regions,
                    taken: &[],
                    settled,
                },
            );
            assert_eq!(
                verdict.mode,
                if settled { Mode::Register } else { Mode::Defer }
            );
        }
        Ok(())
    }
}

#[kunit_tests(dax_hmem_pieces)]
mod pieces {
    use super::*;

    fn served(range: &Range, obstacles: &[Obstacle], cuts: &[u64]) -> Result<KVec<Range>> {
        let mut served = KVec::new();
        for_each_piece(range, obstacles, cuts, 2 * MIB, |piece| {
            if piece.fate == Fate::Serve {
                served.push(piece.range, GFP_KERNEL)?;
            }
            Ok::<_, Error>(())
        })?;
        Ok(served)
    }

    #[test]
    fn cut_at_the_edges_of_a_region() -> Result {
        let pieces = served(&mib(0, 1024)?, &[], &[256 * MIB, 512 * MIB])?;
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces.first(), Some(&mib(0, 256)?));
        assert_eq!(pieces.last(), Some(&mib(512, 1024)?));
        Ok(())
    }

    #[test]
    fn what_others_have_is_left_to_them() -> Result {
        let ram = Obstacle {
            range: mib(128, 256)?,
            taken: Taken::SystemRam,
        };
        let pieces = served(&mib(0, 512)?, &[ram], &[])?;
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces.first(), Some(&mib(0, 128)?));
        assert_eq!(pieces.last(), Some(&mib(256, 512)?));
        Ok(())
    }
}

#[kunit_tests(dax_hmem_lines)]
mod lines {
    use super::*;
    use crate::joined::{
        Joined,
        Run,
        NAMED, //
    };

    fn add(joined: &mut Joined<char>, range: Range, what: char) -> Option<Run<char>> {
        joined.add(range, what, |run, what| run.what == *what)
    }

    /// With the lines of their own used up, below 1 MiB.
    fn used_up() -> Result<Joined<char>> {
        let mut joined = Joined::new();
        for _ in 0..NAMED {
            let range = Range::new(0, MIB - 1).ok_or(EINVAL)?;
            assert!(add(&mut joined, range, 'a').is_some_and(|run| run.count == 1));
        }
        Ok(joined)
    }

    #[test]
    fn neighbours_share_a_line() -> Result {
        let mut joined = used_up()?;
        for i in 1..4 {
            assert!(add(&mut joined, mib(i, i + 1)?, 'a').is_none());
        }
        let run = Run {
            range: mib(1, 4)?,
            what: 'a',
            count: 3,
        };
        assert_eq!(add(&mut joined, mib(4, 5)?, 'b'), Some(run));
        Ok(())
    }

    #[test]
    fn a_gap_ends_a_line() -> Result {
        let mut joined = used_up()?;
        assert!(add(&mut joined, mib(1, 2)?, 'a').is_none());
        let run = add(&mut joined, mib(3, 4)?, 'a').ok_or(EINVAL)?;
        assert_eq!((run.range, run.count), (mib(1, 2)?, 1));
        Ok(())
    }

    #[test]
    fn nothing_follows_the_last_byte() -> Result {
        let mut joined = used_up()?;
        let top = Range::new(u64::MAX - MIB + 1, u64::MAX).ok_or(EINVAL)?;
        assert!(add(&mut joined, top, 'a').is_none());
        let run = add(&mut joined, mib(0, 1)?, 'a').ok_or(EINVAL)?;
        assert_eq!((run.range, run.count), (top, 1));
        Ok(())
    }
}
