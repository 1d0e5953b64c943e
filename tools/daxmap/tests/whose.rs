// SPDX-License-Identifier: GPL-2.0

//! Memory that may be another's, that nothing answers for while programs have it, or that is told twice.

mod small;

use daxmap::problem::Kind;
use small::{Small, BASE, GIB};

/// Firmware declares 9 GiB, of which the one device maps 8, and a program has all of it.
#[test]
fn a_file_that_nothing_is_behind_is_to_be_closed() {
    for (driver, users) in [
        ("device_dax", "end the programs that have /dev/dax0.0 open"),
        ("fsdev_dax", "unmount what is on /dev/dax0.0"),
    ] {
        let small = Small::new(9);
        small.memdev(0, 8, true);
        small.maps(0, 0, (BASE, 8 * GIB), None);
        small.hmem(9, Some("hmem"), Some((9 * GIB, Some(driver))));
        let remarks = small.remarks("undecoded");
        assert!(remarks.contains(users), "{remarks}");
        assert!(
            remarks.contains(&format!("drivers/{driver}/unbind")),
            "{remarks}"
        );
        for problem in small.problems().iter().filter(|p| p.kind == Kind::DaxFile) {
            let text = problem.remedy.join("\n");
            let is_whole = text.is_empty() || text.starts_with("# nothing to run");
            assert!(is_whole, "{text}");
        }
    }
}
