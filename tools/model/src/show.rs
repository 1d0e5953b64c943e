// SPDX-License-Identifier: GPL-2.0

//! A state in one line, for people who read a counterexample.

use crate::{
    host::{Departing, Hold, Host, Owner, Record, Served, Stage},
    state::{Cxl, CxlWork, State},
};
use std::fmt;

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", if self.slow { "probing" } else { "settled" })?;
        if !self.window {
            f.write_str(", no window")?;
        }
        if self.rescan {
            f.write_str(", rescan queued")?;
        }
        write!(f, "; hmem {:?}, cxl {}", self.hmem, self.cxl)?;
        for (r, region) in self.regions.iter().enumerate() {
            if *region != Default::default() {
                write!(f, "; region{r} {:?} dax {:?}", region.life, region.dax)?;
                for (is, what) in [
                    (region.committed, " committed"),
                    (region.hidden, " hidden"),
                    (region.lost, " lost"),
                    (region.waits_for_probes, " waits for probes"),
                ] {
                    f.write_str(if is { what } else { "" })?;
                }
            }
        }
        for (units, what) in [
            (self.history, "seen"),
            (self.ghost.undone, "undecoded"),
            (self.online, "left online"),
        ] {
            if !units.is_empty() {
                write!(f, "; {what} {units}")?;
            }
        }
        if self.newcomer {
            f.write_str("; new device probing")?;
        }
        if let Some(host) = &self.current {
            write!(f, "; {host}")?;
        }
        if let Some(host) = &self.old {
            write!(f, "; earlier: {host}")?;
        }
        if let Some(run) = &self.queue.run {
            write!(f, "; run {:?}", run.at)?;
            if run.job.is_some() {
                f.write_str(" serving")?;
            }
        }
        match self.queue.pending.iter().flatten().count() {
            0 => Ok(()),
            n => write!(f, "; {n} queued"),
        }
    }
}

impl fmt::Display for Cxl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unloading = if self.unloading { " unloading" } else { "" };
        match self.work {
            CxlWork::None => write!(f, "Gone"),
            CxlWork::Flushing(n) => write!(f, "Flushing {n}{unloading}"),
            CxlWork::Flushed => write!(f, "Flushed{unloading}"),
            CxlWork::Done(true) => write!(f, "Registered{unloading}"),
            CxlWork::Done(false) => write!(f, "NotRegistered{unloading}"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.stage {
            Stage::Starting(..) => write!(f, "Starting")?,
            stage => write!(f, "{stage:?}")?,
        }
        if self.settled {
            f.write_str(" told")?;
        }
        for (r, departing) in self.departing.iter().enumerate() {
            if *departing != Departing::No {
                write!(f, " region{r} {departing:?}")?;
            }
        }
        for record in self.records.iter().flatten() {
            write!(f, " [{record}]")?;
        }
        Ok(())
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.owner {
            Owner::Cxl(false) => write!(f, "CXL early")?,
            Owner::Cxl(true) => write!(f, "CXL")?,
            owner => write!(f, "{owner:?}")?,
        }
        for served in self.served.iter().flatten() {
            write!(f, " {served}")?;
        }
        if !self.left.is_empty() {
            write!(f, " left {}", self.left)?;
        }
        Ok(())
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hmem@{}", self.units)?;
        if self.hold != Hold::Bound {
            write!(f, "/{:?}", self.hold)?;
        }
        if self.owed.contains(&true) {
            f.write_str("/owed")?;
        }
        Ok(())
    }
}
