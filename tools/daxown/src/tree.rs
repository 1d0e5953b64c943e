// SPDX-License-Identifier: GPL-2.0

//! `daxown tree`: the physical address map with its owners, as text or as a picture.

mod nodes;
mod svg;
mod text;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::cli::{Global, TreeArgs};
use crate::json::{self, Machine, NodeDoc, OwnerDoc, RangeDoc, TreeDoc};
use crate::show::{self, Look};
use nodes::Node;

pub fn run(global: &Global, args: &TreeArgs) -> Result<ExitCode> {
    let map = crate::read(global)?;
    let look = Look::new(global);
    let nodes = nodes::build(&map);
    if let Some(file) = &args.svg {
        let picture = svg::draw(&map, &nodes);
        if file == Path::new("-") {
            crate::print(&picture)?;
        } else {
            fs::write(file, picture).with_context(|| file.display().to_string())?;
        }
    } else if global.json {
        crate::print(&json::text(&TreeDoc {
            schema: "daxown-tree-1".into(),
            machine: Machine::of(&map),
            nodes: nodes.iter().map(document).collect(),
            gaps: json::gaps(&map),
        })?)?;
    } else {
        crate::print(&text::draw(&map, &nodes, &look))?;
    }
    show::warn_of_gaps(&map);
    Ok(ExitCode::SUCCESS)
}

fn document(node: &Node) -> NodeDoc {
    NodeDoc {
        kind: node.kind.word().into(),
        name: node.name.clone(),
        range: RangeDoc::of(&node.range),
        owner: node.owner.as_ref().map(OwnerDoc::of),
        detail: node.detail.clone(),
        usable: node.usable,
        children: node.children.iter().map(document).collect(),
    }
}
