// SPDX-License-Identifier: GPL-2.0

//! A small machine: windows with a host bridge or two and at most one device below each, or an
//! accelerator, what firmware declares, and what the kernel made of it. [`tree`] writes it as files,
//! [`run`] does what a command does.

pub mod run;
mod sane;
pub mod tree;

use daxmap::Range;

/// The unit of CXL regions; two memory blocks.
pub const UNIT: u64 = 256 << 20;
/// Of a device.
pub const CAPACITY: u64 = 4 * UNIT;

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
}

pub const KINDS: [Kind; 27] = [
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
];

/// The number of a window's second device, whose bridge is its own.
pub fn second(window: usize) -> usize {
    window + 5
}

/// A memory device.
#[derive(Clone, Debug)]
pub struct Mem {
    /// Its own number, and its bridge's: that of the window, or [`second`].
    pub id: usize,
    pub window: usize,
    pub bound: bool,
    /// What it maps without a decoder that shows it.
    pub hidden: Option<Range>,
}

#[derive(Clone, Debug)]
pub struct Region {
    pub window: usize,
    pub range: Range,
    pub committed: bool,
    pub bound: bool,
    /// dax_cxl has it.
    pub served: bool,
    /// Its devices, in order; fewer than its ways if some are gone.
    pub mems: Vec<usize>,
    pub ways: usize,
    pub accelerator: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    None,
    Online,
    Offline,
    File,
}

#[derive(Clone, Debug)]
pub struct Dax {
    pub name: String,
    /// Number of the hmem device, or of the region.
    pub hmem: Option<usize>,
    pub region: Option<usize>,
    pub range: Option<Range>,
    pub used: Use,
    /// kmem has it, though its memory may be unplugged.
    pub kmem: bool,
    pub has_node: bool,
}

#[derive(Clone, Debug)]
pub struct Hmem {
    pub id: usize,
    pub range: Range,
    pub bound: bool,
    pub has_node: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub windows: Vec<Range>,
    /// Which windows interleave over two bridges, and which take accelerators only.
    pub two: Vec<bool>,
    pub type2: Vec<bool>,
    pub mems: Vec<Mem>,
    pub regions: Vec<Region>,
    pub hmems: Vec<Hmem>,
    pub dax: Vec<Dax>,
    pub declared: Vec<Range>,
    /// Plain System RAM in windows.
    pub ram: Vec<Range>,
    /// kmem has the attribute `state` (since 7.2).
    pub has_state: bool,
    pub has_dax_cxl: bool,
    /// The log has lost the memory map, and nothing else has it.
    pub map_lost: bool,
    pub log: Vec<String>,
}

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
        )
    }

    fn is_accelerator(self) -> bool {
        matches!(self, Kind::Accelerator | Kind::AcceleratorUsed)
    }
}

impl Region {
    /// Bytes of each device.
    pub fn each(&self) -> u64 {
        self.range.len() / self.ways as u64
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
        );
        if kind != Kind::Gone && !kind.is_accelerator() {
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
            Kind::Offline => self.hmem(window, whole, Use::Offline),
            Kind::Unplugged | Kind::NoNode => self.hmem(window, whole, Use::None),
            Kind::Unbound => self.hmems.push(Hmem {
                id: window,
                range: whole,
                bound: false,
                has_node: true,
            }),
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
            _ => {}
        }
        if !matches!(
            kind,
            Kind::Over | Kind::Blank | Kind::NoDriver | Kind::TwoBlank | Kind::Ram
        ) {
            self.declared.push(whole);
        }
    }

    fn region(&mut self, window: usize, range: Range, committed: bool, served: bool) {
        let served = served && self.has_dax_cxl;
        let own = self.mems.iter().filter(|m| m.window == window);
        let mems: Vec<usize> = own.map(|m| m.id).collect();
        if served {
            self.dax.push(Dax {
                name: format!("dax{}.0", 10 + self.regions.len()),
                hmem: None,
                region: Some(self.regions.len()),
                range: Some(range),
                used: Use::Online,
                kmem: true,
                has_node: true,
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
        });
    }
}
