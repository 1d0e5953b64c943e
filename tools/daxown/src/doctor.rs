// SPDX-License-Identifier: GPL-2.0

//! `daxown doctor`.

use daxmap::size::Total as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use daxmap::cxl::{Region, RegionState};
use daxmap::problem::{self, Kind, Problem, Severity};
use daxmap::range::{merge, subtract};
use daxmap::{Map, Range, Tree};

use crate::cli::{DoctorArgs, Global};
use crate::config::{self, AgreedDoc, Config};
use crate::fleet;
use crate::json::{self, DoctorDoc, Machine, ProblemDoc, TotalsDoc};
use crate::list::DeviceDoc;
use crate::show::{self, Lines, Look};

/// A machine with what is wrong with it.
pub struct Checkup {
    pub map: Map,
    /// Its memory devices.
    pub devices: Vec<DeviceDoc>,
    /// Those that nobody agreed to.
    pub problems: Vec<Problem>,
    /// Those that are as they should be, with the reason.
    pub agreed: Vec<(Problem, String)>,
    /// What is not as agreed.
    pub broken: Vec<String>,
    pub totals: TotalsDoc,
}

impl Checkup {
    /// Of the machine that was asked for, with what is agreed there.
    pub fn read(global: &Global) -> Result<Checkup> {
        Checkup::open(global, global.path()?)
    }

    /// Of one of several.
    pub fn open(global: &Global, path: &Path) -> Result<Checkup> {
        let tree = Tree::open(path)?;
        let config = Config::read(&tree, global.config.as_ref())?;
        let map = Map::read(&tree);
        let devices = crate::list::devices(&tree, &map);
        Ok(Checkup::of(map, devices, &config))
    }

    fn of(map: Map, devices: Vec<DeviceDoc>, config: &Config) -> Checkup {
        let all = problem::find(&map);
        let not_usable = all.iter().map(|p| p.bytes).total();
        let reserved: Vec<Range> = map.reserved.iter().map(|r| r.range).collect();
        let regions = map
            .regions
            .iter()
            .filter(|r| r.is_committed() && r.mode.as_deref() != Some("pmem"))
            .flat_map(|r| map.added(r))
            .flat_map(|r| subtract(r, &reserved));
        let other = other_unsound(&map).total();
        let sum = |sizes: &mut dyn Iterator<Item = u64>| sizes.total();
        let reserved = sum(&mut reserved.iter().map(Range::len));
        let regions = sum(&mut regions.map(|r| r.len()));
        let agreement = config.apply(&map, reserved.saturating_add(regions), all);
        let problems = agreement.open;
        let count = |s: Severity| problems.iter().filter(|p| p.severity == s).count();
        Checkup {
            totals: TotalsDoc {
                reserved,
                other,
                regions,
                not_usable,
                losses: count(Severity::Loss),
                warnings: count(Severity::Warning),
                notes: count(Severity::Note),
            },
            problems,
            agreed: agreement.agreed,
            broken: agreement.broken,
            devices,
            map,
        }
    }

    /// Whether it is known of every byte if it is usable.
    fn is_known(&self) -> bool {
        let map = &self.map;
        let mut pieces = map.reserved.iter().flat_map(|r| &r.pieces);
        let volatile = |r: &&Region| r.is_committed() && r.mode.as_deref() != Some("pmem");
        let mut regions = map.regions.iter().filter(volatile);
        let in_region = |r: &Region| {
            map.region_piece(r)
                .is_none_or(|p| p.usable_bytes().is_some())
        };
        // Without memory blocks what is offline looks like what is online.
        let shows_blocks = !map.memory.blocks.is_empty() || !map.in_source.sysfs;
        shows_blocks && pieces.all(|p| p.usable_bytes().is_some()) && regions.all(in_region)
    }

    /// 0, 1 or 2, as the man page says.
    pub fn status(&self, strict: bool) -> u8 {
        match &self.totals {
            t if t.losses > 0 => 2,
            t if t.warnings > 0 || strict && t.notes > 0 || !self.broken.is_empty() => 1,
            _ => 0,
        }
    }
}

pub fn run(global: &Global, args: &DoctorArgs) -> Result<ExitCode> {
    if args.platform {
        return crate::platform::run(global);
    }
    let several = fleet::sources(global, &args.captures);
    if several.len() > 1 {
        return fleet::doctor(global, args.strict, &several);
    }
    let one = global.with(several);
    run_one(&one, args)
}

fn run_one(global: &Global, args: &DoctorArgs) -> Result<ExitCode> {
    if args.agree {
        return agree(global);
    }
    let checkup = Checkup::read(global)?;
    let status = checkup.status(args.strict);
    let look = Look::new(global);
    let text = if global.json {
        json::text(&DoctorDoc {
            schema: "daxown-doctor-1".into(),
            machine: Machine::of(&checkup.map),
            status,
            problems: checkup.problems.iter().map(ProblemDoc::of).collect(),
            agreed: checkup
                .agreed
                .iter()
                .map(|(p, why)| AgreedDoc {
                    problem: ProblemDoc::of(p),
                    why: why.clone(),
                })
                .collect(),
            not_as_agreed: checkup.broken.clone(),
            gaps: json::gaps(&checkup.map),
            totals: checkup.totals,
        })?
    } else {
        let mut out = String::new();
        if !args.quiet {
            for p in &checkup.problems {
                out.push_str(&render(p, &look));
                out.push('\n');
            }
            out.push_str(&agreement(&checkup, &look));
        }
        out + &closing(&checkup, status, &look)
    };
    crate::print(&text)?;
    Ok(ExitCode::from(status))
}

/// One problem with cause, remedy and evidence; also used by `explain`.
pub fn render(problem: &Problem, look: &Look) -> String {
    let style = show::severity_style(problem.severity);
    let mut head = format!(
        "{} {}",
        look.paint(style, &problem.severity.word().to_uppercase()),
        look.bold(&problem.subject)
    );
    if let Some(range) = &problem.range {
        head.push_str(&format!("  {range}"));
    }
    if problem.bytes > 0 {
        head.push_str(&format!("  {} not usable", look.size(problem.bytes)));
    }
    head.push_str(&look.dim(&format!("  [{}]", problem.kind.word())));
    let mut out = head + "\n";
    out.push_str(&show::block("cause", &[&problem.cause], look, Lines::Prose));
    out.push_str(&show::block(
        "do",
        &chained(&problem.remedy),
        look,
        Lines::Commands,
    ));
    out.push_str(&show::block(
        "seen",
        &problem.evidence,
        look,
        Lines::Evidence,
    ));
    let see = look.dim(&format!("daxown explain --kind {}", problem.kind.word()));
    out.push_str(&show::block("see", &[see], look, Lines::Commands));
    out
}

/// Commands that follow each other, so that none runs after one that failed.
fn chained(remedy: &[String]) -> Vec<String> {
    let is_command = |line: Option<&String>| line.is_some_and(|l| !l.starts_with('#'));
    let lines = remedy.iter().enumerate();
    lines
        .map(
            |(i, line)| match is_command(Some(line)) && is_command(remedy.get(i + 1)) {
                true => format!("{line} &&"),
                false => line.clone(),
            },
        )
        .collect()
}

/// Bytes in use and not to be relied on, outside of what is declared and of regions.
fn other_unsound(map: &Map) -> impl Iterator<Item = u64> + '_ {
    let mut known: Vec<Range> = map.reserved.iter().map(|r| r.range).collect();
    let regions = map.regions.iter();
    known.extend(regions.filter(|r| r.is_committed()).filter_map(|r| r.range));
    let parts = map
        .unsound
        .iter()
        .flat_map(move |u| subtract(u.range, &known));
    parts.map(|r| map.used_bytes(&r))
}

/// Prints a file that agrees to what is so now.
fn agree(global: &Global) -> Result<ExitCode> {
    let map = crate::read(global)?;
    let checkup = Checkup::of(map, Vec::new(), &Config::default());
    let total = checkup
        .totals
        .reserved
        .saturating_add(checkup.totals.regions);
    crate::print(&config::of_now(&checkup.map, total, &checkup.problems))?;
    Ok(ExitCode::SUCCESS)
}

/// A line for each thing that was agreed, or is not as agreed.
fn agreement(checkup: &Checkup, look: &Look) -> String {
    let mut out = String::new();
    for (p, why) in &checkup.agreed {
        let range = p.range.map(|r| format!("  {r}")).unwrap_or_default();
        let bytes = match p.bytes {
            0 => String::new(),
            bytes => format!("  {}", look.size(bytes)),
        };
        let why = match why.is_empty() {
            true => String::new(),
            false => format!(": {why}"),
        };
        out.push_str(&format!(
            "{} {}{range}{bytes}  [{}]{why}\n",
            look.paint(show::state_style("online"), "AGREED"),
            p.subject,
            p.kind.word()
        ));
    }
    for line in &checkup.broken {
        let style = show::severity_style(Severity::Warning);
        out.push_str(&format!("{} {line}\n", look.paint(style, "WARNING")));
    }
    match out.is_empty() {
        true => out,
        false => out + "\n",
    }
}

/// Losses that the log tells of, where nothing shows what became of the memory since.
fn told_of(checkup: &Checkup, look: &Look) -> String {
    let losses = checkup.problems.iter();
    let losses = losses.filter(|p| p.severity == Severity::Loss);
    let what = match losses.clone().all(|p| p.kind == Kind::KmemCannotReserve) {
        true => "could not be reserved",
        false => "could not be used",
    };
    let is_more = losses.clone().any(|p| p.range.is_none());
    let ranges = merge(losses.filter_map(|p| p.range).collect());
    let what = match ranges.iter().map(Range::len).total() {
        0 => "memory".to_string(),
        bytes if is_more => format!("{} and more", look.size(bytes)),
        bytes => look.size(bytes),
    } + " that "
        + what;
    format!("the log tells of {what}; what became of it since is not in what was given")
}

fn closing(checkup: &Checkup, status: u8, look: &Look) -> String {
    let t = &checkup.totals;
    let known = t.reserved.saturating_add(t.regions).saturating_add(t.other);
    let word = match status {
        0 => look.paint(show::state_style("online"), "OK"),
        1 => look.paint(show::severity_style(Severity::Warning), "WARNING"),
        _ => look.paint(show::severity_style(Severity::Loss), "LOSS"),
    };
    let undecided = checkup.map.regions.iter();
    let undecided = undecided.filter(|r| r.state == RegionState::Unknown);
    let undecided: Vec<&str> = undecided.map(|r| r.name.as_str()).collect();
    let is_told = t.not_usable == 0 && t.losses > 0 && !checkup.map.in_source.sysfs;
    let mut parts = vec![if is_told && (known == 0 || !checkup.is_known()) {
        told_of(checkup, look)
    } else if known == 0 && !undecided.is_empty() {
        let reserved = match show::unread(&checkup.map) {
            Some(why) => why,
            None => format!("no Soft Reserved memory {}", show::here(&checkup.map)),
        };
        format!(
            "{reserved}; whether {} committed is not known",
            match &undecided[..] {
                [one] => format!("{one} is"),
                more => format!("{} are", more.join(", ")),
            }
        )
    } else if known == 0 {
        show::nothing(&checkup.map)
    } else if t.not_usable == 0 && checkup.is_known() {
        format!("all of {} usable", look.size(known))
    } else if t.not_usable == 0 && t.losses > 0 {
        format!("how much of {} is usable is not known", look.size(known))
    } else if t.not_usable == 0 {
        format!("{} not known to be lost", look.size(known))
    } else {
        format!(
            "{} of {} not usable",
            look.size(t.not_usable),
            look.size(known)
        )
    }];
    for (n, one, many) in [
        (t.losses, "loss", "losses"),
        (t.warnings, "warning", "warnings"),
        (t.notes, "note", "notes"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {}", if n == 1 { one } else { many }));
        }
    }
    if !checkup.agreed.is_empty() {
        parts.push(format!("{} agreed", checkup.agreed.len()));
    }
    if !checkup.broken.is_empty() {
        parts.push(format!("{} not as agreed", checkup.broken.len()));
    }
    show::sentence(&format!("{word}: {}", parts.join("; ")), look)
}
