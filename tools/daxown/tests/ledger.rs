// SPDX-License-Identifier: GPL-2.0

//! Ledgers of newer modules than this daxown: regions' lines are shown, what is unknown does no harm.

mod common;
#[path = "../../daxmap/tests/harm/mod.rs"]
mod harm;

use common::{daxown, fixture};
use harm::Entry;
use tempfile::NamedTempFile;

const LEDGER: &str = "sys/kernel/debug/dax_hmem/ledger";

/// A capture whose ledger is what `edit` makes of it.
fn with_ledger(name: &str, edit: impl Fn(String) -> String) -> NamedTempFile {
    let mut files = harm::load(&fixture(name));
    let Some(Entry::File(ledger)) = files.get_mut(LEDGER) else {
        panic!("{name} has no ledger");
    };
    *ledger = edit(String::from_utf8(ledger.clone()).unwrap()).into_bytes();
    let file = NamedTempFile::new().unwrap();
    harm::save(&files, &file);
    file
}

#[test]
fn a_region_that_lost_says_to_whom() {
    let line = "region=region0 range=0x490000000-0x4afffffff driver=dax_cxl outcome=lost \
                lost_to=hmem.2 errno=-12 at_ns=15135265000\n";
    let file = with_ledger("smaller-rust", |ledger| ledger + line);
    let list = daxown(
        file.path(),
        &["list", "region0", "-k", "region", "-o", "reason", "-n"],
    );
    assert_eq!(list.stdout, "ram, serial 0x1, lost to hmem.2\n");
    let said = "dax_cxl lost region0 to hmem.2, error -12 (ledger)";
    let explain = daxown(file.path(), &["explain", "region0"]).stdout;
    assert!(
        explain.contains(&format!("[   15.135265] {said}")),
        "{explain}"
    );
    let doctor = daxown(file.path(), &["doctor"]);
    assert_eq!(doctor.status, 0);
    assert!(doctor.stdout.contains(said), "{}", doctor.stdout);
}

#[test]
fn the_last_probe_of_the_same_region_counts() {
    let lines = "region=region0 range=0x490000000-0x4afffffff outcome=lost lost_to=hmem.9\n\
                 region=region0 outcome=bound\n\
                 region=region0 range=0x0-0xfff outcome=lost lost_to=hmem.8\n";
    let file = with_ledger("smaller-rust", |ledger| ledger + lines);
    let list = daxown(file.path(), &["list", "-k", "region", "-o", "reason", "-n"]);
    assert!(!list.stdout.contains("lost to"), "{}", list.stdout);
}

#[test]
fn what_is_unknown_does_no_harm() {
    for name in ["smaller-rust", "union-rust", "twowin-rust"] {
        let file = with_ledger(name, |ledger| {
            let lines = ledger.lines().map(|line| match line.starts_with('#') {
                true => format!("{line}\n# more\n"),
                false => format!("new=1 {line} newer=a=b\n"),
            });
            lines.collect::<String>() + "\nwindow=0 range=0x490000000-0x4afffffff fate=odd\n"
        });
        for verb in [&["list"][..], &["doctor"], &["tree"]] {
            let (new, old) = (daxown(file.path(), verb), daxown(&fixture(name), verb));
            assert_eq!((new.stdout, new.stderr), (old.stdout, old.stderr), "{name}");
        }
    }
}
