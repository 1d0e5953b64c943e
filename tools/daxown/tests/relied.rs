// SPDX-License-Identifier: GPL-2.0

//! Memory that is not to be relied on is not usable, whatever is asked; and a device that has no address is told of
//! all the same.

mod common;

use common::{daxown, fixture, words};

#[test]
fn what_is_not_to_be_relied_on_is_not_usable() {
    for (machine, what, status) in [
        ("machines/member-gone-hmem-serves", "dax0.0=usable", 1),
        ("machines/region-anew-behind", "dax18.0=usable", 1),
        (
            "machines/stock-hand-unbound",
            "0x2080000000-0x387fffffff=usable",
            1,
        ),
        (
            "machines/stock-hand-unbound",
            "0x3080000000-0x387fffffff=usable",
            0,
        ),
        ("devdax-c", "region0=usable", 0),
        ("cover-rust", "region0=usable", 0),
    ] {
        let output = daxown(&fixture(machine), &["wait", "--for", what]);
        assert_eq!(output.status, status, "{machine} {what}: {}", output.stderr);
    }
    let machine = fixture("machines/member-gone-hmem-serves");
    for args in [&["--for", "dax0.0=online"][..], &["--node", "1"]] {
        let output = daxown(&machine, &[&["wait"], args].concat());
        assert_eq!(output.status, 0, "{args:?}: {}", output.stderr);
        let said = words(&output.stderr);
        assert!(
            said.contains("96 GiB in use there is not to be relied on"),
            "{said}"
        );
    }
}
