// SPDX-License-Identifier: GPL-2.0

//! `daxown capture`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use daxmap::capture::Capture;
use daxmap::Tree;

use crate::cli::{CaptureArgs, Global};

pub fn run(global: &Global, args: &CaptureArgs) -> Result<ExitCode> {
    let tree = Tree::open(global.path()?)?;
    let tool = concat!("daxown ", env!("CARGO_PKG_VERSION"));
    let capture = Capture::of(&tree, tool, rustix::process::geteuid().is_root());
    if args.file == Path::new("-") {
        let mut out = io::stdout().lock();
        capture.write(&mut out).context("standard output")?;
        out.flush().context("standard output")?;
    } else {
        let name = || args.file.display().to_string();
        let file = File::create(&args.file).with_context(name)?;
        capture.write(io::BufWriter::new(file)).with_context(name)?;
        eprintln!("{}: {} files", name(), capture.files());
    }
    let denied = capture.unreadable().iter().filter(|u| u.denied).count();
    if denied > 0 {
        eprintln!(
            "daxown: {denied} files were not readable and are missing in the archive (it names them); run it as root to have them"
        );
    }
    Ok(ExitCode::SUCCESS)
}
