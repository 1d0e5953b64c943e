// SPDX-License-Identifier: GPL-2.0

//! What the properties excuse does happen: without the excuse, the checker finds it.

use model::{code::Code, properties::names, report::explore_for, universe};

#[test]
fn dax_cxl_keeps_what_an_early_yes_gave_it() {
    let code = Code {
        strict: true,
        ..Code::default()
    };
    let report = explore_for(universe::PAIR, code, names::CXL_WINS);
    println!("{report}");
    assert_eq!(report.broken, Some(names::CXL_WINS), "{report}");
}
