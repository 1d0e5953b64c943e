// SPDX-License-Identifier: GPL-2.0

//! Plans of `fix` and `assign`: doctor's own commands, what each changes, and what is refused.

mod common;
#[path = "../../daxmap/tests/harm/mod.rs"]
mod harm;

use std::process::Command;

use common::{commands, daxown, fixture, fixtures, machines, scenarios, stem};
use serde_json::Value;

/// doctor and fix have one definition.
#[test]
fn steps_are_those_of_doctor() {
    for capture in fixtures().into_iter().chain(scenarios()) {
        let doctor: Value =
            serde_json::from_str(&daxown(&capture, &["doctor", "-J"]).stdout).unwrap();
        let remedies: Vec<String> = doctor["problems"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|p| p["severity"] != "note")
            .flat_map(|p| p["remedy"].as_array().unwrap().clone())
            .map(|l| l.as_str().unwrap().to_string())
            .collect();
        let output = daxown(&capture, &["fix", "--script"]);
        assert_eq!(output.status, 0, "{}", output.stderr);
        for command in commands(&output.stdout) {
            assert!(
                remedies.contains(&command),
                "{}: {command}",
                capture.display()
            );
        }
    }
}

/// A shell takes every script, checks included.
#[test]
fn scripts_are_for_a_shell() {
    for name in [
        "union-c",
        "offline-c",
        "idlehmem-c",
        "nodrv-c",
        "rebind-c",
        "smaller-rust",
    ] {
        let script = daxown(&fixture(name), &["fix", "--script"]).stdout;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fix.sh");
        std::fs::write(&path, &script).unwrap();
        let output = Command::new("sh").arg("-n").arg(&path).output().unwrap();
        assert!(output.status.success(), "{name}: {script}");
        assert!(script.contains("\nset -e\n"), "{name}");
    }
}

#[test]
fn each_step_says_what_it_does() {
    let plan = daxown(&fixture("union-c"), &["fix", "--dry-run"]).stdout;
    for text in [
        "1. echo 536870912 > /sys/bus/dax/devices/dax3.0/size",
        "makes dax3.0 512 MiB large",
        "back: echo 1073741824 > /sys/bus/dax/devices/dax3.0/size",
        "binds dax3.0 to kmem",
    ] {
        assert!(plan.contains(text), "{text}: {plan}");
    }
    // Notes are for those who ask.
    assert!(!plan.contains("region-lost"), "{plan}");
    let named = daxown(&fixture("smaller-rust"), &["fix", "region0", "--dry-run"]).stdout;
    assert!(
        named.contains("region-lost") && named.contains("careful: programs' pages"),
        "{named}"
    );
}

#[test]
fn what_cannot_be_done_is_refused() {
    let refuse = |name: &str, args: &[&str], word: &str| {
        let output = daxown(&fixture(name), args);
        assert_eq!(output.status, 3, "{args:?}: {}", output.stdout);
        assert!(output.stderr.contains(word), "{args:?}: {}", output.stderr);
    };
    refuse("union-c", &["fix", "--yes"], "captured machine");
    refuse("union-c", &["fix", "dax9.9"], "dax3.0");
    refuse("cover-c", &["fix", "trimmed"], "no such problem");
    refuse(
        "cover-c",
        &["assign", "region0", "--to", "hmem"],
        "no hmem device",
    );
    refuse(
        "noregion-c",
        &["assign", "0x490000000", "--to", "cxl"],
        "create-region",
    );
    refuse(
        "smaller-rust",
        &["assign", "0x490000000", "--to", "nobody"],
        "more than was named",
    );
    refuse(
        "union-c",
        &["assign", "region0", "--to", "file"],
        "more than was named",
    );
    refuse(
        "nodrv-c",
        &["assign", "0x490000000", "--to", "file"],
        "no dax device",
    );
    refuse("user-c", &["assign", "dax0.0", "--to", "nobody"], "root");
    // Root can read no more: the cause is another one.
    refuse(
        "scenarios/remedy-small-c",
        &["assign", "hmem.1", "--to", "nobody"],
        "it has no driver",
    );
    assert_eq!(
        daxown(&fixture("cover-c"), &["fix", "--dry-run"]).stdout,
        "Nothing to do.\n"
    );
}

/// The kernel's own dax_hmem would leave the range to nobody.
#[test]
fn the_stock_driver_is_not_bound_again() {
    for capture in fixtures().into_iter().chain(scenarios()) {
        let list: Value = serde_json::from_str(&daxown(&capture, &["list", "-J"]).stdout).unwrap();
        if list["machine"]["drivers"] != "stock" {
            continue;
        }
        let script = daxown(&capture, &["fix", "--script"]).stdout;
        for command in commands(&script) {
            assert!(
                !command.contains("hmem_platform/unbind"),
                "{}",
                capture.display()
            );
        }
    }
}

/// A problem that no command mends is one all the same.
#[test]
fn what_is_left_to_the_administrator_is_not_success() {
    for machine in [
        "machines/device-removed",
        "machines/boot-ram-half",
        "rebind-c",
    ] {
        let output = daxown(&fixture(machine), &["fix", "--yes"]);
        assert_eq!(output.status, 1, "{machine}: {}", output.stdout);
        assert!(
            output.stdout.contains("left to you: "),
            "{machine}: {}",
            output.stdout
        );
        let plan = daxown(&fixture(machine), &["fix", "--dry-run"]);
        assert_eq!(plan.status, 0, "{machine}: {}", plan.stdout);
    }
}

/// Where no dax device shows the addresses of an hmem device, the ledger has them, in several records too.
#[test]
fn an_hmem_device_of_several_records_is_assigned() {
    const LEDGER: &str = "sys/kernel/debug/dax_hmem/ledger";
    let mut files = harm::load(&fixture("smaller-rust"));
    files.retain(|path, _| !path.contains("dax2.0"));
    let Some(harm::Entry::File(ledger)) = files.get_mut(LEDGER) else {
        panic!("no ledger");
    };
    let record = "node=1 state=hmem reason=partly-covered region=region0 dev=hmem.2 errno=0";
    *ledger = format!(
        "# dax_hmem ledger 1\nrange=0x490000000-0x49fffffff {record}\nrange=0x4a0000000-0x4afffffff {record}\n"
    )
    .into_bytes();
    let file = tempfile::NamedTempFile::new().unwrap();
    harm::save(&files, &file);
    let args = ["assign", "hmem.2", "--to", "nobody", "--dry-run"];
    let output = daxown(file.path(), &args);
    let unbind = "echo hmem.2 > /sys/bus/platform/drivers/hmem/unbind";
    assert!(
        output.stdout.contains(unbind),
        "{}{}",
        output.stdout,
        output.stderr
    );
    let part = ["assign", "0x490000000+1M", "--to", "nobody", "--dry-run"];
    let output = daxown(file.path(), &part);
    assert!(
        output.stderr.contains("more than was named"),
        "{}",
        output.stderr
    );
}

/// What is as agreed is left so, unless it is named.
#[test]
fn what_is_agreed_is_not_undone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daxown.toml");
    std::fs::write(&path, "[[accept]]\nkind = \"offline\"\n").unwrap();
    let plan = |more: &[&str]| {
        let args = [&["--config", path.to_str().unwrap(), "fix", "-n"], more].concat();
        daxown(&fixture("offline-c"), &args).stdout
    };
    assert!(!plan(&[]).contains("offline"), "{}", plan(&[]));
    assert!(plan(&["offline"]).contains("online-memory"));
}

/// Who keeps new memory offline has asked for it.
#[test]
fn what_the_policy_keeps_offline_is_left_so() {
    let machine = fixture("machines/famfs-offline-by-choice");
    let plan = daxown(&machine, &["fix", "--dry-run"]).stdout;
    assert!(plan.contains("`daxown fix offline` brings it"), "{plan}");
    assert!(!plan.contains("daxctl online-memory"), "{plan}");
    let script = daxown(&machine, &["fix", "--script"]);
    assert!(script.stdout.starts_with("#!/bin/sh"), "{}", script.stdout);
    assert!(commands(&script.stdout).is_empty(), "{}", script.stdout);
    let named = daxown(&machine, &["fix", "offline", "--script"]).stdout;
    assert_eq!(
        commands(&named),
        ["daxctl online-memory dax1.0", "daxctl online-memory dax2.0"]
    );
}

/// A plan without steps says why, and does not say that a reboot does it.
#[test]
fn what_has_no_step_says_where_to_look() {
    for machine in machines() {
        let plan = daxown(&machine, &["fix", "--dry-run"]).stdout;
        for part in plan.split("\n\n").filter(|p| p.contains("no step")) {
            let has_remarks = part.contains("\n  # ");
            assert_eq!(has_remarks, !part.contains("no remedy is known"), "{part}");
        }
    }
    let captured = machines()
        .into_iter()
        .find(|m| stem(m) == "stock-hand-unbound");
    let plan = daxown(&captured.unwrap(), &["fix", "--dry-run", "unmapped"]).stdout;
    assert!(plan.contains("no step: no remedy is known"), "{plan}");
}
