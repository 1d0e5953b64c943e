// SPDX-License-Identifier: GPL-2.0

//! What is given and says less than it might: lists that were cut off or are empty, a resource tree without
//! addresses, and sources that are pipes.

mod common;

use std::process::Command;

use common::{given, words};

const REGION: &str = r#"[
  {
    "region":"region0",
    "resource":139315904512,
    "size":274877906944,
    "type":"ram",
    "interleave_ways":2,
    "decode_state":"commit",
    "mappings":[
      {
        "position":1,
        "memdev":"mem1",
        "decoder":"decoder3.0"
      },
      {
        "position":0,
        "memdev":"mem0",
        "decoder":"decoder2.0"
      }
    ]
  }
]"#;

const CUT: &str = "a list ends in the middle";

#[test]
fn a_list_that_was_cut_off() {
    let first = REGION.find("mem1").unwrap();
    // Behind the first member, in the second, before the second is whole.
    for end in ["},", "\"position\":0,", "\"mem0\","] {
        let at = first + REGION[first..].find(end).unwrap() + end.len();
        let text = &REGION[..at];
        let doctor = words(&given(text, &["doctor"]).stdout);
        assert!(doctor.contains(CUT), "{text}\n{doctor}");
        assert!(!doctor.contains("lacks its member"), "{doctor}");
        let list = words(&given(text, &["list"]).stdout);
        assert!(
            list.contains("ram, 2-way, mem1 and others"),
            "{text}\n{list}"
        );
        let devices = words(&given(text, &["list", "--kind", "device"]).stdout);
        assert!(devices.contains("members of regions: mem1"), "{devices}");
    }
    let before = &REGION[..REGION.find("\"mappings\"").unwrap()];
    let list = words(&given(before, &["list"]).stdout);
    assert!(list.contains("ram, 2-way"), "{list}");
    // The whole list names both, and one of them missing is missing.
    let doctor = words(&given(REGION, &["doctor"]).stdout);
    assert!(
        !doctor.contains(CUT) && !doctor.contains("lacks"),
        "{doctor}"
    );
    let (head, tail) = REGION.split_once("      },\n").unwrap();
    let one = format!("{head}      }}\n{}", &tail[tail.find("    ]").unwrap()..]);
    let doctor = words(&given(&one, &["doctor"]).stdout);
    assert!(
        doctor.contains("region0 lacks its member at position 0"),
        "{doctor}"
    );
    // A region before the one that was cut is whole.
    let two = format!(
        "{},{}",
        one.trim_end_matches([']', '\n']),
        &REGION[1..first]
    );
    let two = two.replacen("region0", "region9", 1);
    let doctor = words(&given(&two, &["doctor"]).stdout);
    assert!(
        doctor.contains("region9 lacks its member at position 0"),
        "{doctor}"
    );
    assert!(!doctor.contains("region0 lacks"), "{doctor}");
}

#[test]
fn windows_and_devices_are_two_things() {
    let text = r#"[{"memdev":"mem0","ram_size":17179869184,"serial":1,"host":"0000:11:00.0"}]"#;
    let doctor = words(&given(text, &["doctor"]).stdout);
    assert!(
        doctor.contains("/proc/iomem, CXL windows, dax devices"),
        "{doctor}"
    );
    assert!(!doctor.contains("CXL memory devices"), "{doctor}");
}

#[test]
fn an_empty_list() {
    for text in [
        "[ ]\n",
        "# cxl list\n[\n]\n",
        r#"[{"memdevs":[]}]"#,
        r#"{"memdevs":[]}"#,
    ] {
        let doctor = given(text, &["doctor"]);
        let said = words(&doctor.stdout);
        assert_eq!(doctor.status, 1, "{text}: {said} {}", doctor.stderr);
        assert!(said.contains("an empty list was given"), "{said}");
        assert!(!said.contains("no Soft Reserved memory"), "{said}");
        let devices = given(text, &["list", "--kind", "device"]).stdout;
        assert!(devices.contains("not in what was given"), "{devices}");
    }
    // Beside something else it is told as well.
    let log = "[ 1.0] BIOS-e820: [mem 0x490000000-0x4afffffff] soft reserved\n$ cxl list\n[\n]\n";
    let doctor = words(&given(log, &["doctor"]).stdout);
    assert!(doctor.contains("an empty list was given"), "{doctor}");
    for text in ["{}", "[{}]", "null", "[1, 2]"] {
        assert_eq!(given(text, &["doctor"]).status, 3, "{text}");
    }
}

#[test]
fn a_resource_tree_without_addresses() {
    let zero = "00000000-00000000 : ";
    let names = [
        "System RAM",
        "CXL Window 0",
        "  Soft Reserved",
        "    dax0.0",
    ];
    let text: String = names.map(|n| format!("{zero}{n}\n")).concat();
    let doctor = given(&text, &["doctor"]);
    let said = words(&doctor.stdout);
    for word in [
        "it lists CXL Window 0",
        "WARNING: where Soft Reserved memory lies is hidden",
        "have root print /proc/iomem",
    ] {
        assert!(said.contains(word), "{said}");
    }
    let list = given(&text, &["list"]);
    assert!(list.stdout.contains("is hidden"), "{}", list.stdout);
    for said in [&said, &list.stdout, &list.stderr] {
        for wrong in [
            "o Soft Reserved memory",
            "run daxown as root",
            "run it as root",
        ] {
            assert!(!said.contains(wrong), "{said}");
        }
    }
}

/// A capture of what was pasted says what its lists are short of.
#[test]
fn a_capture_keeps_what_is_short() {
    let dir = std::env::temp_dir().join(format!("daxown-short-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    for (i, text) in [&REGION[..REGION.find("\"position\":0").unwrap()], "[ ]"]
        .iter()
        .enumerate()
    {
        let file = dir.join(format!("{i}.tar.gz"));
        let path = file.to_str().unwrap();
        assert_eq!(given(text, &["capture", path]).status, 0, "{text}");
        let again = common::daxown(&file, &["doctor"]).stdout;
        assert_eq!(words(&again), words(&given(text, &["doctor"]).stdout));
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn pipes_of_a_shell() {
    let run = |script: &str| {
        let output = Command::new("bash")
            .args(["-c", script, "bash", env!("CARGO_BIN_EXE_daxown")])
            .output();
        let output = output.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8(text).unwrap(), output.status.code())
    };
    let log = "echo '[ 1.0] BIOS-e820: [mem 0x490000000-0x4afffffff] soft reserved'";
    let (said, status) = run(&format!("\"$1\" --sysroot <({log}) list"));
    assert!(
        said.contains("0x490000000-0x4afffffff") && status == Some(0),
        "{said}"
    );
    let (said, status) = run(&format!("\"$1\" diff <({log}) <({log} | sed s/4af/4ae/)"));
    assert!(said.contains("0x4aeffffff") && status == Some(1), "{said}");
    let (said, status) = run(&format!("{log} | \"$1\" diff - -"));
    assert!(
        said.contains("has been read already") && status == Some(3),
        "{said}"
    );
    let (said, status) = run("\"$1\" --sysroot /dev/null list");
    assert!(
        said.contains("it is a device") && status == Some(3),
        "{said}"
    );
}
