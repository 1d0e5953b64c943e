// SPDX-License-Identifier: GPL-2.0

//! Options, filters, refusals, and what is generated.

mod common;

use std::path::Path;
use std::process::Command;

use common::{daxown, fixture};

#[test]
fn filters_and_columns() {
    let run = |args: &[&str]| daxown(&fixture("union-c"), args).stdout;
    assert_eq!(
        run(&["list", "-n", "-k", "reserved", "-o", "start,size", "-b"]),
        "0x490000000  1073741824\n"
    );
    assert_eq!(
        run(&["list", "-n", "region0", "-k", "region", "-o", "name,state"]),
        "region0  lost\n"
    );
    assert_eq!(run(&["list", "-n", "--owner", "nobody"]), "");
    assert_eq!(run(&["list", "--owner", "nobody"]), "Nothing matches.\n");
    assert_eq!(
        run(&["list", "-n", "0x4c0000000", "-o", "name"]),
        "Soft Reserved\nregion1\n"
    );
    assert_eq!(
        daxown(&fixture("cover-c"), &["list", "--lost", "-n"]).stdout,
        ""
    );
}

#[test]
fn colour_only_when_asked_for() {
    let plain = daxown(&fixture("union-c"), &["tree"]).stdout;
    assert!(!plain.contains('\u{1b}'));
    let colour = daxown(&fixture("union-c"), &["tree", "--color", "always"]).stdout;
    assert!(colour.contains("\u{1b}["));
}

#[test]
fn the_tree_keeps_to_the_width() {
    for width in [40, 60, 80, 100, 200] {
        let output = Command::new(env!("CARGO_BIN_EXE_daxown"))
            .arg("--sysroot")
            .arg(fixture("union-c"))
            .arg("tree")
            .env("COLUMNS", width.to_string())
            .output()
            .unwrap();
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn refusals_name_the_way_out() {
    let output = daxown(&fixture("union-c"), &["explain", "region7"]);
    assert_eq!(output.status, 3);
    assert!(output.stderr.contains("region0"), "{}", output.stderr);
    let output = daxown(Path::new("/no/such"), &["list"]);
    assert_eq!(output.status, 3);
    assert_eq!(
        output.stderr,
        "daxown: /no/such: No such file or directory (os error 2)\n"
    );
    let output = daxown(&fixture("union-c"), &["wait"]);
    assert_eq!(output.status, 3);
    assert!(
        output.stderr.contains("running machine"),
        "{}",
        output.stderr
    );
    let output = daxown(&fixture("union-c"), &["wait", "--timeout=-1"]);
    assert_eq!(output.status, 3);
    assert!(
        output.stderr.contains("a number of seconds"),
        "{}",
        output.stderr
    );
    assert_eq!(
        daxown(Path::new("/"), &["doctor", "--no-such-option"]).status,
        3
    );
    assert_eq!(daxown(Path::new("/"), &["--help"]).status, 0);
}

#[test]
fn metrics_replace_a_file_whole() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("daxown.prom");
    std::fs::write(&file, "old").unwrap();
    let output = daxown(
        &fixture("union-c"),
        &["metrics", "-o", file.to_str().unwrap()],
    );
    assert_eq!(output.status, 0, "{}", output.stderr);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("daxown_status 2\n"), "{text}");
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "no draft stays"
    );
    let output = daxown(
        &fixture("union-c"),
        &["metrics", "-o", "/no/such/dir/x.prom"],
    );
    assert_eq!(output.status, 3);
}

#[test]
fn generated_from_the_same_definitions() {
    let dir = tempfile::tempdir().unwrap();
    let output = daxown(
        Path::new("/"),
        &["generate", "all", dir.path().to_str().unwrap()],
    );
    assert_eq!(output.status, 0, "{}", output.stderr);
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    for name in ["daxown.1", "daxown.bash", "_daxown", "daxown.fish"] {
        assert!(read(name).contains("explain"), "{name}");
    }
    assert!(read("daxown-doctor.1").contains("\\-\\-strict"));
    let schema: serde_json::Value = serde_json::from_str(&read("daxown.schema.json")).unwrap();
    for verb in ["list", "tree", "explain", "doctor", "wait"] {
        assert!(schema[verb]["properties"]["schema"].is_object(), "{verb}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let script = format!(
        "{} --sysroot {} doctor -J | head -c 1",
        env!("CARGO_BIN_EXE_daxown"),
        fixture("union-c").display()
    );
    let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn an_unpacked_capture_reads_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let file = std::fs::File::open(fixture("union-c")).unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(file))
        .unpack(dir.path())
        .unwrap();
    for verb in [&["list"][..], &["doctor"], &["explain", "0x490000000"]] {
        assert_eq!(
            daxown(dir.path(), verb).stdout,
            daxown(&fixture("union-c"), verb).stdout
        );
    }
}

/// A shell's `<(...)` is a pipe under a name, and standard input is there once.
#[test]
fn pipes_have_names() {
    let run = |script: &str| {
        let script = script
            .replace("daxown", env!("CARGO_BIN_EXE_daxown"))
            .replace("CAPTURE", fixture("union-c").to_str().unwrap());
        let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            text(output.stdout),
            text(output.stderr),
            output.status.code(),
        )
    };
    let list = "list -n -o start";
    let whole = run(&format!("daxown --sysroot CAPTURE {list}"));
    assert!(!whole.0.is_empty());
    assert_eq!(
        run(&format!("cat CAPTURE | daxown --sysroot /dev/stdin {list}")),
        whole
    );
    let same = run("cat CAPTURE | daxown diff CAPTURE /dev/stdin");
    assert_eq!((same.0.as_str(), same.2), ("Nothing differs.\n", Some(0)));
    let twice = run("daxown diff - - < CAPTURE");
    assert!(
        twice.1.contains("standard input has been read already"),
        "{}",
        twice.1
    );
    assert_eq!(twice.2, Some(3));
}
