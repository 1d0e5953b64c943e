// SPDX-License-Identifier: GPL-2.0

//! What the format takes, and that each kind of fault is refused in its line.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

/// A scenario that passes; tests break one thing of it.
const GOOD: &str = r#"description = "x"
[machine]
ram = "1536M"
[[bridge]]
name = "hb0"
[[bridge]]
name = "hb1"
[[switch]]
name = "sw"
on = "hb1"
[[device]]
name = "a"
serial = 1
[[device]]
name = "b"
serial = 2
on = "sw"
[[window]]
size = "1G"
targets = ["hb0", "hb1"]
[[window]]
size = "1G"
[[region]]
at = "window0+0"
size = "512M"
devices = ["a", "b"]
[[soft_reserved]]
name = "sr"
base = "window0+512M"
size = "1G"
[[soft_reserved]]
name = "ram"
base = "0x40000000"
size = "256M"
[[step]]
name = "look"
capture = "before"
[expect]
iomem = """
W0+0x0-W0+0x3fffffff : CXL Window 0
  W0+0x0-W0+0x1fffffff : region*
"""
log = ["owner CXL"]
[expect.range.sr]
owner = "cxl"
online = 1024
[expect.at.before.range.ram]
owner = "hmem"
[expect.c]
log = ["nothing"]
[expect.c.range.sr]
owner = "nobody"
"#;

fn parse(text: &str) -> Result<Scenario, String> {
    Scenario::parse(Path::new("t.toml"), text).map_err(|error| format!("{error:#}"))
}

/// Replaces `from`, which must be there, and returns what the parser says.
fn fault(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    parse(&GOOD.replacen(from, to, 1)).expect_err(to)
}

/// The line of GOOD in which `text` is.
fn line(text: &str) -> usize {
    let lines = GOOD.lines();
    1 + lines
        .take_while(|line| !line.contains(text))
        .collect::<Vec<_>>()
        .len()
}

#[test]
fn a_good_file() {
    let scenario = parse(GOOD).expect("good");
    assert_eq!(scenario.name, "t");
    assert_eq!(scenario.check, Check::Always);
    assert!(scenario.needs_firmware());
    assert_eq!(scenario.machine.devices[1].slot, Slot::Switch(0));
    assert_eq!(scenario.machine.windows[0].targets, [0, 1]);
    assert_eq!(scenario.window_offset(1), 1 << 30);
    // RAM from the Soft Reserved range on is a node of its own.
    assert_eq!(scenario.machine.nodes, [1 << 30, 512 << 20]);
}

#[test]
fn a_check_can_be_for_all_only() {
    let text = GOOD.replacen('\n', "\ncheck = \"all\"\n", 1);
    assert_eq!(parse(&text).expect("good").check, Check::All);
    assert!(parse(&text.replace("\"all\"", "\"never\"")).is_err());
}

#[test]
fn what_c_does_replaces_key_by_key() {
    let scenario = parse(GOOD).expect("good");
    let rust = scenario.expect(Drivers::Rust).expect("rust");
    let c = scenario.expect(Drivers::C).expect("c");
    assert_eq!(rust.end.ranges["sr"].owner, Some(Owner::Cxl));
    assert_eq!(c.end.ranges["sr"].owner, Some(Owner::Nobody));
    assert_eq!(c.end.ranges["sr"].unowned, 1 << 30);
    assert_eq!(c.at["before"].ranges["ram"].owner, Some(Owner::Hmem));
    assert_eq!(c.log[0].as_str(), "nothing");
    assert!(c.end.iomem.is_some());
    assert!(scenario.expect(Drivers::None).is_none());
}

#[test]
fn syntax_is_refused_with_its_line() {
    assert!(fault("[[bridge]]", "[[bridge]").starts_with("t.toml:4: "));
    assert!(fault("serial = 1", "serail = 1").starts_with(&format!(
        "t.toml:{}: unknown field `serail`",
        line("serial = 1")
    )));
    assert!(fault("512M", "512Q").contains("is not a size"));
    assert!(fault("owner = \"cxl\"", "owner = \"me\"").contains("unknown variant"));
    assert!(fault("description = \"x\"\n", "").contains("missing field `description`"));
}

#[test]
fn semantic_faults_are_refused_with_their_line() {
    let cases: &[(&str, &str, &str)] = &[
        (
            "serial = 2",
            "serial = 1",
            "`a` has the serial number 0x1 too",
        ),
        (
            "serial = 1\n",
            "serial = 1\nsize = \"300M\"\n",
            "multiple of 256M",
        ),
        ("name = \"hb1\"", "name = \"hb0\"", "there are two of `hb0`"),
        (
            "on = \"sw\"",
            "on = \"nowhere\"",
            "no host bridge `nowhere`",
        ),
        ("\"a\", \"b\"", "\"a\", \"q\"", "there is no device `q`"),
        ("\"a\", \"b\"", "\"a\", \"a\"", "named twice"),
        ("\"a\", \"b\"", "\"a\"", "cannot interleave"),
        (
            "at = \"window0+0\"",
            "at = \"window7+0\"",
            "there is no window7",
        ),
        (
            "at = \"window0+0\"",
            "at = \"window0+768M\"",
            "ends outside window0",
        ),
        (
            "at = \"window0+0\"",
            "at = \"window0+1M\"",
            "starts at a multiple of 512M",
        ),
        ("at = \"window0+0\"", "at = \"0x1000\"", "lies in a window"),
        (
            "size = \"1G\"\ntargets",
            "size = \"768M\"\ntargets",
            "each of its 2 targets",
        ),
        (
            "base = \"window0+512M\"",
            "base = \"window1+512M\"",
            "outside the last window",
        ),
        (
            "base = \"window0+512M\"",
            "base = \"window0+1G\"",
            "starts outside window0",
        ),
        (
            "base = \"0x40000000\"",
            "base = \"0x60000000\"",
            "no RAM is behind",
        ),
        (
            "base = \"0x40000000\"",
            "base = \"0x1000000\"",
            "the kernel itself",
        ),
        (
            "base = \"0x40000000\"",
            "base = \"window0+768M\"",
            "overlaps `sr`",
        ),
        ("capture = \"before\"", "", "exactly one of"),
        (
            "capture = \"before\"",
            "boot = \"crash\"",
            "a crash needs memory",
        ),
        (
            "[expect.range.sr]",
            "[expect.range.other]",
            "no Soft Reserved range `other`",
        ),
        (
            "[expect.at.before.",
            "[expect.at.after.",
            "no step captures `after`",
        ),
        ("online = 1024", "online = 1025", "the range has 1G only"),
        (
            "log = [\"owner CXL\"]",
            "log = [\"(\"]",
            "not a regular expression",
        ),
        (
            "W0+0x0-W0+0x3fffffff",
            "W2+0x0-W2+0x3fffffff",
            "there is no such window",
        ),
        ("  W0+0x0", "    W0+0x0", "indented too far"),
        ("ram = \"1536M\"", "ram = \"100M\"", "512M of RAM or more"),
        (
            "serial = 1\n",
            "serial = 1\nplugged = false\n",
            "`a` is not plugged in",
        ),
        (
            "[expect.range.sr]",
            "[kernel]\nargs = [\"memmap=1M${window7+0}\"]\n[expect.range.sr]",
            "there is no such window: window7+0",
        ),
        (
            "[expect.range.sr]",
            "[modules.options]\ndax_hmem = \"exclude={window0+1Q}\"\n[expect.range.sr]",
            "is not a size",
        ),
    ];
    for (from, to, reason) in cases {
        let said = fault(from, to);
        assert!(said.contains(reason), "{to}: {said}");
        assert!(said.starts_with("t.toml:"), "{said}");
    }
    let said = fault("serial = 2", "serial = 1");
    assert_eq!(
        said.split(':').nth(1),
        Some(&*line("serial = 2").to_string())
    );
}

#[test]
fn devices_without_serial_numbers_are_alike() {
    let without = GOOD
        .replace("serial = 1\n", "serial = 0\n")
        .replace("serial = 2\n", "serial = 0\n");
    let said = parse(&without)
        .expect_err("below different bridges")
        .to_string();
    assert!(said.contains("must be alike"), "{said}");
    assert!(parse(&GOOD.replace("serial = 1\n", "serial = 0\n")).is_ok());
}

#[test]
fn every_fault_of_a_file_is_told() {
    let text = GOOD
        .replace("serial = 2", "serial = 1")
        .replace("\"a\", \"b\"", "\"q\"");
    let said = parse(&text).expect_err("two faults");
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn overlapping_regions_and_overfull_devices() {
    let region = "[[region]]\nat = \"window1+0\"\nsize = \"256M\"\ndevices = [\"a\"]\n[[soft_reserved]]\nname = \"sr\"";
    let twice = GOOD.replacen("[[soft_reserved]]\nname = \"sr\"", region, 1);
    parse(&twice).expect("256M of 512M are free");
    let overfull = twice.replace(
        "size = \"256M\"\ndevices = [\"a\"]",
        "size = \"512M\"\ndevices = [\"a\"]",
    );
    let said = parse(&overfull).expect_err("overfull");
    assert!(said.contains("take 768M of `a`, which has 512M"), "{said}");
}

#[test]
fn a_range_may_run_on_into_the_next_window() {
    // `sr` of GOOD does; one byte less of the second window and it may not.
    let text = GOOD.replace("size = \"1G\"\n[[region]]", "size = \"256M\"\n[[region]]");
    assert!(parse(&text)
        .expect_err("too long")
        .contains("outside the last window"));
}

fn repo() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_scenario_of_the_project_is_good() {
    let mut paths = Scenario::all(&repo()).expect("list");
    assert!(!paths.is_empty());
    paths.extend(Scenario::all_debug(&repo()).expect("list"));
    paths.extend(Scenario::all_flavors(&repo()).expect("list"));
    for path in paths {
        let text = fs::read_to_string(&path).expect("read");
        assert!(
            text.starts_with("# SPDX-License-Identifier: GPL-2.0\n"),
            "{path:?}"
        );
        Scenario::parse(&path, &text).unwrap_or_else(|error| panic!("{error:#}"));
    }
}

/// `ONLY=` goes by names, and `make check` by folders.
#[test]
fn scenarios_about_flavours_are_in_their_folders_with_names_of_their_own() {
    let mut names = BTreeSet::new();
    let mut flavors = BTreeSet::new();
    let plain = Scenario::all(&repo()).expect("list");
    let debug = Scenario::all_debug(&repo()).expect("list");
    let others = Scenario::all_flavors(&repo()).expect("list");
    for path in plain.iter().chain(&debug).chain(&others) {
        let scenario = Scenario::load(&repo(), &path.to_string_lossy()).expect("valid");
        let folder = path.parent().and_then(Path::file_name).expect("a folder");
        let wanted = match folder.to_str() {
            Some("scenarios") => "base",
            folder => folder.expect("UTF-8"),
        };
        assert_eq!(scenario.flavor, wanted, "{path:?}");
        flavors.insert(scenario.flavor);
        assert!(names.insert(scenario.name), "{path:?}");
    }
    let flavors: Vec<&str> = flavors.iter().map(String::as_str).collect();
    assert_eq!(
        flavors,
        ["base", "builtin-cxl", "cxl-test", "debug", "no-region"]
    );
}

/// Every suite of the modules must be one that the KUnit scenario asks for.
#[test]
fn every_kunit_suite_is_asked_for() {
    let scenario = Scenario::load(&repo(), "kunit").expect("kunit.toml");
    let asked: BTreeSet<String> = scenario
        .steps
        .iter()
        .filter_map(|step| step.ktap.clone())
        .flatten()
        .collect();
    let mut found = BTreeSet::new();
    let mut dirs = vec![repo().join("drivers"), repo().join("rust")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).expect("list").flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                let text = fs::read_to_string(&path).expect("read");
                found.extend(
                    text.split("#[kunit_tests(")
                        .skip(1)
                        .filter_map(|rest| rest.split_once(')').map(|(name, _)| name.to_owned())),
                );
            }
        }
    }
    assert_eq!(asked, found);
}

#[test]
fn a_window_and_a_device_need_not_be_declared() {
    let short = "description = \"x\"\n[[region]]\nat = \"window0+0\"\nsize = \"512M\"\n";
    let scenario = Scenario::parse(Path::new("short.toml"), short).unwrap();
    assert_eq!(scenario.machine.windows.len(), 1);
    assert_eq!(scenario.machine.devices[0].name, "mem0");
    assert_eq!(scenario.regions[0].devices, [0]);

    // A machine that has none of it is as before.
    let bare = Scenario::parse(Path::new("bare.toml"), "description = \"x\"\n").unwrap();
    assert!(bare.machine.windows.is_empty() && bare.machine.devices.is_empty());

    // Who declares a window says what there is.
    let declared = format!("{short}[[window]]\n");
    assert!(Scenario::parse(Path::new("declared.toml"), &declared).is_err());
}
