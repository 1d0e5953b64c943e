// SPDX-License-Identifier: GPL-2.0

//! Memory is handed over as the drivers have it, and what is refused has its true reason and a way out.

mod common;
#[path = "../../daxmap/tests/harm/mod.rs"]
mod harm;

use std::path::Path;

use common::{commands, daxown, fixture, fixtures, machines, scenarios, words};
use harm::Entry;

#[test]
fn memory_is_handed_over() {
    let plan = |name: &str, args: &[&str]| {
        let output = daxown(&fixture(name), &[&["assign"], args, &["--script"]].concat());
        assert_eq!(output.status, 0, "{args:?}: {}", output.stderr);
        commands(&output.stdout)
    };
    assert_eq!(
        plan("smaller-rust", &["region0", "--to", "cxl"]),
        [
            "echo unplugged > /sys/bus/dax/devices/dax2.0/state",
            "echo hmem.2 > /sys/bus/platform/drivers/hmem/unbind",
            "echo dax_region0 > /sys/bus/cxl/drivers_probe",
        ]
    );
    assert_eq!(
        plan("smaller-rust", &["hmem.3", "--to", "nobody"]),
        [
            "echo unplugged > /sys/bus/dax/devices/dax3.0/state",
            "echo hmem.3 > /sys/bus/platform/drivers/hmem/unbind",
        ]
    );
    assert_eq!(
        plan("cover-rust", &["region0", "--to", "nobody"]),
        [
            "echo unplugged > /sys/bus/dax/devices/dax0.0/state",
            "echo region0 > /sys/bus/cxl/drivers/cxl_region/unbind",
        ]
    );
    // The Rust dax_hmem does not take back what a region had.
    let output = daxown(
        &fixture("scenarios/remedy-hand-over-rust"),
        &[
            "assign",
            "0x110000000-0x12fffffff",
            "--to",
            "hmem",
            "--dry-run",
        ],
    );
    assert_eq!(output.status, 3, "{}", output.stdout);
    assert!(output.stderr.contains("leaves to CXL"), "{}", output.stderr);
    let output = daxown(
        &fixture("cover-rust"),
        &["assign", "region0", "--to", "cxl"],
    );
    assert_eq!(output.stdout, "region0 is with CXL already\n");
}

#[test]
fn a_region_that_its_driver_has_is_assigned_to_nobody_else() {
    for (machine, to, word) in [
        ("type2-owned", "cxl", "is the memory of 0000:e1:00.0"),
        ("type2-owned", "hmem", "is the memory of 0000:e1:00.0"),
        ("type2-owned", "hmem", "exclude=0xc050000000-0xc08fffffff"),
        ("type2-owned", "nobody", "the driver of 0000:e1:00.0 has it"),
        ("type2-owned", "nobody", "exclude=0xc050000000-0xc08fffffff"),
        ("boot-ram-half", "cxl", "System RAM since boot"),
        ("boot-ram-half", "nobody", "System RAM since boot"),
    ] {
        let machine = fixture(&format!("machines/{machine}"));
        let output = daxown(&machine, &["assign", "region0", "--to", to, "--dry-run"]);
        assert_eq!(output.status, 3, "{}", output.stdout);
        assert!(output.stderr.contains(word), "{}", output.stderr);
    }
}

/// The kernel's own driver has one device for several regions, or for more than a region: it goes as a
/// whole, and what is said to name then works.
#[test]
fn an_idle_region_gets_its_memory_with_the_drivers_of_the_kernel() {
    for (name, hmem, probes, rest) in [
        (
            "union-c",
            "hmem.3",
            &["dax_region0", "dax_region1"][..],
            None,
        ),
        (
            "smaller-c",
            "hmem.2",
            &["dax_region0"],
            Some("0x4b0000000-0x4cfffffff"),
        ),
    ] {
        let machine = fixture(name);
        let output = daxown(&machine, &["assign", "region0", "--to", "cxl"]);
        assert_eq!(output.status, 3, "{name}: {}", output.stdout);
        let advised = format!("`daxown assign {hmem} --to cxl`");
        assert!(output.stderr.contains(&advised), "{}", output.stderr);
        let script = daxown(&machine, &["assign", hmem, "--to", "cxl", "--script"]);
        assert_eq!(script.status, 0, "{name}: {}", script.stderr);
        assert!(
            script.stdout.contains("# Made by `daxown assign --script`"),
            "{}",
            script.stdout
        );
        let mut expected = vec![format!(
            "echo {hmem} > /sys/bus/platform/drivers/hmem/unbind"
        )];
        let probe = |r: &&str| format!("echo {r} > /sys/bus/cxl/drivers_probe");
        expected.extend(probes.iter().map(probe));
        assert_eq!(commands(&script.stdout), expected, "{name}");
        if let Some(rest) = rest {
            let words = format!("nobody has {rest} then");
            assert!(output.stderr.contains(&words), "{}", output.stderr);
            assert!(script.stdout.contains(&words), "{}", script.stdout);
        }
    }
}

/// What a refusal says to run is not refused.
#[test]
fn no_refusal_of_assign_advises_what_is_refused() {
    let mut tried = 0;
    for capture in fixtures().into_iter().chain(scenarios()).chain(machines()) {
        let regions = daxown(&capture, &["list", "-n", "-k", "region", "-o", "name"]).stdout;
        for region in regions
            .lines()
            .map(str::trim)
            .filter(|r| r.starts_with("region"))
        {
            for to in ["cxl", "hmem", "file", "nobody"] {
                let said = daxown(&capture, &["assign", region, "--to", to, "-n"]).stderr;
                let advised = said
                    .split('`')
                    .filter(|part| part.starts_with("daxown assign "));
                for command in advised {
                    let mut args: Vec<&str> = command.split_whitespace().skip(1).collect();
                    args.push("-n");
                    let output = daxown(&capture, &args);
                    assert_eq!(output.status, 0, "{said}{}", output.stderr);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 0);
}

#[test]
fn who_is_kept_away_at_the_next_boot_is_said() {
    for (name, words) in [
        ("smaller-rust", "so that dax_hmem keeps away from it"),
        ("noregion-c", "cannot be told to keep away"),
    ] {
        let hmem = match name {
            "smaller-rust" => "hmem.3",
            _ => "hmem.1",
        };
        let output = daxown(&fixture(name), &["assign", hmem, "--to", "nobody", "-n"]);
        let text = output.stdout + &output.stderr;
        assert!(text.contains(words) && text.contains("exclude="), "{text}");
    }
}

/// A file that goes with its device is told of, and does not come back with it; a file system is not deprived of its
/// memory.
#[test]
fn who_uses_a_file_is_told_that_it_goes() {
    for (machine, what) in [
        ("machines/famfs-offline-by-choice", "hmem.0"),
        ("machines/hmem-divided", "hmem.0"),
        ("devdax-c", "region0"),
    ] {
        let output = daxown(&fixture(machine), &["assign", what, "--to", "nobody", "-n"]);
        let said = words(&output.stdout);
        assert!(
            said.contains("lose it, and what is in it"),
            "{machine}: {said}"
        );
        assert!(said.contains("cannot be undone"), "{machine}: {said}");
        assert!(said.contains("is overwritten"), "{machine}: {said}");
    }
    let output = daxown(
        &fixture("machines/fsdev"),
        &["assign", "hmem.0", "--to", "nobody", "-n"],
    );
    assert_eq!(output.status, 3, "{}", output.stdout);
    assert!(output.stderr.contains("unmount it"), "{}", output.stderr);
}

/// No way back is one that `fix` refuses.
#[test]
fn nothing_dead_comes_back() {
    let machine = fixture("machines/member-gone-hmem-serves");
    let output = daxown(&machine, &["assign", "dax0.0", "--to", "nobody", "-n"]);
    let said = words(&output.stdout);
    assert!(!said.contains("back:"), "{said}");
    assert_eq!(
        said.matches("cannot be undone: that would put memory")
            .count(),
        2
    );
}

#[test]
fn a_file_is_made_only_where_one_can_be() {
    let assign =
        |machine: &Path, what: &str| daxown(machine, &["assign", what, "--to", "file", "-n"]);
    let fsdev = assign(&fixture("machines/fsdev"), "dax0.0");
    assert_eq!(fsdev.stdout, "dax0.0 is with programs, as a file already\n");
    let owned = assign(&fixture("machines/type2-owned"), "region0");
    assert!(
        owned
            .stderr
            .contains("the memory of 0000:e1:00.0, whose driver has it"),
        "{}",
        owned.stderr
    );
    // The kernel has no device_dax.
    let mut files = harm::load(&fixture("machines/kmem-no-node"));
    for (path, entry) in &mut files {
        if let (true, Entry::File(text)) = (path.contains("modules"), entry) {
            let kept = String::from_utf8_lossy(text);
            let kept = kept.lines().filter(|l| !l.contains("device_dax"));
            *text = kept
                .map(|l| format!("{l}\n"))
                .collect::<String>()
                .into_bytes();
        }
    }
    files.retain(|path, _| !path.contains("sys/module/device_dax"));
    let file = tempfile::NamedTempFile::new().unwrap();
    harm::save(&files, &file);
    let absent = assign(file.path(), "dax0.0");
    assert_eq!(absent.status, 3, "{}", absent.stdout);
    assert!(absent.stderr.contains("no device_dax"), "{}", absent.stderr);
    let advised = daxown(file.path(), &["doctor"]).stdout;
    assert!(!advised.contains("--mode=devdax"), "{advised}");
    // Where it is not loaded, that comes first.
    let script = daxown(
        &fixture("cover-rust"),
        &["assign", "region0", "--to", "file", "--script"],
    );
    let commands = commands(&script.stdout);
    let load = commands.iter().position(|c| c == "modprobe device_dax");
    assert!(load.is_none_or(|at| at == 0), "{commands:#?}");
}
