// SPDX-License-Identifier: GPL-2.0

//! What is agreed does not count, and every change from it shows.

mod common;

use std::io::Write;

use common::{daxown, fixture, Output};
use serde_json::Value;
use tempfile::NamedTempFile;

fn config(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn doctor(name: &str, text: &str) -> Output {
    let file = config(text);
    let path = file.path().to_str().unwrap();
    daxown(&fixture(name), &["--config", path, "doctor"])
}

const TRIMMED: &str = "[[accept]]\nkind = \"trimmed\"\n";

#[test]
fn agreed_is_ok() {
    assert_eq!(daxown(&fixture("halfblock-c"), &["doctor"]).status, 1);
    for more in [
        "",
        "range = \"0x490000000-0x4afffffff\"\n",
        "bytes = \"64M\"\n",
        "why = \"so it is\"\n",
    ] {
        let output = doctor("halfblock-c", &format!("{TRIMMED}{more}"));
        assert_eq!(
            output.status, 0,
            "{more}: {}{}",
            output.stdout, output.stderr
        );
        assert!(output.stdout.contains("AGREED"), "{}", output.stdout);
        assert!(
            output
                .stdout
                .contains("64 MiB of 448 MiB not usable; 1 agreed"),
            "{}",
            output.stdout
        );
    }
}

/// Each is about another problem than the one that is there.
#[test]
fn other_problems_still_count() {
    for more in [
        "range = \"0x500000000-0x5ffffffff\"\n",
        "bytes = \"32M\"\n",
        "subject = \"dax9.9\"\n",
        "serial = \"0x77\"\n",
    ] {
        let output = doctor("halfblock-c", &format!("{TRIMMED}{more}"));
        assert_eq!(output.status, 1, "{more}: {}", output.stdout);
        assert!(output.stdout.contains("[trimmed]"), "{}", output.stdout);
        assert!(
            output.stdout.contains("agreed, and not so: trimmed"),
            "{}",
            output.stdout
        );
    }
    // A loss is never hidden by an agreement about something else.
    assert_eq!(doctor("union-c", TRIMMED).status, 2);
}

#[test]
fn what_is_not_so_any_more_shows() {
    let output = doctor("cover-c", TRIMMED);
    assert_eq!(output.status, 1, "{}", output.stdout);
    let output = doctor("cover-c", &format!("{TRIMMED}optional = true\n"));
    assert_eq!(output.status, 0, "{}", output.stdout);
    let output = doctor("cover-c", "[machine]\ndrivers = \"rust\"\ntotal = \"1G\"\n");
    assert_eq!(output.status, 1);
    assert!(output.stdout.contains("drivers"), "{}", output.stdout);
    assert!(output.stdout.contains("512 MiB"), "{}", output.stdout);
    assert_eq!(
        doctor(
            "cover-c",
            "[machine]\ndrivers = \"stock\"\ntotal = \"512M\"\n"
        )
        .status,
        0
    );
}

/// By the serial number of a device: of its own problem, and of one of its memory.
#[test]
fn by_device() {
    let text = "[[accept]]\nkind = \"offline\"\nserial = \"0x1\"\n";
    assert_eq!(daxown(&fixture("offline-c"), &["doctor"]).status, 1);
    assert_eq!(doctor("offline-c", text).status, 0);
}

/// What `--agree` prints is agreed to at once, on every captured guest.
#[test]
fn what_is_so_now_can_be_agreed_to() {
    for capture in common::fixtures() {
        let text = daxown(&capture, &["doctor", "--agree"]).stdout;
        let file = config(&text);
        let path = file.path().to_str().unwrap();
        let output = daxown(&capture, &["--config", path, "doctor", "-J"]);
        assert_eq!(
            output.status,
            0,
            "{}: {text}\n{}",
            capture.display(),
            output.stdout
        );
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        assert!(document["not_as_agreed"].is_null());
    }
}

#[test]
fn faults_name_the_file_and_the_way_out() {
    for (text, word) in [
        ("[[accept]]\nkind = \"trimed\"\n", "explain --kind list"),
        ("[[accept]]\nkinds = \"trimmed\"\n", "unknown field"),
        (
            "[[accept]]\nkind = \"trimmed\"\nbytes = \"many\"\n",
            "write 2M",
        ),
        (
            "[[accept]]\nkind = \"trimmed\"\nrange = \"here\"\n",
            "0x490000000-0x4afffffff",
        ),
        ("[[", "TOML"),
    ] {
        let output = doctor("cover-c", text);
        assert_eq!(output.status, 3, "{text}: {}", output.stdout);
        assert!(output.stderr.contains(word), "{text}: {}", output.stderr);
    }
    let output = daxown(
        &fixture("cover-c"),
        &["--config", "/no/such.toml", "doctor"],
    );
    assert_eq!(output.status, 3);
    assert!(output.stderr.contains("/no/such.toml"), "{}", output.stderr);
}
