// SPDX-License-Identifier: GPL-2.0

//! `daxown metrics`: what `doctor` finds, as Prometheus text for node_exporter's textfile collector.

mod things;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use daxmap::problem::Severity;
use daxmap::{Map, Piece};

use crate::cli::{Global, MetricsArgs};
use crate::doctor::Checkup;
use crate::json::{self, OwnerDoc};
use crate::show;

pub fn run(global: &Global, args: &MetricsArgs) -> Result<ExitCode> {
    let checkup = Checkup::read(global)?;
    let text = render(&checkup);
    match &args.output {
        Some(file) => replace(file, &text).with_context(|| file.display().to_string())?,
        None => crate::print(&text)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The collector may read at any moment: it sees the old file or the new one, never a part.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    // The collector reads *.prom only, so it passes over this one.
    name.push(format!(".{}.tmp", std::process::id()));
    let draft: PathBuf = file.with_file_name(name);
    fs::write(&draft, text)
        .and_then(|()| fs::rename(&draft, file))
        .inspect_err(|_| {
            let _ = fs::remove_file(&draft);
        })
}

/// One family of samples.
struct Family {
    name: &'static str,
    help: &'static str,
    samples: Vec<(Vec<(&'static str, String)>, u64)>,
}

fn render(checkup: &Checkup) -> String {
    let mut out = String::new();
    for family in families(checkup) {
        if family.samples.is_empty() {
            continue;
        }
        out.push_str(&format!("# HELP {} {}\n", family.name, family.help));
        out.push_str(&format!("# TYPE {} gauge\n", family.name));
        for (labels, value) in &family.samples {
            let labels: Vec<String> = labels
                .iter()
                .map(|(k, v)| format!("{k}=\"{}\"", escape(v)))
                .collect();
            let labels = match labels.is_empty() {
                true => String::new(),
                false => format!("{{{}}}", labels.join(",")),
            };
            out.push_str(&format!("{}{labels} {value}\n", family.name));
        }
    }
    out
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn families(checkup: &Checkup) -> Vec<Family> {
    let map = &checkup.map;
    let totals = &checkup.totals;
    let single = |name, help, value: u64| Family {
        name,
        help,
        samples: vec![(Vec::new(), value)],
    };
    let mut out = vec![
        Family {
            name: "daxown_info",
            help: "The machine: kernel release and whose dax_hmem runs.",
            samples: vec![(
                vec![
                    ("kernel", map.release.clone().unwrap_or_default()),
                    ("drivers", json::drivers(map.drivers).into()),
                ],
                1,
            )],
        },
        single(
            "daxown_status",
            "Exit status of daxown doctor: 0 all usable, 1 warnings, 2 memory is lost.",
            u64::from(checkup.status(false)),
        ),
        Family {
            name: "daxown_settled",
            help: "Whether ownership is settled; absent if that cannot be known.",
            samples: map
                .settled()
                .map(|s| (Vec::new(), u64::from(s)))
                .into_iter()
                .collect(),
        },
        single(
            "daxown_not_usable_bytes",
            "Bytes of Soft Reserved and committed CXL memory that are not usable.",
            totals.not_usable,
        ),
    ];
    out.extend(things::totals(checkup));
    out.extend(pieces(map));
    out.extend(things::families(map, &checkup.devices));
    out.push(problems(checkup));
    out.push(Family {
        name: "daxown_problems",
        help: "Number of problems.",
        samples: [Severity::Loss, Severity::Warning, Severity::Note]
            .into_iter()
            .map(|s| {
                let n = checkup.problems.iter().filter(|p| p.severity == s).count();
                (vec![("severity", s.word().to_string())], n as u64)
            })
            .collect(),
    });
    out.push(single(
        "daxown_unreadable_files",
        "Files that could not be read; what depends on them is unknown.",
        map.gaps.len() as u64,
    ));
    out
}

fn pieces(map: &Map) -> Vec<Family> {
    let all: Vec<&Piece> = map.reserved.iter().flat_map(|r| &r.pieces).collect();
    let place = |p: &Piece| {
        vec![
            ("start", format!("{:#x}", p.range.start)),
            ("end", format!("{:#x}", p.range.end)),
        ]
    };
    let full = |p: &Piece| {
        let owner = OwnerDoc::of(&p.owner);
        let mut labels = place(p);
        labels.extend([
            ("owner", owner.kind),
            ("name", owner.name.unwrap_or_default()),
            ("device", p.device.clone().unwrap_or_default()),
            ("node", p.node.map_or(String::new(), |n| n.to_string())),
            ("state", show::state(p.state).into()),
            ("reason", p.reason.code.word().to_string()),
        ]);
        labels
    };
    let some = |f: fn(&Piece) -> Option<u64>| {
        all.iter()
            .filter_map(|p| Some((place(p), f(p)?)))
            .collect::<Vec<_>>()
    };
    vec![
        Family {
            name: "daxown_reserved_bytes",
            help: "Size of a Soft Reserved piece, with its owner.",
            samples: all.iter().map(|p| (full(p), p.range.len())).collect(),
        },
        Family {
            name: "daxown_reserved_online_bytes",
            help: "Bytes of a Soft Reserved piece that are online System RAM.",
            samples: some(|p| p.online_bytes),
        },
        Family {
            name: "daxown_reserved_offline_bytes",
            help: "Bytes of a Soft Reserved piece in offline memory blocks.",
            samples: some(|p| p.offline_bytes),
        },
        Family {
            name: "daxown_reserved_usable_bytes",
            help: "Bytes of a Soft Reserved piece that can be used now.",
            samples: some(Piece::usable_bytes),
        },
    ]
}

/// Samples of one family must differ in their labels: problems of one kind and subject are summed.
fn problems(checkup: &Checkup) -> Family {
    let mut samples: Vec<(Vec<(&'static str, String)>, u64)> = Vec::new();
    for p in &checkup.problems {
        let labels = vec![
            ("kind", p.kind.word().to_string()),
            ("severity", p.severity.word().to_string()),
            ("subject", p.subject.clone()),
        ];
        match samples.iter_mut().find(|(l, _)| *l == labels) {
            Some((_, sum)) => *sum = sum.saturating_add(p.bytes),
            None => samples.push((labels, p.bytes)),
        }
    }
    Family {
        name: "daxown_problem_bytes",
        help: "Bytes not usable because of a problem; 0 for one that costs no memory.",
        samples,
    }
}
