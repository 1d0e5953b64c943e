// SPDX-License-Identifier: GPL-2.0

//! Several names in a sentence.

/// `a`, `a and b`, `a, b and c`.
pub fn listed<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// The same of numbered names, those in a row as one: `region0-region7`, `region0 and region1`.
pub fn listed_in_runs<S: AsRef<str>>(names: &[S]) -> String {
    listed(&runs(names, 3))
}

/// Numbered names, where at least so many in a row stand as one: `mem0-mem2`.
pub fn runs<S: AsRef<str>>(names: &[S], least: usize) -> Vec<String> {
    let mut runs: Vec<Vec<&str>> = Vec::new();
    for name in names.iter().map(AsRef::as_ref) {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| follows(last, name)) => run.push(name),
            _ => runs.push(vec![name]),
        }
    }
    let words = runs.into_iter().flat_map(|run| match run[..] {
        [first, .., last] if run.len() >= least => vec![format!("{first}-{last}")],
        _ => run.into_iter().map(str::to_string).collect(),
    });
    words.collect()
}

/// Whether two names are `mem4` and `mem5`.
fn follows(before: &str, name: &str) -> bool {
    let split = |name: &str| {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = name.get(stem..)?.parse().ok()?;
        Some((name.get(..stem)?.to_string(), number))
    };
    let (Some((stem, number)), Some((other, next))) = (split(before), split(name)) else {
        return false;
    };
    stem == other && number.checked_add(1) == Some(next)
}

#[cfg(test)]
mod tests {
    use super::{listed_in_runs, runs};

    #[test]
    fn names_in_a_row_stand_as_one() {
        let all: Vec<String> = (0..8).map(|n| format!("region{n}")).collect();
        assert_eq!(listed_in_runs(&all), "region0-region7");
        assert_eq!(listed_in_runs(&all[..2]), "region0 and region1");
        assert_eq!(
            listed_in_runs(&["region0", "region1", "region2", "region9"]),
            "region0-region2 and region9"
        );
        assert_eq!(
            runs(&["mem0", "mem1", "missing", "mem3"], 2),
            ["mem0-mem1", "missing", "mem3"]
        );
        assert_eq!(runs(&["mem18446744073709551615", "mem0"], 2).len(), 2);
        assert_eq!(listed_in_runs(&[] as &[&str]), "");
    }
}
