// SPDX-License-Identifier: GPL-2.0

//! `daxown doctor`.

use std::process::ExitCode;

use anyhow::Result;
use daxmap::cxl::Region;
use daxmap::problem::{self, Problem, Severity};
use daxmap::range::subtract;
use daxmap::{Map, Range};

use crate::cli::{DoctorArgs, Global};
use crate::json::{self, DoctorDoc, Machine, ProblemDoc, TotalsDoc};
use crate::show::{self, Look};

/// A machine with what is wrong with it.
pub struct Checkup {
    pub map: Map,
    pub problems: Vec<Problem>,
    pub totals: TotalsDoc,
}

impl Checkup {
    pub fn of(map: Map) -> Checkup {
        let problems = problem::find(&map);
        let count = |s: Severity| problems.iter().filter(|p| p.severity == s).count();
        let reserved: Vec<Range> = map.reserved.iter().map(|r| r.range).collect();
        let regions = map
            .regions
            .iter()
            .filter(|r| r.is_committed() && r.mode.as_deref() != Some("pmem"))
            .filter_map(|r| r.range)
            .flat_map(|r| subtract(r, &reserved));
        let other = other_unsound(&map).fold(0, u64::saturating_add);
        let sum = |sizes: &mut dyn Iterator<Item = u64>| sizes.fold(0, u64::saturating_add);
        Checkup {
            totals: TotalsDoc {
                reserved: sum(&mut reserved.iter().map(Range::len)),
                other,
                regions: sum(&mut regions.map(|r| r.len())),
                not_usable: sum(&mut problems.iter().map(|p| p.bytes)),
                losses: count(Severity::Loss),
                warnings: count(Severity::Warning),
                notes: count(Severity::Note),
            },
            problems,
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
        pieces.all(|p| p.usable_bytes().is_some()) && regions.all(in_region)
    }

    /// 0, 1 or 2, as the man page says.
    pub fn status(&self, strict: bool) -> u8 {
        match &self.totals {
            t if t.losses > 0 => 2,
            t if t.warnings > 0 || strict && t.notes > 0 => 1,
            _ => 0,
        }
    }
}

pub fn run(global: &Global, args: &DoctorArgs) -> Result<ExitCode> {
    let checkup = Checkup::of(crate::read(global)?);
    let status = checkup.status(args.strict);
    let look = Look::new(global);
    let text = if global.json {
        json::text(&DoctorDoc {
            schema: "daxown-doctor-1".into(),
            machine: Machine::of(&checkup.map),
            status,
            problems: checkup.problems.iter().map(ProblemDoc::of).collect(),
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
    out.push_str(&show::block("cause", &[&problem.cause], look, true));
    out.push_str(&show::block("do", &chained(&problem.remedy), look, false));
    out.push_str(&show::block("seen", &problem.evidence, look, false));
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

fn closing(checkup: &Checkup, status: u8, look: &Look) -> String {
    let t = &checkup.totals;
    let known = t.reserved.saturating_add(t.regions).saturating_add(t.other);
    let word = match status {
        0 => look.paint(show::state_style("online"), "OK"),
        1 => look.paint(show::severity_style(Severity::Warning), "WARNING"),
        _ => look.paint(show::severity_style(Severity::Loss), "LOSS"),
    };
    let unplaced = known == 0 && checkup.map.platform.present;
    let mut parts = vec![if unplaced {
        "where the Soft Reserved memory of this machine lies cannot be read".to_string()
    } else if known == 0 {
        format!(
            "no Soft Reserved memory and no committed CXL region {}",
            show::here(&checkup.map)
        )
    } else if t.not_usable == 0 && checkup.is_known() {
        format!("all of {} usable", look.size(known))
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
    format!("{word}: {}\n", parts.join("; "))
}
