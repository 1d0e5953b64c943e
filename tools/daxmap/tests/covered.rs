// SPDX-License-Identifier: GPL-2.0

//! Each kind of problem for which there are commands comes up on the machines of the simulator, so that the
//! tests of what is advised try them all.

mod harm;
mod sim;

use std::collections::BTreeSet;

use daxmap::problem::{self, Kind};
use daxmap::{Map, Tree};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use sim::ask::{any_machine, commands, problems};
use sim::{Machine, KINDS, SETUPS};

/// Whether there are commands for a problem of this kind. A new kind does not compile before it is in here.
fn has_commands(kind: Kind) -> bool {
    match kind {
        Kind::Undecoded
        | Kind::MemberGone
        | Kind::Foreign
        | Kind::KmemCannotReserve
        | Kind::KmemFailed
        | Kind::HmemProbeFailed
        | Kind::LeftToCxl
        | Kind::ModuleNotLoaded
        | Kind::PlatformUnbound
        | Kind::Deferred
        | Kind::Free
        | Kind::Unserved
        | Kind::NoDriver
        | Kind::Unallocated
        | Kind::RegionLost
        | Kind::RegionIdle
        | Kind::RegionDisabled
        | Kind::RegionIncomplete
        | Kind::Offline
        | Kind::Unplugged
        | Kind::Unmapped
        | Kind::MemdevUnbound
        | Kind::OldModule
        | Kind::NotBuilt => true,
        Kind::Stuck
        | Kind::WithoutDevice
        | Kind::DeviceGone
        | Kind::BootRam
        | Kind::Misaligned
        | Kind::Conflict
        | Kind::NotRegistered
        | Kind::Excluded
        | Kind::Persistent
        | Kind::Trimmed
        | Kind::DecoderUnassigned
        | Kind::Undeclared
        | Kind::DaxFile
        | Kind::Unreadable
        | Kind::Unexplained => false,
    }
}

/// The kinds above that have commands, by name.
const ADVISED: [&str; 24] = [
    "undecoded",
    "member-gone",
    "foreign",
    "kmem-cannot-reserve",
    "kmem-failed",
    "hmem-probe-failed",
    "left-to-cxl",
    "module-not-loaded",
    "platform-unbound",
    "deferred",
    "free",
    "unserved",
    "no-driver",
    "unallocated",
    "region-lost",
    "region-idle",
    "region-disabled",
    "region-incomplete",
    "offline",
    "unplugged",
    "unmapped",
    "memdev-unbound",
    "old-module",
    "not-built",
];

/// What captured machines have and the simulator has not: a device that is cut into more than one, a region
/// made where the decoder of a host bridge tells of an older one, and a region without a dax region.
const NOT_SIMULATED: [(&str, &str); 3] = [
    ("kmem-cannot-reserve", "create"),
    ("left-to-cxl", "cxl create-region"),
    ("region-lost", "bind"),
];

/// The first word of a command, or the file that is written.
fn verb(command: &str) -> String {
    let words: Vec<&str> = command.split_whitespace().collect();
    let is_module = words.first() == Some(&"modprobe");
    match words[..] {
        [_, _, ">", path] => path.rsplit('/').next().unwrap_or(path).to_string(),
        [tool, module] if is_module => format!("{tool} {module}"),
        [tool, verb, ..] => format!("{tool} {verb}"),
        _ => command.to_string(),
    }
}

/// Kinds and what they have run, of some machine.
fn advised(found: &[problem::Problem]) -> Vec<(String, String)> {
    let pairs = found.iter().flat_map(|p| {
        let word = p.kind.word();
        assert!(commands(p).is_empty() || has_commands(p.kind), "{p:#?}");
        commands(p)
            .into_iter()
            .map(move |c| (word.to_string(), verb(c)))
    });
    pairs.collect()
}

fn simulated() -> BTreeSet<(String, String)> {
    let setups = SETUPS.iter().map(|s| vec![*s]).chain([Vec::new()]);
    let kinds = |setups: Vec<sim::Setup>| {
        let all = KINDS.into_iter();
        all.map(move |kind| Machine::of(&[kind], true, true).with(&setups))
    };
    let older = KINDS
        .into_iter()
        .map(|kind| Machine::of(&[kind], false, true));
    let all = setups.flat_map(kinds).chain(older);
    all.flat_map(|m| advised(&problems(&m))).collect()
}

#[test]
fn each_kind_that_has_commands_is_simulated() {
    let seen = simulated();
    let lacks = |kind: &&&str| !seen.iter().any(|(k, _)| k == **kind);
    let missing: Vec<&&str> = ADVISED.iter().filter(lacks).collect();
    assert!(missing.is_empty(), "no machine has {missing:?}");
    // What is advised on captured and rebuilt machines as well.
    let mut captured: BTreeSet<(String, String)> = BTreeSet::new();
    for path in harm::fixtures() {
        let found = problem::find(&Map::read(&Tree::open(&path).unwrap()));
        captured.extend(advised(&found));
    }
    let is_open =
        |(kind, verb): &&(String, String)| NOT_SIMULATED.contains(&(kind.as_str(), verb.as_str()));
    let missing: Vec<_> = captured.difference(&seen).filter(|p| !is_open(p)).collect();
    assert!(missing.is_empty(), "no machine has {missing:?}");
}

/// The random machines come to each kind as well, from seeds that do not change.
#[test]
fn random_machines_come_to_each_kind() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for _ in 0..800 {
        let machine = any_machine().new_tree(&mut runner).unwrap().current();
        seen.extend(
            advised(&problems(&machine))
                .into_iter()
                .map(|(kind, _)| kind),
        );
    }
    let missing: Vec<&&str> = ADVISED.iter().filter(|k| !seen.contains(**k)).collect();
    assert!(missing.is_empty(), "no random machine has {missing:?}");
}
