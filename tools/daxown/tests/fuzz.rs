// SPDX-License-Identifier: GPL-2.0

//! Every verb on captured trees that were broken at random: an answer or a refusal, never a panic.

mod common;
#[path = "../../daxmap/tests/harm/mod.rs"]
mod harm;

use common::daxown;
use proptest::prelude::*;
use proptest::sample::Index;

proptest! {
    #![proptest_config(harm::cases(16))]

    #[test]
    fn no_verb_panics(
        fixture in any::<Index>(),
        harms in proptest::collection::vec(harm::harm(), 0..12),
        what in prop_oneof!["0x[0-9a-f]{1,17}", "(dax|hmem\\.|region)[0-9]{1,2}(\\.0)?", "[^\0]{0,12}"],
    ) {
        let mut files = harm::load(fixture.get(&harm::fixtures()));
        for h in &harms {
            harm::apply(&mut files, h);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        harm::save(&files, &file);
        // Behind a dash it would be an option.
        let what = format!(" {what}");
        let verbs: [&[&str]; 15] = [
            &["list"],
            &["list", "--kind", "device"],
            &["tree"],
            &["tree", "--svg", "-"],
            &["doctor"],
            &["doctor", "--platform"],
            &["doctor", "--agree"],
            &["metrics"],
            &["predict"],
            &["scenario"],
            &["timeline"],
            &["fix", "--script"],
            &["wait", "--for", &what],
            &["assign", &what, "--to", "nobody", "--script"],
            &["explain", &what],
        ];
        for verb in verbs {
            let output = daxown(file.path(), verb);
            prop_assert!(output.status <= 3, "{verb:?}: {}", output.stderr);
            prop_assert!(!output.stderr.contains("panicked"), "{verb:?}: {}", output.stderr);
        }
    }
}
