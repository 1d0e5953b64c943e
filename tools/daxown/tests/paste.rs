// SPDX-License-Identifier: GPL-2.0

//! Whatever somebody pasted is read, and what is not in it is said to be so.

mod common;

use std::path::Path;

use common::{daxown, given, Output};

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

#[test]
fn a_log_in_every_stamp() {
    for prefix in [
        "[   24.903542] ",
        "[   24.903542][  T99] ",
        "<6>[   24.903542] ",
        "<6>",
        "[Tue Dec  2 10:11:12 2025] ",
        "[Di Dez  2 10:11:12 2025] ",
        "1764670280.123456 node17 kernel: ",
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
            let said = given(lines.collect::<String>(), &["doctor"]);
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
        (
            LOG,
            "/proc/iomem, CXL windows, CXL memory devices, dax devices",
        ),
        (IOMEM, "the kernel log, CXL memory devices, dax devices"),
        (CXL, "the kernel log, /proc/iomem, CXL windows, dax devices"),
        (
            DAXCTL,
            "the kernel log, /proc/iomem, CXL windows, CXL memory devices",
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
        format!("# cxl list\n{CXL}\n# dmesg\n{LOG}# cat /proc/iomem\n{IOMEM}"),
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

/// The resource tree shows regions, and not what became of them.
#[test]
fn regions_of_the_resource_tree_are_not_left_out() {
    let text = "490000000-58fffffff : CXL Window 0\n  490000000-4afffffff : region0\n    \
                490000000-4afffffff : System RAM (kmem)\n  4b0000000-4cfffffff : region1\n";
    let list = given(text, &["list"]).stdout;
    for word in [
        "region0  0x490000000-0x4afffffff  512 MiB  unknown",
        "region1",
    ] {
        assert!(list.contains(word), "{list}");
    }
    let explained = given(text, &["explain", "region1"]);
    assert_eq!(explained.status, 0, "{}", explained.stderr);
    let doctor = given(text, &["doctor"]).stdout;
    assert!(!doctor.contains("no committed CXL region"), "{doctor}");
    let predict = given(text, &["predict"]).stdout;
    assert!(predict.contains("nothing can be predicted"), "{predict}");
}

#[test]
fn a_platform_that_was_not_given_is_not_ready() {
    for text in [LOG, CXL, DAXCTL] {
        let said = given(text, &["doctor", "--platform"]).stdout;
        let told: Vec<&str> = said.lines().filter(|l| l.starts_with("ready")).collect();
        let known = ["firmware", "windows"];
        let is_known = |l: &&str| known.iter().any(|k| l[8..].starts_with(k));
        assert!(told.iter().all(is_known), "{said}");
        assert!(!said.contains("served there yet"), "{said}");
    }
}

/// What `-u` rounded is exact only if a range ends there.
#[test]
fn rounded_sizes() {
    let cxl = r#"[{"region":"region0","resource":"0x2080000000","size":"1.33 TiB (1.47 TB)","type":"ram",
        "interleave_ways":3,"decode_state":"commit"}]"#;
    let list = given(cxl, &["list"]).stdout;
    assert!(!list.contains("0x2080000000-"), "{list}");
    let log = "[    0.0] BIOS-e820: [mem 0x0000002080000000-0x00000175ffffffff] soft reserved\n";
    let list = given(format!("{cxl}\n{log}"), &["list"]).stdout;
    assert!(
        list.contains("region0        0x2080000000-0x175ffffffff"),
        "{list}"
    );
    let predict = given(format!("{cxl}\n{log}"), &["predict"]).stdout;
    for wrong in ["another driver", "outside"] {
        assert!(!predict.contains(wrong), "{predict}");
    }
}

#[test]
fn capacity_that_is_not_shown_is_not_free() {
    let list = given(CXL, &["list", "--kind", "device", "-J"]).stdout;
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert!(list["devices"][0]["unmapped"].is_null(), "{list}");
    assert_eq!(list["devices"][0]["volatile"], 256u64 << 30);
    let none = given(DAXCTL, &["list", "--kind", "device"]).stdout;
    assert!(none.contains("in what was given"), "{none}");
}

/// Every kind of text that the other tests paste, and some of them together.
fn pastes() -> Vec<String> {
    let stamped = |prefix: &str| LOG.lines().map(|l| format!("{prefix}{l}\n")).collect();
    vec![
        stamped("[   24.903542] "),
        stamped("[Tue Dec  2 10:11:12 2025] "),
        stamped("Dec  2 10:11:12 node17 kernel: "),
        stamped("> <6>[   24.903542][  T99] "),
        stamped("6,339,24903542,-;"),
        stamped(""),
        // Nothing of interest, and nothing that can be read.
        "[    1.000000] usb 1-1: new device\n".into(),
        format!("{LOG}node17: dmesg: kmem dax9.0: mapping0: odd\nnode17 x: [mem 0x1000-0x1fff] soft reserved\n"),
        LOG.replace("BIOS-e820", "[    0.000000] reserve setup_data"),
        "[    0.000000] Linux version 7.3.4 (x@y)\n[    0.000000] Command line: secret=1 efi=nosoftreserve\n".into(),
        IOMEM.into(),
        "490000000-58fffffff : CXL Window 0\n  490000000-4afffffff : region0\n".into(),
        CXL.into(),
        DAXCTL.into(),
        format!("# cxl list\n{CXL}\n# daxctl list\n{DAXCTL}\n# dmesg\n{LOG}# cat /proc/iomem\n{IOMEM}"),
        MEMBERS.into(),
        format!("{MEMBERS}\n{LOG}"),
        DAXCTL.replace("\"mode\"", "\"online_memblocks\":3,\"total_memblocks\":4,\"mode\""),
        format!("-- Boot b1 --\n{LOG}-- Boot b2 --\n[    1.000000] kmem dax1.0: something\n"),
    ]
}

/// With endpoints, members and sizes that were rounded.
const MEMBERS: &str = r#"[{"bus":"root0","decoders:root0":[{"decoder":"decoder0.0","resource":44291850240,"size":"9.00 GiB (9.66 GB)",
    "regions:decoder0.0":[{"region":"region0","resource":"0xa90000000","size":"1.33 TiB (1.47 TB)","type":"ram",
      "interleave_ways":2,"decode_state":"commit","mappings":[{"position":1,"memdev":"mem1","decoder":"decoder3.0"},
      {"position":0,"memdev":"mem0","decoder":"decoder2.0"}],
      "daxregion":{"id":0,"size":"1.33 TiB","align":2097152,"devices":[{"chardev":"dax0.0","size":"1.33 TiB","mode":"devdax"}]}}]}],
  "endpoints:root0":[{"endpoint":"endpoint2","host":"mem0","decoders:endpoint2":[{"decoder":"decoder2.0",
      "resource":"0xa90000000","size":"1.33 TiB","dpa_size":"682.67 GiB","mode":"ram","region":"region0","interleave_ways":2}],
    "memdev":{"memdev":"mem0","ram_size":"768.00 GiB (824.63 GB)","serial":"0x1","host":"0000:0d:00.0"}}]}]"#;

/// What was pasted can be captured, and the capture says what the paste says: by each verb, and of what
/// is not in it.
#[test]
fn a_capture_of_a_paste_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let verbs: [&[&str]; 13] = [
        &["list"],
        &["list", "-J"],
        &["list", "--kind", "device", "-J"],
        &["doctor"],
        &["doctor", "-J"],
        &["doctor", "--platform"],
        &["explain", "0xa90000000"],
        &["tree", "-J"],
        &["metrics"],
        &["predict"],
        &["timeline"],
        &["scenario"],
        &["fix", "--dry-run"],
    ];
    for (i, text) in pastes().iter().enumerate() {
        let paste = dir.path().join(format!("paste{i}.txt"));
        std::fs::write(&paste, text).unwrap();
        let copy = dir.path().join(format!("copy{i}.tar.gz"));
        let name = copy.to_str().unwrap();
        assert_eq!(given(text, &["capture", name]).status, 0, "{text}");
        for verb in verbs {
            let (before, after) = (daxown(&paste, verb), daxown(&copy, verb));
            let said = |o: &Output, path: &Path| {
                let path = path.to_str().unwrap();
                o.stdout.replace(path, "FILE") + &o.stderr.replace(path, "FILE")
            };
            assert_eq!(
                said(&before, &paste),
                said(&after, &copy),
                "{verb:?}: {text}"
            );
            assert_eq!(before.status, after.status, "{verb:?}: {text}");
            // Standard input can be read once only.
            let piped = given(text, verb);
            assert_eq!(piped.status, before.status, "{verb:?}: {}", piped.stderr);
            assert_eq!(piped.stdout, before.stdout, "{verb:?}: {text}");
        }
        // A copy of the copy is the same, as is one of the file, and one that was unpacked.
        let again = dir.path().join(format!("again{i}.tar.gz"));
        daxown(&copy, &["capture", again.to_str().unwrap()]);
        let bytes = std::fs::read(&copy).unwrap();
        assert_eq!(bytes, std::fs::read(&again).unwrap(), "{text}");
        daxown(&paste, &["capture", again.to_str().unwrap()]);
        assert_eq!(bytes, std::fs::read(&again).unwrap(), "{text}");
        let folder = dir.path().join(format!("folder{i}"));
        let unpacked = flate2::read::GzDecoder::new(bytes.as_slice());
        let mut archive = tar::Archive::new(unpacked);
        std::fs::create_dir(&folder).unwrap();
        archive.unpack(&folder).unwrap();
        let (one, other) = (daxown(&copy, &["doctor"]), daxown(&folder, &["doctor"]));
        assert_eq!(one.stdout, other.stdout, "{text}");
        let mut held = String::new();
        let mut unpacked = flate2::read::GzDecoder::new(bytes.as_slice());
        std::io::Read::read_to_string(&mut unpacked, &mut held).unwrap();
        for private in ["node17", "secret", "usb 1-1"] {
            assert!(!held.contains(private), "{private}: {text}");
        }
    }
}

/// A list names the members of a region, and does not show the devices.
#[test]
fn members_that_are_only_named_are_not_missing() {
    let region = |mappings: &str| {
        format!(
            r#"[{{"region":"region0","resource":"0x2080000000","size":"512.00 GiB (549.76 GB)","type":"ram",
            "interleave_ways":2,"decode_state":"commit","mappings":[{mappings}]}}]"#
        )
    };
    let both = r#"{"position":1,"memdev":"mem1","decoder":"decoder6.0"},
        {"position":0,"memdev":"mem0","decoder":"decoder5.0"}"#;
    for mappings in [
        both.to_string(),
        both.replace(r#","decoder":"decoder6.0""#, ""),
        both.replace(r#""memdev":"mem0","#, ""),
    ] {
        let text = region(&mappings);
        for args in [&["list"][..], &["doctor"], &["explain", "region0"]] {
            let said = given(&text, args).stdout;
            for wrong in ["missing", "lacks"] {
                assert!(!said.contains(wrong), "{mappings}: {said}");
            }
        }
    }
    let list = given(region(both), &["list"]).stdout;
    assert!(list.contains("mem0-mem1"), "{list}");
    // One that is not in the list is missing.
    let one = region(r#"{"position":0,"memdev":"mem0","decoder":"decoder5.0"}"#);
    let doctor = given(&one, &["doctor"]).stdout;
    assert!(
        doctor.contains("lacks its member at position 1"),
        "{doctor}"
    );
}

#[test]
fn what_explain_does_not_find_is_not_in_it() {
    for (text, what) in [
        (LOG, "0xa90000000"),
        (CXL, "region0"),
        (IOMEM, "0x90000000000"),
    ] {
        let said = given(text, &["explain", what]).stdout;
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for wrong in [
            "no CXL window is known",
            "no CXL region lies there",
            "CXL has no part in it",
        ] {
            assert!(!said.contains(wrong), "{what}: {said}");
        }
    }
    let said = given(LOG, &["explain", "0xa90000000"]).stdout;
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in [
        "no CXL window is in what was given",
        "no CXL region there is in what was given",
    ] {
        assert!(said.contains(word), "{said}");
    }
}
