// SPDX-License-Identifier: GPL-2.0

//! `daxown assign`: hands memory to another owner, by the machinery of `fix`.

mod cxl;
mod file;
mod nobody;

use std::process::ExitCode;

use anyhow::{bail, Result};
use clap::ValueEnum;
use daxmap::cxl::Region;
use daxmap::dax::{DaxDevice, HmemDevice, Parent};
use daxmap::modules::Drivers;
use daxmap::problem;
use daxmap::range::merge;
use daxmap::{Map, Owner, Range, Tree};

use crate::cli::Global;
use crate::fix::step::Step;
use crate::fix::{carry_out, How, Now, Plan};
use crate::subject::Subject;

/// Who is to have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum To {
    /// The CXL region there, through dax_cxl
    Cxl,
    /// The hmem device there
    Hmem,
    /// Programs, as a /dev/daxN.M file
    File,
    /// No driver: for a driver of its own, or before the hardware goes
    Nobody,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Memory that programs use is taken offline first; that fails where the kernel cannot move their pages. What \
the drivers decide at the next boot does not change: see policy= and /etc/modprobe.d for that.

Exit status: as fix.

Examples:
  daxown assign region0 --to cxl --dry-run
                                  a region that HMEM has the memory of gets it
  daxown assign dax1.0 --to file
  daxown assign 0x490000000-0x4afffffff --to nobody")]
pub struct AssignArgs {
    /// An address, range, region, dax or hmem device
    #[arg(value_name = "RANGE|REGION|DEVICE")]
    pub what: String,
    /// Who is to have it
    #[arg(long, value_name = "OWNER")]
    pub to: To,
    #[command(flatten)]
    pub how: How,
}

pub fn run(global: &Global, args: &AssignArgs) -> Result<ExitCode> {
    let tree = Tree::open(global.path()?)?;
    let map = Map::read(&tree);
    let mut subject = Subject::find(&map, &args.what)?;
    if subject.ranges.is_empty() {
        let mut served = map.hmem.iter().filter(|h| h.driver.is_some());
        let hmem = served.find(|h| h.name == subject.name);
        subject.ranges = hmem.map_or(Vec::new(), |h| places(&map, h));
    }
    if subject.ranges.is_empty() {
        bail!("{}", unplaced(&map, &subject.name));
    }
    let goal = Goal {
        ranges: subject.ranges.clone(),
        to: args.to,
    };
    if goal.is_reached(&map) {
        crate::print(&format!("{} is with {} already\n", args.what, goal.word()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut draft = Draft::default();
    match args.to {
        To::Cxl => cxl::to_cxl(&map, &goal, &mut draft)?,
        To::Hmem => to_hmem(&map, &goal, &mut draft)?,
        To::File => file::to_file(&map, &goal, &mut draft.lines)?,
        To::Nobody => nobody::to_nobody(&map, &goal, &mut draft)?,
    }
    if let Some(why) = problem::refusal(&map, &draft.lines) {
        bail!("{}: {why}", args.what);
    }
    let title = format!("{} to {}", args.what, goal.word());
    let plan = Plan {
        title,
        steps: Step::all(&map, &draft.lines),
        remarks: draft.remarks,
    };
    let now = |map: &Map, _: &Plan| match goal.is_reached(map) {
        true => Now::Gone,
        false => Now::Same,
    };
    carry_out(global, &tree, &args.how, "assign", vec![plan], &now)
}

struct Goal {
    ranges: Vec<Range>,
    to: To,
}

impl Goal {
    fn word(&self) -> &'static str {
        match self.to {
            To::Cxl => "CXL",
            To::Hmem => "HMEM",
            To::File => "programs, as a file",
            To::Nobody => "nobody",
        }
    }

    fn meets(&self, range: &Range) -> bool {
        self.ranges.iter().any(|r| r.overlaps(range))
    }

    fn is_reached(&self, map: &Map) -> bool {
        let dax: Vec<&DaxDevice> = dax_of(map, self);
        let all = |is: &dyn Fn(&DaxDevice) -> bool| !dax.is_empty() && dax.iter().all(|d| is(d));
        match self.to {
            To::Cxl => all(&|d| matches!(d.parent, Parent::Region(_))),
            To::Hmem => all(&|d| matches!(d.parent, Parent::Hmem(_))),
            To::File => all(&|d| d.is_file()),
            To::Nobody => {
                let is_had = |o: &Owner| matches!(o, Owner::Driver { .. } | Owner::SystemRam);
                let has_hmem = hmem_of(map, self).iter().any(|h| h.driver.is_some());
                let is_served = regions_of(map, self).iter().any(|r| r.dax_driver.is_some());
                let is_free = dax.is_empty() && !has_hmem && !is_served;
                is_free && !owners(map, self).iter().any(is_had)
            }
        }
    }
}

/// Dax devices of which a byte is concerned.
fn dax_of<'a>(map: &'a Map, goal: &Goal) -> Vec<&'a DaxDevice> {
    let devices = map.dax.iter();
    devices
        .filter(|d| d.ranges.iter().any(|r| goal.meets(r)))
        .collect()
}

fn hmem_of<'a>(map: &'a Map, goal: &Goal) -> Vec<&'a HmemDevice> {
    let devices = map.hmem.iter();
    devices
        .filter(|h| places(map, h).iter().any(|r| goal.meets(r)))
        .collect()
}

/// The addresses of an hmem device: its own, or all that the ledger has for it.
fn places(map: &Map, hmem: &HmemDevice) -> Vec<Range> {
    let records = map.ledger.iter().flat_map(|l| &l.records);
    let own = records.filter(|r| r.dev.as_ref() == Some(&hmem.name));
    match hmem.range {
        Some(range) => vec![range],
        None => merge(own.map(|r| r.range).collect()),
    }
}

/// Why the addresses of something are not known, and what to do instead.
fn unplaced(map: &Map, what: &str) -> String {
    if !map.in_source.sysfs {
        return format!("{what}: its addresses are not in what was given");
    }
    if map.gaps.iter().any(|g| g.needs_root) {
        return format!("{what}: its addresses cannot be read; run daxown as root");
    }
    let hmem = map.hmem.iter().find(|h| h.name == what);
    let why = match hmem.map(|h| h.driver.is_some()) {
        Some(false) => {
            "it has no driver, the kernel shows the addresses of dax devices only, and what had its memory since \
             cannot be told"
        }
        Some(true) => "the kernel shows the addresses of dax devices only, and none of its has all of its memory",
        None => "it has no addresses now: none were given to it, or it is in no region",
    };
    format!("{what}: {why}; name the range instead, `daxown list` has them")
}

fn regions_of<'a>(map: &'a Map, goal: &Goal) -> Vec<&'a Region> {
    let regions = map.regions.iter().filter(|r| r.is_committed());
    regions
        .filter(|r| r.range.is_some_and(|r| goal.meets(&r)))
        .collect()
}

/// Who has the bytes concerned, Soft Reserved or in a region.
fn owners(map: &Map, goal: &Goal) -> Vec<Owner> {
    let pieces = map.reserved.iter().flat_map(|r| &r.pieces);
    let pieces = pieces.filter(|p| goal.meets(&p.range));
    let regions = regions_of(map, goal).into_iter();
    let regions = regions.filter_map(|r| map.region_piece(r));
    let mut boot = goal
        .ranges
        .iter()
        .filter(|r| !map.boot_ram_in(r).is_empty());
    pieces
        .map(|p| p.owner.clone())
        .chain(regions.map(|p| p.owner))
        .chain(boot.next().map(|_| Owner::SystemRam))
        .collect()
}

/// Takes the memory of devices out of use. Older kernels have no `state`.
fn unplug(dax: &[&DaxDevice], lines: &mut Vec<String>) {
    for d in dax.iter().filter(|d| d.driver.as_deref() == Some("kmem")) {
        lines.push(match d.state {
            Some(_) => format!("echo unplugged > /sys/bus/dax/devices/{}/state", d.name),
            None => format!("daxctl offline-memory {}", d.name),
        });
    }
}

/// Every byte of a device goes at once: none may be of somebody else.
fn whole(map: &Map, what: &str, ranges: &[Range], goal: &[Range]) -> Result<()> {
    if ranges.is_empty() {
        bail!("{}", unplaced(map, what));
    }
    let goal = merge(goal.to_vec());
    let mut beyond = ranges
        .iter()
        .filter(|r| !goal.iter().any(|g| g.contains(r)));
    match beyond.next() {
        None => Ok(()),
        Some(range) => bail!(
            "{what} has {range}, more than was named, and goes as a whole: name that range, or {what} itself"
        ),
    }
}

/// What becomes of devices that are served as files, when what they were made from goes.
fn end_files(dax: &[&DaxDevice], draft: &mut Draft) -> Result<()> {
    for d in dax.iter().filter(|d| d.is_file()) {
        let name = &d.name;
        if d.driver.as_deref() == Some("fsdev_dax") {
            bail!(
                "{name} is for a file system (fsdev_dax), which would lose its memory while it is mounted: unmount it, \
                 and take {name} from its driver: echo {name} > /sys/bus/dax/drivers/fsdev_dax/unbind"
            );
        }
        draft.remarks.push(format!(
            "programs that have /dev/{name} open lose it, and what is in it"
        ));
    }
    Ok(())
}

/// Commands for a plan, and what has to be said of them.
#[derive(Default)]
struct Draft {
    lines: Vec<String>,
    remarks: Vec<String>,
}

fn to_hmem(map: &Map, goal: &Goal, draft: &mut Draft) -> Result<()> {
    let regions = regions_of(map, goal);
    let accelerator = regions.iter().find_map(|r| map.accelerator_of(r));
    if let Some(driver) = accelerator {
        bail!(
            "it is the memory of {driver}, whose driver has it: as System RAM it would be used by two; {}",
            kept_out(map, goal)
        );
    }
    let idle: Vec<&HmemDevice> = hmem_of(map, goal)
        .into_iter()
        .filter(|h| h.driver.is_none())
        .collect();
    if idle.is_empty() {
        bail!(
            "no hmem device is there that has let go of it: dax_hmem decides when it is loaded or bound, and leaves \
             to CXL what committed regions cover"
        );
    }
    let served: Vec<&&Region> = regions.iter().filter(|r| r.dax_driver.is_some()).collect();
    if let (Some(region), Drivers::Rust) = (served.first(), map.drivers) {
        bail!(
            "the Rust dax_hmem leaves to CXL what {} served, until the next boot; to have programs use it as a file: \
             --to file",
            region.name
        );
    }
    for region in &served {
        whole(map, &region.name, region.range.as_slice(), &goal.ranges)?;
        from_region(map, region, draft)?;
    }
    let lines = &mut draft.lines;
    lines.extend(
        idle.iter()
            .map(|h| format!("echo {} > /sys/bus/platform/drivers/hmem/bind", h.name)),
    );
    // As after a boot in which HMEM was first: the region is there, and idle.
    lines.extend(served.iter().map(|r| region_driver(r, "bind")));
    Ok(())
}

/// How the memory stays out of HMEM's hands at the next boot.
fn kept_out(map: &Map, goal: &Goal) -> String {
    let regions = regions_of(map, goal).into_iter();
    let mut ranges: Vec<Range> = regions
        .filter(|r| map.accelerator_of(r).is_some())
        .filter_map(|r| r.range)
        .collect();
    ranges.extend(&goal.ranges);
    let names: Vec<String> = merge(ranges).iter().map(Range::to_string).collect();
    let option = format!(
        "`options dax_hmem exclude={}` in /etc/modprobe.d",
        names.join(",")
    );
    match map.drivers {
        Drivers::Rust => {
            format!("so that dax_hmem keeps away from it at the next boot as well: {option}")
        }
        _ => format!(
            "the kernel's own dax_hmem cannot be told to keep away from it at the next boot; the Rust one can: {option}"
        ),
    }
}

/// Takes a region from its driver, or gives it back.
fn region_driver(region: &Region, verb: &str) -> String {
    format!(
        "echo {} > /sys/bus/cxl/drivers/cxl_region/{verb}",
        region.name
    )
}

/// Takes the memory of a region out of use, and the region from its driver: dax_cxl alone cannot be asked
/// to let go. The decoders stay committed.
fn from_region(map: &Map, region: &Region, draft: &mut Draft) -> Result<()> {
    let parent = Parent::Region(region.name.clone());
    let dax: Vec<&DaxDevice> = map.dax.iter().filter(|d| d.parent == parent).collect();
    end_files(&dax, draft)?;
    unplug(&dax, &mut draft.lines);
    draft.lines.push(region_driver(region, "unbind"));
    Ok(())
}
