// SPDX-License-Identifier: GPL-2.0

//! Joining ranges of which the same is to be said.
//!
//! A thousand lines push everything else out of the log. So behind the first [`NAMED`], one line
//! stands for all ranges that follow each other without a gap and of which the same is to be said.

use crate::ownership::Range;
use kernel::prelude::*;

/// How many ranges the log names one by one, each time all ranges are looked at.
pub(crate) const NAMED: usize = 8;

/// Ranges of which the same is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run<T> {
    /// From the start of the first to the end of the last.
    pub(crate) range: Range,
    pub(crate) what: T,
    pub(crate) count: c_int,
}

/// Joins ranges to runs.
pub(crate) struct Joined<T> {
    named: usize,
    run: Option<Run<T>>,
}

impl<T> Joined<T> {
    pub(crate) const fn new() -> Self {
        Self {
            named: 0,
            run: None,
        }
    }

    /// Ends the run that is open, and returns it.
    pub(crate) fn end(&mut self) -> Option<Run<T>> {
        self.run.take()
    }

    /// Adds a range; `same` tells whether a run before it goes on with it. Returns what is to be
    /// said now.
    pub(crate) fn add(
        &mut self,
        range: Range,
        what: T,
        same: impl FnOnce(&Run<T>, &T) -> bool,
    ) -> Option<Run<T>> {
        let new = Run {
            range,
            what,
            count: 1,
        };
        if self.named < NAMED {
            self.named += 1;
            return Some(new);
        }
        let Some(run) = &mut self.run else {
            self.run = Some(new);
            return None;
        };
        let longer = Range::new(run.range.start(), range.end())
            .filter(|_| run.range.end().checked_add(1) == Some(range.start()));
        match longer {
            Some(longer) if same(run, &new.what) => {
                run.range = longer;
                run.count = run.count.saturating_add(1);
                None
            }
            _ => self.run.replace(new),
        }
    }
}
