// SPDX-License-Identifier: GPL-2.0

//! Running the program on the captured guests.

#![allow(dead_code, reason = "each test file uses a part")]

pub mod judged;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Output {
    pub stdout: String,
    pub stderr: String,
    pub status: i32,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn archives(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_file())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

/// Guests of a kind that no scenario has.
pub fn fixtures() -> Vec<PathBuf> {
    archives(&folder())
}

/// Guests in the end of each scenario.
pub fn scenarios() -> Vec<PathBuf> {
    archives(&folder().join("scenarios"))
}

/// Machines rebuilt from public reports.
pub fn machines() -> Vec<PathBuf> {
    archives(&folder().join("machines"))
}

/// `union-c`, or `scenarios/two-regions-c`.
pub fn fixture(name: &str) -> PathBuf {
    folder().join(format!("{name}.tar.gz"))
}

/// `union-c` for `.../union-c.tar.gz`.
pub fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy();
    name.split('.').next().unwrap().to_string()
}

/// In one line, for it is broken anywhere.
pub fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Of what is pasted into it.
pub fn given(text: impl AsRef<[u8]>, args: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_daxown"))
        .args(["--sysroot", "-"])
        .args(args)
        .env("COLUMNS", "120")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(text.as_ref()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    Output {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code().unwrap(),
    }
}

pub fn daxown(sysroot: &Path, args: &[&str]) -> Output {
    at_width(sysroot, args, 120)
}

/// On a terminal of so many columns.
pub fn at_width(sysroot: &Path, args: &[&str], width: usize) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_daxown"))
        .arg("--sysroot")
        .arg(sysroot)
        .args(args)
        .env("COLUMNS", width.to_string())
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    Output {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code().expect("no signal"),
    }
}

/// What a command prints that somebody types in the folder of the fixtures.
pub fn typed(command: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_daxown"))
        .args(command.split_whitespace())
        .current_dir(folder())
        .env("COLUMNS", "120")
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that a script runs.
pub fn commands(script: &str) -> Vec<String> {
    let lines = script.lines();
    lines
        .filter(|l| {
            !l.is_empty() && !l.starts_with('#') && !l.starts_with("test ") && *l != "set -e"
        })
        .map(str::to_string)
        .collect()
}
