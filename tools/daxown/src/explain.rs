// SPDX-License-Identifier: GPL-2.0

//! `daxown explain`: the story of a piece of memory, each step with its evidence.

mod device;
mod steps;

use std::process::ExitCode;

use anyhow::Result;
use daxmap::problem::{self, Problem};
use daxmap::{Map, Piece, Range, Reserved};

use crate::cli::{ExplainArgs, Global};
use crate::json::{self, ExplainDoc, Machine, ProblemDoc, RangeDoc, StoryDoc};
use crate::show::{self, Lines, Look};
use crate::subject::{Sort, Subject};
use steps::Step;

/// One story.
struct Story {
    title: String,
    range: Option<Range>,
    steps: Vec<Step>,
    problems: Vec<Problem>,
    commands: Vec<String>,
}

pub fn run(global: &Global, args: &ExplainArgs) -> Result<ExitCode> {
    if !args.kind.is_empty() {
        return crate::kinds::explain(global, &args.kind);
    }
    let map = crate::read(global)?;
    let mut names = Vec::new();
    let mut told: Vec<Story> = Vec::new();
    for what in &args.what {
        let subject = Subject::find(&map, what)?;
        for story in stories(&map, &subject) {
            let known = |s: &Story| s.title == story.title && s.range == story.range;
            if !told.iter().any(known) {
                told.push(story);
            }
        }
        names.push(subject.name);
    }
    let look = Look::new(global);
    let text = if global.json {
        json::text(&ExplainDoc {
            schema: "daxown-explain-1".into(),
            machine: Machine::of(&map),
            what: names.join(" "),
            stories: told.iter().map(document).collect(),
            gaps: json::gaps(&map),
        })?
    } else {
        let parts: Vec<String> = told.iter().map(|s| render(s, &look)).collect();
        parts.join("\n")
    };
    crate::print(&text)?;
    show::warn_of_gaps(&map);
    Ok(ExitCode::SUCCESS)
}

fn stories(map: &Map, subject: &Subject) -> Vec<Story> {
    let problems = problem::find(map);
    let mut out: Vec<Story> = Vec::new();
    for reserved in &map.reserved {
        for piece in &reserved.pieces {
            let here = subject.ranges.iter().any(|r| r.overlaps(&piece.range));
            let named =
                matches!(&piece.owner, daxmap::Owner::Hmem { device } if *device == subject.name);
            if here || named {
                out.push(of_piece(map, reserved, piece, &problems));
            }
        }
    }
    for region in &map.regions {
        let named = region.name == subject.name;
        let overlaps = |r: &Range| subject.ranges.iter().any(|s| s.overlaps(r));
        let in_reserved = map
            .reserved
            .iter()
            .any(|r| region.range.is_some_and(|x| x.overlaps(&r.range)));
        if named || (!in_reserved && region.range.as_ref().is_some_and(overlaps)) {
            let about = |p: &&Problem| {
                p.subject == region.name
                    || p.range
                        .zip(region.range)
                        .is_some_and(|(a, b)| a.overlaps(&b))
            };
            let mine: Vec<Problem> = problems.iter().filter(about).cloned().collect();
            out.insert(
                if named { 0 } else { out.len() },
                Story {
                    title: format!("CXL region {}", region.name),
                    range: region.range,
                    steps: steps::of_region(map, region),
                    // The pieces' own stories tell theirs.
                    problems: match in_reserved {
                        true => mine
                            .into_iter()
                            .filter(|p| p.subject == region.name)
                            .collect(),
                        false => mine,
                    },
                    commands: vec![format!("cxl list -r {} -T -u", region.name)],
                },
            );
        }
    }
    if out.is_empty() {
        out.push(of_other(map, subject, &problems));
    }
    out
}

fn of_piece(map: &Map, reserved: &Reserved, piece: &Piece, problems: &[Problem]) -> Story {
    let mut commands = vec![format!("daxown list {}", piece.range)];
    if let Some(dax) = piece.device.as_ref().filter(|d| d.starts_with("dax")) {
        commands.push(format!("daxctl list --devices {dax}"));
        if piece.online_bytes.is_some_and(|b| b > 0) {
            commands.push(format!(
                "daxctl offline-memory {dax}    # takes it out of use"
            ));
        }
    }
    let about = |p: &&Problem| {
        p.range.is_some_and(|r| r.overlaps(&piece.range))
            || Some(&p.subject) == piece.device.as_ref()
    };
    Story {
        title: format!("Soft Reserved memory, owner: {}", show::owner(&piece.owner)),
        range: Some(piece.range),
        steps: steps::of_piece(map, reserved, piece),
        problems: problems.iter().filter(about).cloned().collect(),
        commands,
    }
}

/// An address or device outside all of this: say what it is instead.
fn of_other(map: &Map, subject: &Subject, problems: &[Problem]) -> Story {
    // Where several things have one cause, the others are named in it.
    let names = |text: &str| {
        let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '.');
        words.any(|w| w == subject.name)
    };
    let about = |p: &&Problem| p.subject == subject.name || names(&p.cause);
    let about: Vec<Problem> = match subject.sort {
        Sort::Address => Vec::new(),
        _ => problems.iter().filter(about).cloned().collect(),
    };
    let memdev = map.memdevs.iter().find(|m| m.name == subject.name);
    if let Some(memdev) = memdev.filter(|_| subject.ranges.is_empty()) {
        let title = match map.in_source.sysfs {
            true => format!("memory device {}, in no region with addresses", memdev.name),
            false => format!("memory device {}", memdev.name),
        };
        return Story {
            title,
            range: None,
            steps: device::story(map, memdev),
            problems: about,
            commands: vec![
                format!("daxown list --kind device {}", memdev.name),
                format!("cxl list -m {} -u", memdev.name),
            ],
        };
    }
    Story {
        title: match subject.sort {
            Sort::Address if !map.in_source.sysfs => "not in what was given".into(),
            Sort::Address => "neither Soft Reserved nor in a CXL region".into(),
            _ if !subject.ranges.is_empty() && !map.in_source.sysfs => format!(
                "{}; whose memory it is, is not in what was given",
                subject.name
            ),
            _ if !subject.ranges.is_empty() => format!(
                "{}, neither Soft Reserved nor of a CXL region",
                subject.name
            ),
            _ => format!("{} has no address that can be read", subject.name),
        },
        range: subject.ranges.first().copied(),
        steps: match subject.ranges.is_empty() {
            true => Vec::new(),
            false => steps::of_address(map, &subject.ranges),
        },
        problems: about,
        commands: Vec::new(),
    }
}

fn document(story: &Story) -> StoryDoc {
    StoryDoc {
        range: story.range.as_ref().map(RangeDoc::of),
        title: story.title.clone(),
        steps: story.steps.iter().map(Step::document).collect(),
        problems: story.problems.iter().map(ProblemDoc::of).collect(),
        commands: story.commands.clone(),
    }
}

fn render(story: &Story, look: &Look) -> String {
    let mut head = look.bold(&story.title);
    if let Some(range) = &story.range {
        head = format!(
            "{}  {}  {head}",
            look.bold(&range.to_string()),
            look.size(range.len())
        );
    }
    let mut out = head + "\n";
    for (n, step) in (1..).zip(&story.steps) {
        let label = format!("{n}. {}", step.topic);
        out.push_str(&show::block(&label, &[&step.text], look, Lines::Prose));
        for line in &step.evidence {
            out.push_str(&show::block("", &[look.dim(line)], look, Lines::Evidence));
        }
    }
    for problem in &story.problems {
        out.push('\n');
        out.push_str(&crate::doctor::render(problem, look));
    }
    if !story.commands.is_empty() {
        out.push('\n');
        out.push_str(&show::block("look", &story.commands, look, Lines::Commands));
    }
    out
}
