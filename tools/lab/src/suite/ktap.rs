// SPDX-License-Identifier: GPL-2.0

//! Reads test results in KTAP and TAP: of KUnit, of kselftests, and of the kselftest runner,
//! which puts `# ` before what a test prints.

/// One test that has no subtests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Names from the outermost suite inwards.
    pub name: String,
    /// Why it did not pass.
    pub fault: Option<String>,
}

/// One result line, and what came before it one level deeper.
struct Open {
    depth: usize,
    planned: Option<usize>,
    results: usize,
    /// Cases since the last result of this level.
    cases: Vec<Case>,
    /// All cases of this level that have a result.
    done: Vec<Case>,
}

impl Open {
    fn new(depth: usize) -> Self {
        Self {
            depth,
            planned: None,
            results: 0,
            cases: Vec::new(),
            done: Vec::new(),
        }
    }

    /// All cases of the level, with one more if its plan was not kept.
    fn close(mut self) -> Vec<Case> {
        self.done.append(&mut self.cases);
        if let Some(planned) = self.planned {
            if planned != self.results {
                self.done.push(failed(
                    "plan",
                    format!("{planned} tests were planned, {} reported", self.results),
                ));
            }
        }
        self.done
    }
}

fn failed(name: &str, fault: String) -> Case {
    Case {
        name: name.to_owned(),
        fault: Some(fault),
    }
}

/// All cases of `text`. A test that was skipped, or planned and never reported, is a fault.
pub fn parse(text: &str) -> Vec<Case> {
    let mut levels: Vec<Open> = Vec::new();
    let mut bail = Vec::new();
    for line in text.lines() {
        let (depth, body) = level(line);
        if let Some(why) = body.strip_prefix("Bail out!") {
            bail.push(failed("bail out", why.trim().to_owned()));
            continue;
        }
        let plan = body.strip_prefix("1..").and_then(plan);
        let result = result(body);
        if plan.is_none() && result.is_none() {
            continue;
        }
        // What was deeper is the inside of the result on this line.
        let inside = close_deeper(&mut levels, depth);
        if levels.last().is_none_or(|level| level.depth < depth) {
            levels.push(Open::new(depth));
        }
        let Some(open) = levels.last_mut() else {
            continue;
        };
        open.cases.extend(inside);
        if let Some(planned) = plan {
            // Several reports may follow each other, each with a plan of its own.
            *open.planned.get_or_insert(0) += planned;
        }
        if let Some((name, fault)) = result {
            open.results += 1;
            let cases = std::mem::take(&mut open.cases);
            open.done.extend(settle(name, fault, cases));
        }
    }
    let mut cases = close_deeper(&mut levels, 0);
    if let Some(outer) = levels.pop() {
        cases.extend(outer.close());
    }
    cases.extend(bail);
    cases
}

/// Closes all levels deeper than `depth`, the innermost into the next.
fn close_deeper(levels: &mut Vec<Open>, depth: usize) -> Vec<Case> {
    let mut inside = Vec::new();
    while levels.last().is_some_and(|level| level.depth > depth) {
        if let Some(mut level) = levels.pop() {
            level.cases.append(&mut inside);
            inside = level.close();
        }
    }
    inside
}

/// A result with cases inside stands for them, unless it failed for a reason of its own.
fn settle(name: &str, fault: Option<String>, mut inside: Vec<Case>) -> Vec<Case> {
    if inside.is_empty() {
        return vec![Case {
            name: name.to_owned(),
            fault,
        }];
    }
    for case in &mut inside {
        case.name = format!("{name}: {}", case.name);
    }
    if let Some(fault) = fault {
        if inside.iter().all(|case| case.fault.is_none()) {
            inside.push(failed(name, fault));
        }
    }
    inside
}

/// How deep a line is, and the line without what shows that.
fn level(line: &str) -> (usize, &str) {
    let mut depth = 0;
    let mut rest = line.trim_end();
    loop {
        if let Some(inner) = rest.strip_prefix("    ").or(rest.strip_prefix("# ")) {
            depth += 1;
            rest = inner;
        } else {
            return (depth, rest);
        }
    }
}

fn plan(text: &str) -> Option<usize> {
    let digits = text.split_whitespace().next().unwrap_or(text);
    digits.parse().ok()
}

/// `ok 1 - name # SKIP why`: the name, and why it did not pass.
fn result(body: &str) -> Option<(&str, Option<String>)> {
    let (ok, rest) = match body.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, body.strip_prefix("ok")?),
    };
    let rest = rest.strip_prefix(' ')?.trim_start();
    let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    number.parse::<usize>().ok()?;
    let rest = rest.trim_start().trim_start_matches("- ");
    let (name, directive) = rest.split_once('#').unwrap_or((rest, ""));
    let directive = directive.trim();
    let skipped = directive
        .get(..4)
        .is_some_and(|word| word.eq_ignore_ascii_case("skip"));
    let fault = match (ok, skipped) {
        (_, true) => Some(format!("skipped: {}", directive[4..].trim())),
        (true, false) => None,
        (false, false) => Some(if directive.is_empty() {
            "failed".to_owned()
        } else {
            format!("failed: {directive}")
        }),
    };
    Some((name.trim(), fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(cases: &[Case]) -> Vec<String> {
        cases
            .iter()
            .filter_map(|case| Some(format!("{}: {}", case.name, case.fault.as_ref()?)))
            .collect()
    }

    #[test]
    fn kunit_suites() {
        let text = "\
KTAP version 1
1..1
    KTAP version 1
    # Subtest: dax_ownership
    # module: dax_hmem
    1..2
    ok 1 touching
    # touching: EXPECTATION something
    not ok 2 nested
# dax_ownership: pass:1 fail:1 skip:0 total:2
not ok 1 dax_ownership
";
        let cases = parse(text);
        assert_eq!(cases.len(), 2);
        assert_eq!(cases[0].name, "dax_ownership: touching");
        assert_eq!(faults(&cases), ["dax_ownership: nested: failed"]);
    }

    #[test]
    fn kselftest_runner() {
        let text = "\
TAP version 13
1..2
# timeout set to 45
# selftests: dax: a.sh
# TAP version 13
# 1..2
# ok 1 first # SKIP no hardware
# ok 2 second
ok 1 selftests: dax: a.sh
# timeout set to 45
# selftests: dax: b.sh
not ok 2 selftests: dax: b.sh # TIMEOUT 45 seconds
";
        let cases = parse(text);
        assert_eq!(cases.len(), 3);
        assert_eq!(
            faults(&cases),
            [
                "selftests: dax: a.sh: first: skipped: no hardware",
                "selftests: dax: b.sh: failed: TIMEOUT 45 seconds"
            ]
        );
    }

    #[test]
    fn what_was_planned_must_be_reported() {
        assert_eq!(
            faults(&parse("1..3\nok 1 a\nok 2 b\n")),
            ["plan: 3 tests were planned, 2 reported"]
        );
        assert!(parse("nothing here\n").is_empty());
        assert_eq!(faults(&parse("Bail out! no root\n")), ["bail out: no root"]);
    }

    #[test]
    fn several_reports_in_a_row() {
        let cases = parse("KTAP version 1\n1..1\nok 1 a\nKTAP version 1\n1..1\nok 1 b\n");
        assert_eq!(cases.len(), 2);
        assert!(faults(&cases).is_empty());
    }

    #[test]
    fn a_failure_above_passing_cases_counts() {
        let cases = parse("1..1\n    1..1\n    ok 1 inner\nnot ok 1 outer\n");
        assert_eq!(faults(&cases), ["outer: failed"]);
    }
}
