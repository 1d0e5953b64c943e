// SPDX-License-Identifier: GPL-2.0

//! As much of PromQL as the alert rules and the dashboard use: what an expression asks for, and what it
//! comes to on the output of `daxown metrics`. An expression that needs more has to bring it.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::label::Matcher;
use promql_parser::parser::{Expr, LabelModifier, VectorSelector};

pub type Labels = BTreeMap<String, String>;
pub type Vector = Vec<(Labels, f64)>;

/// The samples of a text by name.
pub fn samples(text: &str) -> BTreeMap<String, Vector> {
    let mut out: BTreeMap<String, Vector> = BTreeMap::new();
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.strip_suffix("\"}").unwrap_or_default();
        let pairs = labels.split("\",").filter(|p| !p.is_empty());
        let pairs = pairs.map(|p| p.split_once("=\"").unwrap());
        let labels = pairs.map(|(k, v)| (k.to_string(), v.to_string()));
        let sample = (labels.collect(), value.parse().unwrap());
        out.entry(name.to_string()).or_default().push(sample);
    }
    out
}

/// The metrics that an expression names, and the labels that it matches or groups by.
pub fn asks(expr: &Expr) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut names, mut labels) = (BTreeSet::new(), BTreeSet::new());
    walk(expr, &mut |expr| match expr {
        Expr::VectorSelector(v) => selector(v, &mut names, &mut labels),
        Expr::MatrixSelector(m) => selector(&m.vs, &mut names, &mut labels),
        Expr::Aggregate(a) => labels.extend(listed(a.modifier.as_ref())),
        Expr::Binary(b) => {
            let matching = b.modifier.as_ref().and_then(|m| m.matching.as_ref());
            labels.extend(listed(matching));
        }
        _ => {}
    });
    labels.remove("instance");
    (names, labels)
}

fn selector(v: &VectorSelector, names: &mut BTreeSet<String>, labels: &mut BTreeSet<String>) {
    names.extend(v.name.clone());
    labels.extend(v.matchers.matchers.iter().map(|m| m.name.clone()));
}

fn listed(modifier: Option<&LabelModifier>) -> Vec<String> {
    modifier.map_or(Vec::new(), |m| m.labels().labels.clone())
}

fn walk(expr: &Expr, seen: &mut impl FnMut(&Expr)) {
    seen(expr);
    match expr {
        Expr::Aggregate(a) => walk(&a.expr, seen),
        Expr::Unary(u) => walk(&u.expr, seen),
        Expr::Paren(p) => walk(&p.expr, seen),
        Expr::Binary(b) => {
            walk(&b.lhs, seen);
            walk(&b.rhs, seen);
        }
        Expr::Call(c) => c.args.args.iter().for_each(|a| walk(a, seen)),
        _ => {}
    }
}

enum Value {
    Scalar(f64),
    Vector(Vector),
}

/// What an expression comes to, with nothing known of the past.
pub fn vector(expr: &Expr, samples: &BTreeMap<String, Vector>) -> Vector {
    match value(expr, samples) {
        Value::Vector(vector) => vector,
        Value::Scalar(n) => panic!("{expr} is the number {n}"),
    }
}

fn value(expr: &Expr, samples: &BTreeMap<String, Vector>) -> Value {
    let inner = |expr: &Expr| vector(expr, samples);
    Value::Vector(match expr {
        Expr::NumberLiteral(n) => return Value::Scalar(n.val),
        Expr::Paren(p) => return value(&p.expr, samples),
        Expr::VectorSelector(v) => select(v, samples),
        Expr::MatrixSelector(m) => select(&m.vs, samples),
        Expr::Call(c) if c.func.name == "max_over_time" => inner(&c.args.args[0]),
        Expr::Aggregate(a) => {
            let by = listed(a.modifier.as_ref());
            let mut out: BTreeMap<Labels, f64> = BTreeMap::new();
            for (labels, n) in inner(&a.expr) {
                let key = labels.into_iter().filter(|(k, _)| by.contains(k)).collect();
                let all = out.entry(key).or_insert(0.0);
                *all = match a.op.to_string().as_str() {
                    "sum" => *all + n,
                    "max" => all.max(n),
                    other => panic!("{other} is not known here"),
                };
            }
            out.into_iter().collect()
        }
        Expr::Binary(b) => {
            let modifier = b.modifier.as_ref();
            let is_plain = modifier.is_none_or(|m| m.matching.is_none() && !m.return_bool);
            assert!(is_plain, "no modifier is known here: {expr}");
            let op = b.op.to_string();
            let left = inner(&b.lhs);
            match value(&b.rhs, samples) {
                Value::Scalar(n) => keep(left, |_, x| compare(&op, x, n)),
                Value::Vector(right) => keep(left, |labels, x| {
                    let other = right.iter().find(|(l, _)| l == labels).map(|(_, n)| *n);
                    match op.as_str() {
                        "and" => other.is_some(),
                        "unless" => other.is_none(),
                        op => other.is_some_and(|n| compare(op, x, n)),
                    }
                }),
            }
        }
        other => panic!("{other} is not known here"),
    })
}

fn keep(vector: Vector, holds: impl Fn(&Labels, f64) -> bool) -> Vector {
    let kept = vector.into_iter().filter(|(labels, n)| holds(labels, *n));
    kept.collect()
}

fn compare(op: &str, a: f64, b: f64) -> bool {
    match op {
        "==" => a == b,
        "!=" => a != b,
        ">" => a > b,
        "<" => a < b,
        other => panic!("{other} is not known here"),
    }
}

fn select(v: &VectorSelector, samples: &BTreeMap<String, Vector>) -> Vector {
    let found = v.name.as_ref().and_then(|name| samples.get(name));
    let is_match = |labels: &Labels, m: &Matcher| {
        let value = labels.get(&m.name).map_or("", String::as_str);
        m.is_match(value)
    };
    keep(found.cloned().unwrap_or_default(), |labels, _| {
        v.matchers.matchers.iter().all(|m| is_match(labels, m))
    })
}
