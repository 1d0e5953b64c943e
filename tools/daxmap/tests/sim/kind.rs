// SPDX-License-Identifier: GPL-2.0

//! What is found in a window, and the machine that is made of it.

use super::{second, Dax, Free, Hmem, Machine, Mem, Region, Use, FIRST_REGION, UNIT};
use daxmap::Range;

/// What is found in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A region, committed and served.
    Served,
    /// A region of half the device.
    Partial,
    /// A region whose decoders were reset.
    Reset,
    /// A committed region that dax_cxl does not have.
    Idle,
    /// A committed region whose memory HMEM has.
    Lost,
    /// A declared range larger than the region in it: kmem cannot reserve it, and its end is dead.
    Over,
    /// HMEM serves memory of a device that shows no decoder.
    Hmem,
    /// The same, offline.
    Offline,
    /// The same, taken out by hand.
    Unplugged,
    /// The same, the hmem device unbound by hand.
    Unbound,
    /// The same, without a node.
    NoNode,
    /// The same, divided: a file, System RAM, and room.
    Divided,
    /// Declared, the device blank, left to CXL.
    Left,
    /// The same, and the device maps it, though it shows no decoder.
    LeftHidden,
    /// Declared, without device.
    Gone,
    /// HMEM serves addresses that the device no longer maps: its region is elsewhere.
    Behind,
    /// Nothing is declared, the device is blank.
    Blank,
    /// The device has no driver.
    NoDriver,
    /// A region of the half of two devices, committed and served.
    Two,
    /// The same, and dax_cxl does not have it.
    TwoIdle,
    /// The same, and its decoders were reset.
    TwoReset,
    /// Two devices behind one window, blank; nothing is declared.
    TwoBlank,
    /// An interleave set lacks a device, and nobody uses it.
    Missing,
    /// The same, and HMEM serves it.
    MissingUsed,
    /// Firmware gave the memory of a device that shows no decoder as plain RAM.
    Ram,
    /// An accelerator's region, which its driver has.
    Accelerator,
    /// The same, and HMEM took its memory.
    AcceleratorUsed,
    /// HMEM has memory of a device that shows no decoder, and gave none of it to its dax device.
    Seed,
    /// HMEM serves such memory, and no driver has its dax device.
    Loose,
    /// The same, and kmem could not reserve it, for what has gone since.
    Held,
    /// The probe of its hmem device failed.
    Failed,
    /// A region, committed, whose driver was unbound.
    Disabled,
    /// The same; firmware does not declare it.
    DisabledAlone,
    /// dax_cxl has a region, and its dax device has no size.
    RegionSeed,
    /// The same, without a dax device.
    RegionEmpty,
    /// The region of declared memory was torn down, and its device is blank.
    Torn,
    /// An interleave set lacks a device that is there, and blank.
    MissingBlank,
    /// Memory outside of windows, which HMEM serves.
    Plain,
}

pub const KINDS: [Kind; 38] = [
    Kind::Served,
    Kind::Partial,
    Kind::Reset,
    Kind::Idle,
    Kind::Lost,
    Kind::Over,
    Kind::Hmem,
    Kind::Offline,
    Kind::Unplugged,
    Kind::Unbound,
    Kind::NoNode,
    Kind::Divided,
    Kind::Left,
    Kind::LeftHidden,
    Kind::Gone,
    Kind::Behind,
    Kind::Blank,
    Kind::NoDriver,
    Kind::Two,
    Kind::TwoIdle,
    Kind::TwoReset,
    Kind::TwoBlank,
    Kind::Missing,
    Kind::MissingUsed,
    Kind::Ram,
    Kind::Accelerator,
    Kind::AcceleratorUsed,
    Kind::Seed,
    Kind::Loose,
    Kind::Held,
    Kind::Failed,
    Kind::Disabled,
    Kind::DisabledAlone,
    Kind::RegionSeed,
    Kind::RegionEmpty,
    Kind::Torn,
    Kind::MissingBlank,
    Kind::Plain,
];

impl Kind {
    fn is_two(self) -> bool {
        matches!(
            self,
            Kind::Two
                | Kind::TwoIdle
                | Kind::TwoReset
                | Kind::TwoBlank
                | Kind::Missing
                | Kind::MissingUsed
                | Kind::MissingBlank
        )
    }

    fn is_accelerator(self) -> bool {
        matches!(self, Kind::Accelerator | Kind::AcceleratorUsed)
    }
}

fn at(start: u64, units: u64) -> Range {
    Range::with_size(start, units * UNIT).unwrap()
}

impl Machine {
    pub fn of(kinds: &[Kind], has_state: bool, has_dax_cxl: bool) -> Machine {
        let mut machine = Machine {
            has_state,
            has_dax_cxl,
            ..Machine::default()
        };
        for (i, kind) in kinds.iter().enumerate() {
            let base = 0x10_0000_0000 * (i as u64 + 1);
            machine.windows.push(at(base, 8));
            machine.two.push(kind.is_two());
            machine.type2.push(kind.is_accelerator());
            machine.plain.push(*kind == Kind::Plain);
            machine.fill(i, base, *kind);
        }
        machine
    }

    fn fill(&mut self, window: usize, base: u64, kind: Kind) {
        // Only by that attribute is memory taken out by hand.
        let kind = match kind {
            Kind::Unplugged if !self.has_state => Kind::Offline,
            other => other,
        };
        let whole = at(base, 4);
        let hidden = matches!(
            kind,
            Kind::Hmem
                | Kind::Offline
                | Kind::Unplugged
                | Kind::Unbound
                | Kind::NoNode
                | Kind::Divided
                | Kind::LeftHidden
                | Kind::Ram
                | Kind::Seed
                | Kind::Loose
                | Kind::Held
                | Kind::Failed
        );
        if !matches!(kind, Kind::Gone | Kind::Plain) && !kind.is_accelerator() {
            self.mems.push(Mem {
                id: window,
                window,
                bound: kind != Kind::NoDriver,
                hidden: hidden.then_some(whole),
            });
        }
        let is_missing = matches!(kind, Kind::Missing | Kind::MissingUsed);
        if kind.is_two() && !is_missing {
            self.mems.push(Mem {
                id: second(window),
                window,
                bound: true,
                hidden: None,
            });
        }
        match kind {
            Kind::Served => self.region(window, whole, true, true),
            Kind::Partial => self.region(window, at(base, 2), true, true),
            Kind::Reset => self.region(window, whole, false, false),
            Kind::Idle => self.region(window, whole, true, false),
            Kind::Lost => {
                self.region(window, whole, true, false);
                self.hmem(window, whole, Use::Online);
            }
            Kind::Over => {
                self.region(window, whole, true, false);
                let range = at(base, 6);
                self.hmem(window, range, Use::None);
                self.log.push(format!(
                    "kmem dax{window}.0: mapping0: {range} could not reserve region"
                ));
                self.declared.push(range);
            }
            Kind::Hmem => self.hmem(window, whole, Use::Online),
            Kind::Plain => self.hmem(window, whole, Use::Online),
            Kind::Offline => self.hmem(window, whole, Use::Offline),
            Kind::Unplugged | Kind::NoNode | Kind::Seed | Kind::Loose => {
                self.hmem(window, whole, Use::None);
            }
            Kind::Held => {
                self.hmem(window, whole, Use::None);
                self.log.push(format!(
                    "kmem dax{window}.0: mapping0: {whole} could not reserve region"
                ));
            }
            Kind::Unbound => self.idle_hmem(window, whole),
            Kind::Failed => {
                self.idle_hmem(window, whole);
                self.log.push(format!(
                    "hmem hmem.{window}: probe with driver hmem failed with error -12"
                ));
            }
            Kind::Disabled | Kind::DisabledAlone => {
                self.region(window, whole, true, false);
                self.regions.last_mut().unwrap().bound = false;
            }
            Kind::RegionSeed | Kind::RegionEmpty => {
                self.region(window, whole, true, true);
                if let Some(dax) = self.dax.last_mut().filter(|_| self.has_dax_cxl) {
                    (dax.range, dax.used, dax.kmem) = (None, Use::None, false);
                }
            }
            Kind::Torn => self.free.push(Free {
                range: whole,
                reason: "region-torn-down",
                hmem: None,
            }),
            Kind::MissingBlank => {
                self.region(window, whole, false, false);
                self.regions.last_mut().unwrap().mems.pop();
            }
            Kind::Divided => {
                self.hmem(window, whole, Use::File);
                self.dax.last_mut().unwrap().range = Some(at(base, 1));
                let mut second = self.dax.last().unwrap().clone();
                second.name = format!("dax{window}.1");
                second.range = Some(at(base + UNIT, 2));
                second.used = Use::Online;
                second.kmem = true;
                self.dax.push(second);
            }
            Kind::Behind => {
                self.hmem(window, whole, Use::Online);
                self.region(window, at(base + 4 * UNIT, 4), true, true);
            }
            Kind::Two => self.region(window, whole, true, true),
            Kind::TwoIdle | Kind::Accelerator => self.region(window, whole, true, false),
            Kind::TwoReset | Kind::Missing => self.region(window, whole, false, false),
            Kind::MissingUsed => {
                self.region(window, whole, false, false);
                self.hmem(window, whole, Use::Online);
            }
            Kind::AcceleratorUsed => {
                self.region(window, whole, true, false);
                self.hmem(window, whole, Use::Online);
            }
            Kind::Ram => self.ram.push(whole),
            Kind::Left
            | Kind::LeftHidden
            | Kind::Gone
            | Kind::Blank
            | Kind::NoDriver
            | Kind::TwoBlank => {}
        }
        match kind {
            Kind::Unplugged => self.dax.last_mut().unwrap().kmem = true,
            Kind::NoNode => {
                self.dax.last_mut().unwrap().has_node = false;
                self.hmems.last_mut().unwrap().has_node = false;
            }
            Kind::Seed => {
                let seed = self.dax.last_mut().unwrap();
                (seed.range, seed.by_name) = (None, true);
            }
            Kind::RegionEmpty if self.has_dax_cxl => {
                self.dax.pop();
            }
            _ => {}
        }
        if !matches!(
            kind,
            Kind::Over
                | Kind::Blank
                | Kind::NoDriver
                | Kind::TwoBlank
                | Kind::Ram
                | Kind::DisabledAlone
        ) {
            self.declared.push(whole);
        }
    }

    pub fn region(&mut self, window: usize, range: Range, committed: bool, served: bool) {
        let served = served && self.dax_cxl_runs();
        let own = self.mems.iter().filter(|m| m.window == window);
        let mems: Vec<usize> = own.map(|m| m.id).collect();
        if served {
            self.dax.push(Dax {
                name: format!("dax{}.0", FIRST_REGION + self.regions.len()),
                hmem: None,
                region: Some(self.regions.len()),
                range: Some(range),
                used: Use::Online,
                kmem: true,
                has_node: true,
                by_name: false,
            });
        }
        self.regions.push(Region {
            window,
            range,
            committed,
            bound: committed,
            served,
            mems,
            ways: if self.two[window] { 2 } else { 1 },
            accelerator: self.type2[window],
            gone: false,
        });
    }

    fn hmem(&mut self, id: usize, range: Range, used: Use) {
        self.hmems.push(Hmem {
            id,
            range,
            bound: true,
            has_node: true,
        });
        self.dax.push(Dax {
            name: format!("dax{id}.0"),
            hmem: Some(id),
            region: None,
            range: Some(range),
            used,
            kmem: matches!(used, Use::Online | Use::Offline),
            has_node: true,
            by_name: false,
        });
    }

    /// An hmem device without a driver.
    fn idle_hmem(&mut self, id: usize, range: Range) {
        self.hmems.push(Hmem {
            id,
            range,
            bound: false,
            has_node: true,
        });
    }
}
