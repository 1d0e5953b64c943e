// SPDX-License-Identifier: GPL-2.0

//! What a bench found out: figures with a side for C and one for Rust.

use serde::Deserialize;
use serde::Serialize;

use super::stats::exponent;
use super::stats::Sample;

/// Everything of one bench; also what the JSON file holds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Bench {
    /// `uname -r` of the guests.
    pub kernel: String,
    /// QEMU's own words on its version.
    pub qemu: String,
    pub figures: Vec<Figure>,
    /// Where the code of our `dax_hmem` is, largest first: name and bytes.
    pub code: Vec<(String, u64)>,
}

/// What a figure is about; also the order in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// How long until memory is there.
    Time,
    /// Ranges that a committed region covers.
    Claimed,
    /// Ranges that HMEM registers.
    Registered,
    /// Loading and unloading.
    Modules,
    /// Sizes.
    Size,
}

impl Topic {
    /// As a heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Time => "Time until memory is there, with the guest's clock",
            Self::Claimed => "Instructions: ranges that CXL claims",
            Self::Registered => "Instructions: ranges that HMEM registers, without kmem",
            Self::Modules => "Instructions: loading and unloading a module",
            Self::Size => "Sizes",
        }
    }

    /// All, in order.
    pub const ALL: [Self; 5] = [
        Self::Time,
        Self::Claimed,
        Self::Registered,
        Self::Modules,
        Self::Size,
    ];
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    Seconds,
    Instructions,
    Bytes,
    /// A bare number.
    Exponent,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Figure {
    pub topic: Topic,
    pub name: String,
    pub unit: Unit,
    /// How many ranges, where that is the question.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ranges: Option<u64>,
    pub c: Sample,
    pub rust: Sample,
}

impl Figure {
    /// A figure that nobody has measured yet.
    pub fn new(topic: Topic, name: impl Into<String>, unit: Unit) -> Self {
        Self {
            topic,
            name: name.into(),
            unit,
            ranges: None,
            c: Sample::default(),
            rust: Sample::default(),
        }
    }

    /// Rust by C. `None` where one is missing, or C is nothing, or the figure is no amount.
    pub fn ratio(&self) -> Option<f64> {
        let (c, rust) = (self.c.median()?, self.rust.median()?);
        (c > 0.0 && self.unit != Unit::Exponent).then(|| rust / c)
    }
}

impl Bench {
    /// The figure of that name, made if there is none.
    pub fn figure(&mut self, topic: Topic, name: &str, unit: Unit) -> &mut Figure {
        let found = self
            .figures
            .iter()
            .position(|figure| figure.topic == topic && figure.name == name);
        let index = found.unwrap_or_else(|| {
            self.figures.push(Figure::new(topic, name, unit));
            self.figures.len() - 1
        });
        &mut self.figures[index]
    }

    /// Puts the figures of `newer` in place of the same ones. Changes nothing, and returns `false`, if
    /// they are of another kernel or QEMU.
    pub fn renew(&mut self, newer: &Self) -> bool {
        if (&self.kernel, &self.qemu) != (&newer.kernel, &newer.qemu) {
            return false;
        }
        for figure in &newer.figures {
            *self.figure(figure.topic, &figure.name, figure.unit) = figure.clone();
        }
        if !newer.code.is_empty() {
            self.code.clone_from(&newer.code);
        }
        true
    }

    /// The figures of a topic, in the order in which they came.
    pub fn of(&self, topic: Topic) -> impl Iterator<Item = &Figure> {
        self.figures
            .iter()
            .filter(move |figure| figure.topic == topic)
    }

    /// Number of ranges and median of each figure that depends on it.
    pub fn growth(&self, topic: Topic, side: impl Fn(&Figure) -> &Sample) -> Vec<(f64, f64)> {
        self.of(topic)
            .filter(|figure| figure.unit == Unit::Instructions && figure.name.starts_with(RESOLVE))
            .filter_map(|figure| Some((figure.ranges? as f64, side(figure).median()?)))
            .collect()
    }

    /// Adds how the cost grows with the ranges, or renews it.
    pub fn fit(&mut self) {
        for topic in [Topic::Claimed, Topic::Registered] {
            let c = exponent(&self.growth(topic, |figure| &figure.c));
            let rust = exponent(&self.growth(topic, |figure| &figure.rust));
            if c.is_none() && rust.is_none() {
                continue;
            }
            let figure = self.figure(topic, "exponent of growth, 1 to 1024", Unit::Exponent);
            figure.c = Sample::from(Vec::from_iter(c));
            figure.rust = Sample::from(Vec::from_iter(rust));
            let c = further(&self.growth(topic, |figure| &figure.c));
            let rust = further(&self.growth(topic, |figure| &figure.rust));
            let figure = self.figure(topic, "each range from 128 to 1024", Unit::Instructions);
            figure.c = Sample::from(Vec::from_iter(c));
            figure.rust = Sample::from(Vec::from_iter(rust));
        }
    }
}

/// What one more range costs, between the two largest numbers of ranges.
fn further(points: &[(f64, f64)]) -> Option<f64> {
    let [.., (few, less), (many, more)] = points else {
        return None;
    };
    (many > few).then(|| (more - less) / (many - few))
}

/// How the names of the figures begin that count the resolving of ranges.
pub const RESOLVE: &str = "bind";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_needs_both_sides() {
        let mut bench = Bench::default();
        let figure = bench.figure(Topic::Size, "x", Unit::Bytes);
        figure.rust.add(6.0);
        assert_eq!(figure.ratio(), None);
        figure.c.add(3.0);
        assert_eq!(figure.ratio(), Some(2.0));
        bench.figure(Topic::Size, "x", Unit::Bytes).c.add(3.0);
        assert_eq!(bench.figures.len(), 1);
    }

    #[test]
    fn growth_is_fitted_for_each_side() {
        let mut bench = Bench::default();
        for n in [1u64, 16, 128] {
            let name = format!("{RESOLVE}, N = {n}");
            let figure = bench.figure(Topic::Claimed, &name, Unit::Instructions);
            figure.ranges = Some(n);
            figure.c.add((n * n) as f64);
            figure.rust.add(n as f64);
        }
        bench.fit();
        let [.., fitted, further] = bench.figures.as_slice() else {
            panic!("no figures");
        };
        assert_eq!(fitted.unit, Unit::Exponent);
        assert!((fitted.c.median().expect("c") - 2.0).abs() < 1e-9);
        assert!((fitted.rust.median().expect("rust") - 1.0).abs() < 1e-9);
        assert_eq!(fitted.ratio(), None);
        assert_eq!(further.c.median(), Some(144.0));
        assert_eq!(further.rust.median(), Some(1.0));
        let count = bench.figures.len();
        bench.fit();
        assert_eq!(bench.figures.len(), count);
    }

    fn bench(kernel: &str, figures: &[(&str, f64)]) -> Bench {
        let mut bench = Bench {
            kernel: kernel.into(),
            ..Bench::default()
        };
        for (name, value) in figures {
            let figure = bench.figure(Topic::Time, name, Unit::Seconds);
            figure.c = Sample::from(vec![*value]);
        }
        bench
    }

    #[test]
    fn only_what_was_measured_is_renewed() {
        let mut all = bench("7.3", &[("boot", 8.0), ("load", 5.0)]);
        assert!(all.renew(&bench("7.3", &[("load", 4.0), ("new", 1.0)])));
        assert_eq!(
            all,
            bench("7.3", &[("boot", 8.0), ("load", 4.0), ("new", 1.0)])
        );
    }

    #[test]
    fn figures_of_another_kernel_are_not_mixed() {
        let mut all = bench("7.3", &[("boot", 8.0)]);
        assert!(!all.renew(&bench("7.4", &[("boot", 4.0)])));
        assert_eq!(all, bench("7.3", &[("boot", 8.0)]));
    }
}
