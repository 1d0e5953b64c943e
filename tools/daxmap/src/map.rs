// SPDX-License-Identifier: GPL-2.0

//! The model of one machine.

use serde::Serialize;

use crate::cxl::{self, EndpointDecoder, Memdev, PortDecoder, Region, Window};
use crate::dax::{self, DaxDevice, HmemDevice, HmemPlatform};
use crate::decode::{self, Dead, Unsure};
use crate::dkms::{self, FailedBuild};
use crate::firmware;
use crate::host::{self, Card, Host};
use crate::iomem::{self, is_system_ram, Iomem, Resource};
use crate::ledger::{self, Ledger, Outcome};
use crate::log::{self, Event, Message, Spoken};
use crate::memory::{self, Memory};
use crate::modules::{self, Drivers, Module};
use crate::own::{self, Owner, Piece, State};
use crate::range::{covered_bytes, Range};
use crate::reserved::{self, Reserved};
use crate::scan::{Gap, Scan};
use crate::tree::{Lists, Tree};
use crate::unsound::{self, Unsound};

/// Everything known about a machine's Soft Reserved and CXL memory.
#[derive(Clone, Debug, Serialize)]
pub struct Map {
    /// Kernel release, such as `7.3.4`.
    pub release: Option<String>,
    /// Whose dax_hmem runs.
    pub drivers: Drivers,
    /// Soft Reserved ranges with their owners, in order of address.
    pub reserved: Vec<Reserved>,
    /// CXL windows.
    pub windows: Vec<Window>,
    /// CXL regions.
    pub regions: Vec<Region>,
    /// CXL memory devices.
    pub memdevs: Vec<Memdev>,
    /// Decoders of the memory devices.
    pub endpoints: Vec<EndpointDecoder>,
    /// Decoders of host bridges and switches.
    #[serde(skip)]
    pub ports: Vec<PortDecoder>,
    /// Memory that nothing answers for.
    pub dead: Vec<Dead>,
    /// Memory of which it cannot be known whether anything answers for it.
    #[serde(skip)]
    pub unsure: Vec<Unsure>,
    /// What only `memmap=` on the command line declares.
    #[serde(skip)]
    pub by_hand: Vec<Range>,
    /// All that firmware declares Soft Reserved is known. Without, what is not known may be declared.
    pub has_memory_map: bool,
    /// Memory in use that is not to be relied on.
    pub unsound: Vec<Unsound>,
    /// CXL memory cards that are no memory device: what they decode is not known.
    #[serde(skip)]
    pub unknown_cards: Vec<Card>,
    /// What is known of the platform and the kernel's parameters.
    #[serde(skip)]
    pub host: Host,
    /// Which parts of a machine the source holds.
    #[serde(skip)]
    pub in_source: Parts,
    /// The kernel has the CXL drivers and was built without CONFIG_CXL_REGION.
    #[serde(skip)]
    pub without_regions: bool,
    /// hmem platform devices.
    pub hmem: Vec<HmemDevice>,
    /// The device dax_hmem decides through.
    pub platform: HmemPlatform,
    /// Dax devices.
    pub dax: Vec<DaxDevice>,
    /// Memory blocks and nodes.
    pub memory: Memory,
    /// Modules concerned.
    pub modules: Vec<Module>,
    /// Why DKMS has no module of ours for this kernel, if a build failed.
    #[serde(skip)]
    pub failed_build: Option<FailedBuild>,
    /// The kernel's resource tree; empty if hidden from this user.
    pub iomem: Vec<Resource>,
    /// The ledger of the Rust modules; `None` with others.
    pub ledger: Option<Ledger>,
    /// The kernel log, as far as it is about these.
    pub log: Vec<Message>,
    /// What the resource tree lists whose addresses are hidden from who printed it.
    #[serde(skip)]
    pub hidden: Vec<String>,
    /// Dax devices of which only lines of the log tell, where nothing else was given.
    #[serde(skip)]
    pub spoken: Vec<Spoken>,
    /// What could not be read.
    pub gaps: Vec<Gap>,
}

/// Which parts of a machine a source holds: somebody may have pasted a log and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Devices in sysfs.
    pub sysfs: bool,
    /// The resource tree.
    pub iomem: bool,
    /// The kernel log, even if it says nothing of interest.
    pub log: bool,
    /// Lines of the log with addresses in them that could not be read.
    pub unread: bool,
    /// What the lists are short of.
    pub lists: Lists,
}

impl Map {
    /// Whether the kernel is known to be older than this release.
    pub fn kernel_is_before(&self, major: u32, minor: u32) -> bool {
        let release = self.release.as_deref().unwrap_or_default();
        let mut numbers = release
            .split(|c: char| !c.is_ascii_digit())
            .map_while(|n| n.parse().ok());
        let found: Option<(u32, u32)> = numbers.next().zip(numbers.next());
        found.is_some_and(|found| found < (major, minor))
    }

    /// Reads a tree.
    pub fn read(tree: &Tree) -> Map {
        let scan = Scan::new(tree);
        let iomem = iomem::read(&scan);
        let log_text = scan.log();
        let log = log::parse(log_text.as_deref().unwrap_or_default());
        let ledger = ledger::read(&scan);
        let release = scan.value("proc/sys/kernel/osrelease");
        let modules = modules::read(&scan, release.as_deref());
        let failed_build = dkms::read(&scan, release.as_deref());
        let mut dax = dax::devices(&scan, &iomem);
        if tree.is_pasted() {
            dax::place_by_log(&mut dax, &log);
        }
        let hmem = dax::hmem(&scan, &dax);
        let mut cxl = cxl::read(&scan);
        for region in &mut cxl.regions {
            let is_told =
                |e: &Event| matches!(e, Event::AttachFailed { region: r, .. } if *r == region.name);
            region.is_refused = log.iter().any(|m| is_told(&m.event));
            region.is_held = cxl::is_held(region, &cxl.endpoints);
        }
        let mut in_source = Parts {
            sysfs: !tree.is_pasted() && (scan.exists("sys/bus") || scan.exists("sys/devices")),
            iomem: scan.exists("proc/iomem"),
            log: log_text.is_some(),
            unread: false,
            lists: tree.lists(),
        };
        if !in_source.sysfs {
            cxl::given::add_regions(&mut cxl.regions, &iomem, &log);
            in_source.unread = scan.gap_of_log(log_text.as_deref().unwrap_or_default());
        }
        let platform = dax::platform(&scan);
        let hmem_runs = platform.bound || hmem.iter().any(|h| h.driver.is_some());
        let mut map = Map {
            drivers: modules::drivers(&scan, &modules, ledger.is_some(), hmem_runs),
            unknown_cards: host::unknown_cards(&scan, &cxl.memdevs, &log),
            host: host::read(&scan),
            in_source,
            endpoints: cxl.endpoints,
            ports: cxl.ports,
            dead: Vec::new(),
            unsure: Vec::new(),
            by_hand: Vec::new(),
            has_memory_map: false,
            unsound: Vec::new(),
            release,
            reserved: Vec::new(),
            windows: name_windows(cxl.windows, &iomem),
            regions: cxl.regions,
            memdevs: cxl.memdevs,
            without_regions: scan.exists("sys/bus/cxl/drivers/cxl_mem")
                && !scan.exists("sys/bus/cxl/drivers/cxl_region"),
            hmem,
            platform,
            dax,
            memory: memory::read(&scan),
            modules,
            failed_build,
            iomem: iomem.resources,
            ledger,
            log,
            spoken: Vec::new(),
            hidden: iomem.hidden_names,
            gaps: Vec::new(),
        };
        map.has_memory_map = reserved::is_complete(&map, &scan);
        let ranges = reserved::find(
            &map,
            &firmware::memmap(&scan),
            &firmware::command_line(&map.host.command_line),
        );
        let declared: Vec<Range> = ranges.iter().map(|r| r.range).collect();
        cxl::given::settle_sizes(&scan, &mut map.regions, &declared);
        own::place_hmem(&mut map, &ranges);
        map.by_hand = reserved::by_hand(&map, &ranges);
        let behind = decode::find(&map, &memory_of(&map, &ranges), &map.by_hand);
        map.dead = behind.dead;
        map.unsure = behind.unsure;
        map.unsound = unsound::find(&map);
        map.reserved = ranges
            .into_iter()
            .map(|r| Reserved {
                pieces: own::pieces(&map, r.range),
                windows: map.windows_of(&r.range),
                range: r.range,
                sources: r.sources,
            })
            .collect();
        map.spoken = reserved::spoken(&map);
        if in_source.sysfs && !(map.reserved.is_empty() && map.regions.is_empty()) {
            memory::expect(&scan);
        }
        map.gaps = scan.into_gaps();
        map
    }

    /// Bytes of `range` that are System RAM and online; `None` if neither memory blocks nor the
    /// resource tree can be read.
    pub fn online_bytes(&self, range: Range) -> Option<u64> {
        self.block_bytes(range, true)
    }

    /// Bytes of `range` in memory blocks that are there but not online.
    pub fn offline_bytes(&self, range: Range) -> Option<u64> {
        self.block_bytes(range, false)
    }

    fn block_bytes(&self, range: Range, online: bool) -> Option<u64> {
        let parts = self.block_ranges(range, online)?;
        Some(covered_bytes(&range, &parts))
    }

    /// What of `range` is System RAM in memory blocks that are online, or that are not.
    pub(crate) fn block_ranges(&self, range: Range, online: bool) -> Option<Vec<Range>> {
        let ram: Vec<Range> = self
            .iomem
            .iter()
            .filter(|r| is_system_ram(&r.name))
            .filter_map(|r| r.range.overlap(&range))
            .collect();
        if self.memory.blocks.is_empty() {
            return (online && !self.iomem.is_empty()).then_some(ram);
        }
        let blocks = self
            .memory
            .blocks
            .iter()
            .filter(|b| b.is_online() == online)
            .filter_map(|b| b.range.overlap(&range));
        // A block may reach beyond the memory in it: at the edge of DRAM, a Soft Reserved neighbour.
        Some(if self.iomem.is_empty() {
            blocks.collect()
        } else {
            blocks
                .flat_map(|b| ram.iter().filter_map(move |r| r.overlap(&b)))
                .collect()
        })
    }

    /// The lines of `/proc/iomem` about Soft Reserved ranges and CXL windows, as the kernel prints
    /// them; empty if they are hidden from this user.
    pub fn iomem_excerpt(&self) -> String {
        let mut ranges: Vec<Range> = self.reserved.iter().map(|r| r.range).collect();
        ranges.extend(self.windows.iter().filter_map(|w| w.range));
        iomem::render(&iomem::excerpt(&self.iomem, &ranges))
    }

    /// What a region's addresses are used for; `None` before it has any.
    pub fn region_piece(&self, region: &Region) -> Option<Piece> {
        Some(own::piece_of_region(self, region, region.range?))
    }

    /// Who has a region's addresses in its place: it is committed and lost them.
    pub fn holder_of(&self, region: &Region) -> Option<Owner> {
        let range = region.range.filter(|_| region.is_committed())?;
        if region.dax_driver.is_some() {
            return None;
        }
        let pieces = self.reserved.iter().flat_map(|r| &r.pieces);
        let holders: Vec<&Owner> = pieces
            .filter(|p| p.range.overlaps(&range))
            .map(|p| &p.owner)
            .filter(|o| matches!(o, Owner::Hmem { .. } | Owner::SystemRam))
            .collect();
        // Of several, the one that the driver met.
        let met = self.outcome_of(region).and_then(|o| o.lost_to.as_ref());
        let is_met = |o: &&&Owner| matches!(o, Owner::Hmem { device } if Some(device) == met);
        let holder = holders.iter().find(is_met).or(holders.first())?;
        Some((*holder).clone())
    }

    /// Whether it cannot be known who has a region's addresses, for what tells it could not be read.
    pub fn is_holder_unknown(&self, region: &Region) -> bool {
        let range = region
            .range
            .filter(|_| region.is_committed() && region.dax_driver.is_none());
        let mut pieces = self.reserved.iter().flat_map(|r| &r.pieces);
        let unknown = |p: &Piece| p.owner == Owner::Unknown;
        range.is_some_and(|range| pieces.any(|p| unknown(p) && p.range.overlaps(&range)))
    }

    /// What the ledger says of a region's last probe.
    pub fn outcome_of(&self, region: &Region) -> Option<&Outcome> {
        let outcomes = &self.ledger.as_ref()?.outcomes;
        outcomes
            .iter()
            .rev()
            .find(|o| o.region == region.name && (o.range.is_none() || o.range == region.range))
    }

    /// Whether ownership is settled; `None` if nothing says it.
    ///
    /// The Rust modules say it. With others it is settled when each range has an owner or a driver
    /// that failed; a range that nobody has may still be waited for, and nothing shows that.
    pub fn settled(&self) -> Option<bool> {
        if let Some(word) = &self.platform.ownership {
            return Some(word == "settled");
        }
        let mut pieces = self.reserved.iter().flat_map(|r| &r.pieces);
        if pieces.clone().any(|p| p.state == State::Deferred) {
            return Some(false);
        }
        let decided = pieces.all(|p| {
            !matches!(p.owner, Owner::Nobody | Owner::Unknown) || p.state == State::Failed
        });
        decided.then_some(true)
    }

    /// Whether this kernel has no dax_cxl, so that HMEM serves everything.
    pub fn is_without_dax_cxl(&self) -> bool {
        let absent = |m: &Module| m.presence == modules::Presence::Absent;
        self.module("dax_cxl").is_some_and(absent)
    }

    /// A module by name.
    pub fn module(&self, name: &str) -> Option<&Module> {
        self.modules.iter().find(|m| m.name == name)
    }

    /// A region by name.
    pub fn region(&self, name: &str) -> Option<&Region> {
        self.regions.iter().find(|r| r.name == name)
    }

    /// Names of the windows that share bytes with `range`.
    pub fn windows_of(&self, range: &Range) -> Vec<String> {
        self.windows
            .iter()
            .filter(|w| w.range.is_some_and(|r| r.overlaps(range)))
            .map(|w| w.label().to_string())
            .collect()
    }

    /// Committed regions that share bytes with `range`.
    pub fn committed_in<'a>(&'a self, range: &'a Range) -> impl Iterator<Item = &'a Region> {
        self.regions
            .iter()
            .filter(|r| r.is_committed() && r.range.is_some_and(|x| x.overlaps(range)))
    }
}

/// Memory that is declared, or that a dax device has: it should have something behind it.
fn memory_of(map: &Map, reserved: &[reserved::Found]) -> Vec<Range> {
    let mut out: Vec<Range> = reserved.iter().map(|r| r.range).collect();
    let ours = |d: &&DaxDevice| d.driver.is_some() || !matches!(d.parent, dax::Parent::Other(_));
    let dax = map.dax.iter().filter(ours);
    out.extend(dax.flat_map(|d| d.ranges.iter().copied()));
    let kmem = map.iomem.iter().filter(|r| iomem::is_kmem(&r.name));
    out.extend(kmem.map(|r| r.range));
    out
}

/// Gives windows the names they have in `/proc/iomem`, and adds those that sysfs does not show.
fn name_windows(mut windows: Vec<Window>, iomem: &Iomem) -> Vec<Window> {
    let named = iomem
        .resources
        .iter()
        .filter(|r| r.name.starts_with("CXL Window"));
    for resource in named {
        match windows.iter_mut().find(|w| w.range == Some(resource.range)) {
            Some(window) => window.name = Some(resource.name.clone()),
            None => windows.push(Window {
                decoder: String::new(),
                name: Some(resource.name.clone()),
                range: Some(resource.range),
                size: Some(resource.range.len()),
                ..Window::default()
            }),
        }
    }
    windows.sort_by_key(|w| w.range);
    windows
}
