// SPDX-License-Identifier: GPL-2.0

//! Every captured guest makes a scenario that the lab takes, with the same ranges and regions.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use daxmap::Map;
use daxmap::Tree;
use lab::scenario::Address;
use lab::scenario::Drivers;
use lab::scenario::Scenario;

fn repo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The captures of guests, without those of users and those that have nothing to build.
fn captures() -> Vec<PathBuf> {
    let fixtures = repo().join("tools/daxown/tests/fixtures");
    let mut paths = Vec::new();
    for dir in [fixtures.clone(), fixtures.join("scenarios")] {
        let entries = fs::read_dir(&dir).expect("fixtures");
        paths.extend(entries.map(|entry| entry.expect("entry").path()));
    }
    let name = |path: &PathBuf| path.file_name().map(|n| n.to_string_lossy().into_owned());
    paths.retain(|path| path.is_file() && !name(path).is_some_and(|n| n.starts_with("user-")));
    paths.sort();
    paths
}

fn load(path: &Path) -> Scenario {
    Scenario::load(&repo(), &path.to_string_lossy())
        .unwrap_or_else(|error| panic!("{}: {error:#}", path.display()))
}

#[test]
fn each_makes_a_scenario() {
    let mut count = 0;
    for path in captures() {
        let map = Map::read(&Tree::open(&path).expect("a capture"));
        let scenario = load(&path);
        let told = path.display();
        assert_eq!(scenario.soft_reserved.len(), map.reserved.len(), "{told}");
        assert_eq!(scenario.machine.devices.len(), map.memdevs.len(), "{told}");
        let committed = map.regions.iter().filter(|r| r.is_committed()).count();
        assert_eq!(scenario.regions.len(), committed, "{told}");
        assert!(scenario.expect(Drivers::Rust).is_some(), "{told}");
        count += 1;
    }
    assert!(count > 90, "{count}");
}

/// A machine of a report becomes one that the lab takes, with all its devices, and the file says what
/// it has not of the machine.
#[test]
fn each_reported_machine_makes_a_scenario_and_says_what_it_lacks() {
    let machines = repo().join("tools/daxown/tests/fixtures/machines");
    let mut count = 0;
    for entry in fs::read_dir(&machines).expect("machines") {
        let path = entry.expect("entry").path();
        let told = path.display();
        let tree = Tree::open(&path).expect("a capture");
        let map = Map::read(&tree);
        let text = match daxmap::scenario::text(&tree, &map) {
            Ok(text) => text,
            Err(daxmap::scenario::Unfit::Nothing) => {
                assert!(map.windows.is_empty() && map.reserved.is_empty(), "{told}");
                continue;
            }
            Err(error) => panic!("{told}: {error}"),
        };
        let remarks: Vec<&str> = text.lines().filter(|l| l.starts_with("# - ")).collect();
        let remarked = |word: &str| remarks.iter().any(|r| r.contains(word));
        let scenario = load(&path);
        assert_eq!(scenario.machine.devices.len(), map.memdevs.len(), "{told}");
        let built = scenario.regions.len();
        let named = map.regions.iter().filter(|r| remarked(&r.name)).count();
        assert!(built + named >= map.regions.len(), "{told}: {remarks:?}");
        for decoder in map.endpoints.iter().filter(|d| d.region.is_none()) {
            assert!(decoder.range.is_none() || remarked(&decoder.name), "{told}");
        }
        count += 1;
    }
    assert!(count > 20, "{count}");
}

/// A guest of the lab is small enough already: nothing moves.
#[test]
fn a_guest_stays_as_it_is() {
    for name in [
        "default",
        "straddle-regions",
        "misaligned-start",
        "interleave-ways",
        "pmem",
    ] {
        let fixture = format!("tools/daxown/tests/fixtures/scenarios/{name}-c.tar.gz");
        let (made, kept) = (
            load(&repo().join(fixture)),
            Scenario::load(&repo(), name).expect("a scenario"),
        );
        let windows = |s: &Scenario| s.machine.windows.iter().map(|w| w.size).collect::<Vec<_>>();
        assert_eq!(windows(&made), windows(&kept), "{name}");
        let regions = |s: &Scenario| {
            let all = s.regions.iter();
            all.map(|r| (r.window, r.offset, r.size, r.devices.len()))
                .collect::<Vec<_>>()
        };
        assert_eq!(regions(&made), regions(&kept), "{name}");
        let ranges = |s: &Scenario| {
            let in_windows = s.soft_reserved.iter().filter_map(|r| match r.base {
                Address::Window { index, offset } => Some((index, offset, r.size)),
                Address::Absolute(_) => None,
            });
            let mut all: Vec<_> = in_windows.collect();
            all.sort_unstable();
            all
        };
        assert_eq!(ranges(&made), ranges(&kept), "{name}");
    }
}
