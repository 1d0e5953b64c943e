// SPDX-License-Identifier: GPL-2.0

//! What follows from the forecasts: install the Rust drivers, change the policy, reboot, or nothing.

use daxmap::modules::Drivers;
use daxmap::predict::{Decider, Forecast, Layout, Part, Policy, OVERWRITTEN};
use daxmap::range::subtract;
use daxmap::size::Total as _;
use daxmap::{Map, Owner, Piece, Range};

use crate::show::{self, Look};

/// What is made of the memory now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// System RAM that is online, and files.
    pub used: u64,
    /// System RAM that is offline.
    pub offline: u64,
    /// What of the files kmem cannot make System RAM of, because it is no whole memory block.
    beyond_blocks: u64,
}

/// The sums that the advice is made of.
pub struct Advice {
    /// Soft Reserved memory and committed volatile regions, without what other drivers have.
    pub total: u64,
    /// What is made of it now; `None` if that cannot be known.
    pub now: Option<Now>,
    drivers: Drivers,
    policy: Policy,
    policy_now: Policy,
    rust: u64,
    other_policy: u64,
    c: u64,
    /// What the drivers would take of other drivers' memory: the Rust ones, and the kernel's own.
    foreign: (u64, u64),
    /// What the kernel's own drivers would overwrite of persistent memory.
    overwritten: u64,
    is_offline_wanted: bool,
    refused: Option<String>,
    is_unlisted: bool,
    is_unregistered: bool,
    missing: Vec<String>,
}

impl Advice {
    pub fn of(map: &Map, layout: &Layout, policy: Policy) -> Advice {
        // What an accelerator's driver has is nobody's gain.
        let is_foreign = |p: &Part| {
            let mut foreign = layout.regions.iter().filter(|r| r.is_foreign);
            p.foreign.is_some() || foreign.any(|r| r.range.overlaps(&p.range))
        };
        let sum = |decider, of: &dyn Fn(&Part) -> bool| {
            let parts = Forecast::of(layout, decider).parts;
            parts.iter().filter(|p| of(p)).map(Part::used_bytes).total()
        };
        let ram = |decider| sum(decider, &|p| !is_foreign(p));
        let other = match policy {
            Policy::Whole => Policy::Split,
            Policy::Split => Policy::Whole,
        };
        Advice {
            total: Forecast::of(layout, Decider::C).bytes(),
            now: now(map, layout.block_size),
            drivers: map.drivers,
            policy,
            policy_now: layout.policy,
            rust: ram(Decider::Rust(policy)),
            other_policy: ram(Decider::Rust(other)),
            c: ram(Decider::C),
            foreign: (
                sum(Decider::Rust(policy), &is_foreign),
                sum(Decider::C, &is_foreign),
            ),
            overwritten: {
                let parts = Forecast::of(layout, Decider::C).parts;
                let is_kept =
                    |p: &&Part| p.hindrance.as_ref().is_some_and(|w| w.text == OVERWRITTEN);
                parts.iter().filter(is_kept).map(|p| p.ram_bytes).total()
            },
            is_offline_wanted: {
                let policy = map.memory.auto_online.as_deref();
                policy.is_none_or(|word| word == "offline")
            },
            refused: layout.refused.clone(),
            is_unlisted: layout.is_unlisted,
            is_unregistered: layout.is_unregistered,
            missing: layout.missing.clone(),
        }
    }

    /// What is so now.
    pub fn now_text(&self, map: &Map, look: &Look) -> String {
        let whose = match map.drivers {
            Drivers::Rust => "the Rust drivers run",
            Drivers::Stock => "the kernel's own drivers run",
            Drivers::None => "dax_hmem is not loaded",
            Drivers::Unknown => "which drivers run cannot be known",
        };
        match self.now {
            Some(_) if self.total == 0 => format!("nothing is theirs to use ({whose})"),
            Some(now) => {
                let offline = match now.offline {
                    0 => String::new(),
                    bytes => format!(", and {} System RAM that is offline", look.size(bytes)),
                };
                let used = show::part_of(now.used, self.total, look);
                format!("{used} in use{offline} ({whose})")
            }
            None => format!("how much is in use cannot be known ({whose})"),
        }
    }

    /// What to do.
    pub fn lines(&self, look: &Look) -> Vec<String> {
        if let Some(parameter) = &self.refused {
            return vec![format!(
                "mend {parameter} on the kernel command line or in /etc/modprobe.d: the Rust dax_hmem refuses to be \
                 loaded with it"
            )];
        }
        if self.is_unlisted {
            return vec![
                "remove device_hmem.disable from the kernel command line, and reboot: with it the kernel lists no \
                 Soft Reserved range, and only CXL regions are served"
                    .into(),
            ];
        }
        if !self.missing.is_empty() {
            return vec![format!(
                "no verdict: not in what was given: {}; `daxown capture FILE` on the machine, as root, holds all that \
                 is read",
                self.missing.join(", ")
            )];
        }
        let mut out = vec![self.drivers_line(look)];
        if self.is_unregistered {
            out.push(
                "the kernel registered no Soft Reserved range (hmem_platform.0 is not there), so neither has anything to \
                 decide about: use one that is built with CONFIG_DEV_DAX_HMEM"
                    .into(),
            );
        }
        if self.foreign.0 > 0 {
            out.push(format!(
                "careful: the Rust drivers would make System RAM of {} that another driver has: do not install \
                 them here",
                look.size(self.foreign.0)
            ));
        }
        if self.foreign.1 > 0 {
            out.push(format!(
                "careful: the kernel's own drivers would make System RAM of {} that another driver has, unless \
                 that driver comes first",
                look.size(self.foreign.1)
            ));
        }
        if self.overwritten > 0 {
            out.push(format!(
                "careful: the kernel's own drivers would make System RAM of {} of persistent memory, and overwrite \
                 what is kept there; the Rust drivers leave it alone",
                look.size(self.overwritten)
            ));
        }
        if self.other_policy > self.rust {
            let (word, more) = (self.other_word(), look.size(self.other_policy - self.rust));
            out.push(format!(
                "policy={word} (`options dax_hmem policy={word}` in /etc/modprobe.d) gives {more} more with the Rust drivers"
            ));
        }
        let same_drivers = match self.drivers {
            Drivers::Rust if self.policy == self.policy_now => self.rust,
            Drivers::Rust => self.other_policy,
            _ => self.c,
        };
        // What is offline by policy will be so again, and a file that is one by choice is counted as what kmem
        // would make of it.
        let now = self.now.map(|now| {
            let used = now.used.saturating_sub(now.beyond_blocks);
            match self.is_offline_wanted {
                true => used.saturating_add(now.offline),
                false => used,
            }
        });
        match now {
            Some(now) if now < same_drivers => out.push(format!(
                "a reboot alone gives {} more: what is missing now was lost after the boot, is off by choice, or \
                 waits for a driver; `daxown doctor` says which",
                look.size(same_drivers - now)
            )),
            Some(now) if now > same_drivers && self.drivers != Drivers::None => out.push(format!(
                "a reboot alone gives {} less: what is in use now was put right by hand",
                look.size(now - same_drivers)
            )),
            _ => {}
        }
        out
    }

    fn drivers_line(&self, look: &Look) -> String {
        let size = |bytes| look.size(bytes);
        match (self.drivers, self.rust.cmp(&self.c)) {
            (Drivers::Rust, std::cmp::Ordering::Greater) => format!(
                "keep the Rust drivers: the kernel's own would lose {}",
                size(self.rust - self.c)
            ),
            (Drivers::Rust, std::cmp::Ordering::Equal) => {
                "the kernel's own drivers would make as much of it System RAM".into()
            }
            (Drivers::Rust, std::cmp::Ordering::Less) => format!(
                "the kernel's own drivers would make {} more of it System RAM",
                size(self.c - self.rust)
            ),
            (_, std::cmp::Ordering::Greater) => format!(
                "install the Rust drivers: {} more than with the kernel's own",
                size(self.rust - self.c)
            ),
            (_, std::cmp::Ordering::Equal) => {
                "nothing to gain here: both drivers make as much of it System RAM".into()
            }
            (_, std::cmp::Ordering::Less) => format!(
                "stay with the kernel's own drivers: the Rust drivers would lose {}",
                size(self.c - self.rust)
            ),
        }
    }

    fn other_word(&self) -> &'static str {
        match self.policy {
            Policy::Whole => "split",
            Policy::Split => "whole",
        }
    }
}

/// What is System RAM, online or not, or a file; what other drivers have is not counted.
fn now(map: &Map, block: u64) -> Option<Now> {
    let reserved: Vec<Range> = map.reserved.iter().map(|r| r.range).collect();
    let mut pieces: Vec<Piece> = map.reserved.iter().flat_map(|r| r.pieces.clone()).collect();
    for region in map.regions.iter().filter(|r| r.is_committed()) {
        let Some(range) = region
            .range
            .filter(|_| region.mode.as_deref() != Some("pmem") && !region.is_dynamic())
        else {
            continue;
        };
        let Some(piece) = map.region_piece(region) else {
            continue;
        };
        pieces.extend(subtract(range, &reserved).into_iter().map(|part| Piece {
            range: part,
            online_bytes: map.online_bytes(part),
            offline_bytes: map.offline_bytes(part),
            file_bytes: piece.file_bytes.min(part.len()),
            unsound_bytes: map.unsound_bytes(&part),
            ..piece.clone()
        }));
    }
    pieces.retain(|p| !matches!(p.owner, Owner::Driver { .. }));
    let none = Now {
        used: 0,
        offline: 0,
        beyond_blocks: 0,
    };
    pieces.iter().try_fold(none, |sum, p| {
        // What nothing is behind is not counted, now or then.
        let used = p.online_bytes?.saturating_add(p.file_bytes);
        let dead = map.dead_in(&p.range);
        let dead = dead.iter().filter_map(|d| map.offline_bytes(d.range));
        let offline = p.offline_bytes?.saturating_sub(dead.total());
        let used = used.saturating_sub(p.unsound_bytes);
        let files = map.dax.iter().filter(|d| d.is_file());
        let files = files.flat_map(|d| d.ranges.iter().filter_map(|r| r.overlap(&p.range)));
        let beyond = files.filter_map(|r| Some(r.len() - r.aligned_inside(block)?.len()));
        Some(Now {
            beyond_blocks: beyond.fold(sum.beyond_blocks, u64::saturating_add),
            used: sum.used.saturating_add(used),
            offline: sum.offline.saturating_add(offline),
        })
    })
}
