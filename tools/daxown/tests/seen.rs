// SPDX-License-Identifier: GPL-2.0

//! Memory devices, columns, the boot's timeline, the platform, conditions to wait for.

mod common;

use common::{daxown, fixture};
use serde_json::Value;

fn json(name: &str, args: &[&str]) -> Value {
    let output = daxown(&fixture(name), &[args, &["-J"]].concat());
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", output.stderr))
}

#[test]
fn devices_with_their_capacity() {
    const MIB: u64 = 1 << 20;
    let document = json("smaller-rust", &["list"]);
    let devices = document["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 2);
    // Serial 1 is in region0, which lost its memory to HMEM; serial 2 is in none.
    let of = |serial: &str| devices.iter().find(|d| d["serial"] == serial).unwrap();
    let (first, second) = (of("0x1"), of("0x2"));
    assert_eq!(first["regions"], serde_json::json!(["region0"]));
    assert_eq!(
        (&first["mapped"], &first["hmem"]),
        (&(512 * MIB).into(), &(512 * MIB).into())
    );
    assert_eq!(first["hmem_maybe"], 0);
    assert_eq!(
        (&second["unmapped"], &second["hmem"]),
        (&(512 * MIB).into(), &0.into())
    );
    // HMEM has memory of the window in which no region is.
    assert_eq!(second["hmem_maybe"], 512 * MIB);
    for device in [first, second] {
        assert_eq!(device["bound"], true);
        assert_eq!(device["windows"], serde_json::json!(["CXL Window 0"]));
        assert!(
            device["pci"].as_str().unwrap().ends_with(":00.0"),
            "{device}"
        );
    }
    let table = daxown(&fixture("smaller-rust"), &["list", "--kind", "device"]).stdout;
    assert!(table.contains("up to 512 MiB"), "{table}");
}

/// A window reaches the devices below its bridges, and no other.
#[test]
fn windows_reach_devices_by_bridge() {
    let document = json("scenarios/interleave-rust", &["list"]);
    let devices = document["devices"].as_array().unwrap();
    let windows = |pci: &str| {
        let device = devices
            .iter()
            .find(|d| d["pci"].as_str().unwrap().starts_with(pci));
        device.unwrap()["windows"].as_array().unwrap().len()
    };
    // The first window has the first bridge, the second one has both.
    assert_eq!(windows("0000:11"), 2);
    assert_eq!(windows("0000:33"), 1);
}

#[test]
fn columns_can_be_added() {
    let run = |args: &[&str]| daxown(&fixture("smaller-rust"), args);
    let usual = run(&["list"]).stdout;
    let more = run(&["list", "-o", "+window,+members"]).stdout;
    let heads = |text: &str| text.lines().next().unwrap().split_whitespace().count();
    assert!(
        heads(&more) > heads(&usual) || more.contains("WINDOW"),
        "{more}"
    );
    assert!(
        more.contains("CXL Window 0") && more.contains("mem"),
        "{more}"
    );
    let output = run(&["list", "-o", "+colour"]);
    assert_eq!(output.status, 3);
    assert!(output.stderr.contains("members"), "{}", output.stderr);
}

#[test]
fn the_boot_in_order() {
    let document = json("smaller-rust", &["timeline"]);
    let moments = document["moments"].as_array().unwrap();
    let what: Vec<&str> = moments
        .iter()
        .filter(|m| m["evidence"] == "ledger")
        .map(|m| m["what"].as_str().unwrap())
        .collect();
    assert_eq!(what, ["found", "decided", "decided", "served", "served"]);
    let times: Vec<u64> = moments
        .iter()
        .map(|m| m["at_us"].as_u64().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let decided = moments.iter().find(|m| m["what"] == "decided").unwrap();
    assert_eq!(decided["waited_for"], "device probing to settle");
    let deferred: Vec<&Value> = moments.iter().filter(|m| m["what"] == "deferred").collect();
    assert_eq!(deferred.len(), 1, "{deferred:#?}");
    assert_eq!(deferred[0]["evidence"], "log");
    assert_eq!(deferred[0]["range"]["start"], "0x490000000");
    // Where the log has lost it, the ledger tells that it waited.
    let bare = unpacked("smaller-rust", &[("dev/kmsg", "")]);
    let said = daxown(bare.path(), &["timeline", "-J"]).stdout;
    let bare: Value = serde_json::from_str(&said).unwrap();
    let what: Vec<&Value> = bare["moments"].as_array().unwrap().iter().collect();
    let what: Vec<&Value> = what.into_iter().map(|m| &m["what"]).collect();
    let start = ["found", "deferred", "decided", "decided"];
    assert_eq!(what[..4], start.map(Value::from).each_ref()[..], "{what:?}");
    let cover = json("cover-rust", &["timeline"]);
    let decided = cover["moments"]
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["what"] == "decided");
    assert_eq!(decided.unwrap()["waited_for"], "region0");
    // The log is set by the ledger's clock: the range was found at 11.092225 s on the one, and first
    // spoken of at 10.984923 s on the other.
    let conflict = moments.iter().find(|m| m["what"] == "log").unwrap();
    assert_eq!(conflict["at_us"], 15_134_892 + 11_092_225 - 10_984_923);
    // The kernel's own drivers tell their failures only.
    let stock = json("union-c", &["timeline"]);
    assert!(stock["moments"]
        .as_array()
        .unwrap()
        .iter()
        .all(|m| m["evidence"] == "log"));
}

#[test]
fn the_platform() {
    let result = |name: &str, what: &str| {
        let document = json(name, &["doctor", "--platform"]);
        let checks = document["checks"].as_array().unwrap().clone();
        let check = checks.iter().find(|c| c["what"] == what);
        check.unwrap_or_else(|| panic!("{name}: no {what}"))["result"].clone()
    };
    assert_eq!(result("cover-c", "firmware"), "ready");
    assert_eq!(result("cover-c", "alignment"), "ready");
    assert_eq!(result("misalign-c", "alignment"), "poor");
    assert_eq!(result("nokmem-c", "kmem"), "poor");
    assert_eq!(result("scenarios/no-soft-reserved-c", "firmware"), "poor");
    assert_eq!(result("cover-c", "options"), "unknown");
    assert_eq!(
        daxown(&fixture("cover-c"), &["doctor", "--platform"]).status,
        1
    );
    assert_eq!(
        daxown(&fixture("misalign-c"), &["doctor", "--platform"]).status,
        1
    );
}

#[test]
fn conditions() {
    let status =
        |name: &str, args: &[&str]| daxown(&fixture(name), &[&["wait"], args].concat()).status;
    for (name, condition, holds) in [
        ("cover-c", "region0=online", true),
        ("cover-c", "region0", true),
        ("cover-c", "region0=committed", true),
        ("cover-c", "region0=gone", false),
        ("cover-c", "region9=gone", true),
        ("cover-c", "region9=there", false),
        ("cover-c", "0x490000000=cxl", true),
        ("cover-c", "0x490000000=hmem", false),
        ("smaller-rust", "region0=hmem", true),
        ("union-c", "region0=online", false),
        ("offline-c", "0x490000000=online", false),
        ("devdax-c", "dax0.0=usable", true),
        ("rebind-c", "0x490000000=nobody", true),
    ] {
        let expected = i32::from(!holds);
        assert_eq!(
            status(name, &["--for", condition]),
            expected,
            "{name} {condition}"
        );
    }
    assert_eq!(status("cover-c", &["--node", "1"]), 0);
    assert_eq!(status("cover-c", &["--node", "9"]), 1);
    assert_eq!(
        status("cover-c", &["--for", "region0=online", "--node", "9"]),
        1
    );
    assert_eq!(status("cover-c", &["--for", "region0=green"]), 3);
}

/// A fixture as a directory, with more files.
fn unpacked(name: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let file = std::fs::File::open(fixture(name)).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    archive.unpack(dir.path()).unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

const OPTIONS: [&str; 12] = [
    "EFI_SOFT_RESERVE",
    "DEV_DAX_HMEM",
    "DEV_DAX_CXL",
    "DEV_DAX_KMEM",
    "CXL_REGION",
    "CXL_ACPI",
    "CXL_PCI",
    "CXL_MEM",
    "CXL_PORT",
    "MEMORY_HOTPLUG",
    "MEMORY_HOTREMOVE",
    "RUST",
];

/// What the kernel was built with, from the file of its configuration and from a capture of that.
#[test]
fn kernel_options() {
    let config = |without: &[&str]| {
        let lines = OPTIONS.iter().map(|o| match without.contains(o) {
            true => format!("# CONFIG_{o} is not set\n"),
            false => format!("CONFIG_{o}=y\n"),
        });
        lines.collect::<String>() + "CONFIG_LOCALVERSION=\"-secret\"\n"
    };
    let checks = |path: &std::path::Path| -> (i32, Vec<Value>) {
        let said = daxown(path, &["doctor", "--platform", "-J"]);
        let document: Value = serde_json::from_str(&said.stdout).unwrap();
        (said.status, document["checks"].as_array().unwrap().clone())
    };
    let result = |checks: &[Value], what: &str| {
        let check = checks.iter().find(|c| c["what"] == what);
        check.map(|c| c["result"].as_str().unwrap().to_string())
    };
    let release = json("cover-c", &["list"])["machine"]["kernel"].clone();
    let path = format!("boot/config-{}", release.as_str().unwrap());

    let all = unpacked("cover-c", &[(&path, &config(&[]))]);
    let (status, found) = checks(all.path());
    assert_eq!(
        (status, result(&found, "options")),
        (0, Some("ready".into()))
    );

    let without = ["DEV_DAX_KMEM", "CXL_REGION", "RUST"];
    let some = unpacked("cover-c", &[(&path, &config(&without))]);
    let copy = some.path().join("copy.tar.gz");
    let made = daxown(some.path(), &["capture", copy.to_str().unwrap()]);
    assert_eq!(made.status, 0, "{}", made.stderr);
    for machine in [some.path(), &copy] {
        let (status, found) = checks(machine);
        assert_eq!(status, 2);
        for (option, expected) in [
            ("CONFIG_DEV_DAX_KMEM", Some("missing")),
            ("CONFIG_CXL_REGION", Some("poor")),
            ("CONFIG_RUST", Some("poor")),
            ("CONFIG_DEV_DAX_HMEM", None),
        ] {
            assert_eq!(result(&found, option).as_deref(), expected, "{option}");
        }
    }
    let text = daxown(&copy, &["doctor", "--platform"]).stdout;
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "CONFIG_DEV_DAX_KMEM the kernel was built without it",
        "dax devices cannot become System RAM",
        "cannot be built for it",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let mut held = String::new();
    let file = std::fs::File::open(&copy).unwrap();
    let mut file = flate2::read::GzDecoder::new(file);
    std::io::Read::read_to_string(&mut file, &mut held).unwrap();
    assert!(held.contains("CONFIG_CXL_PORT=y") && !held.contains("secret"));

    let text = daxown(&fixture("cover-c"), &["doctor", "--platform"]).stdout;
    assert!(text.contains("cannot be known: none of"), "{text}");
}

/// Whatever the resource tree has in a window stands in the tree, by its own name.
#[test]
fn the_tree_has_all_that_lies_in_a_window() {
    let iomem = "490000000-58fffffff : CXL Window 0\n  490000000-4afffffff : region0\n    \
                 490000000-4afffffff : dax0.0\n      490000000-4afffffff : System RAM (kmem)\n  \
                 500000000-50fffffff : PCI Bus 0000:aa\n    500000000-5000fffff : 0000:aa:00.0\n      \
                 500000000-5000fffff : nvme\n  520000000-520ffffff : Reserved\n  \
                 530000000-53fffffff : System RAM\n    530000000-530ffffff : Kernel code\n\
                 600000000-6ffffffff : PCI Bus 0000:bb\n";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("iomem");
    std::fs::write(&file, iomem).unwrap();
    let text = daxown(&file, &["tree"]).stdout;
    for line in [
        "PCI Bus 0000:aa  2 more inside",
        "─ Reserved",
        "─ System RAM",
        "─ region0",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // What lies elsewhere, or in the memory of the kernel, does not.
    for word in ["0000:bb", "Kernel code", "nvme"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let said = daxown(&file, &["tree", "-J"]).stdout;
    let tree: Value = serde_json::from_str(&said).unwrap();
    let window = &tree["nodes"].as_array().unwrap()[0];
    let others = window["children"].as_array().unwrap().iter();
    let others = others.filter(|n| n["kind"] == "other");
    let names: Vec<&str> = others.map(|n| n["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["PCI Bus 0000:aa", "Reserved"]);
    // The picture has a lane for them.
    let svg = daxown(&file, &["tree", "--svg", "-"]).stdout;
    assert!(svg.contains("Others"), "{svg}");
}
