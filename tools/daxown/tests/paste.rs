// SPDX-License-Identifier: GPL-2.0

//! Whatever somebody pasted is read, and what is not in it is said to be so.

mod common;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{daxown, Output};

const LOG: &str = "\
BIOS-e820: [mem 0x0000000a90000000-0x0000000ccfffffff] soft reserved
hmem_platform hmem_platform.0: registering CXL range: [mem 0xa90000000-0xccfffffff flags 0x80000200]
kmem dax2.0: mapping0: 0xa90000000-0xccfffffff could not reserve region
";
const IOMEM: &str = "\
100000000-47fffffff : System RAM
a90000000-ccfffffff : Soft Reserved
  a90000000-bcfffffff : CXL Window 0
";
const CXL: &str = r#"[
  {"memdevs":[{"memdev":"mem0","ram_size":"256.00 GiB (274.88 GB)","serial":"0x1","host":"0000:0d:00.0"}]},
  {"regions":[{"region":"region0","resource":"0x2070000000","size":274877906944,"type":"ram","interleave_ways":1,"decode_state":"commit"}]}
]"#;
const DAXCTL: &str = r#"[{"chardev":"dax0.0","size":274877906944,"target_node":1,"align":2097152,"mode":"system-ram"}]"#;

fn given(text: &str, args: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_daxown"))
        .args(["--sysroot", "-"])
        .args(args)
        .env("COLUMNS", "120")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    Output {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code().unwrap(),
    }
}

#[test]
fn a_log_in_every_stamp() {
    for prefix in [
        "[   24.903542] ",
        "[   24.903542][  T99] ",
        "<6>[   24.903542] ",
        "<6>",
        "[Tue Dec  2 10:11:12 2025] ",
        "2025-12-02T10:11:12,345678+01:00 ",
        "Dec  2 10:11:12 node17 kernel: ",
        "Dec  2 10:11:12 node17 kernel: [   24.903542] ",
        "[   24.903542] node17 kernel: ",
        "kern  :info  : [   24.903542] ",
        "    [   24.903542] ",
        "> [   24.903542] ",
        "6,339,24903542,-;",
        "",
    ] {
        for end in ["\n", "\r\n"] {
            let lines = LOG.lines().map(|l| format!("{prefix}{l}{end}"));
            let said = given(&lines.collect::<String>(), &["doctor"]);
            assert_eq!(
                said.status, 2,
                "{prefix:?}: {} {}",
                said.stdout, said.stderr
            );
            for word in [
                "[kmem-cannot-reserve]",
                "not in what was given: /proc/iomem",
            ] {
                assert!(said.stdout.contains(word), "{prefix:?}: {}", said.stdout);
            }
            assert!(!said.stdout.contains("node17"), "{}", said.stdout);
        }
    }
}

#[test]
fn a_map_printed_as_setup_data() {
    let text = LOG.replace("BIOS-e820", "[    0.000000] reserve setup_data");
    let list = given(&text, &["list"]).stdout;
    assert!(list.contains("0xa90000000-0xccfffffff  9 GiB"), "{list}");
}

#[test]
fn what_is_not_there_is_no_conclusion() {
    for (text, lacks) in [
        (LOG, "/proc/iomem, CXL windows and devices, dax devices"),
        (IOMEM, "the kernel log, dax devices"),
        (CXL, "the kernel log, /proc/iomem, dax devices"),
        (
            DAXCTL,
            "the kernel log, /proc/iomem, CXL windows and devices",
        ),
    ] {
        let said = given(text, &["doctor"]);
        let words = said.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains(&format!("not in what was given: {lacks}")),
            "{words}"
        );
        for wrong in [
            "OK",
            "all of",
            "registered no",
            "lacks its member",
            "made no dax region",
        ] {
            assert!(!words.contains(wrong), "{wrong}: {words}");
        }
        assert_ne!(said.status, 0, "{words}");
    }
}

#[test]
fn lists_are_understood() {
    let list = given(CXL, &["list"]).stdout;
    assert!(
        list.contains("region0  0x2070000000-0x606fffffff  256 GiB  CXL region0"),
        "{list}"
    );
    let both = given(
        &format!("# cxl list\n{CXL}\n# dmesg\n{LOG}# cat /proc/iomem\n{IOMEM}"),
        &["list"],
    );
    for word in ["region0", "0xa90000000-0xccfffffff"] {
        assert!(both.stdout.contains(word), "{}", both.stdout);
    }
}

#[test]
fn files_of_a_folder_are_read_together() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("dmesg.txt"), LOG).unwrap();
    std::fs::write(dir.path().join("iomem.txt"), IOMEM).unwrap();
    let said = daxown(dir.path(), &["doctor"]);
    assert_eq!(said.status, 2, "{}", said.stderr);
    assert!(
        said.stdout
            .contains("9 GiB not usable  [kmem-cannot-reserve]"),
        "{}",
        said.stdout
    );
    let one = daxown(&dir.path().join("dmesg.txt"), &["doctor"]);
    assert_eq!(one.status, 2, "{}", one.stderr);
}

#[test]
fn what_is_nothing_is_refused_with_a_way_out() {
    for text in ["", "hello\n", "[1,2]", "\u{0}\u{1}"] {
        let said = given(text, &["doctor"]);
        assert_eq!(said.status, 3, "{text:?}: {}", said.stdout);
        assert!(said.stderr.contains("daxown capture"), "{}", said.stderr);
    }
    assert_eq!(daxown(Path::new("/no/such"), &["list"]).status, 3);
}
