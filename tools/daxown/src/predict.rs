// SPDX-License-Identifier: GPL-2.0

//! `daxown predict`: what the next boot would come to, with the Rust drivers and with the kernel's own.

mod advice;

use daxmap::size::Total as _;
use std::process::ExitCode;

use anyhow::{bail, Result};
use clap::ValueEnum;
use comfy_table::CellAlignment::{Left, Right};
use daxmap::cxl::RegionState;
use daxmap::names::listed_in_runs;
use daxmap::predict::{Decider, Forecast, Holder, Layout, Part, Policy};
use daxmap::{Map, Tree};
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::Global;
use crate::json::{self, Machine, OwnerDoc, RangeDoc};
use crate::show::{self, Lines, Look};
use crate::table::Table;
use advice::Advice;

/// Whose drivers to predict for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Whose {
    /// The Rust dax_hmem and dax_cxl
    Rust,
    /// The kernel's own
    C,
}

/// What HMEM takes of a range that CXL regions cover in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PolicyArg {
    /// All of it; the regions stay idle
    Whole,
    /// Only what no region covers
    Split,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The prediction is about a fresh boot on which firmware commits the regions that are committed now. For \
the Rust drivers it is computed by the very source that decides in dax_hmem.ko, for the kernel's own by \
what Linux 7.3 was measured to do.

Examples:
  daxown predict                  both drivers, and what there is to gain
  daxown predict --drivers rust --policy split
  daxown --sysroot report.tar.gz predict -J")]
pub struct PredictArgs {
    /// Only for these drivers
    #[arg(long, value_name = "DRIVERS")]
    pub drivers: Option<Whose>,
    /// The policy of the Rust drivers (dax_hmem.policy); as on this machine if they run, else whole
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<PolicyArg>,
}

/// A part in a document.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PartDoc {
    /// Its addresses.
    pub range: RangeDoc,
    /// Who would own it; the number of an hmem device is not predicted.
    pub owner: OwnerDoc,
    /// Target node, if it can be told.
    pub node: Option<u32>,
    /// Bytes that would become System RAM.
    pub ram: u64,
    /// Bytes that could be used as a file instead.
    pub file: u64,
    /// Bytes of both that no device is behind, so that they are no memory.
    pub dead: u64,
    /// The driver, such as an accelerator's, whose memory it is.
    pub foreign: Option<String>,
    /// A word for the decision: `covered`, `no-region`, `partly-covered`, `outside-windows`, ...
    pub reason: String,
    /// What keeps all or some of it from becoming System RAM: `trimmed`, `kmem-cannot-reserve`, ...
    pub hindrance: Option<String>,
    /// Both in words.
    pub text: String,
}

/// What one set of drivers would come to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ForecastDoc {
    /// `rust` or `c`.
    pub drivers: String,
    /// `whole` or `split`; `null` for drivers that have no policy.
    pub policy: Option<String>,
    /// Bytes that would become System RAM, without those that no device is behind, or that are another
    /// driver's.
    pub ram: u64,
    /// Committed regions that would stay idle because HMEM has their memory.
    pub lost_regions: Vec<String>,
    /// The parts in order of address.
    pub parts: Vec<PartDoc>,
}

/// `daxown predict -J`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PredictDoc {
    /// `daxown-predict-1`.
    pub schema: String,
    /// The machine.
    pub machine: Machine,
    /// Bytes of Soft Reserved memory and of committed volatile regions, without what other drivers have.
    pub total: u64,
    /// Bytes of it that are in use now: as System RAM that is online, or as a /dev file.
    pub now: Option<u64>,
    /// Bytes of it that are in memory blocks which are offline now.
    pub offline: Option<u64>,
    /// The forecasts.
    pub forecasts: Vec<ForecastDoc>,
    /// What to do about it, in a sentence each.
    pub advice: Vec<String>,
    /// What the prediction takes for granted.
    pub assumes: Vec<String>,
}

pub fn run(global: &Global, args: &PredictArgs) -> Result<ExitCode> {
    let tree = Tree::open(global.path()?)?;
    let map = Map::read(&tree);
    if map.gaps.iter().any(|g| g.needs_root) {
        bail!(
            "files that only root may read are missing ({}), and without addresses nothing can be predicted: {}",
            map.gaps.iter().filter(|g| g.needs_root).map(|g| g.path.as_str()).collect::<Vec<_>>().join(", "),
            if tree.is_live() { "run it as root" } else { "have it captured as root" }
        );
    }
    let mut layout = Layout::read(&tree, &map);
    if args.policy.is_some() {
        layout.refused.take_if(|p| p.starts_with("policy="));
    }
    let policy = match args.policy {
        Some(PolicyArg::Whole) => Policy::Whole,
        Some(PolicyArg::Split) => Policy::Split,
        None => layout.policy,
    };
    let deciders: Vec<Decider> = [(Whose::Rust, Decider::Rust(policy)), (Whose::C, Decider::C)]
        .into_iter()
        .filter(|(whose, _)| args.drivers.is_none_or(|d| d == *whose))
        .map(|(_, decider)| decider)
        .collect();
    let mut forecasts: Vec<(Decider, Forecast)> = deciders
        .into_iter()
        .map(|d| (d, Forecast::of(&layout, d)))
        .collect();
    let advice = Advice::of(&map, &layout, policy);
    let look = Look::new(global);
    let mut lines = advice.lines(&look);
    if let Some(why) = unknown_region(&map, &layout, &advice) {
        forecasts.clear();
        lines = vec![why];
    }
    let text = if global.json {
        json::text(&PredictDoc {
            schema: "daxown-predict-1".into(),
            machine: Machine::of(&map),
            total: advice.total,
            now: advice.now.map(|n| n.used),
            offline: advice.now.map(|n| n.offline),
            forecasts: forecasts.iter().map(|(d, f)| document(*d, f)).collect(),
            advice: lines,
            assumes: layout.assumes.clone(),
        })?
    } else {
        render(&map, &layout, &forecasts, &advice, &lines, &look)
    };
    crate::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn names(decider: Decider) -> (&'static str, Option<&'static str>) {
    match decider {
        Decider::Rust(Policy::Whole) => ("rust", Some("whole")),
        Decider::Rust(Policy::Split) => ("rust", Some("split")),
        Decider::C => ("c", None),
    }
}

fn document(decider: Decider, forecast: &Forecast) -> ForecastDoc {
    let (drivers, policy) = names(decider);
    ForecastDoc {
        drivers: drivers.into(),
        policy: policy.map(Into::into),
        ram: forecast.ram_bytes(),
        lost_regions: forecast.lost.clone(),
        parts: forecast
            .parts
            .iter()
            .map(|p| PartDoc {
                range: RangeDoc::of(&p.range),
                owner: owner(&p.holder),
                node: p.node,
                ram: p.ram_bytes,
                file: p.file_bytes,
                dead: p.dead_bytes,
                foreign: p.foreign.clone(),
                reason: p.why.code.into(),
                hindrance: p.hindrance.as_ref().map(|w| w.code.into()),
                text: text_of(p),
            })
            .collect(),
    }
}

fn owner(holder: &Holder) -> OwnerDoc {
    let (kind, name) = match holder {
        Holder::Cxl(region) => ("cxl", Some(region.clone())),
        Holder::Hmem => ("hmem", None),
        Holder::SystemRam => ("system-ram", None),
        Holder::Driver(name) => ("driver", Some(name.clone())),
        Holder::Nobody => ("nobody", None),
    };
    OwnerDoc {
        kind: kind.into(),
        name,
    }
}

fn owner_text(holder: &Holder) -> String {
    match holder {
        Holder::Cxl(region) => format!("CXL {region}"),
        Holder::Hmem => "HMEM".into(),
        Holder::SystemRam => "System RAM".into(),
        Holder::Driver(name) => format!("driver of {name}"),
        Holder::Nobody => "nobody".into(),
    }
}

fn text_of(part: &Part) -> String {
    match &part.hindrance {
        Some(hindrance) => format!("{}; {}", part.why.text, hindrance.text),
        None => part.why.text.clone(),
    }
}

/// That nothing can be predicted, because the drivers would look at a region of which too little is known.
fn unknown_region(map: &Map, layout: &Layout, advice: &Advice) -> Option<String> {
    let mut regions = map
        .regions
        .iter()
        .filter(|r| r.state == RegionState::Unknown);
    let region = regions.find(|r| {
        let meets = |range| layout.reserved.iter().any(|s| s.overlaps(&range));
        r.range
            .is_some_and(|range| advice.total == 0 || meets(range))
    })?;
    Some(format!(
        "Whether {} is committed is not known: nothing can be predicted",
        region.name
    ))
}

/// Memory devices that have no driver, and no decoders that show what firmware made of them.
fn unbound(map: &Map) -> Option<String> {
    let hidden = map
        .memdevs
        .iter()
        .filter(|m| !m.bound && map.in_source.sysfs);
    let names: Vec<&str> = hidden.map(|m| m.name.as_str()).collect();
    match names.len() {
        0 => None,
        n => Some(format!(
            "{} {}",
            listed_in_runs(&names),
            if n == 1 { "is" } else { "are" }
        )),
    }
}

fn render(
    map: &Map,
    layout: &Layout,
    forecasts: &[(Decider, Forecast)],
    advice: &Advice,
    lines: &[String],
    look: &Look,
) -> String {
    if let Some(why) = unknown_region(map, layout, advice) {
        return show::sentence(&format!("{why}."), look);
    }
    let is_empty = advice.total == 0 && layout.foreign.is_empty();
    if let Some(why) = show::unread(map).filter(|_| is_empty) {
        return show::sentence(
            &format!("{}: nothing can be predicted.", show::capital(&why)),
            look,
        );
    }
    if is_empty && !map.in_source.sysfs {
        return show::sentence(
            "Neither Soft Reserved memory nor regions are in what was given: nothing can be predicted.",
            look,
        );
    }
    if is_empty {
        let nothing = show::nothing(map).replacen("no ", "No ", 1);
        let text = match unbound(map) {
            None => format!("{nothing}: no driver would do anything."),
            Some(names) => format!(
                "{nothing}: no driver would do anything with what is there now. {names} without driver: regions that \
                 firmware made of that memory come up only with it, and what becomes of them cannot be predicted before."
            ),
        };
        return show::sentence(&text, look);
    }
    let mut out = String::new();
    for (decider, forecast) in forecasts {
        let whose = match decider {
            Decider::Rust(Policy::Whole) => "The Rust drivers",
            Decider::Rust(Policy::Split) => "The Rust drivers with policy=split",
            Decider::C => "The kernel's own drivers",
        };
        let own = forecast.parts.iter().filter(|p| p.foreign.is_none());
        let file = match own.map(|p| p.file_bytes).total() {
            0 => String::new(),
            file => format!(", {} a file", look.size(file)),
        };
        let other = match forecast.foreign_bytes() {
            0 => String::new(),
            bytes => format!("; {} is another driver's", look.size(bytes)),
        };
        let sum = match (forecast.bytes(), forecast.ram_bytes()) {
            (0, _) => "nothing is theirs to serve".to_string(),
            (all, ram) if all == ram => format!("all of {} would be System RAM", look.size(all)),
            (all, ram) => format!("{} would be System RAM", show::part_of(ram, all, look)),
        };
        let head = format!("{}: {sum}{file}{other}", look.bold(whose));
        out.push_str(&show::sentence(&head, look));
        let mut table = Table::new(look);
        for (name, side) in [
            ("RANGE", Left),
            ("SIZE", Right),
            ("OWNER", Left),
            ("NODE", Right),
            ("RAM", Right),
        ] {
            table.column(name, side);
        }
        table.prose("WHY");
        for p in &forecast.parts {
            table.row([
                p.range.to_string(),
                look.size(p.range.len()),
                owner_text(&p.holder),
                p.node.map_or("-".into(), |n| n.to_string()),
                look.size(p.sound_ram_bytes()),
                text_of(p),
            ]);
        }
        out.push_str(&table.text());
        if !forecast.lost.is_empty() {
            out.push_str(&show::sentence(
                &format!("idle: {}", forecast.lost.join(", ")),
                look,
            ));
        }
        out.push('\n');
    }
    out.push_str(&show::block(
        "now",
        &[advice.now_text(map, look)],
        look,
        Lines::Prose,
    ));
    out.push_str(&show::block("so", lines, look, Lines::Prose));
    out.push_str(&show::block("assumes", &layout.assumes, look, Lines::Prose));
    out
}
