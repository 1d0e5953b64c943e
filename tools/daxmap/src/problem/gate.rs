// SPDX-License-Identifier: GPL-2.0

//! What no advice may put into use: memory that nothing decodes, or of which that cannot be known.
//!
//! A command acts on whole devices, and only a part of one may have something behind it. So each
//! remedy passes here last: a device is cut before such memory where it can be, else no command is
//! given, and a remark says why.

mod uses;

use super::{remedy, Problem};
use crate::decode::Why;
use crate::map::Map;
use crate::modules::Drivers;
use crate::range::{merge, subtract, Range};
use crate::unsound::{for_accelerators, foreign};

use uses::Uses;

/// Memory that must stay out of use, with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Barred {
    range: Range,
    /// The region that lacks a member, where it cannot be known; else nothing decodes it.
    lacks: Option<String>,
    /// Whose memory it is, where another driver should have it.
    of: Option<String>,
    /// What loads CXL's drivers, without which it cannot be known whether something decodes it.
    unseen: Option<String>,
    /// The next boot finds it so again.
    is_lasting: bool,
}

impl Barred {
    /// Whether nothing decodes it, for sure.
    fn is_dead(&self) -> bool {
        self.lacks.is_none() && self.of.is_none() && self.unseen.is_none()
    }
}

fn barred(map: &Map) -> Vec<Barred> {
    let mut out: Vec<Barred> = map
        .dead
        .iter()
        .map(|d| Barred {
            range: d.range,
            lacks: None,
            of: None,
            unseen: None,
            is_lasting: matches!(d.why, Why::NoCapacity { .. }),
        })
        .collect();
    let mut doubt: Vec<(Range, String)> = Vec::new();
    let lacking = map.regions.iter().filter(|r| !r.is_committed());
    for region in lacking.filter(|r| !r.missing().is_empty()) {
        doubt.extend(region.range.map(|r| (r, region.name.clone())));
    }
    for set in map.sets() {
        let have = u64::try_from(set.members.len()).unwrap_or(u64::MAX);
        let name = || set.region.clone().unwrap_or("an interleave set".into());
        if have < set.ways {
            doubt.push((set.range, name()));
        }
    }
    for (range, name) in doubt {
        let known: Vec<Range> = out.iter().map(|b| b.range).collect();
        out.extend(subtract(range, &known).into_iter().map(|range| Barred {
            range,
            lacks: Some(name.clone()),
            of: None,
            unseen: None,
            is_lasting: false,
        }));
    }
    let mut others = foreign(map);
    for window in &map.windows {
        let here = for_accelerators(map, window).into_iter();
        others.extend(here.map(|r| (r, "an accelerator".to_string())));
    }
    for (range, name) in others {
        let known: Vec<Range> = out.iter().map(|b| b.range).collect();
        out.extend(subtract(range, &known).into_iter().map(|range| Barred {
            range,
            lacks: None,
            of: Some(name.clone()),
            unseen: None,
            is_lasting: true,
        }));
    }
    if let Some(cxl) = remedy::load_cxl(map).filter(|_| map.windows.is_empty()) {
        let known: Vec<Range> = out.iter().map(|b| b.range).collect();
        let declared = map.reserved.iter().flat_map(|r| subtract(r.range, &known));
        out.extend(declared.map(|range| Barred {
            range,
            lacks: None,
            of: None,
            unseen: Some(cxl.clone()),
            is_lasting: false,
        }));
    }
    out.sort_by_key(|b| b.range);
    out
}

/// A problem whose remedy puts into use only what something answers for.
pub(super) fn pass(map: &Map, mut problem: Problem) -> Problem {
    let barred = barred(map);
    if barred.is_empty() || problem.remedy.is_empty() {
        return problem;
    }
    let hits = hits(map, &barred, &problem.remedy, problem.range);
    if hits.is_empty() {
        return problem;
    }
    // Cut until nothing of it is put into use any more.
    let cut = cut(map, &barred, &problem.remedy, problem.range);
    problem.remedy = match cut {
        Some(lines)
            if !lines.is_empty() && self::hits(map, &barred, &lines, problem.range).is_empty() =>
        {
            lines
        }
        _ => {
            let idle = idle(map, &barred, &problem);
            remarks(map, &hits).into_iter().chain(idle).collect()
        }
    };
    problem
}

/// How HMEM makes a device that can be cut before it is used.
fn idle(map: &Map, barred: &[Barred], problem: &Problem) -> Option<String> {
    let lines = || problem.remedy.iter().map(String::as_str);
    let uses = Uses::new(map, problem.range);
    let by_hmem = lines().filter(|l| uses.devices_by(l).is_empty());
    let taken: Vec<Range> = by_hmem.flat_map(|l| uses.by(l)).collect();
    let all: Vec<Range> = barred.iter().map(|b| b.range).collect();
    let is_left = taken.iter().any(|r| !subtract(*r, &all).is_empty());
    let is_lasting = barred
        .iter()
        .all(|b| b.lacks.is_none() && b.unseen.is_none());
    let is_boot = lines().any(|l| l == "reboot");
    (is_left && is_lasting && !is_boot).then(|| {
        "# to use the rest: with dax_hmem.region_idle=1 its device comes without size, and can be cut before it"
            .to_string()
    })
}

/// Why these commands must not be run, if they put into use what nothing answers for.
pub fn refusal(map: &Map, lines: &[String]) -> Option<String> {
    let hits = hits(map, &barred(map), lines, None);
    (!hits.is_empty()).then(|| format!("that would put memory into use, and {}", told(&hits)))
}

/// What of the barred memory some lines put into use.
fn hits(map: &Map, barred: &[Barred], lines: &[String], about: Option<Range>) -> Vec<Barred> {
    let mut uses = Uses::new(map, about);
    let mut out: Vec<Barred> = Vec::new();
    for line in lines {
        // A remark may hold a command for later; it is read, and changes nothing.
        let (command, is_remark) = match line.strip_prefix('#') {
            Some(text) => (embedded(text), true),
            None => (line.as_str(), false),
        };
        let used = uses.by(command);
        let lasting_only = command == "reboot";
        for b in barred.iter().filter(|b| b.is_lasting || !lasting_only) {
            for part in used.iter().filter_map(|u| u.overlap(&b.range)) {
                let hit = Barred {
                    range: part,
                    ..b.clone()
                };
                if !out.contains(&hit) {
                    out.push(hit);
                }
            }
        }
        if !is_remark {
            uses.run(command);
        }
    }
    out.sort_by_key(|b| b.range);
    out
}

/// The command within a remark.
fn embedded(text: &str) -> &str {
    let at = ["echo ", "daxctl ", "modprobe "]
        .iter()
        .filter_map(|word| text.find(word))
        .min();
    let text = at.map_or("", |at| &text[at..]);
    text.split('`').next().unwrap_or_default().trim()
}

/// The same commands with devices that end before such memory; `None` where that cannot be done.
fn cut(
    map: &Map,
    barred: &[Barred],
    lines: &[String],
    about: Option<Range>,
) -> Option<Vec<String>> {
    let block = map.memory.block_size.unwrap_or(128 << 20);
    let mut uses = Uses::new(map, about);
    let mut out: Vec<String> = Vec::new();
    let mut stays: Vec<Range> = Vec::new();
    for line in lines {
        if line.starts_with('#') {
            // What it says holds for the whole device.
            let is_kept = uses.by(embedded(line)).is_empty();
            out.extend(is_kept.then(|| line.clone()));
            continue;
        }
        let mut line = line.clone();
        for part in uses.devices_by(&line) {
            let mut here = barred.iter().filter(|b| b.range.overlaps(&part.range));
            let Some(first) = here.next() else {
                continue;
            };
            let tail = Range::new(first.range.start.max(part.range.start), part.range.end)?;
            let all: Vec<Range> = barred.iter().map(|b| b.range).collect();
            // Nothing that could be of use may lie behind it, and what is in doubt may clear up.
            let is_known = first.is_dead();
            let is_last = is_known && subtract(tail, &all).is_empty();
            if !is_last || !part.can_shrink {
                return None;
            }
            let keep = tail.start - part.range.start;
            let keep = keep - keep % part.align;
            let kept = Range::with_size(part.range.start, keep)?;
            kept.aligned_inside(block)?;
            let rest = Range::new(kept.end + 1, part.range.end)?;
            stays.push(rest);
            match &part.device {
                Some(name) => {
                    let path = format!("> /sys/bus/dax/devices/{name}/size");
                    let resize = format!("echo {keep} {path}");
                    match out.iter_mut().rfind(|l| l.ends_with(&path)) {
                        Some(earlier) => *earlier = resize.clone(),
                        None => out.push(resize.clone()),
                    }
                    uses.run(&resize);
                }
                None => line.push_str(&format!(" -s {keep}")),
            }
        }
        uses.run(&line);
        out.push(line);
    }
    for rest in merge(stays) {
        out.push(format!("# {rest} stays out: nothing decodes it"));
    }
    Some(out)
}

fn remarks(map: &Map, hits: &[Barred]) -> Vec<String> {
    let mut out = vec![format!(
        "# nothing to run: it would put memory into use, and {}",
        told(hits)
    )];
    let lasting: Vec<String> = merge(
        hits.iter()
            .filter(|b| b.is_lasting)
            .map(|b| b.range)
            .collect(),
    )
    .iter()
    .map(Range::to_string)
    .collect();
    if map.drivers == Drivers::Rust && !lasting.is_empty() {
        out.push(format!(
            "# `options dax_hmem exclude={}` in /etc/modprobe.d keeps dax_hmem away from it, from the next boot on",
            lasting.join(",")
        ));
    }
    out
}

fn told(hits: &[Barred]) -> String {
    let names = |some: Vec<Range>| {
        let names: Vec<String> = merge(some).iter().map(Range::to_string).collect();
        super::listed(&names)
    };
    let dead: Vec<Range> = hits
        .iter()
        .filter(|b| b.is_dead())
        .map(|b| b.range)
        .collect();
    let mut said: Vec<String> = Vec::new();
    if !dead.is_empty() {
        said.push(format!("nothing decodes {}", names(dead)));
    }
    let mut regions: Vec<&String> = hits.iter().filter_map(|b| b.lacks.as_ref()).collect();
    regions.dedup();
    for region in regions {
        let here = hits.iter().filter(|b| b.lacks.as_ref() == Some(region));
        said.push(format!(
            "while {region} lacks a member it cannot be known whether {} is decoded",
            names(here.map(|b| b.range).collect())
        ));
    }
    let mut owners: Vec<&String> = hits.iter().filter_map(|b| b.of.as_ref()).collect();
    owners.dedup();
    for owner in owners {
        let here = hits.iter().filter(|b| b.of.as_ref() == Some(owner));
        said.push(format!(
            "{} is the memory of {owner}, whose driver should have it",
            names(here.map(|b| b.range).collect())
        ));
    }
    let unseen: Vec<&Barred> = hits.iter().filter(|b| b.unseen.is_some()).collect();
    if let Some(cxl) = unseen.first().and_then(|b| b.unseen.as_ref()) {
        said.push(format!(
            "whether {} is decoded is not known before CXL's drivers are loaded (`{cxl}`)",
            names(unseen.iter().map(|b| b.range).collect())
        ));
    }
    said.join(", and ")
}
